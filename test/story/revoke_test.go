package story_test

import (
	"strings"
	"testing"

	"postern/test/lab"
)

func TestANewPasswordEndsWhatTheOldOneLetIn(t *testing.T) {
	s := lab.Start(t)
	reader := s.IMAP(t, "alice@example.test")
	if _, err := reader.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	idle, err := reader.Idle()
	if err != nil {
		t.Fatal(err)
	}
	sender := submit(t, s, "alice@example.test")
	if err := sender.Noop(); err != nil {
		t.Fatal(err)
	}
	cmd := s.Command("user", "password", "alice@example.test")
	cmd.Stdin = strings.NewReader("Another-pass-2\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	<-reader.Closed()
	_ = idle.Close()
	if err := sender.Mail("alice@example.test", nil); code(err) != 421 {
		t.Errorf("a session of the old password still sends: %v", err)
	}
}
