package imap

import (
	"fmt"
	"strings"
	"testing"

	"postern/internal/store"
)

// number takes the figure behind a word out of responses.
func number(t testing.TB, lines []string, word string) string {
	t.Helper()
	for _, line := range lines {
		if _, rest, found := strings.Cut(line, word+" "); found {
			return rest[:strings.IndexAny(rest+" ", " ])")]
		}
	}
	t.Fatalf("no %s in %q", word, lines)
	return ""
}

func TestConditionalStoreRefusesWhatChanged(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.deliver("alice@example.test", "", hello)
	}
	c := w.user("alice@example.test")
	c.send("1 SELECT INBOX (CONDSTORE)")
	before := number(t, c.until("1 OK …"), "HIGHESTMODSEQ")
	c.send("2 STORE 2 +FLAGS.SILENT (\\Flagged)")
	c.want("* 2 FETCH (MODSEQ (…))")
	c.want("2 OK …")
	c.send("3 STORE 1:3 (UNCHANGEDSINCE " + before + ") +FLAGS (\\Seen)")
	c.want("* 1 FETCH (FLAGS (\\Seen) MODSEQ (…))")
	c.want("* 3 FETCH (FLAGS (\\Seen) MODSEQ (…))")
	c.want("3 OK [MODIFIED 2] …")
	c.send("4 UID STORE 2 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\\Seen)")
	c.want("4 OK [MODIFIED 2] …")
	c.send("5 FETCH 1:* (FLAGS) (CHANGEDSINCE " + before + ")")
	for i, flags := range []string{`\Seen`, `\Flagged`, `\Seen`} {
		c.want(fmt.Sprintf("* %d FETCH (FLAGS (%s) MODSEQ (…))", i+1, flags))
	}
	c.want("5 OK …")
	c.send("6 SEARCH MODSEQ 1 FLAGGED")
	c.want("* SEARCH 2 (MODSEQ …)")
	c.want("6 OK …")
	c.send("7 SEARCH RETURN (COUNT) MODSEQ 1")
	c.want(`* ESEARCH (TAG "7") COUNT 3 MODSEQ …`)
	c.want("7 OK …")
	c.send("8 STATUS INBOX (HIGHESTMODSEQ)")
	c.want("* STATUS INBOX (HIGHESTMODSEQ …)")
	c.want("8 OK …")
}

func TestAReturningClientIsResynchronised(t *testing.T) {
	w := newWorld(t)
	for range 10 {
		w.deliver("alice@example.test", "", hello)
	}
	a := w.user("alice@example.test")
	a.send("1 SELECT INBOX")
	lines := a.until("1 OK …")
	validity, modSeq := number(t, lines, "UIDVALIDITY"), number(t, lines, "HIGHESTMODSEQ")
	a.send("2 STORE 2,5,7 +FLAGS.SILENT (\\Deleted)")
	a.until("2 OK …")
	a.send("3 EXPUNGE")
	a.until("3 OK …")
	a.send("4 UID STORE 3 +FLAGS.SILENT (\\Seen)")
	a.until("4 OK …")

	b := w.user("alice@example.test")
	b.send("1 SELECT INBOX (QRESYNC (" + validity + " " + modSeq + "))")
	b.want("1 BAD Please ENABLE QRESYNC first")
	b.send("2 ENABLE QRESYNC")
	b.want("* ENABLED QRESYNC")
	b.want("2 OK …")
	sel := func(tag, rest string, want ...string) {
		t.Helper()
		b.send(tag + " SELECT INBOX (QRESYNC (" + validity + " " + modSeq + rest + "))")
		b.until("* OK [HIGHESTMODSEQ…")
		for _, line := range want {
			b.want(line)
		}
		b.want(tag + " OK [READ-WRITE] …")
	}
	sel("3", "", "* VANISHED (EARLIER) 2,5,7", "* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (…))")
	sel("4", " 5:9", "* VANISHED (EARLIER) 5,7")
	sel("5", " 1:10 (1,4,7 1,4,7)", "* VANISHED (EARLIER) 2,5,7", "* 2 FETCH (UID 3 …")
	// The client has seen these expunges: its numbers are those of now.
	sel("6", " 1:10 (3:5 4,6,8)", "* 2 FETCH (UID 3 …")
	b.send("7 UID FETCH 1:6 (FLAGS) (CHANGEDSINCE " + modSeq + " VANISHED)")
	b.want("* VANISHED (EARLIER) 2,5")
	b.want("* 2 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (…))")
	b.want("7 OK …")

	a.send("5 UID STORE 4,6 +FLAGS.SILENT (\\Deleted)")
	a.until("5 OK …")
	a.send("6 EXPUNGE")
	a.want("* 3 EXPUNGE")
	a.want("* 3 EXPUNGE")
	a.want("6 OK …")
	b.send("8 NOOP")
	b.want("* VANISHED 4,6")
	b.want("8 OK …")
	b.send("9 UID STORE 8 +FLAGS.SILENT (\\Deleted)")
	b.until("9 OK …")
	b.send("10 CLOSE")
	b.want("10 OK [HIGHESTMODSEQ …] …")
	wrong := "1 SELECT INBOX (QRESYNC (1 " + modSeq + "))"
	b.send(wrong)
	if lines := b.until("1 OK …"); strings.Contains(strings.Join(lines, "\n"), "VANISHED") {
		t.Errorf("resynchronised in spite of another UIDVALIDITY: %q", lines)
	}
}

