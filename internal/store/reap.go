package store

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"postern/internal/db"
)

const (
	// reapRows is how much one work of the reaper takes on, so that others do not wait for it long.
	reapRows = 500
	// reapEvery is when it looks for what has merely become old.
	reapEvery = time.Hour
)

// reaper removes in the background what nothing names any more: it applies ref_log to the counts of references, empties
// deleted mailboxes, forgets old keys and tombstones, and deletes files. All its work is found again after a crash.
type reaper struct {
	s      *Store
	signal chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
	pass   sync.Mutex // one at a time

	mu      sync.Mutex
	files   []deadFile
	waiting map[AccountID]bool // accounts of which something may wait until a view was told
}

type deadFile struct {
	hash   [32]byte
	number int64
}

func startReaper(s *Store) *reaper {
	ctx, cancel := context.WithCancel(context.Background())
	r := &reaper{s: s, signal: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}), waiting: map[AccountID]bool{}}
	go r.run(ctx)
	return r
}

func (r *reaper) stop() {
	r.cancel()
	<-r.done
}

// wake asks for a pass soon. It never blocks.
func (r *reaper) wake() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// told is called when a view of the account learnt everything, or went.
func (r *reaper) told(id AccountID) {
	r.mu.Lock()
	waiting := r.waiting[id]
	r.mu.Unlock()
	if waiting {
		r.wake()
	}
}

// setWaiting notes that something of the account may be passed over.
func (r *reaper) setWaiting(id AccountID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[id] = true
}

// removeFile hands over a file that no row names any more.
func (r *reaper) removeFile(hash [32]byte, number int64) {
	r.mu.Lock()
	r.files = append(r.files, deadFile{hash, number})
	r.mu.Unlock()
	r.wake()
}

func (r *reaper) run(ctx context.Context) {
	defer close(r.done)
	r.report(ctx, r.sweep(ctx))
	r.report(ctx, r.all(ctx))
	r.report(ctx, r.old(ctx))
	timer := r.s.clock.NewTimer(reapEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.signal:
			r.report(ctx, r.all(ctx))
		case <-timer.C():
			r.report(ctx, r.all(ctx))
			r.report(ctx, r.old(ctx))
			timer.Reset(reapEvery)
		}
	}
}

func (r *reaper) report(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
		r.s.log.Warn("removing what is not needed any more", "error", err)
	}
}

