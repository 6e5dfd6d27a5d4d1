package smtp

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections are in memory, so that a test can hold the clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// inBubble runs a test with its own time against a server that listens on pipes.
func inBubble(t *testing.T, role Role, limits Limits, test func(t *testing.T, s *testServer, dial func() *peer)) {
	synctest.Test(t, func(t *testing.T) {
		s := newTestServer(t, role)
		s.Settings = func() Limits { return limits }
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		go func() { _ = s.Serve(l) }()
		test(t, s, func() *peer {
			client, server := net.Pipe()
			l.conns <- server
			t.Cleanup(func() { client.Close() })
			return &peer{client, bufio.NewReader(client)}
		})
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// endsAfter checks when the connection ends, and with which last reply ("" for none), while every makes the client do
// something at regular times.
func endsAfter(t *testing.T, p *peer, want time.Duration, last string, every time.Duration, act func() error) {
	t.Helper()
	start := time.Now()
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for act != nil && act() == nil {
			select {
			case <-time.After(every):
			case <-stop:
				return
			}
		}
	}()
	got := ""
	for {
		reply := p.reply(t)
		if reply == "<closed>" {
			break
		}
		got = reply
	}
	took := time.Since(start)
	close(stop)
	p.Close()
	<-stopped
	if !strings.HasPrefix(got, last) || last == "" && got != "" {
		t.Errorf("last reply %q, want %q", got, last)
	}
	if took < want || took > want+want/10+time.Second {
		t.Errorf("ended after %v, want %v", took, want)
	}
}

func TestASilentClientIsToldToGo(t *testing.T) {
	inBubble(t, MX, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		p := dial()
		p.talk(t, "S: 220")
		endsAfter(t, p, 5*time.Minute, "421 4.4.2", 0, nil)
	})
}

func TestAClientThatDripsACommandIsToldToGo(t *testing.T) {
	inBubble(t, MX, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		p := dial()
		p.talk(t, "S: 220\nC: EHLO x\nS: 250-")
		endsAfter(t, p, 30*time.Minute, "421 4.4.2", 4*time.Minute, func() error { _, err := p.Write([]byte("N")); return err })
	})
}

func TestAClientThatOnlySaysNOOPIsToldToGo(t *testing.T) {
	inBubble(t, MX, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		p := dial()
		p.talk(t, "S: 220\nC: EHLO x\nS: 250-")
		endsAfter(t, p, 30*time.Minute, "421 4.4.2", 4*time.Minute, func() error { _, err := p.Write([]byte("NOOP\r\n")); return err })
		p = dial()
		p.talk(t, "S: 220\nC: EHLO x\nS: 250-")
		endsAfter(t, p, 0, "421 4.7.0 Too many commands", 0, func() error { _, err := p.Write([]byte("NOOP\r\n")); return err })
	})
}

func TestAClientThatDripsAMessageIsToldToGo(t *testing.T) {
	for _, command := range []string{"DATA\r\n", "BDAT 1000000 LAST\r\n"} {
		inBubble(t, MX, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
			p := dial()
			p.enter(t, MX)
			p.talk(t, opened)
			p.send(t, command)
			if command == "DATA\r\n" {
				p.talk(t, "S: 354")
			}
			// What was sent must not be taken for commands afterwards.
			endsAfter(t, p, 10*time.Minute, "421 4.4.2", time.Minute, func() error { _, err := p.Write([]byte("NOOP\r\n")); return err })
			if len(s.backend.all()) != 0 {
				t.Error("accepted")
			}
		})
	}
}

func TestASteadyMessageMayTakeItsTime(t *testing.T) {
	limits := Limits{DataTimeout: time.Minute, MinDataRate: 1 << 10, SessionTimeout: 2 * time.Minute}
	inBubble(t, MX, limits, func(t *testing.T, s *testServer, dial func() *peer) {
		p := dial()
		p.enter(t, MX)
		p.talk(t, opened+"C: DATA\nS: 354")
		line := strings.Repeat("x", 2046) + "\r\n"
		for range 300 {
			p.send(t, line)
			time.Sleep(time.Second)
		}
		p.talk(t, "C: .\nS: 250 2.6.0\nC: NOOP\nS: 250")
		p.talk(t, opened)
		for range 300 {
			p.send(t, "BDAT 2048\r\n"+line)
			p.talk(t, "S: 250")
			time.Sleep(time.Second)
		}
		p.talk(t, "C: BDAT 0 LAST\nS: 250 2.6.0\nC: NOOP\nS: 250")
	})
}

