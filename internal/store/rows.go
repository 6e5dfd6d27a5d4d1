package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// closeRows ends a reading and tells whether it was whole.
func closeRows(rows *sql.Rows) error {
	return errors.Join(rows.Err(), rows.Close())
}

// querier reads rows: a transaction, a snapshot or, through a closure, the pool.
type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
}

// readList reads the messages of a mailbox from a UID on, behind those of base.
func readList(q querier, v *version, from uint32, base *list) (*list, error) {
	rows, err := q.Query(`SELECT uid, modseq, flags, size, internal, original, blob FROM messages
		WHERE account = ? AND mailbox = ? AND uid >= ? ORDER BY uid`, v.account, v.id, int64(from))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	b := listBuilder{expected: int(v.messages)}
	var tail []row
	for rows.Next() {
		var r row
		var uid, modseq, flags, size int64
		if err := rows.Scan(&uid, &modseq, &flags, &size, &r.internal, &r.original, &r.blob); err != nil {
			return nil, err
		}
		r.uid, r.modseq, r.flags, r.size = uint32(uid), uint64(modseq), Flags(flags), uint32(size)
		if base != nil {
			tail = append(tail, r)
		} else {
			b.add(r)
		}
	}
	if err := closeRows(rows); err != nil {
		return nil, fmt.Errorf("reading mailbox %d: %w", v.id, err)
	}
	if base != nil {
		if len(tail) == 0 {
			return base, nil
		}
		return base.appended(tail...), nil
	}
	return b.list(), nil
}
