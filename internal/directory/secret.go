package directory

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"

	"postern/internal/db"
)

// Secret gives the server's own secret of that name, 32 random bytes that are made the first time and stay.
func (d *Directory) Secret(ctx context.Context, name string) ([]byte, error) {
	return secret(ctx, d.db, name+"_secret")
}

func secret(ctx context.Context, base *db.DB, name string) ([]byte, error) {
	fresh := make([]byte, 32)
	rand.Read(fresh)
	var text string
	err := base.QueryRow(ctx, `SELECT value FROM directory_state WHERE name = ?`, name).Scan(&text)
	if errors.Is(err, db.ErrNoRows) {
		text = hex.EncodeToString(fresh)
		err = base.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO directory_state (name, value) VALUES (?, ?)`, name, text)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(text)
}