func TestARefusedMessageBuysNoTime(t *testing.T) {
	limits := Limits{DataTimeout: time.Minute, MinDataRate: 1 << 10}
	inBubble(t, MX, limits, func(t *testing.T, s *testServer, dial func() *peer) {
		p := dial()
		p.enter(t, MX)
		p.talk(t, opened+"C: DATA\nS: 354")
		line := []byte("\x00" + strings.Repeat("x", 9000) + "\r\n")
		endsAfter(t, p, time.Minute, "421 4.4.2", time.Second, func() error { _, err := p.Write(line); return err })
	})
}

func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	inBubble(t, MX, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		p := dial()
		p.talk(t, "S: 220")
		start := time.Now()
		var err error
		for err == nil {
			_, err = p.Write([]byte("HELP\r\n"))
		}
		if took := time.Since(start); took < 5*time.Minute || took > 6*time.Minute {
			t.Errorf("cut off after %v", took)
		}
		p.Close()
	})
}

func TestAHandshakeThatDoesNotComeEndsTheSession(t *testing.T) {
	inBubble(t, Submissions, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		endsAfter(t, dial(), time.Minute, "", 0, nil)
	})
	inBubble(t, MX, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		p := dial()
		p.talk(t, "S: 220\nC: STARTTLS\nS: 220")
		endsAfter(t, p, time.Minute, "", 0, nil)
	})
}

func TestALoginThatDoesNotComeEndsTheSession(t *testing.T) {
	inBubble(t, Submissions, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		p := dial()
		p.startTLS(t)
		p.talk(t, "S: 220\nC: EHLO x\nS: 250")
		endsAfter(t, p, 2*time.Minute, "421 4.4.2", 30*time.Second, func() error { _, err := p.Write([]byte("NOOP\r\n")); return err })
		p = dial()
		p.startTLS(t)
		p.enter(t, Submissions)
		endsAfter(t, p, 5*time.Minute, "421 4.4.2", 0, nil)
	})
}

func TestTheGreetingWaitsForThoseWhoDoNot(t *testing.T) {
	inBubble(t, MX, Limits{GreetDelay: 5 * time.Second}, func(t *testing.T, s *testServer, dial func() *peer) {
		start := time.Now()
		p := dial()
		p.talk(t, "S: 220\nC: EHLO x\nS: 250")
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("greeting after %v", took)
		}
		p = dial()
		p.send(t, "E")
		endsAfter(t, p, 0, "554 5.5.0", 0, nil)
	})
}

func TestShutdownTellsWaitingSessionsAndLetsTransactionsEnd(t *testing.T) {
	inBubble(t, MX, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		s.backend.hold = make(chan struct{})
		idle, greeted, running, open := dial(), dial(), dial(), dial()
		greeted.talk(t, "S: 220")
		for _, p := range []*peer{idle, running, open} {
			p.enter(t, MX)
		}
		open.talk(t, opened)
		running.talk(t, opened+"C: DATA\nS: 354\nC: .")
		<-s.backend.holding
		done := make(chan error)
		go func() { done <- s.Shutdown(context.Background()) }()
		idle.talk(t, "S: 421 4.3.2\nS: <closed>")
		greeted.talk(t, "S: 421 4.3.2\nS: <closed>")
		close(s.backend.hold)
		running.talk(t, "S: 250 2.6.0\nS: 421 4.3.2\nS: <closed>")
		open.talk(t, "C: RCPT TO:<carol@example.test>\nS: 250\nC: RSET\nS: 250\nS: 421 4.3.2\nS: <closed>")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownCutsOffWhoDoesNotEndInTime(t *testing.T) {
	inBubble(t, MX, Limits{}, func(t *testing.T, s *testServer, dial func() *peer) {
		s.backend.hold = make(chan struct{})
		p, q := dial(), dial()
		p.enter(t, MX)
		q.enter(t, MX)
		p.talk(t, opened)
		q.talk(t, opened+"C: DATA\nS: 354\nC: .")
		<-s.backend.holding
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		p.talk(t, "S: <closed>")
	})
}

func TestAnAUTHThatWaitsEndsWithTheServer(t *testing.T) {
	s := startServer(t, Submissions)
	p := secured(t, s)
	p.talk(t, "C: AUTH PLAIN\nS: 334")
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	p.talk(t, "S: 421 4.3.2\nS: <closed>")
	if err := <-done; err != nil {
		t.Error(err)
	}
}
