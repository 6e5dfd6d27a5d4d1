package story_test

import (
	"strings"
	"testing"

	"postern/test/lab"
)

func TestAFullMailboxIsRefusedByItselfAndHoldsUpNobodyElse(t *testing.T) {
	s := lab.Start(t)
	s.Postern("user", "set", "bob@example.test", "--quota", "64KiB")
	s.Postern("group", "add", "team@example.test", "alice@example.test", "bob@example.test")
	big := text("From: a@sender.example", "Subject: big", "", strings.Repeat("x", 60<<10))
	small := text("From: a@sender.example", "Subject: small", "", strings.Repeat("y", 10<<10))
	send := func(mail string, to ...string) error {
		return world(t, s).SendMail("a@sender.example", to, strings.NewReader(mail))
	}
	if err := send(big, "bob@example.test"); err != nil {
		t.Fatal(err)
	}
	if err := send(small, "bob@example.test"); code(err) != 452 {
		t.Errorf("a full mailbox takes more: %v", err)
	}
	if err := send(small, "team@example.test"); err != nil {
		t.Errorf("a list is held up by its full member: %v", err)
	}
	c := world(t, s)
	if err := c.Mail("a@sender.example", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt("alice@example.test", nil); err != nil {
		t.Errorf("alice is refused with bob: %v", err)
	}
	if err := c.Rcpt("bob@example.test", nil); code(err) != 452 {
		t.Errorf("bob at RCPT: %v", err)
	}
	if a, b := s.Count(t, "alice@example.test", "INBOX"), s.Count(t, "bob@example.test", "INBOX"); a != 1 || b != 2 {
		t.Errorf("alice has %d messages, bob %d", a, b)
	}
}
