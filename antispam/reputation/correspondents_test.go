package reputation

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"postern/internal/address"
	"postern/internal/db"
)

func addresses(t testing.TB, texts ...string) []address.Address {
	t.Helper()
	out := make([]address.Address, len(texts))
	for i, s := range texts {
		a, err := address.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = a
	}
	return out
}

func (f *fixture) sent(account int64, to ...string) {
	f.t.Helper()
	peers := addresses(f.t, to...)
	f.must(f.db.Write(context.Background(), func(tx *db.Tx) error { return f.SentTx(tx, account, peers) }))
}

func (f *fixture) knows(account int64, from string) bool {
	f.t.Helper()
	known, err := f.Known(context.Background(), account, addresses(f.t, from)[0])
	f.must(err)
	return known
}

func TestAnAccountKnowsWhomItWroteTo(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.sent(1, "bob@example.org", "carol@example.org", "bob@example.org")
		for range 2 {
			if !f.knows(1, "Bob@example.org") || !f.knows(1, "carol@EXAMPLE.org") || f.knows(1, "dave@example.org") || f.knows(2, "bob@example.org") {
				t.Error("the wrong ones are known")
			}
			n, err := f.CountNew(t.Context(), 1, addresses(t, "bob@example.org", "dave@example.org", "DAVE@example.org", "erin@example.org"))
			if err != nil || n != 2 {
				t.Errorf("%d are new, %v", n, err)
			}
			f.reopen()
		}
		if known, err := f.Known(t.Context(), 1, address.Address{}); known || err != nil {
			t.Errorf("the null path: %v, %v", known, err)
		}
	})
}

func TestWhoIsAskedForAgainIsAnsweredFromMemory(t *testing.T) {
	f := onSQLite(t)
	f.sent(1, "bob@example.org")
	f.reopen()
	for range 2 {
		if !f.knows(1, "bob@example.org") || f.knows(1, "dave@example.org") {
			t.Error("the wrong ones are known")
		}
		// What memory has is not read again.
		f.must(f.db.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`DELETE FROM correspondents`)
			return err
		}))
	}
	f.sent(1, "dave@example.org")
	if !f.knows(1, "dave@example.org") {
		t.Error("a correspondent who was unknown before stays unknown")
	}
}

func TestAWorkThatFailsRemembersNobody(t *testing.T) {
	f := onSQLite(t)
	failed, bob := errors.New("no"), addresses(t, "bob@example.org")
	err := f.db.Write(t.Context(), func(tx *db.Tx) error {
		return errors.Join(f.SentTx(tx, 1, bob), failed)
	})
	if !errors.Is(err, failed) || f.knows(1, "bob@example.org") {
		t.Errorf("known, %v", err)
	}
}

func TestCorrespondentsAreForgottenAfterAWhile(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.sent(1, "bob@example.org")
		var old []string
		for i := range 600 {
			old = append(old, fmt.Sprintf("old%d@example.org", i))
		}
		f.sent(1, old...)
		f.clock.Advance(399 * day)
		if !f.knows(1, "bob@example.org") {
			t.Error("forgotten too early")
		}
		f.sent(1, "bob@example.org")
		f.clock.Advance(2 * day)
		if f.knows(1, "old1@example.org") || !f.knows(1, "bob@example.org") {
			t.Error("the wrong ones are known")
		}
		f.must(f.Prune(t.Context(), nil))
		var n int
		f.must(f.db.QueryRow(t.Context(), `SELECT count(*) FROM correspondents`).Scan(&n))
		if n != 1 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestCorrespondentsOfRemovedAccountsLeave(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for account := range int64(4) {
			f.sent(account, "bob@example.org", "carol@example.org")
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		rounds := make(chan struct{})
		go func() {
			defer close(rounds)
			f.Run(ctx, func(account int64) bool { return account%2 == 1 }, func(err error) { t.Error(err) })
		}()
		var n int
		for n = -1; n != 4; {
			f.must(f.db.QueryRow(t.Context(), `SELECT count(*) FROM correspondents`).Scan(&n))
			runtime.Gosched()
		}
		stop()
		<-rounds
		if !f.knows(2, "bob@example.org") {
			t.Error("the wrong ones left")
		}
	})
}
