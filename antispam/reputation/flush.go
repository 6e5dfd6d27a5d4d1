package reputation

import (
	"context"
	"maps"
	"slices"

	"postern/internal/db"
)

// flush writes everything that waits, in the order of the ids, so that what shares a page is written together.
func (l *ledger) flush(ctx context.Context) error {
	l.once.Lock()
	defer l.once.Unlock()
	ids := l.waiting()
	for len(ids) > 0 {
		n := min(len(ids), flushRows)
		batch := l.take(ids[:n])
		ids = ids[n:]
		err := l.db.Write(ctx, func(tx *db.Tx) error { return l.write(tx, batch) })
		l.settle(batch, err)
		if err != nil {
			return err
		}
	}
	return nil
}

// waiting lists what waits, in order.
func (l *ledger) waiting() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 {
		l.log.Warn("more was seen of senders than could be written; some is lost", "table", l.table, "rows", l.lost)
		l.lost = 0
	}
	return slices.Sorted(maps.Keys(l.pending))
}

// noted is a row with its id.
type noted struct {
	id int64
	row
}

// take gives rows that wait, to be written.
func (l *ledger) take(ids []int64) []noted {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := make([]noted, len(ids))
	l.flushing, l.written = make(map[int64]struct{}, len(ids)), make(chan struct{})
	l.begun++
	for i, id := range ids {
		batch[i] = noted{id, l.pending[id]}
		l.flushing[id] = struct{}{}
		delete(l.pending, id)
	}
	return batch
}

// settle ends the writing of a batch. What was not written waits again.
func (l *ledger) settle(batch []noted, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		for _, n := range batch {
			if later, again := l.pending[n.id]; again {
				n.row = l.join(n.row, later)
			}
			l.pending[n.id] = n.row
		}
	}
	l.flushing = nil
	close(l.written)
}

// write merges a batch into the table.
func (l *ledger) write(tx *db.Tx, batch []noted) error {
	stored := make(map[int64]row, len(batch))
	ids := make([]int64, len(batch))
	for i, n := range batch {
		ids[i] = n.id
	}
	if err := l.readIn(tx, ids, stored); err != nil {
		return err
	}
	now := l.clock.Now().Unix()
	fresh := int64(0)
	merged := make([]noted, 0, len(batch))
	for _, n := range batch {
		old, known := stored[n.id]
		r := l.merge(old, n.row)
		if !known && r.expires <= now {
			continue // worth nothing: not worth a row either
		}
		if !known {
			fresh++
		}
		merged = append(merged, noted{n.id, r})
	}
	if err := l.upsert(tx, merged); err != nil {
		return err
	}
	return l.count(tx, fresh)
}

func (l *ledger) readIn(tx *db.Tx, ids []int64, into map[int64]row) error {
	return inParts(ids, inRows, func(args []any) error {
		rows, err := tx.Query(l.selecting(len(args)), args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var r row
			if err := rows.Scan(&id, &r.a, &r.b, &r.at, &r.expires); err != nil {
				return err
			}
			into[id] = r
		}
		return rows.Err()
	})
}

// inParts calls fn with the ids as parameters: one, 16 or as many as most, the last of them repeated until it is so many, so
// that there are three statements to prepare.
func inParts(ids []int64, most int, fn func(args []any) error) error {
	for len(ids) > 0 {
		n, size := min(len(ids), most), most
		switch {
		case n == 1:
			size = 1
		case n <= 16:
			size = 16
		}
		args := make([]any, size)
		for i := range args {
			args[i] = ids[min(i, n-1)]
		}
		if err := fn(args); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// upsertRows is how many rows one statement writes.
const upsertRows = 32

func (l *ledger) upsert(tx *db.Tx, rows []noted) error {
	args := make([]any, 0, 5*len(rows))
	for _, r := range rows {
		args = append(args, r.id, r.a, r.b, r.at, r.expires)
	}
	for len(args) > 0 {
		n := upsertRows
		if len(args) < 5*upsertRows {
			n = 1
		}
		if _, err := tx.Exec(l.upserting(n), args[:5*n]...); err != nil {
			return err
		}
		args = args[5*n:]
	}
	return nil
}

func (l *ledger) upserting(n int) string {
	return `INSERT INTO ` + l.table + ` (id, ` + l.schema.a + `, ` + l.schema.b + `, at, expires) VALUES ` + marks("(?,?,?,?,?)", n) +
		` ON CONFLICT (id) DO UPDATE SET ` + l.schema.a + ` = excluded.` + l.schema.a + `, ` + l.schema.b + ` = excluded.` + l.schema.b +
		`, at = excluded.at, expires = excluded.expires`
}

// count keeps the number of rows.
func (l *ledger) count(tx *db.Tx, more int64) error {
	if more == 0 {
		return nil
	}
	var rows int64
	err := tx.QueryRow(`UPDATE reputation_tables SET row_number = row_number + CAST(? AS BIGINT) WHERE name = ? RETURNING row_number`, more, l.table).Scan(&rows)
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.rows = rows
	})
	return nil
}

// prune removes rows that are worth nothing, and those worth least when there are too many, in small steps.
func (l *ledger) prune(ctx context.Context) error {
	l.once.Lock()
	defer l.once.Unlock()
	for range pruneSteps {
		ids, err := l.worthLeast(ctx)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := l.remove(ctx, ids); err != nil {
			return err
		}
	}
	return nil
}

// worthLeast finds what is to go next. Both questions are answered by the index on expires.
func (l *ledger) worthLeast(ctx context.Context) (ids []int64, err error) {
	l.mu.Lock()
	excess := l.rows - l.limit()
	l.mu.Unlock()
	query, args := `SELECT id FROM `+l.table+` WHERE expires <= ? ORDER BY expires, id LIMIT ?`, []any{l.clock.Now().Unix(), pruneRows}
	if excess > 0 {
		query, args = `SELECT id FROM `+l.table+` ORDER BY expires, id LIMIT ?`, []any{min(excess, pruneRows)}
	}
	rows, err := l.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// remove deletes rows. The caller holds once, so nothing is being written.
func (l *ledger) remove(ctx context.Context, ids []int64) error {
	return l.db.Write(ctx, func(tx *db.Tx) error {
		var removed int64
		err := inParts(ids, inRows, func(args []any) error {
			n, err := tx.Exec(`DELETE FROM `+l.table+` WHERE id IN (`+marks("?", len(args))+`)`, args...)
			removed += n
			return err
		})
		if err != nil {
			return err
		}
		tx.OnCommit(func() { l.dropped(ids) })
		return l.count(tx, -removed)
	})
}

// dropped takes removed rows out of the cache; what was noted of them meanwhile stays.
func (l *ledger) dropped(ids []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun++ // whoever has just read them reads again
	for _, id := range ids {
		if known := l.cache.peek(id); known != nil {
			*known = row{}
			if noted, waiting := l.pending[id]; waiting {
				*known = l.merge(row{}, noted)
			}
		}
	}
}
