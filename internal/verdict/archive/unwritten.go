package archive

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"postern/internal/db"
)

// Entries of the index are scattered by their hashes: written with its trace, each would have a page of the table rewritten
// for itself. So they wait in memory, and thousands are written at once in the order of the table, all that wait in one
// transaction. What waits when the process ends is found again from the end of the traces: up to the first one whose
// entry is there, all are.

// unwrittenAtMost is how many entries wait; some 150 KB, and 2,000 traces of one recipient.
const unwrittenAtMost = 6144

// unwritten are the entries that are durable only in their traces. They change on the committer alone.
type unwritten struct {
	mu   sync.RWMutex
	keys []key // in the order of the traces
	from int64 // the index names all traces before it
}

// all gives what waits; the slice is not changed any more.
func (u *unwritten) all() []key {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.keys[:len(u.keys):len(u.keys)]
}

func (u *unwritten) add(keys []key) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys = append(u.keys, keys...)
}

// set replaces what waits.
func (u *unwritten) set(keys []key, from int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keys, u.from = keys, from
}

// written tells up to which trace the index is complete.
func (u *unwritten) written() int64 {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.from
}

// find gives the traces of a segment that lie in a range and wait with one of the hashes.
func (u *unwritten) find(hashes []int64, segment, first, before int64) (ids []int64) {
	for _, k := range u.all() {
		if k.segment != segment || k.trace < first || k.trace >= before {
			continue
		}
		for _, h := range hashes {
			if k.hash == h {
				ids = append(ids, k.trace)
			}
		}
	}
	return ids
}

// oldest is the first segment of what waits, a number above all segments when nothing does.
func (u *unwritten) oldest() int64 {
	if keys := u.all(); len(keys) > 0 {
		return keys[0].segment
	}
	return math.MaxInt64
}

// index keeps the entries of new traces, or writes them with all that wait.
func (a *Archive) index(tx *db.Tx, fresh []key) error {
	waiting := a.unwritten.all()
	if len(waiting)+len(fresh) < unwrittenAtMost {
		tx.OnCommit(func() { a.unwritten.add(fresh) })
		return nil
	}
	end := a.next
	tx.OnCommit(func() { a.unwritten.set(nil, end) })
	return a.writeKeys(tx, slices.Concat(waiting, fresh))
}

// writeIndex writes what waits.
func (a *Archive) writeIndex(ctx context.Context) error {
	return a.db.Write(ctx, func(tx *db.Tx) error {
		waiting, end := a.unwritten.all(), a.next
		tx.OnCommit(func() { a.unwritten.set(nil, end) })
		return a.writeKeys(tx, slices.Clone(waiting))
	})
}

// findUnwritten walks from the last trace back to the first whose entry is there.
func (a *Archive) findUnwritten(ctx context.Context) error {
	keys, from, err := a.walkBack(ctx)
	if err != nil {
		return err
	}
	slices.Reverse(keys)
	a.unwritten.set(keys, from)
	return nil
}

func (a *Archive) walkBack(ctx context.Context) (keys []key, from int64, err error) {
	for before := int64(math.MaxInt64); len(keys) < unwrittenAtMost; { // no more can have waited
		rows, err := a.read(ctx, `SELECT id, at, crc, trace FROM spam_traces WHERE id < ? ORDER BY id DESC LIMIT 100`, before)
		if err != nil || len(rows) == 0 {
			return keys, 0, err
		}
		for _, r := range rows {
			before = r.id
			t, err := a.open(r)
			if err != nil {
				continue // what would lead to it nobody knows
			}
			if found, err := a.isIndexed(ctx, hash(ofTransaction, t.ID), r.id); err != nil || found {
				return keys, r.id + 1, err
			}
			for _, h := range appendHashes(nil, t) {
				keys = append(keys, key{segmentOf(r.id), h, r.id})
			}
		}
	}
	return keys, keys[len(keys)-1].trace, nil
}

func (a *Archive) isIndexed(ctx context.Context, hash, trace int64) (bool, error) {
	var one int64
	err := a.db.QueryRow(ctx, `SELECT 1 FROM spam_trace_keys WHERE segment = ? AND hash = ? AND trace = ?`, segmentOf(trace), hash, trace).Scan(&one)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
