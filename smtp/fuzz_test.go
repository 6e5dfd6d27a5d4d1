package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"postern/internal/address"
	"postern/internal/spool"
)

func FuzzCommand(f *testing.F) {
	for _, line := range []string{"", "NOOP", "mail FROM:<a@example.test> SIZE=1 ", "GET / HTTP/1.1", "AUTH PLAIN =", "STARTTLSXX", "\x00\xff", "RCPT  TO:<>"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		v, arg := parseCommand(line)
		if !bytes.Equal(before, line) {
			t.Error("the line was changed")
		}
		if strings.HasSuffix(arg, " ") || len(arg) > len(line) {
			t.Errorf("argument %q of %q", arg, line)
		}
		switch v {
		case verbUnknown, verbRetired, verbForeign:
		default:
			word, _, _ := strings.Cut(string(line), " ")
			if !strings.EqualFold(word, string(v)) {
				t.Errorf("%q taken for %s", line, v)
			}
		}
		size, _, ok := parseBDAT(arg)
		if ok && size < 0 {
			t.Errorf("BDAT %q: size %d", arg, size)
		}
	})
}

// offline makes a connection that has said EHLO but has no wire to speak of.
func offline(t testing.TB, role Role) *connection {
	t.Helper()
	s := newTestServer(t, role)
	s.once.Do(s.prepare)
	_, server := net.Pipe()
	t.Cleanup(func() { server.Close() })
	c := newConnection(s.Server, server, DefaultLimits)
	c.ctx, c.session.Helo, c.session.ESMTP = context.Background(), "client.example", true
	c.session.TLS = &tls.ConnectionState{}
	return c
}

func FuzzAddressParams(f *testing.F) {
	for _, s := range [][2]string{
		{"<a@example.test> SIZE=5 BODY=8BITMIME", "<b@example.test> NOTIFY=NEVER"},
		{"<> SMTPUTF8 REQUIRETLS RET=FULL ENVID=a+2B", "<Postmaster> ORCPT=rfc822;a+40b"},
		{"<\"a b\"@[IPv6:::1]>", "<@a,@b:c@example.test> ORCPT=utf-8;\\x{3B4}@x NOTIFY=SUCCESS,DELAY"},
		{"<j\xc3\xbcrgen@b\xc3\xbccher.example> SMTPUTF8", "<\xce\xb4@example.test>"},
	} {
		f.Add(s[0], s[1])
	}
	c := offline(f, MX)
	f.Fuzz(func(t *testing.T, from, to string) {
		c.out = c.out[:0]
		c.reset()
		if c.mail("FROM:"+from) != nil {
			c.transaction = &transaction{Envelope: Envelope{SMTPUTF8: true}}
		}
		e := c.transaction.Envelope
		checkAddress(t, e.From, e.SMTPUTF8)
		if !isPrintable(e.EnvID) || len(e.EnvID) > 100 || e.Size < 0 || e.Size > c.limits.MaxMessageSize {
			t.Errorf("envelope %+v of %q", e, from)
		}
		if c.rcpt("TO:"+to) != nil || len(c.transaction.Recipients) == 0 {
			return
		}
		r := c.transaction.Recipients[0]
		checkAddress(t, r.Address, e.SMTPUTF8)
		if r.Address.IsZero() || strings.ContainsAny(r.ORCPT, "\r\n\x00") || r.Notify&NotifyNever != 0 && r.Notify != NotifyNever {
			t.Errorf("recipient %+v of %q", r, to)
		}
	})
}

// checkAddress sees that an accepted address can be written down and read again.
func checkAddress(t *testing.T, a address.Address, utf8 bool) {
	t.Helper()
	if a.IsZero() || a.Domain == "" {
		return
	}
	again, err := address.Parse(a.String())
	if err != nil || again != a {
		t.Errorf("%+v is written %q and read %+v, %v", a, a.String(), again, err)
	}
	if a.NeedsUTF8() && !utf8 {
		t.Errorf("%+v accepted without SMTPUTF8", a)
	}
}

