package imap

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// mixed has a part of each encoding, and a message inside.
const mixed = `From: Bob <bob@example.test>
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
Mime-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Sch=C3=B6ne Gr=C3=BC=C3=9Fe=20
--b
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

AAECAwQ=
--b
Content-Type: application/x-odd
Content-Transfer-Encoding: x-strange

whatever
--b
Content-Type: message/rfc822

From: inner@example.test
Subject: Inner subject

Inner body
--b--
`

// selected is a session with INBOX selected.
func (w *world) selected(parameters ...string) *client {
	w.Helper()
	c := w.user("alice@example.test")
	c.send("0 SELECT INBOX" + strings.Join(parameters, ""))
	c.until("0 OK …")
	return c
}

func one(c *client) func(string) *client { return func(string) *client { return c } }

func TestPartsAreFetchedDecoded(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", mixed)
	w.play(`
		C: 1 FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1] BINARY.PEEK[1]<6.3>)
		S: * 1 FETCH (BINARY[1] {16}
		S: Schöne Grüße  BINARY.SIZE[1] 16 BINARY[1]<6> {3}
		S: e G)
		S: 1 OK …
		C: 2 FETCH 1 BINARY.PEEK[2]
	`, one(w.selected()))
	c := w.selected()
	c.send("2 FETCH 1 BINARY.PEEK[2]")
	c.want("* 1 FETCH (BINARY[2] ~{5}")
	got := make([]byte, 5)
	if _, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, []byte{0, 1, 2, 3, 4}) {
		t.Fatalf("%q, %v", got, err)
	}
	w.play(`
		S: )
		S: 2 OK …
		C: 3 FETCH 1 BINARY.PEEK[3]
		S: 3 NO [UNKNOWN-CTE] …
		C: 4 FETCH 1 (BINARY.SIZE[9] BINARY.PEEK[9] BODY.PEEK[9])
		S: * 1 FETCH (BINARY.SIZE[9] 0 BINARY[9] NIL BODY[9] NIL)
		S: 4 OK …
		C: 5 FETCH 1 (BODY.PEEK[4.HEADER.FIELDS (SUBJECT)] BODY.PEEK[4.TEXT] BODY.PEEK[2.MIME])
		S: * 1 FETCH (BODY[4.HEADER.FIELDS (SUBJECT)] {26}
		S: Subject: Inner subject
		S:
		S:  BODY[4.TEXT] {10}
		S: Inner body BODY[2.MIME] {77}
		S: Content-Type: application/octet-stream
		S: Content-Transfer-Encoding: base64
		S:
		S: )
		S: 5 OK …
		C: 6 FETCH 1 FLAGS
		S: * 1 FETCH (FLAGS ())
		S: 6 OK …
		C: 7 UID FETCH 1 BODY[1]<0.3>
		S: * 1 FETCH (UID 1 BODY[1]<0> {3}
		S: Sch FLAGS (\Seen))
		S: 7 OK …
		C: 8 FETCH 1 BODY.PEEK[1]<1000.5>
		S: * 1 FETCH (BODY[1]<1000> {0}
		S: )
		S: 8 OK …
	`, one(c))
}

func TestReadingInAReadOnlyMailboxMarksNothing(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", "Subject: x\n\nbody\n")
	c := w.user("alice@example.test")
	c.send("0 EXAMINE INBOX")
	c.until("0 OK …")
	w.play(`
		C: 1 FETCH 1 (BODY[TEXT] RFC822.SIZE)
		S: * 1 FETCH (BODY[TEXT] {6}
		S: body
		S:  RFC822.SIZE 20)
		S: 1 OK …
		C: 2 FETCH 1 FLAGS
		S: * 1 FETCH (FLAGS ())
		S: 2 OK …
	`, one(c))
}

func TestEnvelopeAndStructureComeFromTheStore(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)
	w.play(`
		C: 1 FETCH 1 (ENVELOPE BODY BODYSTRUCTURE RFC822.HEADER)
		S: * 1 FETCH (ENVELOPE ("Sat, 3 Feb 2024 04:05:06 +0000" "Hello" (("Bob" NIL "bob" "example.test")) (("Bob" NIL "bob" "example.test")) (("Bob" NIL "bob" "example.test")) ((NIL NIL "alice" "example.test")) NIL NIL NIL "<1@example.test>") BODY ("text" "plain" …) BODYSTRUCTURE ("text" "plain" …) RFC822.HEADER {…}
		S: From: Bob <bob@example.test>
		S: To: alice@example.test
		S: Subject: Hello
		S: Date: Sat, 3 Feb 2024 04:05:06 +0000
		S: Message-ID: <1@example.test>
		S:
		S: )
		S: 1 OK …
	`, one(w.selected()))
}

