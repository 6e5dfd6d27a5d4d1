package story_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"postern/test/lab"
)

// sendAndVanish gives a message and closes the connection before the reply to it is read.
func sendAndVanish(t *testing.T, s *lab.Server, mail string) {
	t.Helper()
	r, conn, done := dataPhase(t, s, 25)
	fmt.Fprintf(conn, "%s.\r\n", mail)
	readReply(t, r) // it was stored, which the sender never learns
	done()
	noSession(t, s)
}

// noSession waits until the server has seen that all sessions of port 25 are over: a retry comes after that.
func noSession(t *testing.T, s *lab.Server) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(5 * time.Millisecond) {
		resp, err := http.Get("http://" + s.Address(4025) + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(page), "postern_smtp_sessions{role=\"mx\"} 0\n") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a session does not end")
		}
	}
}

func TestARetryAfterALost250IsStoredOnceAndAMessageSentTwiceTwice(t *testing.T) {
	s := lab.Start(t)
	mail := text("From: a@sender.example", "Subject: once", "Message-ID: <once@sender.example>", "", "Hello.")
	sendAndVanish(t, s, mail)
	sendAndVanish(t, s, mail)
	if n := s.Count(t, "bob@example.test", "INBOX"); n != 1 {
		t.Errorf("a retry is stored: %d messages", n)
	}
	// Killed between the transaction and the client's next word, the server still knows.
	s.Kill()
	s.Run()
	sendAndVanish(t, s, mail)
	if n := s.Count(t, "bob@example.test", "INBOX"); n != 1 {
		t.Errorf("a retry after a crash is stored: %d messages", n)
	}
	// A client that goes on after the 250 has seen it, and means what it says.
	c := world(t, s)
	again := strings.Replace(mail, "once", "twice", 1)
	for range 2 {
		if err := c.SendMail("a@sender.example", []string{"bob@example.test"}, strings.NewReader(again)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	if err := world(t, s).SendMail("a@sender.example", []string{"bob@example.test"}, strings.NewReader(again)); err != nil {
		t.Fatal(err)
	}
	if n := s.Count(t, "bob@example.test", "INBOX"); n != 4 {
		t.Errorf("three messages of the same bytes gave %d more", n-1)
	}
}

func TestARetryIsForwardedOnce(t *testing.T) {
	s := lab.Start(t)
	s.Postern("group", "add", "team@example.test", "bob@example.test", "out@far.example")
	mail := text("From: a@sender.example", "Subject: forwarded once", "", "Hello.")
	for range 2 {
		r, conn, done := dataPhaseTo(t, s, 25, "team@example.test")
		fmt.Fprintf(conn, "%s.\r\n", mail)
		readReply(t, r)
		done()
		noSession(t, s)
	}
	if n := strings.Count(s.Postern("queue", "list"), "out@far.example"); n != 1 {
		t.Errorf("queued %d times", n)
	}
	if n := s.Count(t, "bob@example.test", "INBOX"); n != 1 {
		t.Errorf("bob has it %d times", n)
	}
}

func TestASenderThatAsksIsToldOfTheDelivery(t *testing.T) {
	s := lab.Start(t)
	c := submit(t, s, "alice@example.test")
	if err := c.Mail("alice@example.test", &gosmtp.MailOptions{EnvelopeID: "e=1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("bob@example.test", &gosmtp.RcptOptions{Notify: []gosmtp.DSNNotify{gosmtp.DSNNotifySuccess}}); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, text("From: alice@example.test", "Subject: please tell", "", "Hello."))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	notice := string(s.Messages(t, "alice@example.test", "INBOX", 1)[0])
	for _, wanted := range []string{"Action: delivered", "Original-Envelope-Id: e=1", "Subject: please tell", "Return-Path: <>"} {
		if !strings.Contains(notice, wanted) {
			t.Errorf("the notice lacks %q:\n%s", wanted, notice)
		}
	}
	// A stranger whose address may be forged is not told.
	mx := world(t, s)
	if err := mx.Mail("x@sender.example", nil); err != nil {
		t.Fatal(err)
	}
	if err := mx.Rcpt("bob@example.test", &gosmtp.RcptOptions{Notify: []gosmtp.DSNNotify{gosmtp.DSNNotifySuccess}}); err != nil {
		t.Fatal(err)
	}
	if w, err = mx.Data(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, text("From: x@sender.example", "Subject: forged", "", "Hello."))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if list := s.Postern("queue", "list"); strings.Contains(list, "sender.example") {
		t.Errorf("a stranger is told: %s", list)
	}
}
