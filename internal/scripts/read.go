package scripts

import (
	"context"
	"errors"
	"time"

	"postern/internal/db"
)

// Info is what is known of a script without reading it.
type Info struct {
	Name    string
	Active  bool
	Size    int64     // bytes
	Changed time.Time // when the content was put
}

// Script is a script with its content, exactly as it was put.
type Script struct {
	Info
	Content []byte
}

func (r *row) info() Info {
	return Info{Name: r.name, Active: r.active, Size: r.size, Changed: time.UnixMilli(r.changed).UTC()}
}

// List gives the scripts of an owner in the order of their names.
func (s *Store) List(ctx context.Context, o Owner) ([]Info, error) {
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM sieve_scripts WHERE account = ? AND domain = ? AND role = ? ORDER BY name`,
		o.Account, o.Domain, int64(o.Role))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Info
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		list = append(list, r.info())
	}
	return list, rows.Err()
}

// Owned is a script with its owner.
type Owned struct {
	Owner Owner
	Info
}

// Administrators gives the scripts of the server and of all domains: the server's first, then the domains in their order.
func (s *Store) Administrators(ctx context.Context) ([]Owned, error) {
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM sieve_scripts WHERE account = 0 ORDER BY domain, role, name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Owned
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		list = append(list, Owned{r.owner, r.info()})
	}
	return list, rows.Err()
}

// Get reads a script. It fails with [ErrNotFound], and with [ErrDamaged] rather than give bytes that nobody put.
func (s *Store) Get(ctx context.Context, o Owner, name string) (Script, error) {
	name, err := CleanName(name)
	if err != nil {
		return Script{}, err
	}
	var r row
	var content []byte
	err = r.scan(s.db.QueryRow(ctx, `SELECT `+columns+`, content FROM sieve_scripts WHERE account = ? AND domain = ? AND role = ? AND name = ?`,
		o.Account, o.Domain, int64(o.Role), name), &content)
	if errors.Is(err, db.ErrNoRows) {
		return Script{}, notFound(name)
	}
	if err != nil {
		return Script{}, err
	}
	if err := r.checkContent(content); err != nil {
		return Script{}, err
	}
	return Script{Info: r.info(), Content: content}, nil
}