// all does everything that can be done now.
func (r *reaper) all(ctx context.Context) error {
	r.pass.Lock()
	defer r.pass.Unlock()
	for {
		more, err := r.emptyDead(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	r.mu.Lock()
	clear(r.waiting)
	r.mu.Unlock()
	cursor := int64(0)
	for {
		next, err := r.applyLog(ctx, cursor)
		r.removeFiles()
		if err != nil || next == cursor {
			return err
		}
		cursor = next
	}
}

// emptyDead takes some messages out of one deleted mailbox and tells whether there may be more to do.
func (r *reaper) emptyDead(ctx context.Context) (more bool, err error) {
	var mailbox, modseq int64
	err = r.s.db.QueryRow(ctx, `SELECT mailbox, modseq FROM dead_mailboxes ORDER BY mailbox LIMIT 1`).Scan(&mailbox, &modseq)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, r.s.db.Write(ctx, func(tx *db.Tx) error {
		r.s.stage(tx)
		var last int64
		err := tx.QueryRow(`SELECT uid FROM messages WHERE mailbox = ? ORDER BY uid LIMIT 1 OFFSET ?`, mailbox, reapRows).Scan(&last)
		end := errors.Is(err, db.ErrNoRows)
		if end {
			last, err = 1<<32, nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO ref_log (account, modseq, original, delta) SELECT account, CAST(? AS BIGINT), original, -1
			FROM messages WHERE mailbox = ? AND uid <= ?`, modseq, mailbox, last); err != nil {
			return err
		}
		statements := []string{`DELETE FROM messages WHERE mailbox = ? AND uid <= ?`}
		if end {
			statements = append(statements, `DELETE FROM tombstones WHERE mailbox = ? AND first <= ?`,
				`DELETE FROM dead_mailboxes WHERE mailbox = ? AND CAST(? AS BIGINT) > 0`)
		}
		for _, q := range statements {
			if _, err := tx.Exec(q, mailbox, last); err != nil {
				return err
			}
		}
		return nil
	})
}

// applyLog applies some of ref_log from behind cursor and gives the new cursor, the same when it came to the end.
//
// The log is applied in its order, and a copy is logged before its source can be expunged. So a count comes to nothing
// only when nothing is left, though what is held is passed over.
func (r *reaper) applyLog(ctx context.Context, cursor int64) (next int64, err error) {
	var dead []deadFile
	err = r.s.db.Write(ctx, func(tx *db.Tx) error {
		next, dead = cursor, nil
		rows, err := tx.Query(`SELECT id, account, modseq, original, delta FROM ref_log WHERE id > ? ORDER BY id LIMIT ?`, cursor, reapRows)
		if err != nil {
			return err
		}
		var done []int64
		sums := map[int64]int64{}
		told := map[int64]uint64{}
		for rows.Next() {
			var id, account, modseq, original, delta int64
			if err := rows.Scan(&id, &account, &modseq, &original, &delta); err != nil {
				rows.Close()
				return err
			}
			next = id
			if _, known := told[account]; !known {
				// Noted before it is looked at, lest a view that learns in between wake nobody.
				r.setWaiting(AccountID(account))
				told[account] = r.s.told(AccountID(account))
			}
			if delta < 0 && uint64(modseq) > told[account] {
				continue // a view may still read it
			}
			done = append(done, id)
			sums[original] += delta
		}
		if err := closeRows(rows); err != nil || len(done) == 0 {
			return err
		}
		if err := eachIn(done, func(marks string, ids []any) error {
			_, err := tx.Exec(`DELETE FROM ref_log WHERE id IN (`+marks+`)`, ids...)
			return err
		}); err != nil {
			return err
		}
		blobs, err := countOriginals(tx, sums)
		if err != nil {
			return err
		}
		dead, err = countBlobs(tx, blobs)
		return err
	})
	if err != nil {
		return cursor, err
	}
	r.mu.Lock()
	r.files = append(r.files, dead...)
	r.mu.Unlock()
	return next, nil
}

// countOriginals changes the counts of originals, removes those that came to nothing and gives what their blobs lose.
func countOriginals(tx *db.Tx, sums map[int64]int64) (blobs map[int64]int64, err error) {
	var lost []int64
	byDelta := map[int64][]int64{}
	for original, delta := range sums {
		byDelta[delta] = append(byDelta[delta], original)
		if delta < 0 {
			lost = append(lost, original)
		}
	}
	for delta, originals := range byDelta {
		if delta == 0 {
			continue
		}
		if err := eachIn(originals, func(marks string, ids []any) error {
			_, err := tx.Exec(`UPDATE originals SET refs = refs + CAST(? AS BIGINT) WHERE id IN (`+marks+`)`, append([]any{delta}, ids...)...)
			return err
		}); err != nil {
			return nil, err
		}
	}
	blobs = map[int64]int64{}
	err = eachIn(lost, func(marks string, ids []any) error {
		rows, err := tx.Query(`DELETE FROM originals WHERE refs <= 0 AND id IN (`+marks+`) RETURNING blob`, ids...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var blob int64
			if err := rows.Scan(&blob); err != nil {
				rows.Close()
				return err
			}
			blobs[blob]--
		}
		return closeRows(rows)
	})
	return blobs, err
}

// countBlobs changes the counts of blobs, removes those that came to nothing and gives their files.
func countBlobs(tx *db.Tx, sums map[int64]int64) (dead []deadFile, err error) {
	var all, inline []int64
	byDelta := map[int64][]int64{}
	for blob, delta := range sums {
		byDelta[delta] = append(byDelta[delta], blob)
		all = append(all, blob)
	}
	for delta, blobs := range byDelta {
		if err := eachIn(blobs, func(marks string, ids []any) error {
			_, err := tx.Exec(`UPDATE blobs SET refs = refs + CAST(? AS BIGINT) WHERE id IN (`+marks+`)`, append([]any{delta}, ids...)...)
			return err
		}); err != nil {
			return nil, err
		}
	}
	err = eachIn(all, func(marks string, ids []any) error {
		rows, err := tx.Query(`DELETE FROM blobs WHERE refs <= 0 AND id IN (`+marks+`) RETURNING id, hash, file`, ids...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id, file int64
			var hash []byte
			if err := rows.Scan(&id, &hash, &file); err != nil {
				rows.Close()
				return err
			}
			if file != 0 {
				dead = append(dead, deadFile{[32]byte(hash), file})
			} else {
				inline = append(inline, id)
			}
		}
		return closeRows(rows)
	})
	if err != nil {
		return nil, err
	}
	return dead, eachIn(inline, func(marks string, ids []any) error {
		_, err := tx.Exec(`DELETE FROM blob_data WHERE blob IN (`+marks+`)`, ids...)
		return err
	})
}

// eachIn calls fn with IN lists that together hold the ids.
func eachIn(ids []int64, fn func(marks string, args []any) error) error {
	for len(ids) > 0 {
		n := min(len(ids), inSizes[len(inSizes)-1])
		marks, size := inList(n)
		args := make([]any, size)
		for i := range args {
			args[i] = ids[min(i, n-1)]
		}
		if err := fn(marks, args); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (r *reaper) removeFiles() {
	r.mu.Lock()
	files := r.files
	r.files = nil
	r.mu.Unlock()
	for _, f := range files {
		if err := r.s.files.remove(f.hash, f.number); err != nil {
			r.s.log.Warn("blob file cannot be removed", "error", err)
		}
	}
}

// old forgets keys of deliveries after a day, and tombstones that are too old or too many.
func (r *reaper) old(ctx context.Context) error {
	keep, atMost := r.s.tombstones()
	now := r.s.now()
	for {
		var n int64
		err := r.s.db.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = tx.Exec(`DELETE FROM once_keys WHERE id IN (SELECT id FROM (SELECT id, at FROM once_keys ORDER BY id LIMIT ?) AS oldest
				WHERE at < ?)`, reapRows, now.Add(-onceFor).Unix())
			return err
		})
		if err != nil {
			return err
		}
		if n < reapRows {
			break
		}
	}
	return r.forgetTombstones(ctx, now.Add(-keep).Unix(), atMost)
}

// forgetTombstones looks at each mailbox that has tombstones.
func (r *reaper) forgetTombstones(ctx context.Context, before, atMost int64) error {
	mailbox := int64(0)
	for {
		var account int64
		err := r.s.db.QueryRow(ctx, `SELECT mailbox, account FROM tombstones WHERE mailbox > ? ORDER BY mailbox LIMIT 1`, mailbox).Scan(&mailbox, &account)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		floor, err := r.tombstoneFloor(ctx, mailbox, before, atMost)
		if err != nil {
			return err
		}
		if floor > 0 {
			if err := r.raiseFloor(ctx, AccountID(account), mailbox, floor); err != nil {
				return err
			}
		}
	}
}

// tombstoneFloor finds the newest modseq that can be forgotten, 0 for none.
func (r *reaper) tombstoneFloor(ctx context.Context, mailbox, before, atMost int64) (floor uint64, err error) {
	rows, err := r.s.db.Query(ctx, `SELECT modseq, at FROM tombstones WHERE mailbox = ? ORDER BY modseq DESC, first DESC`, mailbox)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for n := int64(1); rows.Next(); n++ {
		var modseq, at int64
		if err := rows.Scan(&modseq, &at); err != nil {
			return 0, err
		}
		if n > atMost || at < before {
			return uint64(modseq), nil
		}
	}
	return 0, rows.Err()
}

func (r *reaper) raiseFloor(ctx context.Context, account AccountID, mailbox int64, floor uint64) error {
	return r.s.db.Write(ctx, func(tx *db.Tx) error {
		sa, err := r.s.stage(tx).account(account)
		if errors.Is(err, ErrNoAccount) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, b := range sa.tree.byName {
			if b.id != mailbox || sa.version(b).floor >= floor {
				continue
			}
			sa.edit(b).floor = floor
			_, err := tx.Exec(`DELETE FROM tombstones WHERE mailbox = ? AND modseq <= ?`, mailbox, int64(floor))
			return err
		}
		return nil
	})
}

// sweep removes files that no row names: of messages that were being stored when the machine stopped.
func (r *reaper) sweep(ctx context.Context) error {
	for shard := range 256 {
		if err := ctx.Err(); err != nil {
			return err
		}
		orphans, err := r.s.orphans(ctx, byte(shard))
		if err != nil {
			return err
		}
		for _, path := range orphans {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			r.s.log.Info("removed a file that no message names", "file", path)
		}
	}
	return nil
}

// orphans lists the files of one folder that no row names and nobody is about to name. The order of the three looks
// matters: a file listed and not pending has its row already, if it will ever have one.
func (s *Store) orphans(ctx context.Context, shard byte) ([]string, error) {
	found, err := s.files.files(shard)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	for number := range found {
		if s.files.isPending(number) {
			delete(found, number)
		}
	}
	rows, err := s.db.Query(ctx, `SELECT file FROM blobs WHERE hash >= ? AND hash <= ? AND file <> 0`, firstHash(shard), lastHash(shard))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var number int64
		if err := rows.Scan(&number); err != nil {
			return nil, err
		}
		delete(found, number)
	}
	if err := closeRows(rows); err != nil {
		return nil, err
	}
	var paths []string
	for _, path := range found {
		paths = append(paths, path)
	}
	return paths, nil
}

func firstHash(shard byte) []byte { return append([]byte{shard}, make([]byte, 31)...) }

func lastHash(shard byte) []byte {
	h := firstHash(shard)
	for i := 1; i < len(h); i++ {
		h[i] = 0xff
	}
	return h
}
