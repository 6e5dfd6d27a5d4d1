package imap

import (
	"strings"
	"testing"
)

const hello = "From: Bob <bob@example.test>\nTo: alice@example.test\nSubject: Hello\nDate: Sat, 3 Feb 2024 04:05:06 +0000\n" +
	"Message-ID: <1@example.test>\n\nHello Alice\n"

func TestSelectDescribesTheMailbox(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)
	w.deliver("alice@example.test", "", hello, `\Seen`, "$Forwarded")
	w.dialogue(`
		C: 1 SELECT INBOX
		S: * FLAGS (\Seen \Answered \Flagged \Deleted \Draft $Forwarded)
		S: * OK [PERMANENTFLAGS (\Seen \Answered \Flagged \Deleted \Draft $Forwarded \*)] …
		S: * 2 EXISTS
		S: * 0 RECENT
		S: * OK [UNSEEN 1] …
		S: * OK [UIDVALIDITY …] …
		S: * OK [UIDNEXT 3] …
		S: * OK [HIGHESTMODSEQ …] …
		S: 1 OK [READ-WRITE] …
		C: 2 EXAMINE inbox
		S: * OK [CLOSED] …
		S: * FLAGS …
		S: * OK [PERMANENTFLAGS ()] …
		S: * 2 EXISTS
		S: * 0 RECENT
		S: * OK [UNSEEN 1] …
		S: * OK [UIDVALIDITY …] …
		S: * OK [UIDNEXT 3] …
		S: * OK [HIGHESTMODSEQ …] …
		S: 2 OK [READ-ONLY] …
		C: 3 STORE 1 +FLAGS (\Seen)
		S: 3 NO [CANNOT] …
		C: 4 EXPUNGE
		S: 4 NO [CANNOT] …
		C: 5 SELECT Nowhere
		S: * OK [CLOSED] …
		S: 5 NO [NONEXISTENT] …
		C: 6 FETCH 1 FLAGS
		S: 6 BAD Please select a mailbox first
	`)
}

func TestRev2SelectsWithItsListAndWithoutRecent(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 ENABLE IMAP4rev2 XYZZY
		S: * ENABLED IMAP4rev2
		S: 1 OK ENABLE completed
		C: 2 SELECT Sent
		S: * FLAGS …
		S: * OK [PERMANENTFLAGS …
		S: * 0 EXISTS
		S: * OK [UIDVALIDITY …] …
		S: * OK [UIDNEXT 1] …
		S: * OK [HIGHESTMODSEQ …] …
		S: * LIST (\HasNoChildren \Sent) "/" Sent
		S: 2 OK [READ-WRITE] …
	`)
}

func TestFlagsAreStoredAndTold(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.deliver("alice@example.test", "", hello)
	}
	c := w.user("alice@example.test")
	c.send("0 SELECT INBOX")
	c.until("0 OK …")
	w.play(`
		C: 1 STORE 1,3 +FLAGS (\Seen $Forwarded)
		S: * FLAGS (\Seen \Answered \Flagged \Deleted \Draft $Forwarded)
		S: * OK [PERMANENTFLAGS (\Seen \Answered \Flagged \Deleted \Draft $Forwarded \*)] …
		S: * 1 FETCH (FLAGS (\Seen $Forwarded))
		S: * 3 FETCH (FLAGS (\Seen $Forwarded))
		S: 1 OK STORE completed
		C: 2 STORE 1 -FLAGS.SILENT (\Seen)
		S: 2 OK STORE completed
		C: 3 UID STORE 1:2 FLAGS (\Deleted)
		S: * 1 FETCH (UID 1 FLAGS (\Deleted))
		S: * 2 FETCH (UID 2 FLAGS (\Deleted))
		S: 3 OK UID STORE completed
		C: 4 FETCH 1:* FLAGS
		S: * 1 FETCH (FLAGS (\Deleted))
		S: * 2 FETCH (FLAGS (\Deleted))
		S: * 3 FETCH (FLAGS (\Seen $Forwarded))
		S: 4 OK FETCH completed
		C: 5 UID EXPUNGE 2:3
		S: * 2 EXPUNGE
		S: 5 OK UID EXPUNGE completed
		C: 6 EXPUNGE
		S: * 1 EXPUNGE
		S: 6 OK EXPUNGE completed
		C: 7 UID FETCH 1:* UID
		S: * 1 FETCH (UID 3)
		S: 7 OK UID FETCH completed
		C: 8 STORE 2 FLAGS ()
		S: 8 BAD There is no message with that number
		C: 9 UID STORE 99 FLAGS ()
		S: 9 OK UID STORE completed
	`, func(string) *client { return c })
}

func TestAppendAnswersWithTheUID(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 APPEND Drafts (\Draft \Seen) "03-Feb-2024 04:05:06 +0100" {14}
		S: + …
		C: Subject: x
		C:
		C:
		S: 1 OK [APPENDUID … 1] …
		C: 2 APPEND Drafts {3+}
		C: a
		C:
		S: 2 OK [APPENDUID … 2] …
		C: 3 APPEND Nowhere {1000000}
		S: 3 NO [TRYCREATE] …
		C: 4 APPEND Drafts {1000000000}
		S: 4 NO [TOOBIG] …
		C: 5 APPEND Drafts {3+}
		C: a
		C:
		S: 5 OK [APPENDUID … 3] …
		C: 6 APPEND Drafts {0}
		S: 6 NO APPEND cancelled
		C: 7 EXAMINE Drafts
		S: * FLAGS …
		S: * OK [PERMANENTFLAGS …
		S: * 3 EXISTS
		S: * 3 RECENT
		S: * OK [UNSEEN 2] …
		S: * OK [UIDVALIDITY …
		S: * OK [UIDNEXT 4] …
		S: * OK [HIGHESTMODSEQ …
		S: 7 OK [READ-ONLY] …
		C: 8 FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)
		S: * 1 FETCH (FLAGS (\Seen \Draft \Recent) INTERNALDATE "03-Feb-2024 …" RFC822.SIZE 14)
		S: 8 OK FETCH completed
	`)
}

