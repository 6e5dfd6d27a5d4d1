package smtp

import (
	"strings"
	"testing"
)

func TestSyntaxOfMAIL(t *testing.T) {
	s := startServer(t, Submissions)
	p := s.dial(t)
	p.enter(t, Submissions)
	for _, test := range []struct{ command, reply string }{
		{"MAIL FROM:<a@example.test>", "250"},
		{"mail from:<a@example.test>", "250"},
		{"MAIL FROM:<>", "250"},
		{"MAIL FROM:<a@example.test>  SIZE=5  ", "250"},
		{"MAIL FROM:<\"a b\"@example.test>", "250"},
		{"MAIL FROM:<a@[192.0.2.1]>", "250"},
		{"MAIL FROM:<a@[IPv6:2001:db8::1]>", "250"},
		{"MAIL", "501 5.5.4"},
		{"MAIL FROM", "501 5.5.4"},
		{"MAIL FROM:", "501 5.5.4"},
		{"MAIL FROM:a@example.test", "501 5.5.4"},
		{"MAIL FROM: <a@example.test>", "250"},
		{"MAIL FROM :<a@example.test>", "501 5.5.4"},
		{"MAIL TO:<a@example.test>", "501 5.5.4"},
		{"MAIL FROM:<a@example.test", "501 5.1.7"},
		{"MAIL FROM:<a@example.test>SIZE=5", "501 5.1.7"},
		{"MAIL FROM:<a@example.test>>", "501 5.1.7"},
		{"MAIL FROM:<<a@example.test>>", "501 5.1.7"},
		{"MAIL FROM:<a>", "501 5.1.7"},
		{"MAIL FROM:<Postmaster>", "501 5.1.7"},
		{"MAIL FROM:<@example.test>", "501 5.1.7"},
		{"MAIL FROM:<a..b@example.test>", "501 5.1.7"},
		{"MAIL FROM:<a@b@example.test>", "501 5.1.7"},
		{"MAIL FROM:<a@-example.test>", "501 5.1.7"},
		{"MAIL FROM:<" + strings.Repeat("a", 129) + "@example.test>", "501 5.1.7"},
		{"MAIL FROM:<a@\xff.test>", "501 5.1.7"},
		{"MAIL FROM:<j\xc3\xbcrgen@example.test>", "553 5.6.7"},
		{"MAIL FROM:<a@b\xc3\xbccher.example>", "553 5.6.7"},
		{"MAIL FROM:<j\xc3\xbcrgen@b\xc3\xbccher.example> SMTPUTF8", "250"},
		{"MAIL FROM:<a@xn--bcher-kva.example>", "250"},
		{"MAIL FROM:<a@example.test> SIZE=", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> SIZE", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> SIZE=-1", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> SIZE=1x", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> SIZE=111111111111111111111", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> SIZE=1 SIZE=1", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> BODY=7bit", "250"},
		{"MAIL FROM:<a@example.test> BODY=BINARYMIME", "555 5.5.4"},
		{"MAIL FROM:<a@example.test> BODY=9BIT", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> BODY", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> SMTPUTF8=1", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> REQUIRETLS", "250"},
		{"MAIL FROM:<a@example.test> REQUIRETLS=yes", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> RET=HDRS ENVID=QQ314159", "250"},
		{"MAIL FROM:<a@example.test> ret=full envid=a+2Bb", "250"},
		{"MAIL FROM:<a@example.test> RET=SOME", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> RET", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> ENVID=a+2", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> ENVID=a+2b", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> ENVID=a+0D", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> ENVID=" + strings.Repeat("a", 101), "501 5.5.4"},
		{"MAIL FROM:<a@example.test> AUTH=<>", "250"},
		{"MAIL FROM:<a@example.test> AUTH=e+3Dmc2@example.test", "250"},
		{"MAIL FROM:<a@example.test> AUTH=nonsense", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> AUTH", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> BY=120;R", "555 5.5.4"},
		{"MAIL FROM:<a@example.test> X-UNKNOWN", "555 5.5.4"},
		{"MAIL FROM:<a@example.test> =x", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> -X=1", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> SIZE=1=2", "501 5.5.4"},
		{"MAIL FROM:<a@example.test> B\xc3\x96DY=7BIT", "501 5.5.4"},
		{"MAIL FROM:<a@example.test>" + strings.Repeat(" X", 30), "501 5.5.4"},
		{"MAIL FROM:<a@example.test>\tSIZE=1", "500 5.5.2"},
		{"MAIL FROM:<a\x00@example.test>", "500 5.5.2"},
		{"MAIL FROM:<a@example.test> ENVID=" + strings.Repeat("x", 2048), "500 5.5.2"},
	} {
		p.send(t, test.command+"\r\n")
		if got := p.reply(t); !strings.HasPrefix(got, test.reply) {
			t.Errorf("%.80q: %q, want %s", test.command, got, test.reply)
		}
		p.send(t, "RSET\r\n")
		if got := p.reply(t); !strings.HasPrefix(got, "250") {
			p = s.dial(t) // too many errors
			p.enter(t, Submissions)
		}
	}
}

func TestSyntaxOfRCPT(t *testing.T) {
	s := startServer(t, MX)
	begin := func() *peer {
		p := s.dial(t)
		p.enter(t, MX)
		p.talk(t, "C: MAIL FROM:<>\nS: 250")
		return p
	}
	p, errors := begin(), 0
	for _, test := range []struct{ command, reply string }{
		{"RCPT TO:<b@example.test>", "250"},
		{"rcpt to:<b@example.test>", "250"},
		{"RCPT TO:<Postmaster>", "250"},
		{"RCPT TO:<@a.example,@b.example:c@example.test>", "250"},
		{"RCPT TO:<\"quoted \\\" <>\"@example.test>", "250"},
		{"RCPT", "501 5.5.4"},
		{"RCPT TO:", "501 5.5.4"},
		{"RCPT TO: <b@example.test>", "250"},
		{"RCPT TO:b@example.test", "501 5.5.4"},
		{"RCPT TO:<>", "501 5.1.3"},
		{"RCPT TO:<webmaster>", "501 5.1.3"},
		{"RCPT TO:<b@>", "501 5.1.3"},
		{"RCPT TO:<j\xc3\xbcrgen@example.test>", "553 5.6.7"},
		{"RCPT TO:<b@example.test> NOTIFY=NEVER", "250"},
		{"RCPT TO:<b@example.test> NOTIFY=success,Failure,DELAY", "250"},
		{"RCPT TO:<b@example.test> NOTIFY=NEVER,DELAY", "501 5.5.4"},
		{"RCPT TO:<b@example.test> NOTIFY=DELAY,DELAY", "501 5.5.4"},
		{"RCPT TO:<b@example.test> NOTIFY=DELAY,", "501 5.5.4"},
		{"RCPT TO:<b@example.test> NOTIFY=ALWAYS", "501 5.5.4"},
		{"RCPT TO:<b@example.test> NOTIFY", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=rfc822;Bob+40home@example.test", "250"},
		{"RCPT TO:<b@example.test> ORCPT=utf-8;j\\x{FC}rgen@example.test", "250"},
		{"RCPT TO:<b@example.test> ORCPT=utf-8;j\xc3\xbcrgen@example.test", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=utf-8;j\\x{fc}@example.test", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=utf-8;j\\x{D800}@example.test", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=utf-8;j\\x{FC", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=rfc822", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=rfc822;", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=;b@example.test", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=rfc822;a+0D+0Ab", "501 5.5.4"},
		{"RCPT TO:<b@example.test> ORCPT=rfc822;" + strings.Repeat("a", 500), "501 5.5.4"},
		{"RCPT TO:<b@example.test> SIZE=1", "555 5.5.4"},
		{"RCPT TO:<b@example.test> RRVS=2026-01-01", "555 5.5.4"},
		{"RCPT TO:<b@example.test> RRVS=x" + strings.Repeat("x", 2048), "500 5.5.2"},
	} {
		p.send(t, test.command+"\r\n")
		if got := p.reply(t); !strings.HasPrefix(got, test.reply) {
			t.Errorf("%.80q: %q, want %s", test.command, got, test.reply)
		}
		if test.reply[0] == '5' {
			if errors++; errors == DefaultLimits.MaxErrors {
				p, errors = begin(), 0
			}
		}
	}
}

func TestParametersReachTheBackend(t *testing.T) {
	s := startServer(t, Submissions)
	p := s.dial(t)
	p.enter(t, Submissions)
	p.talk(t, `
		C: MAIL FROM:<j\xc3\xbcrgen@b\xc3\xbccher.example> SIZE=7 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=a+2Bb+20c AUTH=e+3Dmc2@example.test
		S: 250
		C: RCPT TO:<\xce\xb4@example.test> NOTIFY=DELAY,SUCCESS ORCPT=utf-8;\\x{3B4}@example.test
		S: 250
		C: RCPT TO:<bob@example.test> NOTIFY=NEVER ORCPT=RFC822;Bob+2Bx@example.test
		S: 250
		C: RCPT TO:<carol@example.test>
		S: 250
		C: DATA
		S: 354
		C: .
		S: 250`)
	m := s.backend.all()[0]
	e := m.Envelope
	if e.From.Local != "jürgen" || e.From.Domain != "xn--bcher-kva.example" || e.Size != 7 || e.Body != "8BITMIME" ||
		!e.SMTPUTF8 || !e.RequireTLS || e.Ret != "HDRS" || e.EnvID != "a+b c" || e.Auth != "e=mc2@example.test" {
		t.Errorf("envelope %+v", e)
	}
	for i, want := range []struct{ notify, orcpt string }{
		{"SUCCESS,DELAY", "utf-8;δ@example.test"}, {"NEVER", "RFC822;Bob+x@example.test"}, {"", ""},
	} {
		if r := e.Recipients[i]; r.Notify.String() != want.notify || r.ORCPT != want.orcpt {
			t.Errorf("recipient %d: %q %q, want %q %q", i, r.Notify, r.ORCPT, want.notify, want.orcpt)
		}
	}
	if got := m.Session.Protocol(e.SMTPUTF8); got != "UTF8SMTPSA" {
		t.Errorf("protocol %q", got)
	}
}

func TestParametersNeedEHLO(t *testing.T) {
	startServer(t, MX).dial(t).talk(t, `
		S: 220
		C: HELO client.example
		S: 250 mx
		C: MAIL FROM:<a@example.test> SIZE=1
		S: 555 5.5.4
		C: MAIL FROM:<a@example.test>
		S: 250
		C: RCPT TO:<b@example.test> NOTIFY=NEVER
		S: 555 5.5.4
		C: RCPT TO:<b@example.test>
		S: 250
		C: EHLO client.example
		S: 250-
		C: MAIL FROM:<a@example.test> REQUIRETLS
		S: 530 5.7.0
		C: MAIL FROM:<a@example.test> AUTH=<>
		S: 555 5.5.4`)
}

func TestNamesInHELO(t *testing.T) {
	s := startServer(t, MX)
	p := s.dial(t)
	p.talk(t, "S: 220")
	for _, name := range []string{"a", "mail.example.test", "[192.0.2.1]", "[IPv6:2001:db8::1%eth0]", "WIN_PC-7", strings.Repeat("a", 255)} {
		p.talk(t, "C: EHLO "+name+"\nS: 250-")
	}
	for _, name := range []string{"", "a b", "<script>", "a\"b", "b\xc3\xbccher.example", strings.Repeat("a", 256), "a;b"} {
		p.send(t, "EHLO "+name+"\r\n")
		p.talk(t, "S: 501 5.5.4")
	}
}

func TestXtext(t *testing.T) {
	for _, test := range []struct {
		in, out string
		ok      bool
	}{
		{"", "", true}, {"abc", "abc", true}, {"a+2Bb", "a+b", true}, {"+3D+20", "= ", true}, {"a+", "", false}, {"a+2", "", false},
		{"a+2b", "", false}, {"a=b", "", false}, {"a b", "", false}, {"a\x80", "", false}, {"+00", "\x00", true},
	} {
		if out, ok := decodeXtext(test.in); out != test.out || ok != test.ok {
			t.Errorf("%q: %q %v", test.in, out, ok)
		}
	}
}

func TestXtextGoesBothWays(t *testing.T) {
	for _, s := range []string{"", "plain", "a+b=c", "sp ace", "Größe", "\x00\x7f"} {
		got, ok := decodeXtext(EncodeXtext(s))
		if !ok && s != "" || got != s && ok {
			t.Errorf("%q became %q by way of %q", s, got, EncodeXtext(s))
		}
	}
}
