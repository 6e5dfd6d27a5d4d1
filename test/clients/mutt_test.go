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

func TestMuttSendsReadsAndFiles(t *testing.T) {
	s := lab.Start(t)
	dir := t.TempDir()
	rc := write(t, dir, "muttrc", fmt.Sprintf(`set ssl_ca_certificates_file = %s
set ssl_verify_host = no
set certificate_file = %s/certificates
set smtp_url = "smtps://alice@example.test@localhost:%d/"
set smtp_pass = "%s"
set imap_pass = "%s"
set from = alice@example.test
set realname = Alice
set folder = "imaps://alice@example.test@localhost:%d/"
set record = "=Sent"
set spoolfile = "=INBOX"
set confirmappend = no
set confirmcreate = no
set delete = yes
set quit = yes
set wait_key = no
set sort = mailbox-order
`, s.CA(), dir, s.Port(465), lab.Password, lab.Password, s.Port(993)))
	home := append(os.Environ(), "HOME="+dir, "TERM=xterm", "LINES=40", "COLUMNS=120", "LC_ALL=C.UTF-8")

	send := exec.Command(program(t, "mutt"), "-F", rc, "-s", "by mutt", "--", "alice@example.test", "bob@example.test")
	send.Env, send.Stdin = home, strings.NewReader("Hello from mutt.\n")
	run(t, send)
	arrives(t, s, "bob@example.test", "INBOX", 1, "Subject: by mutt")
	arrives(t, s, "alice@example.test", "INBOX", 1, "Hello from mutt.")
	arrives(t, s, "alice@example.test", "Sent", 1, "Subject: by mutt")

	// A terminal: copy the message to a file, save it to Archive (which deletes it here), quit.
	out := filepath.Join(dir, "read.mbox")
	keys := fmt.Sprintf("<first-entry><copy-message><kill-line>%s<enter><first-entry><save-message><kill-line>=Archive<enter><quit>", out)
	read := exec.Command(program(t, "script"), "-qec", fmt.Sprintf("%s -F %s -e 'push %q'", program(t, "mutt"), rc, keys), filepath.Join(dir, "typescript"))
	read.Env = home
	run(t, read)
	text, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(text), "Hello from mutt.") {
		screen, _ := os.ReadFile(filepath.Join(dir, "typescript"))
		t.Fatalf("mutt read %q, %v\n%s", text, err, screen)
	}
	arrives(t, s, "alice@example.test", "Archive", 1, "Hello from mutt.")
	if n := s.Count(t, "alice@example.test", "INBOX"); n != 0 {
		t.Fatalf("%d messages stayed in INBOX", n)
	}
}
