package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fill puts the messages that are read into bob's mailbox Bench, with MULTIAPPEND over a pipelined connection.
func (l *lab) fill() error {
	if l.filled {
		return nil
	}
	c, err := l.imap("bob@example.test")
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.do("CREATE Bench"); err != nil {
		return err
	}
	for done := 0; done < l.messages; done += 100 {
		var b strings.Builder
		b.WriteString("APPEND Bench")
		for range min(100, l.messages-done) {
			m := letter("someone@sender.example", "bob@example.test", 2<<10+rand.IntN(4<<10), serial.Add(1))
			m = m[:len(m)-3]
			fmt.Fprintf(&b, " {%d+}\r\n%s", len(m), m)
		}
		if _, err := c.do(b.String()); err != nil {
			return fmt.Errorf("filling the mailbox: %w", err)
		}
	}
	l.filled = true
	return nil
}

func (l *lab) opened(mailbox string) (*imapConn, error) {
	if err := l.fill(); err != nil {
		return nil, err
	}
	c, err := l.imap("bob@example.test")
	if err != nil {
		return nil, err
	}
	_, err = c.do("SELECT " + mailbox)
	return c, err
}

func appendRow(connections, count int, aim string) row {
	return row{fmt.Sprintf("APPEND 4 KiB, %d connections", connections), aim, func(l *lab) (string, error) {
		var next atomic.Int64
		var wg sync.WaitGroup
		errs := make(chan error, connections)
		conns := make([]*imapConn, connections)
		for i := range conns {
			c, err := l.imap("bob@example.test")
			if err != nil {
				return "", err
			}
			defer c.close()
			conns[i] = c
		}
		bodies := make([]string, count)
		for i := range bodies {
			m := letter("someone@sender.example", "bob@example.test", 4<<10, serial.Add(1))
			bodies[i] = fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m)-3, m[:len(m)-3])
		}
		start := time.Now()
		for _, c := range conns {
			wg.Go(func() {
				for {
					i := int(next.Add(1)) - 1
					if i >= count {
						return
					}
					if _, err := c.do(bodies[i]); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		select {
		case err := <-errs:
			return "", err
		default:
			return fmt.Sprintf("%.0f/s", float64(count)/time.Since(start).Seconds()), nil
		}
	}}
}

func appendRows() []row {
	return []row{appendRow(1, 2000, "1,200/s"), appendRow(8, 6000, "4,000/s")}
}

// commandRow repeats a command over the filled mailbox and gives the best and the median messages a second.
func commandRow(name, command, aim string, repeat int) row {
	return row{name, aim, func(l *lab) (string, error) {
		c, err := l.opened("Bench")
		if err != nil {
			return "", err
		}
		defer c.close()
		if _, err := c.do(command); err != nil { // warm
			return "", err
		}
		var times []time.Duration
		for range repeat {
			start := time.Now()
			if _, err := c.do(command); err != nil {
				return "", err
			}
			times = append(times, time.Since(start))
		}
		sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
		return fmt.Sprintf("%.0f messages/s", float64(l.messages)/times[len(times)/2].Seconds()), nil
	}}
}

func selectRow() row {
	return row{"SELECT, p50", "0.5 ms", func(l *lab) (string, error) {
		c, err := l.opened("Bench")
		if err != nil {
			return "", err
		}
		defer c.close()
		var times []time.Duration
		for range 200 {
			start := time.Now()
			if _, err := c.do("SELECT Bench"); err != nil {
				return "", err
			}
			times = append(times, time.Since(start))
		}
		sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
		return fmt.Sprintf("%.2f ms", float64(times[100].Microseconds())/1000), nil
	}}
}

func readRows() []row {
	return []row{
		selectRow(),
		commandRow("FETCH ENVELOPE FLAGS BODYSTRUCTURE, warm", "FETCH 1:* (ENVELOPE FLAGS BODYSTRUCTURE)", "100,000 messages/s", 5),
		commandRow("FETCH FLAGS", "FETCH 1:* (FLAGS)", "1,000,000 messages/s", 9),
		commandRow("FETCH full bodies", "FETCH 1:* (BODY.PEEK[])", "10,000 messages/s", 3),
		commandRow("SEARCH SUBJECT, warm", "SEARCH SUBJECT \"not there at all\"", "500,000 messages/s", 5),
		commandRow("SEARCH BODY", "SEARCH BODY \"not there at all\"", "", 3),
	}
}

func changeRows() []row {
	return []row{
		{"STORE one flag, one flush each", "2,500/s", storeOne(1, 2000)},
		{"STORE one flag, 8 connections", "", storeOne(8, 8000)},
		{"STORE on all, silent", "150,000 messages/s", storeAll},
		{"COPY of 10,000", "60,000 messages/s", timed("COPY 1:10000 Copied", 10000, "CREATE Copied")},
		{"MOVE of 10,000", "50,000 messages/s", timed("MOVE 1:10000 Moved", 10000, "CREATE Moved")},
		{"EXPUNGE of 10,000", "100,000 messages/s", timed("EXPUNGE", 10000, "STORE 1:10000 +FLAGS.SILENT (\\Deleted)")},
	}
}

func storeOne(connections, count int) func(*lab) (string, error) {
	return func(l *lab) (string, error) {
		var wg sync.WaitGroup
		errs := make(chan error, connections)
		conns := make([]*imapConn, connections)
		for i := range conns {
			c, err := l.opened("Bench")
			if err != nil {
				return "", err
			}
			defer c.close()
			conns[i] = c
		}
		before, _ := l.metric("postern_db_commits_total")
		start := time.Now()
		for w, c := range conns {
			wg.Go(func() {
				for i := range count / connections {
					sign := "+"
					if i%2 == 1 {
						sign = "-"
					}
					if _, err := c.do(fmt.Sprintf("STORE %d %sFLAGS (\\Flagged)", 1+(w*1000+i/2)%l.messages, sign)); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(start)
		select {
		case err := <-errs:
			return "", err
		default:
		}
		after, err := l.metric("postern_db_commits_total")
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%.0f/s, %.2f flushes each", float64(count)/took.Seconds(), (after-before)/float64(count)), nil
	}
}

// storeAll sets and takes a flag on the whole mailbox, so that each command changes every message.
func storeAll(l *lab) (string, error) {
	c, err := l.opened("Bench")
	if err != nil {
		return "", err
	}
	defer c.close()
	var times []time.Duration
	for _, sign := range []string{"+", "-", "+", "-", "+"} {
		start := time.Now()
		if _, err := c.do("STORE 1:* " + sign + "FLAGS.SILENT (\\Answered)"); err != nil {
			return "", err
		}
		times = append(times, time.Since(start))
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	return fmt.Sprintf("%.0f messages/s", float64(l.messages)/times[len(times)/2].Seconds()), nil
}

// timed runs the preparation, then measures one command that handles n messages.
func timed(command string, n int, prepare string) func(*lab) (string, error) {
	return func(l *lab) (string, error) {
		c, err := l.opened("Bench")
		if err != nil {
			return "", err
		}
		defer c.close()
		if _, err := c.do(prepare); err != nil {
			return "", err
		}
		start := time.Now()
		if _, err := c.do(command); err != nil {
			return "", err
		}
		return fmt.Sprintf("%.0f messages/s", float64(n)/time.Since(start).Seconds()), nil
	}
}

func loginRows() []row {
	return []row{{"login by a known client, 8 at once", "500/s", func(l *lab) (string, error) {
		c, err := l.imap("bob@example.test")
		if err != nil {
			return "", err
		}
		c.close()
		const count = 2000
		var next atomic.Int64
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		start := time.Now()
		for range 8 {
			wg.Go(func() {
				for next.Add(1) <= count {
					c, err := l.imap("bob@example.test")
					if err != nil {
						errs <- err
						return
					}
					c.close()
				}
			})
		}
		wg.Wait()
		select {
		case err := <-errs:
			return "", err
		default:
			return fmt.Sprintf("%.0f/s with the TLS handshake", count/time.Since(start).Seconds()), nil
		}
	}}}
}

func syncRows() []row {
	return []row{{"mbsync of the mailbox", "5,000 messages/s", func(l *lab) (string, error) {
		if _, err := exec.LookPath("mbsync"); err != nil {
			return "not measured: mbsync is not installed", nil
		}
		if err := l.fill(); err != nil {
			return "", err
		}
		dir, err := os.MkdirTemp("", "postern-mbsync-")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(dir)
		rc := filepath.Join(dir, "rc")
		config := fmt.Sprintf(`FSync no

IMAPAccount a
Host localhost
Port %d
User bob@example.test
Pass %s
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account a

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns Bench
Create Near
Sync Pull
SyncState *
`, l.portBase+993, password, filepath.Join(l.data, "ca.pem"), dir, dir)
		if err := os.WriteFile(rc, []byte(config), 0o600); err != nil {
			return "", err
		}
		client := exec.Command("mbsync", "-c", rc, "c")
		start, cpu := time.Now(), l.cpu()
		if out, err := client.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %s", err, out)
		}
		took := time.Since(start)
		cpu = l.cpu() - cpu
		own := client.ProcessState.UserTime() + client.ProcessState.SystemTime()
		entries, err := os.ReadDir(filepath.Join(dir, "Bench", "new"))
		if err != nil {
			return "", err
		}
		each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(len(entries)) }
		return fmt.Sprintf("%.0f messages/s; CPU a message: server %.0f µs, mbsync %.0f µs", float64(len(entries))/took.Seconds(), each(cpu), each(own)), nil
	}}}
}

func diskRows() []row {
	return []row{{"disk used by 200 MiB of mail", "x 0.8", func(l *lab) (string, error) {
		c, err := l.imap("bob@example.test")
		if err != nil {
			return "", err
		}
		defer c.close()
		var stored int64
		for stored < 200<<20 {
			size := 2<<10 + rand.IntN(6<<10)
			if rand.IntN(20) == 0 {
				size = 100<<10 + rand.IntN(400<<10)
			}
			m := letter("someone@sender.example", "bob@example.test", size, serial.Add(1))
			m = m[:len(m)-3]
			if _, err := c.do(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(m), m)); err != nil {
				return "", err
			}
			stored += int64(len(m))
		}
		used, err := diskUsed(l.data)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("x %.2f (text of random words)", float64(used)/float64(stored)), nil
	}}}
}
