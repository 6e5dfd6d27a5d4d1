package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"postern/internal/testenv"
	"postern/test/lab"
)

// maildirs is a mbsync configuration of its own with everything under dir.
func mbsync(t *testing.T, s *lab.Server, dir string) func() string {
	t.Helper()
	rc := write(t, dir, "mbsyncrc", fmt.Sprintf(`IMAPAccount a
Host localhost
Port %d
User bob@example.test
Pass %s
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account a

MaildirStore near
Path %s/mail/
Inbox %s/mail/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
Sync All
SyncState *
`, s.Port(993), lab.Password, s.CA(), dir, dir))
	if err := os.MkdirAll(filepath.Join(dir, "mail"), 0o700); err != nil {
		t.Fatal(err)
	}
	return func() string { return run(t, exec.Command(program(t, "mbsync"), "-c", rc, "-a")) }
}

// maildir gives the files of a folder by their subject.
func maildir(t *testing.T, dir, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(dir, "mail", folder, sub))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, "mail", folder, sub, e.Name())
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(text), "Subject: ")
			subject, _, _ := strings.Cut(rest, "\n")
			files[strings.TrimSpace(subject)] = path
		}
	}
	return files
}

// With the modules of Cyrus SASL mbsync takes the strongest mechanism that is named, and refuses more rounds than Cyrus SASL
// is willing to compute.
func TestMbsyncOnCyrusSASLLogsInByScram(t *testing.T) {
	if found, _ := filepath.Glob("/usr/lib/*/sasl2/libscram.so"); len(found) == 0 {
		testenv.Missing(t, "libscram.so of Cyrus SASL (libsasl2-modules)")
	}
	s := lab.Start(t)
	dir := t.TempDir()
	mbsync(t, s, dir)
	for _, moment := range []string{"at first", "after a restart"} {
		said := run(t, exec.Command(program(t, "mbsync"), "-c", filepath.Join(dir, "mbsyncrc"), "-Dn", "-l", "c"))
		if !strings.Contains(said, "AUTHENTICATE SCRAM-SHA-256 ") {
			t.Fatalf("%s mbsync said:\n%s", moment, said)
		}
		s.Stop()
		s.Run()
	}
}

func TestMbsyncBothWaysWithFlagsDeletionsAndNewFolders(t *testing.T) {
	s := lab.Start(t)
	dir := t.TempDir()
	sync := mbsync(t, s, dir)
	c := s.IMAP(t, "bob@example.test")
	for _, subject := range []string{"one", "two", "three"} {
		put(t, c, "INBOX", subject)
	}
	if err := c.Create("Far/Below", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	put(t, c, "Far/Below", "four")
	sync()

	near := maildir(t, dir, "INBOX")
	if len(near) != 3 || len(maildir(t, dir, "Far/Below")) != 1 {
		t.Fatalf("INBOX here has %v", near)
	}

	// Here: one is read and answered, two is deleted, a new message and a new folder appear.
	if err := os.Rename(near["one"], filepath.Join(dir, "mail/INBOX/cur", strings.Split(filepath.Base(near["one"]), ":")[0]+":2,RS")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(near["two"], filepath.Join(dir, "mail/INBOX/cur", strings.Split(filepath.Base(near["two"]), ":")[0]+":2,T")); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "mail/Near", sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "mail/Near/cur"), "1.here:2,F", letter("bob@example.test", "x@y.example", "from here", "Hello."))
	// There: three is flagged, five arrives.
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.UIDSetNum(3), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	put(t, c, "INBOX", "five")
	sync()

	near = maildir(t, dir, "INBOX")
	if len(near) != 3 || near["five"] == "" || !strings.Contains(near["three"], "F") {
		t.Fatalf("INBOX here has %v", near)
	}
	arrives(t, s, "bob@example.test", "Near", 1, "from here")
	data, err := c.Select("INBOX", nil).Wait()
	if err != nil || data.NumMessages != 3 {
		t.Fatalf("INBOX there has %v messages, %v", data, err)
	}
	fetched, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{Flags: true, Envelope: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	flags := fmt.Sprint(fetched[0].Flags)
	if fetched[0].Envelope.Subject != "one" || !strings.Contains(flags, `\Seen`) || !strings.Contains(flags, `\Answered`) {
		t.Fatalf("there: %q with %s", fetched[0].Envelope.Subject, flags)
	}
	before := fmt.Sprint(maildir(t, dir, "INBOX"))
	sync()
	if after := fmt.Sprint(maildir(t, dir, "INBOX")); after != before {
		t.Fatalf("a third run without a change moved something:\n%s\n%s", before, after)
	}
}
