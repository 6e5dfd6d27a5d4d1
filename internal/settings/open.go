package settings

import (
	"context"
	"slices"

	"postern/internal/db"
)

// Open reads the settings from the database. A stored value that the catalogue no longer accepts stays in the database,
// its default is in force, and Invalid names it.
func Open(ctx context.Context, d *db.DB) (*Settings, error) {
	s := Defaults()
	s.store = &table{d}
	stored, err := readAll(ctx, d)
	if err != nil {
		return nil, err
	}
	snap := *s.now.Load()
	for name, text := range stored {
		i, err := find(name)
		if err != nil {
			continue // of another version
		}
		v, err := catalogue[i].parse(text)
		if err != nil {
			s.invalid = append(s.invalid, name)
			continue
		}
		v.set = true
		snap[i] = v
	}
	s.now.Store(&snap)
	slices.Sort(s.invalid)
	return s, nil
}

// Invalid names the settings whose stored values were not acceptable at Open.
func (s *Settings) Invalid() []string { return s.invalid }

func readAll(ctx context.Context, d *db.DB) (map[string]string, error) {
	rows, err := d.Query(ctx, `SELECT name, value FROM settings`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	stored := make(map[string]string)
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		stored[name] = text
	}
	return stored, rows.Err()
}

// table keeps settings in the database's table of that name.
type table struct{ db *db.DB }

func (t *table) put(ctx context.Context, name, text string, committed func()) error {
	return t.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO settings (name, value) VALUES (?, ?)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, text)
		tx.OnCommit(committed)
		return err
	})
}

func (t *table) remove(ctx context.Context, name string, committed func()) error {
	return t.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM settings WHERE name = ?`, name)
		tx.OnCommit(committed)
		return err
	})
}