// Trace fields are kept beside a message and joined on reading: to the client they are its first lines.
func TestTraceFieldsAreTheBeginningOfTheMessage(t *testing.T) {
	w := newWorld(t)
	w.deliverWith("alice@example.test", mixed, "Return-Path: <bob@example.test>\r\nReceived: from there\r\n\tby here\r\n")
	size := len(strings.ReplaceAll(mixed, "\n", "\r\n")) + 65
	c := w.selected()
	w.play(fmt.Sprintf(`
		C: 1 FETCH 1 (RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Received Subject)] BODY.PEEK[1] BODY.PEEK[4.TEXT] BINARY.PEEK[1] BODY.PEEK[]<0.11>)
		S: * 1 FETCH (RFC822.SIZE %d BODY[HEADER.FIELDS (Received Subject)] {72}
		S: Received: from there
		S: 	by here
		S: Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
		S:
		S:  BODY[1] {30}
		S: Sch=C3=B6ne Gr=C3=BC=C3=9Fe=20 BODY[4.TEXT] {10}
		S: Inner body BINARY[1] {16}
		S: Schöne Grüße  BODY[]<0> {11}
		S: Return-Path)
		S: 1 OK …
		C: 2 FETCH 1 BODY.PEEK[HEADER]<0.12>
		S: * 1 FETCH (BODY[HEADER]<0> {12}
		S: Return-Path:)
		S: 2 OK …
		C: 3 FETCH 1 BODY.PEEK[TEXT]<0.3>
		S: * 1 FETCH (BODY[TEXT]<0> {3}
		S: --b)
		S: 3 OK …
		C: 4 SEARCH HEADER Received "by here" TEXT "return-path: <bob" BODY "inner body"
		S: * SEARCH 1
		S: 4 OK …
	`, size), one(c))
}

func TestABodyOfAnySizeIsStreamed(t *testing.T) {
	w := newWorld(t)
	line := strings.Repeat("0123456789abcdef", 4)[:62] + "\r\n"
	text := "Subject: large\r\n\r\n" + strings.Repeat(line, 300_000/64)
	c := w.selected()
	c.send(fmt.Sprintf("1 APPEND INBOX {%d+}\r\n%s", len(text), text))
	c.until("1 OK …")
	c.send("2 FETCH 1 BODY.PEEK[]")
	c.want(fmt.Sprintf("* 1 FETCH (BODY[] {%d}", len(text)))
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c.r, got); err != nil || string(got) != text {
		t.Fatalf("the body came back altered (%v)", err)
	}
	c.want(")")
	c.want("2 OK …")
}

func TestSearchFindsByEveryKey(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)                        // 1
	w.deliver("alice@example.test", "", mixed, `\Seen`, "$Forwarded") // 2
	w.deliver("alice@example.test", "", "From: Zoe <zoe@example.test>\nCc: c@example.test\nSubject: third\nDate: Mon, 1 Jan 2020 23:30:00 -0500\nX-Odd: value\n\nnothing\n", `\Deleted`)
	c := w.selected()
	for key, want := range map[string]string{
		"ALL":           " 1 2 3",
		"SUBJECT hello": " 1",
		"SUBJECT HELLO": " 1",
		"CHARSET UTF-8 SUBJECT " + literal("GRÜSSE"): "",
		"CHARSET UTF-8 SUBJECT " + literal("grüße"):  " 2",
		"CHARSET UTF-8 SUBJECT " + literal("GRÜßE"):  " 2",
		"CHARSET UTF-8 BODY " + literal("SCHÖNE"):    " 2",
		"CHARSET UTF-8 BODY " + literal("ne grüß"):   " 2",
		"FROM bob":                             " 1 2",
		"FROM bob@example.test":                " 1 2",
		"TO alice":                             " 1",
		"CC c@example":                         " 3",
		"BCC x":                                "",
		"BODY \"inner body\"":                  " 2",
		"BODY \"inner subject\"":               " 2",
		"TEXT \"x-odd: VAL\"":                  " 3",
		"TEXT alice":                           " 1",
		"BODY alice":                           " 1",
		"HEADER X-Odd \"\"":                    " 3",
		"HEADER x-odd alu":                     " 3",
		"HEADER Message-ID 1@example.test":     " 1",
		"NOT HEADER Message-ID 1@example.test": " 2 3",
		"SEEN":                                 " 2",
		"UNSEEN":                               " 1 3",
		"KEYWORD $Forwarded":                   " 2",
		"UNKEYWORD $Forwarded":                 " 1 3",
		"KEYWORD $Nowhere":                     "",
		"DELETED":                              " 3",
		"UNDELETED":                            " 1 2",
		"OR SEEN DELETED":                      " 2 3",
		"OR (SEEN SUBJECT hello) (FROM zoe)":   " 3",
		"NOT (OR SEEN FROM zoe)":               " 1",
		"UID 2:9":                              " 2 3",
		"2:3 NOT 3":                            " 2",
		"1:* FROM bob":                         " 1 2",
		"LARGER 400":                           " 2",
		"SMALLER 400":                          " 1 3",
		"ON 3-Feb-2024":                        " 1 2 3",
		"BEFORE 3-Feb-2024":                    "",
		"SINCE 3-Feb-2024":                     " 1 2 3",
		"SENTON 1-Jan-2020":                    " 3",
		"SENTSINCE 2-Jan-2020":                 " 1",
		"SENTBEFORE 2-Jan-2020":                " 3",
		"OLDER 3600":                           " 1 2 3",
		"YOUNGER 3600":                         "",
		"RECENT":                               "",
		"NEW":                                  "",
		"OLD":                                  " 1 2 3",
	} {
		c.send("1 SEARCH " + key)
		got := c.read()
		if got == "1 OK SEARCH completed" {
			t.Fatal("no response")
		}
		if !strings.HasPrefix(got, "* SEARCH") {
			t.Errorf("%s: %s", key, got)
			continue
		}
		if got = strings.TrimPrefix(got, "* SEARCH"); got != want {
			t.Errorf("SEARCH %s:%s, want%s", key, got, want)
		}
		c.want("1 OK SEARCH completed")
	}
}

