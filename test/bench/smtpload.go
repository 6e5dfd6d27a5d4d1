package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// mailer is one SMTP connection that sends message after message.
type mailer struct {
	conn net.Conn
	r    *bufio.Reader
	from string
}

// dialMX opens the MX port and goes over to TLS.
func dialMX(l *lab) (*mailer, error) {
	m, err := dialStartTLS(l.address(25))
	if m != nil {
		m.from = "someone@sender.example"
	}
	return m, err
}

func dialSubmission(l *lab, user string) (*mailer, error) {
	m, err := dialStartTLS(l.address(587))
	if err != nil {
		return nil, err
	}
	m.from = user
	token := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	return m, m.exchange("AUTH PLAIN "+token+"\r\n", "235")
}

func dialStartTLS(address string) (*mailer, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	m := &mailer{conn: conn, r: bufio.NewReader(conn)}
	if err := m.expect("220"); err != nil {
		return nil, err
	}
	for _, step := range [][2]string{{"EHLO client.example\r\n", "250"}, {"STARTTLS\r\n", "220"}} {
		if err := m.exchange(step[0], step[1]); err != nil {
			return nil, err
		}
	}
	secure := tls.Client(conn, clientTLS())
	m.conn, m.r = secure, bufio.NewReader(secure)
	return m, m.exchange("EHLO client.example\r\n", "250")
}

func (m *mailer) exchange(send, code string) error {
	if _, err := m.conn.Write([]byte(send)); err != nil {
		return err
	}
	return m.expect(code)
}

// expect reads one reply, of however many lines, and wants its code.
func (m *mailer) expect(code string) error {
	for {
		line, err := m.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if !bytes.HasPrefix(line, []byte(code)) {
			return fmt.Errorf("wanted %s, got %q", code, line)
		}
		return nil
	}
}

// send gives one message, with MAIL, RCPT and DATA pipelined as every large sender does.
func (m *mailer) send(to string, body []byte) error {
	if err := m.announce(to); err != nil {
		return err
	}
	return m.give(body)
}

// announce goes up to the reply to DATA.
func (m *mailer) announce(to string) error {
	if _, err := fmt.Fprintf(m.conn, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", m.from, to); err != nil {
		return err
	}
	for _, code := range []string{"250", "250", "354"} {
		if err := m.expect(code); err != nil {
			return err
		}
	}
	return nil
}

// give sends the text with its final dot and reads the reply.
func (m *mailer) give(body []byte) error {
	if _, err := m.conn.Write(body); err != nil {
		return err
	}
	return m.expect("250")
}

var words = strings.Fields(`the of and to in that it with for was on are as be this have from or had by not but what some we can out other
were all there when up use your how said an each she which do their time if will way about many then them write would like so these her long make thing
see him two has look more day could go come did number sound no most people my over know water than call first who may down side been now find meeting
invoice project schedule regards attached report question tomorrow office server update customer order delivery account`)

