package clients_test

import (
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"postern/test/lab"
)

func TestGoIMAPClientIsToldOfADeliveryWhileItIdles(t *testing.T) {
	s := lab.Start(t)
	exists := make(chan uint32, 16)
	c, err := imapclient.DialTLS(s.Address(993), &imapclient.Options{TLSConfig: s.TLS(), UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				exists <- *data.NumMessages
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("alice@example.test", lab.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, s, "alice@example.test", "while idle")
	if n := <-exists; n != 1 {
		t.Fatalf("told of %d messages", n)
	}
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	if err := idle.Wait(); err != nil {
		t.Fatal(err)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "idle"}}}, nil).Wait()
	if err != nil || len(found.AllUIDs()) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	moved, err := c.Move(imap.SeqSetNum(1), "Archive").Wait()
	if err != nil || moved.UIDValidity == 0 {
		t.Fatalf("moved %+v, %v", moved, err)
	}
}

// deliver brings a message in on port 25.
func deliver(t *testing.T, s *lab.Server, to, subject string) {
	t.Helper()
	c := dialMX(t, s)
	defer c.Close()
	if err := c.SendMail("a@sender.example", []string{to}, strings.NewReader(letter("a@sender.example", to, subject, "Hello."))); err != nil {
		t.Fatal(err)
	}
}
