package scripts

import (
	"context"

	"postern/internal/db"
	"postern/internal/settings"
)

// querier is a transaction, for reading or for writing.
type querier interface {
	QueryRow(query string, args ...any) db.Row
}

// HaveSpace tells, by its error, whether a script of size bytes could be put under the name now: [ErrTooLarge],
// [ErrTooMany] or [ErrNoSpace]. Another session may take the space before it is.
func (s *Store) HaveSpace(ctx context.Context, o Owner, name string, size int64) error {
	name, err := CleanName(name)
	if err != nil {
		return err
	}
	if err := s.fits(size); err != nil {
		return err
	}
	return s.db.View(ctx, func(tx *db.ReadTx) error { return s.space(tx, o, name, size) })
}

// fits tells whether a script is small enough by itself.
func (s *Store) fits(size int64) error {
	if most := settings.SieveMaxScriptSize.Get(s.settings); size > most {
		return refuse(ErrTooLarge, "The script has %d bytes and %d are allowed; make it shorter", size, most)
	}
	return nil
}

// space tells whether a script of a name, or what replaces it, fits beside the owner's others.
func (s *Store) space(tx querier, o Owner, name string, size int64) error {
	var others, bytes int64
	err := tx.QueryRow(`SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM sieve_scripts
		WHERE account = ? AND domain = ? AND role = ? AND name <> ?`, o.Account, o.Domain, int64(o.Role), name).Scan(&others, &bytes)
	if err != nil {
		return err
	}
	if most := settings.SieveMaxScripts.Get(s.settings); others >= most {
		return refuse(ErrTooMany, "There are %d scripts and no more are allowed; delete one first", others)
	}
	if most := settings.SieveMaxStorage.Get(s.settings); bytes+size > most {
		return refuse(ErrNoSpace, "All scripts together would have %d bytes and %d are allowed; delete one first", bytes+size, most)
	}
	return nil
}
