package imap

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestAStrangerCannotMakeTheServerHoldMuch(t *testing.T) {
	w := newWorld(t)
	for name, attack := range map[string]struct{ send, want string }{
		"a long line":              {"1 LOGIN " + strings.Repeat("a", 20_000), "1 NO [LIMIT] …"},
		"a long tag":               {strings.Repeat("t", 500) + " NOOP", "* BAD …"},
		"a literal with no end":    {"1 LOGIN {4000000000}", "1 NO [TOOBIG] …"},
		"a literal beyond numbers": {"1 LOGIN {99999999999999999999999}", "1 NO [TOOBIG] …"},
		"many literals":            {"1 LOGIN {4000+}\r\n" + strings.Repeat("a", 4000) + " {4000+}\r\n" + strings.Repeat("b", 4000) + " {4000+}\r\n", "1 …"},
		"deep nesting":             {"1 SEARCH " + strings.Repeat("(", 3000), "1 …"},
		"a bare LF":                {"1 NOOP\n2 NOOP", "1 BAD …"},
		"NUL":                      {"1 NO\x00OP", "1 BAD …"},
		"no tag":                   {"\x00\x01\x02", "* BAD …"},
		"APPEND without a login":   {"1 APPEND INBOX {100}", "1 BAD …"},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.dial()
			c.t = t
			c.send(attack.send)
			c.want(attack.want)
		})
	}
}

func TestAUsersCommandsAreBoundedToo(t *testing.T) {
	w := newWorld(t)
	w.deliver("alice@example.test", "", hello)
	for name, attack := range map[string]struct{ send, want string }{
		"deep nesting":       {"1 SEARCH " + strings.Repeat("(", 60) + "ALL" + strings.Repeat(")", 60), "1 …"},
		"deep NOT":           {"1 SEARCH " + strings.Repeat("NOT ", 60) + "ALL", "* SEARCH 1"},
		"a long command":     {"1 SEARCH " + strings.Repeat("ALL ", 400_000) + "ALL", "1 NO [LIMIT] …"},
		"a literal too long": {"1 SEARCH SUBJECT {1000000}", "1 NO [TOOBIG] …"},
		"a huge set":         {"1 UID FETCH 1:4294967295 FLAGS", "* 1 FETCH (UID 1 FLAGS ())"},
		"a wild pattern":     {"1 LIST \"\" " + strings.Repeat("*a%", 500), "1 …"},
		"a deep part":        {"1 FETCH 1 BODY.PEEK[" + strings.Repeat("1.", 40) + "1]", "* 1 FETCH (BODY[…"},
		"a huge partial":     {"1 FETCH 1 BODY.PEEK[]<4294967295.4294967295>", "* 1 FETCH (BODY[]<4294967295> {0}"},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.selected()
			c.t = t
			go c.conn.Write([]byte(attack.send + "\r\n"))
			c.conn.SetDeadline(time.Now().Add(20 * time.Second))
			c.want(attack.want)
		})
	}
}

// A refused message is skipped, and the commands behind it are still understood.
func TestARefusedLiteralIsSkipped(t *testing.T) {
	w := newWorld(t, func(s *Server) { s.Limits = func() Limits { return Limits{MessageBytes: 1000} } })
	c := w.user("alice@example.test")
	c.send("1 APPEND INBOX {5000+}\r\n" + strings.Repeat("x", 5000) + "\r\n2 APPEND Nowhere {900+}\r\n" + strings.Repeat("x", 900) + "\r\n3 NOOP")
	c.want("1 NO [TOOBIG] …")
	c.want("2 NO [TRYCREATE] …")
	c.want("3 OK …")
}

func TestAClientThatLeavesInTheMiddleOfAMessageStoresNothing(t *testing.T) {
	w := newWorld(t)
	c := w.user("alice@example.test")
	c.send("1 APPEND INBOX {5000}")
	c.want("+ …")
	c.conn.Write([]byte("half of it"))
	c.conn.Close()
	c = w.user("alice@example.test")
	c.send("1 STATUS INBOX (MESSAGES)")
	c.want("* STATUS INBOX (MESSAGES 0)")
	c.want("1 OK …")
}

// Who reads nothing is cut off, and holds no other session up.
func TestAClientThatDoesNotReadIsCutOff(t *testing.T) {
	m := &ends{c: make(chan struct{}, 10)}
	w := newWorld(t, func(s *Server) {
		s.Limits = func() Limits { return Limits{WriteTimeout: 300 * time.Millisecond} }
		s.Metrics = m
	})
	c := w.user("alice@example.test")
	text := "Subject: x\r\n\r\n" + strings.Repeat("y", 8<<20)
	c.send(fmt.Sprintf("1 APPEND INBOX {%d+}\r\n%s", len(text), text))
	c.until("1 OK …")
	c.send("2 SELECT INBOX")
	c.until("2 OK …")
	c.send("3 FETCH 1 BODY.PEEK[]\r\n4 FETCH 1 BODY.PEEK[]\r\n5 FETCH 1 BODY.PEEK[]")
	other := w.user("alice@example.test")
	other.send("1 NOOP")
	other.want("1 OK …")
	<-m.c
	got, _ := io.ReadAll(c.r)
	if bytes.Contains(got, []byte("5 OK")) {
		t.Error("all was sent")
	}
}

// ends tells of sessions that ended.
type ends struct{ c chan struct{} }

func (e *ends) Session(delta int) {
	if delta < 0 {
		e.c <- struct{}{}
	}
}
func (*ends) Command(string, string, time.Duration) {}
func (*ends) Auth(bool)                             {}
func (*ends) Push()                                 {}
