package story_test

import (
	"strings"
	"testing"

	gosmtp "github.com/emersion/go-smtp"

	"postern/internal/testdns"
	"postern/test/lab"
)

func TestAMessageThatNeedsNoSMTPUTF8LeavesToAServerWithoutIt(t *testing.T) {
	dns := testdns.Start(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.21\n")
	far := listenAsMX(t, "127.0.0.21") // mhale's server knows no SMTPUTF8
	s := lab.Start(t, "--dns", dns.Addr())
	c := submit(t, s, "alice@example.test")
	if err := c.Mail("alice@example.test", &gosmtp.MailOptions{UTF8: true}); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("far@far.example", nil); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text("From: alice@example.test", "Subject: plain", "", "Hello."))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := far.wait(t, 1); !strings.Contains(string(got.data), "Subject: plain") {
		t.Errorf("left as %s", got.data)
	}
}
