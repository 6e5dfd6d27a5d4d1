package imap

import (
	"fmt"
	"strings"
	"testing"

	"postern/internal/store"
)

func TestAnnotationsAreSetAndRead(t *testing.T) {
	w := newWorld(t)
	w.dialogue(`
		C: 1 GETMETADATA INBOX /shared/comment
		S: * METADATA INBOX (/shared/comment NIL)
		S: 1 OK …
		C: 2 SETMETADATA INBOX (/Shared/Comment "the inbox" /private/comment {5+}
		C: a"b\c /private/filters/values/small 1 /private/filters/values/boss 2)
		S: 2 BAD …
		C: 3 SETMETADATA INBOX (/Shared/Comment "the inbox" /private/comment {5+}
		C: a"b\c /private/filters/values/small "1" /private/filters/values/boss/x "22")
		S: 3 OK …
		C: 4 GETMETADATA INBOX (/SHARED/comment /private/comment /private/none)
		S: * METADATA INBOX (/shared/comment "the inbox" /private/comment "a\"b\\c" /private/none NIL)
		S: 4 OK …
		C: 5 GETMETADATA (DEPTH 1) INBOX /private/filters/values
		S: * METADATA INBOX (/private/filters/values/small "1")
		S: 5 OK …
		C: 6 GETMETADATA INBOX (DEPTH infinity) (/private/filters)
		S: * METADATA INBOX (/private/filters/values/boss/x "22" /private/filters/values/small "1")
		S: 6 OK …
		C: 7 GETMETADATA (MAXSIZE 2 DEPTH infinity) INBOX (/private)
		S: * METADATA INBOX (/private/filters/values/boss/x "22" /private/filters/values/small "1")
		S: 7 OK [METADATA LONGENTRIES 5] …
		C: 8 GETMETADATA (DEPTH infinity) "" (/private /shared)
		S: 8 OK …
		C: 9 SETMETADATA "" (/private/comment "mine")
		S: 9 OK …
		C: 10 GETMETADATA "" /private/comment
		S: * METADATA "" (/private/comment "mine")
		S: 10 OK …
		C: 11 SETMETADATA INBOX (/shared/comment NIL /private/none NIL)
		S: 11 OK …
		C: 12 GETMETADATA INBOX /shared/comment
		S: * METADATA INBOX (/shared/comment NIL)
		S: 12 OK …
		C: 13 SETMETADATA INBOX (/other/comment "x")
		S: 13 BAD …
		C: 14 SETMETADATA Nowhere (/shared/comment "x")
		S: 14 NO [NONEXISTENT] …
		C: 15 GETMETADATA Nowhere /shared/comment
		S: 15 NO [NONEXISTENT] …
		C: 16 SETMETADATA INBOX ()
		S: 16 BAD …
		C: 17 GETMETADATA (SIZE 3) INBOX /shared/comment
		S: 17 BAD …
		C: 18 CREATE box
		S: 18 OK …
		C: 19 SETMETADATA box (/shared/comment "of the box")
		S: 19 OK …
		C: 20 RENAME box chest
		S: 20 OK …
		C: 21 GETMETADATA chest /shared/comment
		S: * METADATA chest (/shared/comment "of the box")
		S: 21 OK …
		C: 22 DELETE chest
		S: 22 OK …
		C: 23 CREATE chest
		S: 23 OK …
		C: 24 GETMETADATA chest /shared/comment
		S: * METADATA chest (/shared/comment NIL)
		S: 24 OK …
	`)
	w.addUser("bob@example.test")
	w.dialogueAs("bob@example.test", `
		C: 1 GETMETADATA "" /private/comment
		S: * METADATA "" (/private/comment NIL)
		S: 1 OK …
	`)
}

func TestAnnotationsAreBounded(t *testing.T) {
	w := newWorld(t)
	c := w.user("alice@example.test")
	c.send(fmt.Sprintf("1 SETMETADATA INBOX (/private/long {%d+}\r\n%s)", store.MaxAnnotation+1, strings.Repeat("x", store.MaxAnnotation+1)))
	c.until(fmt.Sprintf("1 NO [METADATA MAXSIZE %d] …", store.MaxAnnotation))
	value := strings.Repeat("x", store.MaxAnnotation)
	for i := range 1000 {
		c.send(fmt.Sprintf("2 SETMETADATA INBOX (/private/n%d {%d+}\r\n%s)", i, len(value), value))
		if strings.HasPrefix(c.read(), "2 NO [METADATA TOOMANY]") {
			return
		}
	}
	t.Error("annotations without number are taken")
}

func TestOneCommandAsksForAFewAnnotations(t *testing.T) {
	w := newWorld(t)
	c := w.user("alice@example.test")
	c.send("1 GETMETADATA (DEPTH infinity) INBOX (" + strings.TrimSpace(strings.Repeat("/shared/a ", 100)) + ")")
	c.until("1 OK …")
	c.send("2 GETMETADATA (DEPTH infinity) INBOX (" + strings.TrimSpace(strings.Repeat("/shared/a ", 101)) + ")")
	c.until("2 NO [LIMIT] …")
}

func TestCapabilitiesNameWhereScriptsAreKept(t *testing.T) {
	w := newWorld(t, func(s *Server) { s.ScriptsAt = "sieve://mail.example.test" })
	c := w.user("alice@example.test")
	c.send("1 CAPABILITY")
	if line := c.read(); !strings.Contains(line+" ", " METADATA ") || !strings.Contains(line+" ", " IMAPSIEVE=sieve://mail.example.test ") {
		t.Errorf("%s", line)
	}
}
