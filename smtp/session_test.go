package smtp

import (
	"strings"
	"testing"
)

func TestMessageIsReceivedAsItWasSent(t *testing.T) {
	forRoles(t, func(t *testing.T, s *testServer, p *peer) {
		p.talk(t, `
			C: MAIL FROM:<alice@example.test> SIZE=100 BODY=8BITMIME
			S: 250 2.1.0
			C: RCPT TO:<bob@example.test>
			S: 250 2.1.5
			C: RCPT TO:<carol@example.test>
			S: 250 2.1.5
			C: DATA
			S: 354 Start
			C: Subject: greetings
			C:
			C: ..leading dot
			C: ...
			C: caf\xc3\xa9 \xff
			C: .
			S: 250 2.6.0 Queued as 1
			C: QUIT
			S: 221 2.0.0
			S: <closed>`)
		m := s.backend.all()
		if len(m) != 1 {
			t.Fatalf("%d messages", len(m))
		}
		if want := "Subject: greetings\r\n\r\n.leading dot\r\n..\r\ncaf\xc3\xa9 \xff\r\n"; m[0].Text != want {
			t.Errorf("text %q, want %q", m[0].Text, want)
		}
		e := m[0].Envelope
		if e.From.String() != "alice@example.test" || e.Size != 100 || e.Body != "8BITMIME" || e.ID != m[0].Session.ID+"-1" {
			t.Errorf("envelope %+v", e)
		}
		if err := sameAddresses(e.Recipients, "bob@example.test", "carol@example.test"); err != nil {
			t.Error(err)
		}
		checkSession(t, s.Role, m[0].Session)
	})
}

func checkSession(t *testing.T, role Role, s Session) {
	t.Helper()
	want := "ESMTPSA"
	if role == MX {
		want = "ESMTP"
	}
	if got := s.Protocol(false); got != want {
		t.Errorf("protocol %s, want %s", got, want)
	}
	if s.Helo != "client.example" || !s.Remote.Addr().IsLoopback() || s.Local.Port() == 0 || s.Role != role {
		t.Errorf("session %+v", s)
	}
	if role != MX && (s.Identity == nil || s.Identity.Login != testLogin || s.Mechanism != "PLAIN") {
		t.Errorf("identity %+v by %q", s.Identity, s.Mechanism)
	}
}

func TestEHLOListsWhatIsOffered(t *testing.T) {
	s := startServer(t, MX)
	s.dial(t).talk(t, `
		S: 220 mx.example.test ESMTP
		C: EHLO client.example
		S: 250-mx.example.test greets client.example\n250-PIPELINING\n250-SIZE 52428800\n250-8BITMIME\n250-SMTPUTF8\n250-ENHANCEDSTATUSCODES\n250-CHUNKING\n250-DSN\n250-LIMITS RCPTMAX=100\n250 STARTTLS
		C: STARTTLS
		S: 220 2.0.0
		TLS
		C: EHLO client.example
		S: 250-…250-LIMITS RCPTMAX=100\n250 REQUIRETLS`)
	p := s.dial(t)
	p.talk(t, "S: 220\nC: HELO client.example")
	if got := p.reply(t); got != "250 mx.example.test greets client.example" {
		t.Errorf("HELO: %q", got)
	}
	startServer(t, Submission).dial(t).talk(t, `
		S: 220
		C: EHLO [192.0.2.1]
		S: 250-…250-LIMITS RCPTMAX=100\n250 STARTTLS
		C: STARTTLS
		S: 220
		TLS
		C: EHLO [IPv6:2001:db8::1]
		S: 250-…250-REQUIRETLS\n250 AUTH SCRAM-SHA-256 PLAIN LOGIN`)
	startServer(t, Submissions).dial(t).talk(t, "S: 220\nC: EHLO x\nS: 250-…REQUIRETLS\\n250 AUTH SCRAM")
}

func TestCommandsOutOfOrderAreRefused(t *testing.T) {
	s := startServer(t, MX)
	for name, dialogue := range map[string]string{
		"MAIL before EHLO":       "C: MAIL FROM:<>\nS: 503 5.5.1",
		"RCPT before MAIL":       "C: EHLO x\nS: 250\nC: RCPT TO:<b@example.test>\nS: 503 5.5.1",
		"DATA before MAIL":       "C: EHLO x\nS: 250\nC: DATA\nS: 503 5.5.1",
		"DATA without RCPT":      "C: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: DATA\nS: 554 5.5.1",
		"DATA, RCPT refused":     "C: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<nobody@example.test>\nS: 550 5.1.1\nC: DATA\nS: 554 5.5.1",
		"DATA, RCPT put off":     "C: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<later@example.test>\nS: 450 4.2.1\nC: DATA\nS: 451 4.5.1",
		"MAIL twice":             "C: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: MAIL FROM:<>\nS: 503 5.5.1\nC: RCPT TO:<b@example.test>\nS: 250",
		"RSET ends it":           "C: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RSET\nS: 250 2.0.0\nC: RCPT TO:<b@example.test>\nS: 503 5.5.1",
		"EHLO ends it":           "C: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: EHLO x\nS: 250\nC: RCPT TO:<b@example.test>\nS: 503 5.5.1",
		"a bad EHLO does not":    "C: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: EHLO a b\nS: 501\nC: RCPT TO:<b@example.test>\nS: 250",
		"MAIL may be tried anew": "C: EHLO x\nS: 250\nC: MAIL FROM:<refused@example.test>\nS: 550 5.7.1\nC: MAIL FROM:<>\nS: 250",
		"AUTH on 25":             "C: EHLO x\nS: 250\nC: AUTH PLAIN\nS: 502 5.5.1",
		"AUTH on 25 inside TLS":  "C: STARTTLS\nS: 220\nTLS\nC: EHLO x\nS: 250\nC: AUTH PLAIN\nS: 502 5.5.1",
		"STARTTLS twice":         "C: STARTTLS\nS: 220\nTLS\nC: EHLO x\nS: 250\nC: STARTTLS\nS: 503 5.5.1",
		"STARTTLS resets EHLO":   "C: EHLO x\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: STARTTLS\nS: 220\nTLS\nC: MAIL FROM:<>\nS: 503 5.5.1\nC: EHLO x\nS: 250\nC: RCPT TO:<b@example.test>\nS: 503 5.5.1",
		"backend's secrets":      "C: EHLO x\nS: 250\nC: MAIL FROM:<broken@example.test>\nS: 451 4.3.0 Temporary failure, please try again",
	} {
		t.Run(name, func(t *testing.T) { s.dial(t).talk(t, "S: 220\n"+dialogue) })
	}
}