// What a client that keeps its mailbox by QRESYNC believes is at the end what the server has, whatever happened meanwhile.
func TestResynchronisationEndsWithTheTruth(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		w.deliver("alice@example.test", "", hello)
	}
	worker := w.selected()
	reader := w.user("alice@example.test")
	reader.send("e ENABLE QRESYNC IMAP4rev2")
	reader.until("e OK …")
	known := map[string]string{} // UID → flags
	validity, modSeq := "", "1"
	for round := range 6 {
		worker.send(fmt.Sprintf("a STORE %d:%d +FLAGS.SILENT (\\Deleted)", round+1, round+2))
		worker.until("a OK …")
		worker.send("b EXPUNGE")
		worker.until("b OK …")
		worker.send(fmt.Sprintf("c STORE %d FLAGS.SILENT (\\Flagged k%d)", 2*round+1, round))
		worker.until("c OK …")
		w.deliver("alice@example.test", "", hello)
		resync := "s SELECT INBOX"
		if validity != "" {
			resync += " (QRESYNC (" + validity + " " + modSeq + "))"
		}
		reader.send(resync)
		lines := reader.until("s OK …")
		if validity == "" {
			reader.send("f UID FETCH 1:* (FLAGS)")
			lines = append(lines, reader.until("f OK …")...)
		}
		validity, modSeq = number(t, lines, "UIDVALIDITY"), number(t, lines, "HIGHESTMODSEQ")
		learn(known, lines)
		reader.send("t UID FETCH 1:* (FLAGS)")
		truth := map[string]string{}
		learn(truth, reader.until("t OK …"))
		if fmt.Sprint(known) != fmt.Sprint(truth) {
			t.Fatalf("round %d: the client believes\n%v\nthe server has\n%v", round, known, truth)
		}
	}
}

// learn follows what responses say.
func learn(known map[string]string, lines []string) {
	for _, line := range lines {
		if _, set, found := strings.Cut(line, "VANISHED (EARLIER) "); found {
			for uid := range known {
				if inSet(set, uid) {
					delete(known, uid)
				}
			}
		}
		if _, rest, found := strings.Cut(line, "FETCH (UID "); found {
			uid, rest, _ := strings.Cut(rest, " FLAGS (")
			known[uid] = rest[:strings.IndexByte(rest, ')')]
		}
	}
}

func inSet(set, uid string) bool {
	var n, first, last int
	fmt.Sscan(uid, &n)
	for _, part := range strings.Split(set, ",") {
		if k, _ := fmt.Sscanf(part, "%d:%d", &first, &last); k < 2 {
			last = first
		}
		if n >= first && n <= last {
			return true
		}
	}
	return false
}

func TestCommandsThatAreSentTogetherAreAnsweredInOrder(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)
	c := w.user("alice@example.test")
	c.send("1 SELECT INBOX\r\n2 FETCH 1 FLAGS\r\n3 STORE 1 +FLAGS (\\Seen)\r\n4 SEARCH SEEN\r\n5 CLOSE\r\n6 NOOP\r\n7 LOGOUT")
	c.until("1 OK …")
	w.play(`
		S: * 1 FETCH (FLAGS ())
		S: 2 OK …
		S: * 1 FETCH (FLAGS (\Seen))
		S: 3 OK …
		S: * SEARCH 1
		S: 4 OK …
		S: 5 OK …
		S: 6 OK …
		S: * BYE Goodbye
		S: 7 OK LOGOUT completed
	`, one(c))
	c.closed()
}

func TestOneAccountSeesNothingOfAnother(t *testing.T) {
	w := newWorld(t)
	w.addUser("bob@example.test")
	w.deliver("alice@example.test", "", hello)
	a, err := w.account("alice@example.test").CreateMailbox(t.Context(), "Secret", "")
	if err != nil {
		t.Fatal(err)
	}
	_ = store.Mailbox(a)
	w.dialogueAs("bob@example.test", `
		C: 1 SELECT Secret
		S: 1 NO [NONEXISTENT] …
		C: 2 STATUS INBOX (MESSAGES UIDNEXT)
		S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1)
		S: 2 OK …
		C: 3 LIST "" Sec*
		S: 3 OK …
	`)
}

// What a session does to flags itself is told like what others did: whoever thinks in UIDs gets them. RFC 7162 3.2
func TestAClientWithQResyncIsToldUIDs(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)
	c := w.user("alice@example.test")
	c.send("1 ENABLE QRESYNC")
	c.until("1 OK …")
	c.send("2 SELECT INBOX")
	c.until("2 OK …")
	w.play(`
		C: 3 STORE 1 +FLAGS (\Flagged)
		S: * 1 FETCH (UID 1 FLAGS (\Flagged) MODSEQ (…))
		S: 3 OK STORE completed
		C: 4 STORE 1 -FLAGS.SILENT (\Flagged)
		S: * 1 FETCH (UID 1 MODSEQ (…))
		S: 4 OK STORE completed
		C: 5 FETCH 1 FLAGS
		S: * 1 FETCH (FLAGS ())
		S: 5 OK FETCH completed
	`, func(string) *client { return c })
}
