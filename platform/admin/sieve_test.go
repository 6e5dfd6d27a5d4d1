package admin_test

import (
	"testing"

	"postern/internal/scripts"
	"postern/platform/admin"
)

func TestWhoComesBackDoesNotFindTheScriptsOfBefore(t *testing.T) {
	s, client := village(t)
	put := func(o scripts.Owner) {
		t.Helper()
		if list, err := s.Scripts.List(t.Context(), o); err != nil || len(list) != 0 {
			t.Fatalf("%s finds %+v, %v", o, list, err)
		}
		if err := s.Scripts.Put(t.Context(), o, "main", []byte("keep;")); err != nil {
			t.Fatal(err)
		}
		if err := s.Scripts.SetActive(t.Context(), o, "main"); err != nil {
			t.Fatal(err)
		}
	}
	server := scripts.Owner{Role: scripts.After}
	put(server)
	for range 2 {
		if _, err := client.AddDomain(t.Context(), "example.org"); err != nil {
			t.Fatal(err)
		}
		if _, err := client.AddUser(t.Context(), admin.NewUser{Address: "carol@example.org", Password: password}); err != nil {
			t.Fatal(err)
		}
		carol, ok := s.Directory.User(parsed(t, "carol@example.org"))
		if !ok {
			t.Fatal("carol is not there")
		}
		put(scripts.Of(carol.ID))
		put(scripts.Owner{Domain: "example.org", Role: scripts.Before})
		if err := client.RemoveUser(t.Context(), "carol@example.org"); err != nil {
			t.Fatal(err)
		}
		if err := client.RemoveDomain(t.Context(), "example.org"); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.Scripts.Active(t.Context(), scripts.Of(carol.ID)); ok || err != nil {
			t.Errorf("carol's script is still run: %v", err)
		}
	}
	if _, ok, err := s.Scripts.Active(t.Context(), server); !ok || err != nil {
		t.Errorf("the server's script went with them: %v", err)
	}
	if report, err := s.Scripts.Verify(t.Context(), nil); err != nil || report.Checked != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}
