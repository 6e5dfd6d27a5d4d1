package learn

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"postern/antispam/bayes"
	"postern/internal/db"
)

// The states of a model.
const (
	inUse    = 0
	givenUp  = 1
	withdraw = 2 // given up, and to be taken out of Everyone's
)

const headColumns = `id, spam, ham, shared_spam, shared_ham, token_number, key_number`

// fields are where headColumns go.
func (h *head) fields() []any {
	return []any{&h.id, &h.spam, &h.ham, &h.sharedSpam, &h.sharedHam, &h.tokens, &h.keys}
}

// closeRows ends a reading and tells whether it was whole.
func closeRows(rows *sql.Rows) error { return errors.Join(rows.Err(), rows.Close()) }

// giveUpOld takes models of other versions of the tokens out of use.
func (m *Models) giveUpOld(ctx context.Context) error {
	var old int
	err := m.db.QueryRow(ctx, `SELECT count(*) FROM learn_models WHERE state = ? AND version <> ?`, inUse, bayes.Version).Scan(&old)
	if err != nil || old == 0 {
		return err
	}
	m.log.Info("what was learnt with another version of the tokens is given up", "models", old)
	return m.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE learn_models SET state = ? WHERE state = ? AND version <> ?`, givenUp, inUse, bayes.Version)
		return err
	})
}

// readHeads reads all models in use.
func (m *Models) readHeads(ctx context.Context) (map[int64]head, error) {
	rows, err := m.db.Query(ctx, `SELECT account, `+headColumns+` FROM learn_models WHERE state = ?`, inUse)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	heads := map[int64]head{}
	for rows.Next() {
		var account int64
		var h head
		if err := rows.Scan(append([]any{&account}, h.fields()...)...); err != nil {
			return nil, err
		}
		heads[account] = h
	}
	return heads, closeRows(rows)
}

// readModel reads a model's tokens.
func (m *Models) readModel(ctx context.Context, h head) (*model, error) {
	read := newModel(int(h.tokens))
	rows, err := m.db.Query(ctx, `SELECT token, spam, ham FROM learn_tokens WHERE model = ? ORDER BY token`, h.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var token, spam, ham int64
	for rows.Next() {
		if err := rows.Scan(&token, &spam, &ham); err != nil {
			return nil, err
		}
		read.set(bayes.Token(token), bayes.Count{Spam: uint32(spam), Ham: uint32(ham)})
	}
	return read, closeRows(rows)
}

// inRows and fewRows are the lengths of the lists that statements are prepared for.
const (
	inRows  = 256
	fewRows = 16
)

// inParts calls fn with IN lists that together hold the tokens, and with the parameters for them behind those given.
func inParts(tokens []bayes.Token, given []any, fn func(marks string, args []any) error) error {
	for len(tokens) > 0 {
		n, size := min(len(tokens), inRows), inRows
		if n <= fewRows {
			size = fewRows
		}
		args := make([]any, 0, len(given)+size)
		args = append(args, given...)
		for i := range size {
			args = append(args, int64(tokens[min(i, n-1)]))
		}
		if err := fn(strings.Repeat("?,", size-1)+"?", args); err != nil {
			return err
		}
		tokens = tokens[n:]
	}
	return nil
}

// readTokens gives the counts of those tokens that a model has.
func readTokens(tx *db.Tx, model int64, tokens []bayes.Token) (map[bayes.Token]bayes.Count, error) {
	known := make(map[bayes.Token]bayes.Count, len(tokens))
	err := inParts(tokens, []any{model}, func(marks string, args []any) error {
		rows, err := tx.Query(`SELECT token, spam, ham FROM learn_tokens WHERE model = ? AND token IN (`+marks+`)`, args...)
		if err != nil {
			return err
		}
		var token, spam, ham int64
		for rows.Next() {
			if err := rows.Scan(&token, &spam, &ham); err != nil {
				return errors.Join(err, rows.Close())
			}
			known[bayes.Token(token)] = bayes.Count{Spam: uint32(spam), Ham: uint32(ham)}
		}
		return closeRows(rows)
	})
	return known, err
}

// writeRows is how many rows one statement writes.
const writeRows = 64

// writeTokens stores counts, whatever was there.
func writeTokens(tx *db.Tx, model int64, changes []change, day int64) error {
	const row = "(?,?,?,?,?)"
	for len(changes) > 0 {
		n := writeRows
		for len(changes) < n {
			n /= 8
		}
		args := make([]any, 0, 5*n)
		for _, c := range changes[:n] {
			args = append(args, model, int64(c.token), int64(c.count.Spam), int64(c.count.Ham), worth(c.count, day))
		}
		if _, err := tx.Exec(`INSERT INTO learn_tokens (model, token, spam, ham, worth) VALUES `+strings.Repeat(row+",", n-1)+row+`
			ON CONFLICT (model, token) DO UPDATE SET spam = excluded.spam, ham = excluded.ham, worth = excluded.worth`, args...); err != nil {
			return err
		}
		changes = changes[n:]
	}
	return nil
}

// worth orders tokens by what a model loses with them: those seen once by the day, then those seen twice, then the others,
// whose day is rounded so that frequent words do not move in the index all the time.
func worth(c bayes.Count, day int64) int64 {
	seen := min(int64(c.Spam)+int64(c.Ham), 3)
	if seen == 3 {
		day -= day % 32
	}
	return seen<<32 | day
}

// deleteTokens removes tokens and tells how many there were.
func deleteTokens(tx *db.Tx, model int64, tokens []bayes.Token) (n int64, err error) {
	err = inParts(tokens, []any{model}, func(marks string, args []any) error {
		some, err := tx.Exec(`DELETE FROM learn_tokens WHERE model = ? AND token IN (`+marks+`)`, args...)
		n += some
		return err
	})
	return n, err
}

// queryTokens lists tokens that a query finds.
func queryTokens(tx *db.Tx, query string, args ...any) (tokens []bayes.Token, err error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var token int64
		if err := rows.Scan(&token); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		tokens = append(tokens, bayes.Token(token))
	}
	return tokens, closeRows(rows)
}