// letter writes a text message of about the given size, never the same twice: words, so that it compresses as mail does.
func letter(from, to string, size int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 7))
	var b bytes.Buffer
	fmt.Fprintf(&b, "Received: from mx%d.sender.example by relay.sender.example; Mon, 23 Nov 2026 06:00:00 +0000\r\n", rng.IntN(100))
	fmt.Fprintf(&b, "From: Some One <%s>\r\nTo: <%s>\r\nSubject: %s %s number %d\r\nDate: Mon, 23 Nov 2026 06:00:00 +0000\r\nMessage-ID: <%d.%d@sender.example>\r\n",
		from, to, words[rng.IntN(len(words))], words[rng.IntN(len(words))], seed, seed, rng.Uint64())
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n")
	line := 0
	for b.Len() < size-2 {
		w := words[rng.IntN(len(words))]
		if rng.IntN(8) == 0 {
			w = fmt.Sprintf("%x", rng.Uint32())
		}
		b.WriteString(w)
		if line += len(w) + 1; line > 68 {
			b.WriteString("\r\n")
			line = 0
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteString("\r\n.\r\n")
	return b.Bytes()
}

// load is what a run of senders gave.
type load struct {
	rate    float64 // messages a second, from the first byte until the last is visible
	cpu     time.Duration
	flushes float64 // disk flushes a message
}

var serial atomic.Uint64

// pour sends count plain messages of a size; see pourLetters.
func (l *lab) pour(connections, count, size int, to string, dial func() (*mailer, error)) (load, error) {
	write := func(from, to string, number uint64) []byte { return letter(from, to, size, number) }
	return l.pourLetters(pouring{connections: connections, count: count, to: to, write: write, dial: dial})
}

// pouring is a load of letters.
type pouring struct {
	connections int // at a time
	count       int // of letters
	to          string
	write       writer
	dial        func() (*mailer, error)
	// anew: each letter comes by a connection of its own, with TLS, as from a sender who has no other for us.
	anew bool
}

// pourLetters sends the letters and waits until an IMAP session sees all of them.
func (l *lab) pourLetters(p pouring) (load, error) {
	mailers := make([]*mailer, p.connections)
	for i := range mailers {
		m, err := p.dial()
		if err != nil {
			return load{}, err
		}
		defer m.conn.Close()
		mailers[i] = m
	}
	bodies := make([][]byte, p.count)
	for i := range bodies {
		bodies[i] = p.write(mailers[0].from, p.to, serial.Add(1))
	}
	c, err := l.imap("bob@example.test")
	if err != nil {
		return load{}, err
	}
	defer c.close()
	before, err := c.messages("INBOX")
	if err != nil {
		return load{}, err
	}
	flushes, _ := l.metric("postern_db_commits_total")
	cpu, start := l.cpu(), time.Now()
	if err := p.sendAll(mailers, bodies); err != nil {
		return load{}, err
	}
	for {
		n, err := c.messages("INBOX")
		if err != nil {
			return load{}, err
		}
		if n >= before+p.count {
			break
		}
		if time.Since(start) > 2*time.Minute {
			return load{}, fmt.Errorf("only %d of %d messages are visible", n-before, p.count)
		}
	}
	took := time.Since(start)
	after, err := l.metric("postern_db_commits_total")
	if err != nil {
		return load{}, err
	}
	count := float64(p.count)
	return load{count / took.Seconds(), (l.cpu() - cpu) / time.Duration(p.count), (after - flushes) / count}, nil
}

func (p *pouring) sendAll(mailers []*mailer, bodies [][]byte) error {
	var next atomic.Int64
	errs := make(chan error, len(mailers))
	var wg sync.WaitGroup
	for _, m := range mailers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return
				}
				if err := p.sendOne(m, bodies[i]); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

// sendOne sends a letter over the connection that is there, or over one of its own, which it ends as the protocol has it.
func (p *pouring) sendOne(m *mailer, body []byte) error {
	if !p.anew {
		return m.send(p.to, body)
	}
	m, err := p.dial()
	if err != nil {
		return err
	}
	defer m.conn.Close()
	if err := m.send(p.to, body); err != nil {
		return err
	}
	return m.exchange("QUIT\r\n", "221")
}

func (r load) String() string {
	return fmt.Sprintf("%.0f/s, %.2f ms CPU and %.2f flushes a message", r.rate, float64(r.cpu.Microseconds())/1000, r.flushes)
}

func acceptRow(connections, count, size int, aim string) row {
	name := fmt.Sprintf("accept %d KiB by SMTP until visible, %d connections", size>>10, connections)
	return row{name, aim, func(l *lab) (string, error) {
		r, err := l.pour(connections, count*l.scale, size, "bob@example.test", func() (*mailer, error) { return dialMX(l) })
		return r.String(), err
	}}
}

func acceptRows() []row {
	return []row{
		acceptRow(1, 2000, 4<<10, "1,000/s"),
		acceptRow(16, 8000, 4<<10, "2,500/s, < 0.8 ms CPU"),
		acceptRow(64, 8000, 4<<10, "3,000/s, < 0.25 flushes"),
	}
}

func acceptLargeRows() []row {
	return []row{acceptRow(16, 2000, 64<<10, "1,000/s")}
}

func submissionRows() []row {
	return []row{{"submission 4 KiB, 16 connections", "1,500/s", func(l *lab) (string, error) {
		r, err := l.pour(16, 4000*l.scale, 4<<10, "bob@example.test", func() (*mailer, error) { return dialSubmission(l, "alice@example.test") })
		return r.String(), err
	}}}
}

// flatRows compare acceptance into an empty store with acceptance into a full one: cost must not grow with what is stored.
func flatRows() []row {
	const stored = 100000
	return []row{{fmt.Sprintf("accept 4 KiB, 16 connections, with %d messages stored", stored), "within 1.5x of empty", func(l *lab) (string, error) {
		dial := func() (*mailer, error) { return dialMX(l) }
		empty, err := l.pour(16, 4000, 4<<10, "bob@example.test", dial)
		if err != nil {
			return "", err
		}
		l.messages = stored
		if err := l.fill(); err != nil {
			return "", err
		}
		full, err := l.pour(16, 4000, 4<<10, "bob@example.test", dial)
		return fmt.Sprintf("%.2f ms CPU a message, empty %.2f ms", float64(full.cpu.Microseconds())/1000, float64(empty.cpu.Microseconds())/1000), err
	}}}
}
