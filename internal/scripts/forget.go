package scripts

import (
	"context"

	"postern/internal/db"
)

// roles are all there are. Read-only.
var roles = []Role{Own, Before, After, Changed}

// RemoveAccountTx removes the scripts of an account, in the transaction that removes the account.
func (s *Store) RemoveAccountTx(tx *db.Tx, account int64) error {
	return s.removeTx(tx, account, "")
}

// RemoveDomainTx removes the scripts of a domain, in the transaction that removes the domain.
func (s *Store) RemoveDomainTx(tx *db.Tx, domain string) error {
	return s.removeTx(tx, 0, domain)
}

func (s *Store) removeTx(tx *db.Tx, account int64, domain string) error {
	if _, err := tx.Exec(`DELETE FROM sieve_scripts WHERE account = ? AND domain = ?`, account, domain); err != nil {
		return err
	}
	for _, role := range roles {
		s.publish(tx, Owner{account, domain, role}, nil)
		s.changed(tx, Owner{account, domain, role})
	}
	return nil
}

// dropStrays removes what is of nobody any more, should one have gone by another way than RemoveAccountTx and RemoveDomainTx.
func (s *Store) dropStrays(ctx context.Context, exists func(Owner) bool) error {
	strays, err := s.strays(ctx, exists)
	if err != nil || len(strays) == 0 {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, o := range strays {
			if err := s.removeTx(tx, o.Account, o.Domain); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) strays(ctx context.Context, exists func(Owner) bool) (strays []Owner, err error) {
	rows, err := s.db.Query(ctx, `SELECT DISTINCT account, domain FROM sieve_scripts`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var o Owner
		if err := rows.Scan(&o.Account, &o.Domain); err != nil {
			return nil, err
		}
		if !exists(o) {
			strays = append(strays, o)
		}
	}
	return strays, rows.Err()
}
