package smtp

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestCommandsInClearBehindSTARTTLSEndTheSession(t *testing.T) {
	for _, role := range []Role{MX, Submission} {
		s := startServer(t, role)
		for _, injected := range []string{"NOOP\r\n", "EHLO evil\r\nMAIL FROM:<>\r\n", "x", "\r\n"} {
			p := s.dial(t)
			p.talk(t, "S: 220\nC: EHLO x\nS: 250-")
			p.send(t, "STARTTLS\r\n"+injected)
			p.talk(t, "S: 554 5.5.0\nS: <closed>")
		}
	}
}

func TestAFailedHandshakeEndsTheSession(t *testing.T) {
	s := startServer(t, MX)
	for _, garbage := range []string{"NOOP\r\nNOOP\r\nNOOP\r\n", "\x16\x03\x01\x00\x05hello", "\x15\x03\x01\x00\x02\x02\x28"} {
		p := s.dial(t)
		p.talk(t, "S: 220\nC: EHLO x\nS: 250-\nC: STARTTLS\nS: 220 2.0.0")
		p.send(t, garbage+"MAIL FROM:<>\r\nNOOP\r\n")
		if rest, _ := p.r.Peek(1); len(rest) == 1 && rest[0] != 0x15 {
			t.Errorf("%q: server said %q, want nothing but a TLS alert", garbage, p.reply(t))
		}
	}
	if n := s.backend.all(); len(n) != 0 {
		t.Error("accepted a message")
	}
}

func TestABrowserCannotShakeHands(t *testing.T) {
	s := startServer(t, Submissions)
	_, config := testTLS()
	for _, test := range []struct {
		protocols []string
		ok        bool
	}{{nil, true}, {[]string{"smtp"}, true}, {[]string{"h2", "http/1.1"}, false}, {[]string{"http/1.1"}, false}} {
		c := config.Clone()
		c.NextProtos = test.protocols
		conn, err := tls.Dial("tcp", s.addr, c)
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		if (err == nil) != test.ok {
			t.Errorf("%q: %v", test.protocols, err)
		}
	}
}

func TestSTARTTLSSyntax(t *testing.T) {
	s := startServer(t, MX)
	s.dial(t).talk(t, "S: 220\nC: STARTTLS now\nS: 501 5.5.4\nC: STARTTLSXX\nS: 500 5.5.2\nC: starttls\nS: 220\nTLS\nC: EHLO x\nS: 250")
}

func TestLongPipelinesPassThroughTLS(t *testing.T) {
	s := startServer(t, MX)
	p := s.dial(t)
	p.talk(t, "S: 220\nC: STARTTLS\nS: 220\nTLS\nC: EHLO x\nS: 250")
	p.send(t, strings.Repeat("NOOP\r\n", 400))
	for range 400 {
		p.talk(t, "S: 250 2.0.0")
	}
}
