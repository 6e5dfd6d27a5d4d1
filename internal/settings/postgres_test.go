package settings

import (
	"os"
	"testing"

	"postern/internal/testdb"
	"postern/internal/testpg"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

func TestSettingsAreKeptByPostgreSQL(t *testing.T) {
	d := testdb.Open(t, testpg.Database(t))
	s, err := Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"200", "300"} {
		if err := s.Set(t.Context(), "smtp.max_recipients", value); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if n := SMTPMaxRecipients.Get(again); n != 300 {
		t.Errorf("stored %d", n)
	}
	if err := again.Reset(t.Context(), "smtp.max_recipients"); err != nil {
		t.Fatal(err)
	}
	if again, err = Open(t.Context(), d); err != nil || SMTPMaxRecipients.Get(again) != 100 {
		t.Errorf("reset: %d, %v", SMTPMaxRecipients.Get(again), err)
	}
}
