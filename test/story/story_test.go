// Package story_test follows mail through the whole server as it runs for people: in from the world, read, answered, signed,
// queued and received by another server; and what the server refuses at its doors.
package story_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/mhale/smtpd"

	"postern/internal/testdns"
	"postern/internal/testenv"
	"postern/test/lab"
)

// receiver is another server on the internet: mhale's, on port 25 of a loopback address of its own.
type receiver struct {
	mu   sync.Mutex
	mail []received
}

type received struct {
	from string
	to   []string
	data []byte
}

func listenAsMX(t *testing.T, ip string) *receiver {
	t.Helper()
	testenv.Root(t) // port 25
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "25"))
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	server := &smtpd.Server{Appname: "far", Hostname: "mx.far.example", DisableReverseDNS: true, Handler: func(_ net.Addr, from string, to []string, data []byte) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		// mhale's server puts a Received field of its own before what it got.
		r.mail = append(r.mail, received{from, to, withoutFirstField(data)})
		return nil
	}}
	go server.Serve(l)
	t.Cleanup(func() { l.Close() })
	return r
}

func withoutFirstField(data []byte) []byte {
	for i := 0; i+2 < len(data); i++ {
		if data[i] == '\n' && data[i+1] != ' ' && data[i+1] != '\t' {
			return data[i+1:]
		}
	}
	return data
}

// wait gives the n-th message once it is there.
func (r *receiver) wait(t *testing.T, n int) received {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		r.mu.Lock()
		if len(r.mail) >= n {
			defer r.mu.Unlock()
			return r.mail[n-1]
		}
		r.mu.Unlock()
	}
	t.Fatalf("message %d did not leave", n)
	return received{}
}

