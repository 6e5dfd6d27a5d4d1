package smtp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/internal/reply"
)

// limited starts a server with limits.
func limited(t *testing.T, role Role, l Limits) *testServer {
	t.Helper()
	s := newTestServer(t, role)
	s.Settings = func() Limits { return l }
	return s.listen(t)
}

func TestErrorsAreCounted(t *testing.T) {
	s := limited(t, MX, Limits{MaxErrors: 3})
	s.dial(t).talk(t, "S: 220\nC: EHLO x\nS: 250\nC: X\nS: 500\nC: MAIL\nS: 501\nC: DATA\nS: 503\nC: Y\nS: 500\nS: 421 4.7.0\nS: <closed>")
}

func TestCommandsAndMessagesOfASessionAreLimited(t *testing.T) {
	s := limited(t, MX, Limits{MaxMessages: 2, MaxCommands: 12})
	message := opened + "C: DATA\nS: 354\nC: .\nS: 250\n"
	p := s.dial(t)
	p.enter(t, MX)
	p.talk(t, message+message+"C: MAIL FROM:<>\nS: 421 4.7.0 Too many messages\nS: <closed>")
	p = s.dial(t)
	p.enter(t, MX)
	p.talk(t, "C: MAIL FROM:<>\nS: 250")
	for range 10 {
		p.talk(t, "C: RCPT TO:<b@example.test>\nS: 250")
	}
	p.talk(t, "C: RCPT TO:<b@example.test>\nS: 421 4.7.0 Too many commands, closing\nS: <closed>")
}

func TestRefusedRecipientsAreCountedForStrangers(t *testing.T) {
	for _, role := range []Role{MX, Submissions} {
		s := limited(t, role, Limits{MaxErrors: 1, MaxRefused: 2})
		p := s.dial(t)
		p.enter(t, role)
		p.talk(t, "C: MAIL FROM:<alice@example.test>\nS: 250\nC: RCPT TO:<nobody@example.test>\nS: 550 5.1.1\nC: RCPT TO:<nobody@a.test>\nS: 550\nC: RCPT TO:<later@a.test>\nS: 450\nC: RCPT TO:<nobody@b.test>")
		if role == MX {
			p.talk(t, "S: 421 4.7.0\nS: <closed>")
		} else {
			p.talk(t, "S: 550 5.1.1\nC: NOOP\nS: 250")
		}
	}
}

func TestRecipientsAreLimited(t *testing.T) {
	s := limited(t, MX, Limits{MaxRecipients: 2, MaxErrors: 1})
	p := s.dial(t)
	p.enter(t, MX)
	p.talk(t, opened+`
		C: RCPT TO:<c@example.test>
		S: 250
		C: RCPT TO:<d@example.test>
		S: 452 4.5.3
		C: RCPT TO:<e@example.test>
		S: 452 4.5.3
		C: DATA
		S: 354
		C: .
		S: 250`)
	if err := sameAddresses(s.backend.all()[0].Envelope.Recipients, "bob@example.test", "c@example.test"); err != nil {
		t.Error(err)
	}
}

func TestOtherProtocolsAreSentAway(t *testing.T) {
	s := startServer(t, MX)
	for _, first := range []string{
		"GET / HTTP/1.1\r\nHost: mx\r\n\r\n", "POST / HTTP/1.1\r\n\r\nEHLO x\r\nMAIL FROM:<>\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "USER anonymous\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n",
		"\r\n", "hello\r\n", "* OK\r\n",
	} {
		p := s.dial(t)
		p.talk(t, "S: 220")
		p.send(t, first)
		if got := p.reply(t); !strings.HasPrefix(got, "500 5.5.") {
			t.Errorf("%q: %q", first, got)
		}
		if first[0] != 0x16 { // which ends in a bare LF and is over with the next line
			p.talk(t, "S: <closed>")
		}
	}
	p := s.dial(t)
	p.enter(t, MX)
	p.talk(t, "C: Host: evil.example\nS: 500\nS: <closed>")
}

