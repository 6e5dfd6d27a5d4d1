package archive

import (
	"context"
	"maps"
	"slices"

	"postern/internal/db"
	"postern/internal/verdict"
)

// RemoveAccountTx makes what concerns an account unreachable, in the transaction that removes the account. Nothing of it
// is shown once that is durable; its part of each trace, and the traces that are its alone, are erased soon after by the
// background, and again until the longest kept trace is younger than the removal, should one come late.
func (a *Archive) RemoveAccountTx(tx *db.Tx, account int64) error {
	at := a.clock.Now().UnixMilli()
	_, err := tx.Exec(`INSERT INTO spam_forgotten (account, at) VALUES (?, ?) ON CONFLICT (account) DO NOTHING`, account, at)
	tx.OnCommit(func() {
		a.changeForgotten(func(set map[int64]int64) { set[account] = at })
		a.keeper.wake()
	})
	return err
}

// changeForgotten swaps the set for another. Only on the committer.
func (a *Archive) changeForgotten(change func(map[int64]int64)) {
	next := maps.Clone(*a.forgotten.Load())
	change(next)
	a.forgotten.Store(&next)
}

func (a *Archive) loadForgotten(ctx context.Context) error {
	set := map[int64]int64{}
	rows, err := a.db.Query(ctx, `SELECT account, at FROM spam_forgotten`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var account, at int64
		if err := rows.Scan(&account, &at); err != nil {
			return err
		}
		set[account] = at
	}
	a.forgotten.Store(&set)
	return rows.Err()
}

// hide takes the recipients that were removed out of a trace and reports whether any of it may be shown.
func (a *Archive) hide(t *verdict.Trace) bool {
	forgotten := *a.forgotten.Load()
	if len(forgotten) == 0 || len(t.Recipients) == 0 {
		return true
	}
	t.Recipients = slices.DeleteFunc(t.Recipients, func(r verdict.Recipient) bool {
		_, gone := forgotten[r.Account]
		return gone
	})
	return len(t.Recipients) > 0
}

// forget erases what there is of the removed accounts, and forgets those of which nothing can be left.
func (k *keeper) forget(ctx context.Context) error {
	bound := k.a.clock.Now().Add(-k.a.keep()).UnixMilli()
	for account, at := range *k.a.forgotten.Load() {
		if err := k.erase(ctx, account); err != nil {
			return err
		}
		if at >= bound {
			continue
		}
		err := k.a.db.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(`DELETE FROM spam_forgotten WHERE account = ?`, account)
			tx.OnCommit(func() { k.a.changeForgotten(func(set map[int64]int64) { delete(set, account) }) })
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// erase goes through the index of one account, a few traces at a time.
func (k *keeper) erase(ctx context.Context, account int64) error {
	segment, err := k.oldestSegment(ctx)
	if err != nil {
		return err
	}
	for ; segment <= segmentOf(k.a.end.Load()); segment++ {
		for {
			f := &finder{a: k.a, ctx: ctx, first: segment << segmentBits, before: (segment + 1) << segmentBits}
			ids, err := f.written([]int64{hashAccount(account)}, segment) // what waits comes with the next pass
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				break
			}
			if err := k.a.db.Write(ctx, func(tx *db.Tx) error { return k.a.eraseTx(tx, account, ids) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseTx takes an account out of traces and out of the index.
func (a *Archive) eraseTx(tx *db.Tx, account int64, ids []int64) error {
	for _, id := range ids {
		r := row{id: id}
		err := tx.QueryRow(`SELECT at, crc, trace FROM spam_traces WHERE id = ?`, id).Scan(&r.at, &r.crc, &r.stored)
		if err == nil {
			err = a.eraseRow(tx, account, r)
		} else if isNone(err) {
			err = nil
		}
		if err != nil {
			return err
		}
		if err := dropKey(tx, hashAccount(account), id); err != nil {
			return err
		}
	}
	return nil
}

// eraseRow writes a row anew without the account. One that has nobody else, or cannot be read, goes as a whole.
func (a *Archive) eraseRow(tx *db.Tx, account int64, r row) error {
	t, err := a.open(r)
	if err != nil {
		// What led to it is not known either. This reads the segment's part of the index, for a row that should not be.
		if _, err := tx.Exec(`DELETE FROM spam_trace_keys WHERE segment = ? AND trace = ?`, segmentOf(r.id), r.id); err != nil {
			return err
		}
		return dropRow(tx, r.id)
	}
	hashes := appendHashes(nil, t)
	t.Recipients = slices.DeleteFunc(t.Recipients, func(of verdict.Recipient) bool { return of.Account == account })
	if len(t.Recipients) == 0 {
		for _, h := range hashes {
			if err := dropKey(tx, h, r.id); err != nil {
				return err
			}
		}
		return dropRow(tx, r.id)
	}
	stored, err := a.Encode(t)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE spam_traces SET crc = ?, trace = ? WHERE id = ?`, rowCRC(r.id, r.at, stored), stored, r.id)
	return err
}

func dropRow(tx *db.Tx, id int64) error {
	_, err := tx.Exec(`DELETE FROM spam_traces WHERE id = ?`, id)
	return err
}

func dropKey(tx *db.Tx, hash, id int64) error {
	_, err := tx.Exec(`DELETE FROM spam_trace_keys WHERE segment = ? AND hash = ? AND trace = ?`, segmentOf(id), hash, id)
	return err
}
