package filter

import (
	"context"
	"errors"
	"time"

	"postern/internal/db"
)

// Remembers reports whether a mark of an account is set and has not run out.
func (f *Filters) Remembers(ctx context.Context, account int64, m Mark) (bool, error) {
	var until int64
	err := f.DB.QueryRow(ctx, `SELECT until FROM sieve_marks WHERE account = ? AND mark = ?`, account, m[:]).Scan(&until)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	return err == nil && until > f.Clock.Now().Unix(), err
}

// RememberTx sets a mark for a time, and reports whether that is new: it was not set, or had run out. One that is set stays as
// it is.
func (f *Filters) RememberTx(tx *db.Tx, account int64, m Mark, keep time.Duration) (fresh bool, err error) {
	now := f.Clock.Now()
	n, err := tx.Exec(`INSERT INTO sieve_marks (account, mark, until) VALUES (?, ?, ?)
		ON CONFLICT (account, mark) DO UPDATE SET until = excluded.until WHERE sieve_marks.until <= ?`,
		account, m[:], now.Add(keep).Unix(), now.Unix())
	return n == 1, err
}

// RememberAnewTx sets a mark for a time from now on, whether it was set or not.
func (f *Filters) RememberAnewTx(tx *db.Tx, account int64, m Mark, keep time.Duration) error {
	_, err := tx.Exec(`INSERT INTO sieve_marks (account, mark, until) VALUES (?, ?, ?) ON CONFLICT (account, mark) DO UPDATE SET until = excluded.until`,
		account, m[:], f.Clock.Now().Add(keep).Unix())
	return err
}

// RemoveAccountTx forgets what an account's filters remember, in the transaction that removes the account.
func (f *Filters) RemoveAccountTx(tx *db.Tx, account int64) error {
	_, err := tx.Exec(`DELETE FROM sieve_marks WHERE account = ?`, account)
	return err
}

// sweepEvery is how often marks that have run out are removed.
const sweepEvery = time.Hour

// Run removes marks that have run out, from time to time until ctx ends; failed is told why it could not.
func (f *Filters) Run(ctx context.Context, failed func(error)) {
	for {
		if err := f.sweep(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-f.Clock.After(sweepEvery):
		}
	}
}

func (f *Filters) sweep(ctx context.Context) error {
	return f.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM sieve_marks WHERE until <= ?`, f.Clock.Now().Unix())
		return err
	})
}