func TestLinesThatAreNotLinesAreRefused(t *testing.T) {
	s := startServer(t, MX)
	p := s.dial(t)
	p.enter(t, MX)
	p.send(t, "NOOP\nRSET\r\n")
	p.talk(t, "S: 500 5.5.2 Lines end\nS: 250 2.0.0")
	p.send(t, "NOOP "+strings.Repeat("x", 504)+"\r\n")
	p.talk(t, "S: 250")
	p.send(t, "NOOP "+strings.Repeat("x", 506)+"\r\n")
	p.talk(t, "S: 500 5.5.2 Line too long")
	p.send(t, "NOOP "+strings.Repeat("x", 100_000)+"\r\nNOOP\r\n")
	p.talk(t, "S: 500 5.5.2 Line too long\nS: 250")
	p.send(t, "NO\rOP\r\n")
	p.talk(t, "S: 500 5.5.2")
	p.send(t, "NOOP \x80\x81\r\n")
	p.talk(t, "S: 250")
	go func() { _, _ = p.Write(make([]byte, 400<<10)) }() // ends with the connection
	p.talk(t, "S: 500 5.5.2 Line too long, closing")
}

func TestLongLinesOfTextAreKeptAndEndlessOnesRefused(t *testing.T) {
	s := startServer(t, MX)
	p := s.dial(t)
	p.enter(t, MX)
	long := strings.Repeat("x", 100_000)
	p.talk(t, opened+"C: DATA\nS: 354")
	p.send(t, long+"\r\n.\r\n")
	p.talk(t, "S: 250")
	if got := s.backend.all()[0].Text; got != long+"\r\n" {
		t.Errorf("%d bytes arrived", len(got))
	}
	p.talk(t, opened+"C: DATA\nS: 354")
	for range 11 {
		p.send(t, long)
	}
	p.send(t, "\r\n.\r\n")
	p.talk(t, "S: 554 5.6.0 Message has a line\nC: NOOP\nS: 250")
}

func TestConnectionsAreLimited(t *testing.T) {
	s := limited(t, MX, Limits{MaxConnections: 2})
	a, b := s.dial(t), s.dial(t)
	a.talk(t, "S: 220")
	b.talk(t, "S: 220")
	s.dial(t).talk(t, "S: 421 4.3.2\nS: <closed>")
	a.talk(t, "C: QUIT\nS: 221\nS: <closed>")
	waitFor(t, func() bool { return s.Sessions() < 2 })
	s.dial(t).talk(t, "S: 220")
}

func TestTheThrottleTurnsConnectionsAway(t *testing.T) {
	for _, role := range roles {
		throttle := &testThrottle{}
		s := newTestServer(t, role)
		s.Throttle = throttle
		s.listen(t)
		p := s.dial(t)
		p.talk(t, "S: 220")
		throttle.mu.Lock()
		throttle.connect = reply.New(421, "4.7.0", "Too many connections from you")
		throttle.mu.Unlock()
		if role == Submissions {
			conn, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			newPeer(t, conn).talk(t, "S: <closed>")
		} else {
			s.dial(t).talk(t, "S: 421 4.7.0 mx.example.test Too many connections\nS: <closed>")
		}
		p.talk(t, "C: QUIT\nS: 221\nS: <closed>")
		waitFor(t, func() bool { return s.Sessions() == 0 })
		if throttle.open != 0 {
			t.Errorf("%v: %d places not given back", role, throttle.open)
		}
	}
}

func TestTheBackendTurnsConnectionsAway(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{reply.New(554, "5.7.1", "Listed at zen.example"), "554 5.7.1 mx.example.test Listed at zen.example"},
		{reply.New(450, "4.7.1", "Come later"), "421 4.7.1 mx.example.test Come later"},
		{errors.New("private"), "421 4.3.0 mx.example.test Temporary failure"},
	} {
		s := newTestServer(t, MX)
		s.backend.connect = test.err
		s.listen(t).dial(t).talk(t, "S: "+test.want+"\nS: <closed>")
	}
}

func TestEarlyTalkersAreSentAway(t *testing.T) {
	for _, role := range []Role{MX, Submission} {
		s := newTestServer(t, role)
		s.Throttle = slowThrottle{make(chan struct{})}
		s.listen(t)
		p := s.dial(t)
		p.send(t, "EHLO x\r\n")
		close(s.Throttle.(slowThrottle).sent)
		if role == MX {
			p.talk(t, "S: 554 5.5.0\nS: <closed>")
		} else {
			p.talk(t, "S: 220\nS: 250-")
		}
	}
}