func TestSubmissionTakesNothingWithoutTLSAndLogin(t *testing.T) {
	s := startServer(t, Submission)
	s.dial(t).talk(t, `
		S: 220
		C: EHLO x
		S: 250
		C: MAIL FROM:<alice@example.test>
		S: 530 5.7.0 Must issue a STARTTLS
		C: AUTH PLAIN AGEAYg==
		S: 538 5.7.11
		C: RCPT TO:<b@example.test>
		S: 503 5.5.1
		C: STARTTLS
		S: 220
		TLS
		C: EHLO x
		S: 250
		C: MAIL FROM:<alice@example.test>
		S: 530 5.7.0 Authentication required`)
	plainOnly := newTestServer(t, Submission)
	plainOnly.TLS = nil
	plainOnly.listen(t).dial(t).talk(t, "S: 220\nC: EHLO x\nS: 250\nC: STARTTLS\nS: 502 5.5.1\nC: MAIL FROM:<>\nS: 530 5.7.0")
}

func TestSmallCommands(t *testing.T) {
	startServer(t, MX).dial(t).talk(t, `
		S: 220
		C: noop
		S: 250 2.0.0
		C: NOOP with words
		S: 250 2.0.0
		C: VRFY alice
		S: 252 2.5.0
		C: VRFY
		S: 501 5.5.4
		C: EXPN list
		S: 502 5.5.1
		C: HELP
		S: 214 2.0.0
		C: help mail
		S: 214 2.0.0
		C: RSET
		S: 250 2.0.0
		C: RSET now
		S: 501 5.5.4
		C: ETRN example.test
		S: 502 5.5.1
		C: MAILX
		S: 500 5.5.2
		C:
		S: 500 5.5.2
		C: QUIT now
		S: 501 5.5.4
		C: quit
		S: 221 2.0.0 Bye
		S: <closed>`)
}

func TestPipelinedCommandsAreAnsweredInOrder(t *testing.T) {
	forRoles(t, func(t *testing.T, s *testServer, p *peer) {
		group := "MAIL FROM:<a@example.test>\r\nRCPT TO:<nobody@example.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n"
		p.send(t, group)
		p.talk(t, "S: 250 2.1.0\nS: 550 5.1.1\nS: 250 2.1.5\nS: 354")
		p.send(t, "Subject: one\r\n\r\n.\r\n"+group)
		p.talk(t, "S: 250 2.6.0\nS: 250 2.1.0\nS: 550 5.1.1\nS: 250 2.1.5\nS: 354")
		p.send(t, "Subject: two\r\n\r\n.\r\nQUIT\r\n")
		p.talk(t, "S: 250 2.6.0\nS: 221\nS: <closed>")
		if n := len(s.backend.all()); n != 2 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestMessageThatDoesNotWaitFor354EndsTheSession(t *testing.T) {
	forRoles(t, func(t *testing.T, s *testServer, p *peer) {
		p.send(t, "MAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n")
		p.talk(t, "S: 250\nS: 250\nS: 554 5.5.0\nS: <closed>")
		if n := len(s.backend.all()); n != 0 {
			t.Errorf("%d messages", n)
		}
	})
}

func TestPostmasterAndNullSender(t *testing.T) {
	s := startServer(t, MX)
	p := s.dial(t)
	p.enter(t, MX)
	p.talk(t, `
		C: MAIL FROM:<>
		S: 250
		C: RCPT TO:<Postmaster>
		S: 250
		C: RCPT TO:<postMASTER@example.test>
		S: 250
		C: RCPT TO:<@relay.example,@other.example:bob@example.test>
		S: 250
		C: RCPT TO:<"with space"@example.test>
		S: 250
		C: DATA
		S: 354
		C: .
		S: 250`)
	e := s.backend.all()[0].Envelope
	if !e.From.IsZero() {
		t.Errorf("sender %v", e.From)
	}
	if e.Recipients[0].Address.Domain != "" || !strings.EqualFold(e.Recipients[0].Address.Local, "postmaster") {
		t.Errorf("postmaster %+v", e.Recipients[0].Address)
	}
	if got := e.Recipients[2].Address; got != mustParse(t, "bob@example.test") {
		t.Errorf("source route: %+v", got)
	}
	if got := e.Recipients[3].Address.Local; got != "with space" {
		t.Errorf("quoted local part: %q", got)
	}
}

func TestAFaultOfTheBackendEndsOneSession(t *testing.T) {
	s := startServer(t, MX)
	p := s.dial(t)
	p.enter(t, MX)
	p.talk(t, "C: MAIL FROM:<>\nS: 250\nC: RCPT TO:<b@example.test>\nS: 250\nC: DATA\nS: 354\nC: Panic: now\nC: .\nS: 421 4.3.0\nS: <closed>")
	p = s.dial(t)
	p.enter(t, MX)
}
