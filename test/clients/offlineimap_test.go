package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"postern/test/lab"
)

func TestOfflineIMAPBothWays(t *testing.T) {
	s := lab.Start(t)
	dir := t.TempDir()
	rc := write(t, dir, "offlineimaprc", fmt.Sprintf(`[general]
accounts = a
metadata = %[1]s/meta
maxsyncaccounts = 1
socktimeout = 20
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = %[1]s/mail
sep = /
[Repository far]
type = IMAP
remotehost = localhost
remoteport = %[2]d
remoteuser = bob@example.test
remotepass = %[3]s
ssl = yes
sslcacertfile = %[4]s
`, dir, s.Port(993), lab.Password, s.CA()))
	sync := func() {
		t.Helper()
		cmd := exec.Command(program(t, "offlineimap"), "-o", "-1", "-u", "basic", "-c", rc)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		if out := run(t, cmd); strings.Contains(out, "ERROR") {
			t.Fatal(out)
		}
	}
	c := s.IMAP(t, "bob@example.test")
	for _, subject := range []string{"one", "two", "three"} {
		put(t, c, "INBOX", subject)
	}
	if err := c.Create("Far/Grüße", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	put(t, c, "Far/Grüße", "four")
	sync()
	near := maildir(t, dir, "INBOX")
	if len(near) != 3 || len(maildir(t, dir, "Far/Gr&APwA3w-e")) != 1 {
		t.Fatalf("INBOX here has %v", near)
	}

	// Here one is read and two is deleted, there three is flagged and five arrives.
	name, _, _ := strings.Cut(filepath.Base(near["one"]), ":")
	if err := os.Rename(near["one"], filepath.Join(dir, "mail/INBOX/cur", name+":2,S")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(near["two"]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.UIDSetNum(3), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	put(t, c, "INBOX", "five")
	sync()
	near = maildir(t, dir, "INBOX")
	if near["five"] == "" || !strings.HasSuffix(near["three"], "F") {
		t.Fatalf("INBOX here has %v", near)
	}
	if err := c.Noop().Wait(); err != nil { // which tells of what went
		t.Fatal(err)
	}
	fetched, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{Flags: true, Envelope: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	if flags := fmt.Sprint(fetched[0].Flags); fetched[0].Envelope.Subject != "one" || !strings.Contains(flags, `\Seen`) {
		t.Fatalf("there: %q with %s", fetched[0].Envelope.Subject, flags)
	}
	if n := s.Count(t, "bob@example.test", "INBOX"); n != 3 {
		t.Fatalf("INBOX there has %d messages", n)
	}
}