func TestSeveralMessagesAreAppendedTogetherOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 APPEND Drafts (\Seen) {3+}
		C: a {3+}
		C: b
		S: 1 BAD …
	`)
	c := w.user("alice@example.test")
	c.send("2 APPEND Drafts (\\Seen) {3+}\r\na\r\n {3+}\r\nb\r\n (\\Flagged) {3+}\r\nc\r\n")
	c.want("2 OK [APPENDUID … 1:3] …")
	c.send("3 APPEND Drafts {3+}\r\na\r\n {3}")
	c.want("+ …")
	c.send("b\x00")
	c.send("")
	c.want("3 BAD A message holds no NUL")
	c.send("4 APPEND Drafts ~{4+}\r\nb\x00\r\n")
	c.want("4 NO [UNKNOWN-CTE] …")
	c.send("5 STATUS Drafts (MESSAGES UIDNEXT UNSEEN SIZE DELETED)")
	c.want("* STATUS Drafts (MESSAGES 3 UIDNEXT 4 UNSEEN 2 DELETED 0 SIZE 9)")
	c.want("5 OK …")
}

func TestLimitsOfLiteralsBeforeLogin(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	c.send("1 LOGIN {5000}")
	c.want("1 NO [TOOBIG] …")
	c.send("2 LOGIN alice@example.test {15}")
	c.want("+ …")
	c.send(password)
	c.want("2 OK [CAPABILITY …] Logged in")
}

func TestCapabilitiesAreThoseOfTheState(t *testing.T) {
	w := newWorld(t, func(s *Server) { s.Limits = func() Limits { return Limits{OfferPlus: true} } })
	c := w.dial()
	c.send("1 CAPABILITY")
	line := c.read()
	for _, want := range []string{"IMAP4rev1", "IMAP4rev2", "SASL-IR", "LITERAL+", "ID", "AUTH=PLAIN", "AUTH=SCRAM-SHA-256", "AUTH=SCRAM-SHA-256-PLUS"} {
		if !strings.Contains(line+" ", " "+want+" ") {
			t.Errorf("%s is not in %s", want, line)
		}
	}
	for _, not := range []string{"IDLE", "STARTTLS", "LOGINDISABLED", "CONDSTORE"} {
		if strings.Contains(line, not) {
			t.Errorf("%s is in %s", not, line)
		}
	}
	c.want("1 OK …")
	c.send("2 NOOP")
	c.want("2 OK …")
	c.send("3 SELECT INBOX")
	c.want("3 BAD Please log in first")
	c.send("4 LOGIN alice@example.test " + password)
	line = c.read()
	if strings.Contains(line, "AUTH=") || !strings.Contains(line, " QRESYNC ") || !strings.Contains(line, " APPENDLIMIT=52428800") {
		t.Errorf("after login: %s", line)
	}
}
