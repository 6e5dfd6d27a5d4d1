package store

import (
	"testing"

	"postern/internal/db"
)

// A claim alone in its transaction takes a number, which is given to nobody else after the next start.
func TestAClaimsNumberIsNotGivenAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.account(1)
		err := f.db.Write(t.Context(), func(tx *db.Tx) error {
			_, err := f.ClaimOnceTx(tx, []byte("of a redirect"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		f.reopen()
		p := f.prepare(letter("after", 1000))
		if _, err := f.Deliver(t.Context(), p, []Target{{Account: 1, Once: []byte("of a delivery")}}); err != nil {
			t.Error(err)
		}
	})
}
