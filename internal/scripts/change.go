package scripts

import (
	"context"
	"crypto/sha256"
	"errors"

	"postern/internal/db"
)

// Put keeps a script under a name, in place of what was there. One that was active stays so. It fails with [ErrName],
// [ErrTooLarge], [ErrTooMany] or [ErrNoSpace], and then nothing has changed.
func (s *Store) Put(ctx context.Context, o Owner, name string, content []byte) error {
	name, err := CleanName(name)
	if err != nil {
		return err
	}
	if err := s.fits(int64(len(content))); err != nil {
		return err
	}
	if content == nil {
		content = []byte{} // an empty script, which SQL takes for none otherwise
	}
	hash := sha256.Sum256(content)
	fresh := row{owner: o, name: name, size: int64(len(content)), changed: s.clock.Now().UnixMilli(), hash: hash[:]}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.space(tx, o, name, fresh.size); err != nil {
			return err
		}
		s.changed(tx, o)
		r := fresh
		old, err := find(tx, o, name)
		if errors.Is(err, db.ErrNoRows) {
			_, err = tx.Exec(`INSERT INTO sieve_scripts (account, domain, role, name, size, active, changed, hash, crc, content) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`,
				o.Account, o.Domain, int64(o.Role), name, r.size, r.changed, r.hash, r.sum(), content)
			return err
		}
		if err != nil {
			return err
		}
		r.active = old.active
		if r.active {
			s.publish(tx, o, &head{name: name, version: Version(hash)})
		}
		_, err = tx.Exec(`UPDATE sieve_scripts SET size = ?, active = ?, changed = ?, hash = ?, crc = ?, content = ? WHERE id = ?`,
			r.size, number(r.active), r.changed, r.hash, r.sum(), content, old.id)
		return err
	})
}

// Rename gives a script another name; one that is active stays so (RFC 5804 2.11). It fails with [ErrNotFound] and [ErrExists].
func (s *Store) Rename(ctx context.Context, o Owner, from, to string) error {
	from, err := CleanName(from)
	if err != nil {
		return err
	}
	if to, err = CleanName(to); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := require(tx, o, from)
		if err != nil {
			return err
		}
		if _, err := find(tx, o, to); err == nil {
			return refuse(ErrExists, "There is a script %q already; choose another name", to)
		} else if !errors.Is(err, db.ErrNoRows) {
			return err
		}
		s.changed(tx, o)
		r.name = to
		if r.active {
			s.publish(tx, o, r.head())
		}
		return r.update(tx)
	})
}

// Delete removes a script. It fails with [ErrNotFound], and with [ErrActive] for the active one (RFC 5804 2.10).
func (s *Store) Delete(ctx context.Context, o Owner, name string) error {
	name, err := CleanName(name)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := find(tx, o, name)
		switch {
		case errors.Is(err, db.ErrNoRows):
			return notFound(name)
		case err != nil:
			return err
		case r.active:
			return refuse(ErrActive, "The script %q is active; activate another or none first", name)
		}
		s.changed(tx, o)
		_, err = tx.Exec(`DELETE FROM sieve_scripts WHERE id = ?`, r.id)
		return err
	})
}

// SetActive makes a script the one that is run, in place of the one that was; "" makes it none. It fails with [ErrNotFound].
func (s *Store) SetActive(ctx context.Context, o Owner, name string) error {
	if name != "" {
		var err error
		if name, err = CleanName(name); err != nil {
			return err
		}
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var r row
		if name != "" {
			var err error
			if r, err = require(tx, o, name); err != nil || r.active {
				return err
			}
		}
		if err := deactivate(tx, o); err != nil {
			return err
		}
		if name == "" {
			s.publish(tx, o, nil)
			return nil
		}
		r.active = true
		s.publish(tx, o, r.head())
		return r.update(tx)
	})
}

// deactivate makes none of the owner's scripts the active one.
func deactivate(tx *db.Tx, o Owner) error {
	var r row
	err := r.scan(tx.QueryRow(`SELECT `+columns+` FROM sieve_scripts WHERE account = ? AND domain = ? AND role = ? AND active = 1`,
		o.Account, o.Domain, int64(o.Role)))
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	r.active = false
	return r.update(tx)
}

// require finds a script that must be there, and whole: what is written back gets a fresh checksum.
func require(tx *db.Tx, o Owner, name string) (row, error) {
	r, err := find(tx, o, name)
	if errors.Is(err, db.ErrNoRows) {
		return row{}, notFound(name)
	}
	if err != nil {
		return row{}, err
	}
	return r, r.check()
}
