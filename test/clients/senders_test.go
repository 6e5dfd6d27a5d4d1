package clients_test

import (
	"fmt"
	"net/mail"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"postern/test/lab"
)

func TestMsmtp(t *testing.T) {
	s := lab.Start(t)
	dir := t.TempDir()
	rc := write(t, dir, "msmtprc", fmt.Sprintf(`defaults
auth on
tls on
tls_trust_file %s
host localhost
user alice@example.test
password %s
from alice@example.test
account submission
port %d
tls_starttls on
account submissions : submission
port %d
tls_starttls off
account scram : submission
auth scram-sha-256
`, s.CA(), lab.Password, s.Port(587), s.Port(465)))
	for i, account := range []string{"submission", "submissions", "scram"} {
		cmd := exec.Command(program(t, "msmtp"), "-C", rc, "-a", account, "bob@example.test")
		cmd.Stdin = strings.NewReader(letter("alice@example.test", "bob@example.test", "by "+account, "Hello."))
		run(t, cmd)
		arrives(t, s, "bob@example.test", "INBOX", i+1, "Subject: by "+account)
	}
}

func TestCurl(t *testing.T) {
	s := lab.Start(t)
	file := write(t, t.TempDir(), "mail", letter("alice@example.test", "bob@example.test", "by curl", "Hello."))
	curl := func(args ...string) *exec.Cmd {
		return exec.Command(program(t, "curl"), append([]string{"-sS", "--cacert", s.CA(), "--max-time", "30"}, args...)...)
	}
	run(t, curl("--url", fmt.Sprintf("smtps://localhost:%d", s.Port(465)), "--user", "alice@example.test:"+lab.Password,
		"--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test", "--upload-file", file))
	run(t, curl("--ssl-reqd", "--url", fmt.Sprintf("smtp://localhost:%d", s.Port(587)), "--user", "alice@example.test:"+lab.Password,
		"--mail-from", "alice@example.test", "--mail-rcpt", "bob@example.test", "--upload-file", file))
	base := fmt.Sprintf("imaps://localhost:%d", s.Port(993))
	user := "bob@example.test:" + lab.Password
	if out := run(t, curl("--user", user, base+"/INBOX;MAILINDEX=2")); !strings.Contains(out, "Subject: by curl") {
		t.Fatalf("curl read %q", out)
	}
	if out := run(t, curl("--user", user, base+"/INBOX?SUBJECT%20curl")); strings.TrimSpace(out) != "* SEARCH 1 2" {
		t.Fatalf("curl found %q", out)
	}
	run(t, curl("--user", user, "--upload-file", file, base+"/Archive"))
	arrives(t, s, "bob@example.test", "Archive", 1, "by curl")
}

func TestGoSMTPClient(t *testing.T) {
	s := lab.Start(t)
	c, err := gosmtp.DialStartTLS("localhost:"+strconv.Itoa(s.Port(587)), s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(sasl.NewPlainClient("", "alice@example.test", lab.Password)); err != nil {
		t.Fatal(err)
	}
	text := letter("alice@example.test", "bob@example.test", "by go-smtp", ".\r\n..\r\n.dots at line starts\r\nSchöne Grüße")
	if err := c.SendMail("alice@example.test", []string{"bob@example.test", "bob+tag@example.test"}, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	for _, raw := range s.Messages(t, "bob@example.test", "INBOX", 2) {
		if _, err := mail.ReadMessage(strings.NewReader(string(raw))); err != nil || !strings.Contains(string(raw), "\r\n\r\n.\r\n..\r\n.dots at line starts\r\nSchöne Grüße\r\n") {
			t.Fatalf("%v: the body did not arrive as it was:\n%s", err, raw)
		}
	}
	if err := c.Mail("bob@example.test", nil); err == nil {
		t.Fatal("alice sends as bob")
	}
}

// dialMX opens the MX port, as another server does.
func dialMX(t *testing.T, s *lab.Server) *gosmtp.Client {
	t.Helper()
	c, err := gosmtp.DialStartTLS("localhost:"+strconv.Itoa(s.Port(25)), s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	return c
}
