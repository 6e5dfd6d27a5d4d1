package story_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"postern/test/lab"
)

// marker stands in everything that is alice's: names, texts, keywords.
const marker = "Zxmarkerqy"

func TestNothingOfOneAccountShowsInAnother(t *testing.T) {
	s := lab.Start(t)
	aliceLives(t, s)
	r, w := rawIMAP(t, s, "bob@example.test")
	read := func(command string) string { return transcript(t, r, w, command) }
	read("ENABLE CONDSTORE QRESYNC IMAP4rev2")
	for _, command := range []string{
		`LIST "" "*"`, `LIST "" "%/%"`, `LIST (SUBSCRIBED REMOTE RECURSIVEMATCH) "" "*" RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN SIZE))`, `LSUB "" "*"`, `NAMESPACE`,
		`GETQUOTAROOT INBOX`, `GETQUOTA ""`, `GETQUOTA "alice@example.test"`, `GETQUOTA "User quota"`,
		`STATUS ` + marker + ` (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ)`,
		`SELECT ` + marker, `SELECT "alice@example.test/INBOX"`, `SELECT "user/alice/INBOX"`, `SELECT "Other Users/alice/INBOX"`, `SELECT "../alice/INBOX"`,
		`COPY 1 ` + marker, `APPEND ` + marker + ` {5+}` + "\r\nA: b\n", `RENAME ` + marker + ` mine`, `DELETE ` + marker, `SUBSCRIBE ` + marker,
		`SELECT INBOX (QRESYNC (1 1 1:1000))`, `FETCH 1:* (FLAGS UID ENVELOPE BODYSTRUCTURE BODY.PEEK[])`, `UID FETCH 1:1000000 (FLAGS BODY.PEEK[]) (CHANGEDSINCE 0 VANISHED)`,
		`UID SEARCH RETURN (ALL COUNT MIN MAX) ALL`, `SEARCH TEXT ` + marker, `SEARCH KEYWORD ` + marker, `SEARCH BODY ` + marker, `SEARCH HEADER Subject ` + marker,
		`UID COPY 1:1000000 Archive`, `UID MOVE 1:1000000 Archive`, `UID STORE 1:1000000 +FLAGS (\Deleted)`, `UID EXPUNGE 1:1000000`, `EXPUNGE`, `SELECT Archive`, `FETCH 1:* ALL`, `CLOSE`,
	} {
		answer := read(command)
		if strings.Contains(strings.ReplaceAll(answer, command, ""), marker) && !strings.Contains(command, marker) {
			t.Errorf("%s tells bob:\n%s", command, answer)
		}
		for line := range strings.Lines(answer) {
			if strings.HasPrefix(line, "* ") && strings.Contains(line, marker) {
				t.Errorf("%s tells bob: %s", command, line)
			}
			if count, ok := strings.CutSuffix(strings.TrimSpace(line), " EXISTS"); ok && count != "* 0" {
				t.Errorf("%s shows bob messages: %s", command, line)
			}
		}
	}
	if n := s.Count(t, "alice@example.test", marker); n != 1 {
		t.Errorf("alice's mailbox holds %d messages after bob's visit", n)
	}
	for _, command := range [][]string{{"user", "show", "bob@example.test", "--json"}, {"queue", "list", "--json"}} {
		if out := s.Postern(command...); strings.Contains(out, marker) {
			t.Errorf("%v shows alice's mail: %s", command, out)
		}
	}
}

// aliceLives fills alice's account by every road: a delivery, a submission, an APPEND, flags, a copy, an expunge.
func aliceLives(t *testing.T, s *lab.Server) {
	t.Helper()
	mail := text("From: a@sender.example", "To: alice@example.test", "Subject: "+marker, "", marker)
	if err := world(t, s).SendMail("a@sender.example", []string{"alice@example.test"}, strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	own := text("From: alice@example.test", "To: alice@example.test", "Subject: "+marker, "", marker)
	if err := submit(t, s, "alice@example.test").SendMail("alice@example.test", []string{"alice@example.test"}, strings.NewReader(own)); err != nil {
		t.Fatal(err)
	}
	c := s.IMAP(t, "alice@example.test")
	for _, err := range []error{
		c.Create(marker, nil).Wait(), c.Create(marker+"/below", nil).Wait(), c.Subscribe(marker).Wait(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.SeqSetNum(1, 2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{marker}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Copy(imap.SeqSetNum(1), marker).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.SeqSetNum(2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Expunge().Close(); err != nil {
		t.Fatal(err)
	}
}

func rawIMAP(t *testing.T, s *lab.Server, user string) (*bufio.Reader, io.Writer) {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Address(993), s.TLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(conn)
	if greeting, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(greeting, "* OK") {
		t.Fatalf("greeting %q, %v", greeting, err)
	}
	if answer := transcript(t, r, conn, "LOGIN "+user+" "+lab.Password); !strings.Contains(answer, "tag OK") {
		t.Fatal(answer)
	}
	return r, conn
}

// transcript sends a command and gives all that comes up to its tagged reply.
func transcript(t *testing.T, r *bufio.Reader, w io.Writer, command string) string {
	t.Helper()
	if _, err := fmt.Fprintf(w, "tag %s\r\n", command); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: after %q: %v", command, all.String(), err)
		}
		all.WriteString(line)
		if strings.HasPrefix(line, "tag ") {
			return all.String()
		}
	}
}
