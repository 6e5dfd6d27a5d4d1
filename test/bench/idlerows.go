package main

import (
	"bufio"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"time"
)

func idleRows() []row {
	return []row{idleRow(1000), idleRow(10000)}
}

// idleRow opens n sessions that idle on bob's INBOX, weighs them, and times a delivery's way to one of them.
func idleRow(n int) row {
	return row{fmt.Sprintf("%d idle IMAPS sessions", n), "< 40 KiB each; final dot to push p50 3 ms", func(l *lab) (string, error) {
		before := l.resident()
		conns, err := l.idlers(n, "bob@example.test")
		if err != nil {
			return "", err
		}
		defer func() {
			for _, c := range conns {
				c.close()
			}
		}()
		each := (l.resident() - before) / int64(n)
		quiet, err := l.pushLatency("alice@example.test")
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%.1f KiB each; final dot to push p50 %.2f ms", float64(each)/1024, float64(quiet.Microseconds())/1000), nil
	}}
}

func (l *lab) idlers(n int, user string) ([]*imapConn, error) {
	conns := make([]*imapConn, 0, n)
	for len(conns) < n {
		c, err := l.imapGreeted(512)
		if err != nil {
			return conns, fmt.Errorf("after %d sessions: %w", len(conns), err)
		}
		conns = append(conns, c)
		for _, command := range []string{"LOGIN " + user + " " + password, "SELECT INBOX"} {
			if _, err := c.do(command); err != nil {
				return conns, fmt.Errorf("after %d sessions: %w", len(conns), err)
			}
		}
		if err := c.idle(); err != nil {
			return conns, err
		}
		c.r = bufio.NewReaderSize(c.conn, 16)
	}
	runtime.GC()
	return conns, nil
}

func (c *imapConn) idle() error {
	if _, err := c.send("IDLE"); err != nil {
		return err
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "+") {
		return fmt.Errorf("IDLE: %s", line)
	}
	return nil
}

// pushLatency is the median time from the final dot of a message to the EXISTS that an idle session of its own sees, while
// all others idle on.
func (l *lab) pushLatency(user string) (time.Duration, error) {
	c, err := l.imap(user)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if _, err := c.do("SELECT INBOX"); err != nil {
		return 0, err
	}
	if err := c.idle(); err != nil {
		return 0, err
	}
	m, err := dialMX(l)
	if err != nil {
		return 0, err
	}
	defer m.conn.Close()
	var times []time.Duration
	for range 51 {
		body := letter(m.from, user, 4<<10, serial.Add(1))
		if err := m.announce(user); err != nil {
			return 0, err
		}
		done := make(chan error, 1)
		start := time.Now()
		go func() { done <- m.give(body) }()
		for {
			line, err := c.r.ReadString('\n')
			if err != nil {
				return 0, err
			}
			if strings.HasSuffix(line, " EXISTS\r\n") {
				times = append(times, time.Since(start))
				break
			}
		}
		if err := <-done; err != nil {
			return 0, err
		}
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	return times[len(times)/2], nil
}