func TestSearchReturnsAndSaves(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.deliver("alice@example.test", "", hello)
	}
	w.play(`
		C: 1 STORE 2 +FLAGS.SILENT (\Deleted)
		S: 1 OK …
		C: 2 EXPUNGE
		S: * 2 EXPUNGE
		S: 2 OK …
		C: 3 SEARCH RETURN (MIN MAX COUNT ALL) ALL
		S: * ESEARCH (TAG "3") MIN 1 MAX 4 ALL 1:4 COUNT 4
		S: 3 OK …
		C: 4 UID SEARCH RETURN () ALL
		S: * ESEARCH (TAG "4") UID ALL 1,3:5
		S: 4 OK …
		C: 5 UID SEARCH RETURN (SAVE) 2:3
		S: 5 OK …
		C: 6 FETCH $ UID
		S: * 2 FETCH (UID 3)
		S: * 3 FETCH (UID 4)
		S: 6 OK …
		C: 7 UID FETCH $ UID
		S: * 2 FETCH (UID 3)
		S: * 3 FETCH (UID 4)
		S: 7 OK …
		C: 8 SEARCH RETURN (SAVE MIN) $
		S: * ESEARCH (TAG "8") MIN 2
		S: 8 OK …
		C: 9 SEARCH NOT $
		S: * SEARCH 1 3 4
		S: 9 OK …
		C: 10 STORE $ +FLAGS.SILENT (\Deleted)
		S: 10 OK …
		C: 11 UID EXPUNGE $
		S: * 2 EXPUNGE
		S: 11 OK …
		C: 12 UID SEARCH RETURN (ALL) $
		S: * ESEARCH (TAG "12") UID
		S: 12 OK …
		C: 13 SEARCH CHARSET KLINGON ALL
		S: 13 NO [BADCHARSET…
		C: 14 ENABLE IMAP4rev2
		S: * ENABLED IMAP4rev2
		S: 14 OK …
		C: 15 SEARCH UNSEEN
		S: * ESEARCH (TAG "15") ALL 1:3
		S: 15 OK …
	`, one(w.selected()))
}

func literal(text string) string { return fmt.Sprintf("{%d+}\r\n%s", len(text), text) }

func TestNoNumberIsValidInAnEmptyMailbox(t *testing.T) {
	w := newWorld(t)
	c := w.user("alice@example.test")
	c.send("0 SELECT INBOX")
	c.until("0 OK …")
	w.play(`
		C: 1 FETCH * FLAGS
		S: 1 BAD There is no message with that number
		C: 2 FETCH 1:* FLAGS
		S: 2 BAD There is no message with that number
		C: 3 COPY * Trash
		S: 3 BAD There is no message with that number
		C: 4 UID FETCH * FLAGS
		S: 4 OK UID FETCH completed
		C: 5 UID FETCH 1:* FLAGS
		S: 5 OK UID FETCH completed
		C: 6 SEARCH 1:*
		S: * SEARCH
		S: 6 OK SEARCH completed
		C: 7 STORE $ +FLAGS (\Seen)
		S: 7 OK STORE completed
	`, func(string) *client { return c })
}

// A full disk must not keep anyone from reading. Here it is the mailbox that is gone and cannot note that the message was read.
func TestAMessageThatCannotBeMarkedCanBeRead(t *testing.T) {
	w := newWorld(t)
	a, b := w.user("alice@example.test"), w.user("alice@example.test")
	a.send("1 CREATE Gone")
	a.until("1 OK …")
	w.deliver("alice@example.test", "Gone", hello)
	a.send("2 SELECT Gone")
	a.until("2 OK …")
	b.send("1 DELETE Gone")
	b.want("1 OK …")
	a.send("3 FETCH 1 BODY[TEXT]")
	a.want("* 1 FETCH (BODY[TEXT] {13}…")
}