func submit(t *testing.T, s *lab.Server, user string) *gosmtp.Client {
	t.Helper()
	c, err := gosmtp.DialTLS(s.Address(465), s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Auth(sasl.NewPlainClient("", user, lab.Password)); err != nil {
		t.Fatal(err)
	}
	return c
}

func world(t *testing.T, s *lab.Server) *gosmtp.Client {
	t.Helper()
	c, err := gosmtp.DialStartTLS(s.Address(25), s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func text(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n" }

// publish puts what `postern domain dns print` says into the test's DNS.
func publish(t *testing.T, s *lab.Server, dns *testdns.Server) {
	t.Helper()
	dns.Set(t, s.Postern("domain", "dns", "print", "example.test"))
}

func TestAMessageComesInAUserReadsItAndAReplyGoesOut(t *testing.T) {
	dns := testdns.Start(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.19\n")
	far := listenAsMX(t, "127.0.0.19")
	s := lab.Start(t, "--dns", dns.Addr())
	publish(t, s, dns)

	question := text("From: Far <far@far.example>", "To: alice@example.test", "Subject: A question", "Message-ID: <q@far.example>", "Date: Mon, 23 Nov 2026 06:00:00 +0000", "",
		"Does it arrive", "..as it was?", ".", "Schöne Grüße")
	if err := world(t, s).SendMail("far@far.example", []string{"alice@example.test"}, strings.NewReader(question)); err != nil {
		t.Fatal(err)
	}
	got := s.Messages(t, "alice@example.test", "INBOX", 1)[0]
	if !bytes.HasSuffix(got, []byte(question)) || !bytes.HasPrefix(got, []byte("Return-Path: <far@far.example>\r\n")) || !bytes.Contains(got, []byte("Received: from ")) {
		t.Fatalf("alice reads:\n%s", got)
	}

	answer := text("From: Alice <alice@example.test>", "To: far@far.example", "Cc: bob@example.test", "Bcc: secret@far.example", "Subject: Re: A question", "In-Reply-To: <q@far.example>", "", "It does.", ".", "..")
	c := submit(t, s, "alice@example.test")
	if err := c.SendMail("alice@example.test", []string{"far@far.example", "secret@far.example", "bob@example.test"}, strings.NewReader(answer)); err != nil {
		t.Fatal(err)
	}
	out := far.wait(t, 1)
	if out.from != "alice@example.test" || len(out.to) != 2 {
		t.Fatalf("left from %s to %v", out.from, out.to)
	}
	header, body, _ := strings.Cut(string(out.data), "\r\n\r\n")
	if body != "It does.\r\n.\r\n..\r\n" {
		t.Fatalf("the body became %q", body)
	}
	for _, unwanted := range []string{"Bcc", "secret", "127.0.0.1", "[::1]"} {
		if strings.Contains(header, unwanted) {
			t.Errorf("the header tells %q:\n%s", unwanted, header)
		}
	}
	for _, wanted := range []string{"\r\nDate: ", "\r\nMessage-ID: <", "Received: by ", "a=rsa-sha256", "a=ed25519-sha256"} {
		if !strings.Contains("\r\n"+header, wanted) {
			t.Errorf("the header lacks %q:\n%s", wanted, header)
		}
	}
	verifyWithPython(t, dns, out.data)
	if copied := s.Messages(t, "bob@example.test", "INBOX", 1)[0]; !bytes.Contains(copied, []byte("Subject: Re: A question")) {
		t.Fatalf("bob reads:\n%s", copied)
	}
}

// verifyWithPython has dkimpy, which shares no code with us, verify both signatures against the records that we publish.
func verifyWithPython(t *testing.T, dns *testdns.Server, mail []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mail"), mail, 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(dns.Addr())
	script := `
import sys, dkim, dns.resolver
r = dns.resolver.Resolver(configure=False)
r.nameservers, r.port = [sys.argv[2]], int(sys.argv[3])
def txt(name, timeout=5):
    return b"".join(r.resolve(name.decode(), "TXT")[0].strings)
d = dkim.DKIM(open(sys.argv[1], "rb").read())
n = sum(1 for f, _ in d.headers if f.lower() == b"dkim-signature")
assert n == 2, n
print(all(d.verify(idx=i, dnsfunc=txt) for i in range(n)))
`
	out, err := exec.Command("/usr/bin/python3", "-c", script, filepath.Join(dir, "mail"), host, port).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "True" {
		t.Fatalf("dkimpy says %q, %v", out, err)
	}
}

func TestMailToNobodyThereComesBackAsANotice(t *testing.T) {
	dns := testdns.Start(t, "far.example. 60 IN MX 0 .\n")
	s := lab.Start(t, "--dns", dns.Addr())
	if err := submit(t, s, "alice@example.test").SendMail("alice@example.test", []string{"far@far.example"}, strings.NewReader(text("From: alice@example.test", "To: far@far.example", "Subject: lost", "", "Hello."))); err != nil {
		t.Fatal(err)
	}
	notice := string(s.Messages(t, "alice@example.test", "INBOX", 1)[0])
	for _, wanted := range []string{"Return-Path: <>", "multipart/report", "message/delivery-status", "Action: failed", "Status: 5.1.10", "Final-Recipient: rfc822;", "far@far.example", "Subject: lost"} {
		if !strings.Contains(notice, wanted) {
			t.Errorf("the notice lacks %q", wanted)
		}
	}
	if t.Failed() {
		t.Log(notice)
	}
	if list := s.Postern("queue", "list", "--json"); strings.Contains(list, "far.example") {
		t.Errorf("the queue still holds it: %s", list)
	}
}

func TestAGroupReachesMembersHereAndElsewhereOnce(t *testing.T) {
	dns := testdns.Start(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.20\n")
	far := listenAsMX(t, "127.0.0.20")
	s := lab.Start(t, "--dns", dns.Addr())
	publish(t, s, dns)
	s.Postern("group", "add", "team@example.test", "alice@example.test", "bob@example.test", "out@far.example")
	s.Postern("alias", "add", "sales@example.test", "alice@example.test")
	mail := text("From: new@sender.example", "To: team@example.test, sales@example.test", "Subject: hello team", "", "Hello.")
	if err := world(t, s).SendMail("new@sender.example", []string{"team@example.test", "sales@example.test"}, strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	out := far.wait(t, 1)
	if !strings.HasSuffix(out.from, "@example.test") || !strings.HasPrefix(out.from, "SRS0=") {
		t.Errorf("forwarded from %s", out.from)
	}
	for _, user := range []string{"alice@example.test", "bob@example.test"} {
		if n := len(s.Messages(t, user, "INBOX", 1)); n != 1 {
			t.Errorf("%s has %d copies", user, n)
		}
	}
	// The bounce for the one elsewhere finds its way to the sender through us: its address is known, others are not.
	c := world(t, s)
	if err := c.Mail("", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt(out.from, nil); err != nil {
		t.Errorf("the rewritten address is refused: %v", err)
	}
	if err := c.Rcpt("SRS0=AAAAAAAA=AA=sender.example=new@example.test", nil); err == nil {
		t.Error("a forged rewritten address is taken")
	}
}
