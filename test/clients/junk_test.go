package clients_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/test/lab"
)

const pythonJunk = `
import imaplib, ssl, sys
ca, imaps, password = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]
with imaplib.IMAP4_SSL("localhost", imaps, ssl_context=ssl.create_default_context(cafile=ca)) as c:
    ok(c.login("bob@example.test", password))
    ok(c.select("INBOX"))
    ok(c.uid("MOVE", "1:2", "Junk"))
    ok(c.store("1", "+FLAGS", "NonJunk"))
`

// learned waits until bob's filter has learnt so many messages of each class.
func learned(t *testing.T, s *lab.Server, spam, ham int) {
	t.Helper()
	want := fmt.Sprintf("bob@example.test: %d messages learnt as spam, %d as wanted", spam, ham)
	got := ""
	for range 300 {
		if got = s.Postern("spam", "learned", "--for", "bob@example.test"); strings.HasPrefix(got, want) {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	t.Fatalf("%s\ninstead of\n%s", got, want)
}

func TestMovesOfImaplibAndMbsyncTeachTheSpamFilter(t *testing.T) {
	s := lab.Start(t)
	c := s.IMAP(t, "bob@example.test")
	for _, subject := range []string{"pills", "lottery", "dinner"} {
		put(t, c, "INBOX", subject)
	}
	script := write(t, t.TempDir(), "junk.py", pythonJunk)
	run(t, exec.Command(program(t, "python3"), script, s.CA(), strconv.Itoa(s.Port(993)), lab.Password))
	learned(t, s, 2, 1)

	// A message that some program files into the local Junk is appended there by mbsync.
	dir := t.TempDir()
	sync := mbsync(t, s, dir)
	sync()
	text := letter("a@sender.example", "bob@example.test", "casino", "Win.")
	if err := os.WriteFile(filepath.Join(dir, "mail", "Junk", "new", "1.local"), []byte(strings.ReplaceAll(text, "\r\n", "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	sync()
	learned(t, s, 3, 1)
}