// The states from which FuzzSession lets a client say anything.
var fuzzStates = []struct {
	name     string
	role     Role
	dialogue string
}{
	{"fresh", MX, ""},
	{"hello", MX, "C: EHLO x\nS: 250"},
	{"transaction", MX, "C: EHLO x\nS: 250\n" + opened},
	{"data", MX, "C: EHLO x\nS: 250\n" + opened + "C: DATA\nS: 354"},
	{"chunks", MX, "C: EHLO x\nS: 250\n" + opened + `R: BDAT 3\r\na\r\n` + "\nS: 250"},
	{"chunk", MX, "C: EHLO x\nS: 250\n" + opened + "C: BDAT 40"},
	{"tls", MX, "C: STARTTLS\nS: 220\nTLS\nC: EHLO x\nS: 250"},
	{"submission", Submissions, "C: EHLO x\nS: 250"},
	{"auth", Submissions, "C: EHLO x\nS: 250\nC: AUTH LOGIN\nS: 334"},
	{"authenticated", Submissions, "C: EHLO x\nS: 250\nC: AUTH PLAIN " + plain(testLogin, testPassword) + "\nS: 235"},
	{"sending", Submissions, "C: EHLO x\nS: 250\nC: AUTH PLAIN " + plain(testLogin, testPassword) + "\nS: 235\n" + opened + "C: DATA\nS: 354"},
}

// strictBackend fails the test when it is given what must never reach a backend.
type strictBackend struct {
	testBackend
	t *testing.T
}

func (b *strictBackend) Data(_ context.Context, s *Session, e *Envelope, c *spool.Content) (string, error) {
	text, err := io.ReadAll(c.NewReader())
	if err != nil {
		return "", err
	}
	if bare := bytes.ReplaceAll(text, []byte("\r\n"), nil); bytes.ContainsAny(bare, "\r\n\x00") {
		b.t.Errorf("accepted %q", text)
	}
	if len(e.Recipients) == 0 || s.Role != MX && s.Identity == nil {
		b.t.Errorf("accepted %+v from %+v", e, s)
	}
	return "", nil
}

func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"", "NOOP\r\nQUIT\r\n", "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n", "text\r\n.\r\nNOOP\r\n", "a\n.\r\n\r\n.\r\n",
		"a\r\r\n.\r\nQUIT\r\n", "BDAT 5 LAST\r\nabcdeBDAT 3\r\nx", "STARTTLS\r\n\x16\x03\x01", "AUTH PLAIN\r\n*\r\n", "AUTH SCRAM-SHA-256 biwsbj1hLHI9eA==\r\nYz1iaXdz\r\n",
		"GET / HTTP/1.1\r\n\r\n", "RSET\r\nMAIL FROM:<a@example.test> BODY=8BITMIME SIZE=4\r\nRCPT TO:<Postmaster> NOTIFY=DELAY\r\nBDAT 4 LAST\r\nab\r\n",
		strings.Repeat("x", 600) + "\r\n", strings.Repeat(".\r\n", 20),
	} {
		for state := range fuzzStates {
			f.Add(byte(state), []byte(s))
		}
	}
	servers := map[Role]*testServer{}
	for _, role := range roles {
		s := newTestServer(f, role)
		s.Settings = func() Limits {
			return Limits{MaxMessageSize: 1 << 10, MaxLineLength: 200, IdleTimeout: 10 * time.Second}
		}
		s.once.Do(s.prepare)
		servers[role] = s
	}
	f.Fuzz(func(t *testing.T, number byte, input []byte) {
		state := fuzzStates[int(number)%len(fuzzStates)]
		s := servers[state.role]
		s.Backend = &strictBackend{t: t}
		client, server := net.Pipe()
		s.start(server)
		p := newPeer(t, client)
		if state.role == Submissions {
			p.startTLS(t)
		}
		p.talk(t, "S: 220\n"+state.dialogue)
		go func() {
			_, _ = p.Write(input) // the server may have closed
			_, _ = p.Write([]byte("\r\n.\r\nQUIT\r\n"))
			if state.role != MX || state.name == "tls" {
				_ = p.Conn.(*tls.Conn).CloseWrite()
			}
			_ = client.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) // no half-close on pipes
		}()
		checkReplies(t, p)
		client.Close() // without TLS's farewell, for which nobody waits
		waitFor(t, func() bool { return s.Sessions() == 0 })
	})
}

// checkReplies reads to the end and sees that all is replies.
func checkReplies(t *testing.T, p *peer) {
	t.Helper()
	all, err := io.ReadAll(p.r) // a TLS alert or a deadline is an end as well
	if err != nil {
		all = all[:bytes.LastIndexByte(all, '\n')+1]
	}
	for line := range strings.SplitAfterSeq(string(all), "\n") {
		if line == "" || len(all) > 0 && all[0] == 0x15 {
			continue // the end, or a TLS alert after STARTTLS
		}
		if !strings.HasSuffix(line, "\r\n") || len(line) > 512 || len(line) < 6 || strings.IndexByte("2345", line[0]) < 0 ||
			line[3] != ' ' && line[3] != '-' {
			t.Errorf("reply line %q", line)
		}
	}
}