// slowThrottle holds connections back until the client has sent something.
type slowThrottle struct{ sent chan struct{} }

func (h slowThrottle) Connect(netip.Addr) (func(), error) {
	<-h.sent
	return func() {}, nil
}

func (slowThrottle) BeforeAuth(context.Context, netip.Addr, string) error { return nil }
func (slowThrottle) AuthResult(netip.Addr, string, bool)                  {}

func TestAFullDiskIsATemporaryFailure(t *testing.T) {
	if e := reply.From(fmt.Errorf("spool: %w", syscall.ENOSPC)); e.Code != 452 {
		t.Fatalf("%v", e)
	}
	in := &intake{max: 100, refused: reply.From(fmt.Errorf("spool: %w", syscall.ENOSPC))}
	in.refuse(errBareNewline)
	if in.refused != errBareNewline {
		t.Errorf("refused with %v although the message can never be accepted", in.refused)
	}
	in.refuse(errTooBig(1))
	if in.refused != errBareNewline {
		t.Errorf("refused with %v, not with the first reason", in.refused)
	}
}

func TestProxiesAreBelievedOnlyIfTrusted(t *testing.T) {
	for _, role := range roles {
		s := newTestServer(t, role)
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s.listen(t)
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, conn)
		p.send(t, "PROXY TCP6 2001:db8::7 2001:db8::25 51000 25\r\n")
		if role == Submissions {
			p.startTLS(t)
		}
		p.enter(t, role)
		p.talk(t, opened+"C: DATA\nS: 354\nC: .\nS: 250")
		if got := s.backend.all()[0].Session; got.Remote.String() != "[2001:db8::7]:51000" || got.Local.String() != "[2001:db8::25]:25" {
			t.Errorf("%v: remote %v, local %v", role, got.Remote, got.Local)
		}
		conn, err = net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		p = newPeer(t, conn)
		p.send(t, "EHLO client.example\r\n")
		p.talk(t, "S: <closed>")
	}
	s := startServer(t, MX)
	p := s.dial(t)
	p.talk(t, "S: 220\nC: PROXY TCP6 2001:db8::7 2001:db8::25 51000 25\nS: 500 5.5.1\nS: <closed>")
}

// counts is a Metrics.
type counts struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *counts) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[fmt.Sprintf(format, args...)]++
}

func (c *counts) SessionOpened(r Role)                    { c.add("open %v", r) }
func (c *counts) SessionClosed(r Role, _ time.Duration)   { c.add("close %v", r) }
func (c *counts) ConnectionRefused(r Role, reason string) { c.add("refused %v %s", r, reason) }
func (c *counts) Command(r Role, verb string, code int)   { c.add("%s %d", verb, code) }
func (c *counts) Auth(_ Role, mechanism string, ok bool)  { c.add("auth %s %v", mechanism, ok) }
func (c *counts) Message(_ Role, code int, size int64, _ time.Duration) {
	c.add("message %d %d", code, size)
}

func TestMetricsAreToldWhatHappens(t *testing.T) {
	seen := &counts{seen: map[string]int{}}
	s := newTestServer(t, Submissions)
	s.Metrics = seen
	s.listen(t)
	p := s.dial(t)
	p.enter(t, Submissions)
	p.talk(t, opened+"C: RCPT TO:<nobody@example.test>\nS: 550\nC: DATA\nS: 354\nC: x\nC: .\nS: 250\nC: ETRN\nS: 502\nC: MAIL\nS: 501\nC: QUIT\nS: 221\nS: <closed>")
	waitFor(t, func() bool { return s.Sessions() == 0 })
	for _, want := range []string{"open submissions", "close submissions", "EHLO 250", "AUTH 235", "auth PLAIN true", "MAIL 250",
		"RCPT 250", "RCPT 550", "DATA 250", "message 250 3", "other 502", "MAIL 501", "QUIT 221"} {
		if seen.seen[want] != 1 {
			t.Errorf("%q seen %d times", want, seen.seen[want])
		}
	}
	if s.backend.gone != 1 {
		t.Errorf("Disconnect called %d times", s.backend.gone)
	}
}
