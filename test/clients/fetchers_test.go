package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"postern/test/lab"
)

// Programs that take mail away, message by message.

func TestFdmFetchesAndDeletes(t *testing.T) {
	s := lab.Start(t)
	dir := t.TempDir()
	c := s.IMAP(t, "bob@example.test")
	put(t, c, "INBOX", "one")
	put(t, c, "INBOX", "two")
	rc := write(t, dir, "fdm.conf", fmt.Sprintf(`action "keep" maildir "%s/mail/INBOX"
account "a" imaps server "localhost" port %d user "bob@example.test" pass "%s" folder "INBOX" no-verify
match all action "keep"
`, dir, s.Port(993), lab.Password))
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t, "fdm"), "-f", rc, "-l", "fetch")
	cmd.Env = append(os.Environ(), "HOME="+dir)
	run(t, cmd)
	if got := maildir(t, dir, "INBOX"); got["one"] == "" || got["two"] == "" {
		t.Fatalf("fdm brought %v", got)
	}
	if n := s.Count(t, "bob@example.test", "INBOX"); n != 0 {
		t.Fatalf("%d messages stayed", n)
	}
}

func TestGetmailFetchesWhatItHasNotSeen(t *testing.T) {
	s := lab.Start(t)
	dir := t.TempDir()
	c := s.IMAP(t, "bob@example.test")
	got := filepath.Join(dir, "got")
	rc := write(t, dir, "getmailrc", fmt.Sprintf(`[retriever]
type = SimpleIMAPSSLRetriever
server = localhost
port = %d
username = bob@example.test
password = %s
ca_certs = %s
mailboxes = ("INBOX", "Junk")
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat >>%s")
allow_root_commands = true
[options]
read_all = false
`, s.Port(993), lab.Password, s.CA(), got))
	for _, mailbox := range []string{"INBOX", "Junk"} {
		put(t, c, mailbox, "in "+mailbox)
		cmd := exec.Command(program(t, "getmail"), "-g", dir, "-r", rc)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		run(t, cmd)
	}
	text, err := os.ReadFile(got)
	if err != nil || strings.Count(string(text), "Subject: in ") != 2 || !strings.Contains(string(text), "Subject: in Junk") {
		t.Fatalf("getmail brought %q, %v", text, err)
	}
	if n := s.Count(t, "bob@example.test", "INBOX"); n != 1 {
		t.Fatalf("%d messages stayed", n)
	}
}
