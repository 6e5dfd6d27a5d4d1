package store

import (
	"context"
	"slices"

	"postern/internal/db"
)

// Expunge removes the messages with \Deleted for good: all of them when uids is nil, otherwise those among the given
// (RFC 4315 2.1).
// The view learns of it through Sync; until then it can still read them.
func (v *View) Expunge(ctx context.Context, uids []uint32) (expunged []uint32, modseq uint64, err error) {
	if v.readOnly {
		return nil, 0, ErrReadOnly
	}
	uids = ascending(uids)
	err = v.change(ctx, func(tx *db.Tx, sa *stagedAccount) (err error) {
		expunged, modseq, err = v.expungeTx(tx, sa, uids)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return expunged, modseq, nil
}

func (v *View) expungeTx(tx *db.Tx, sa *stagedAccount, uids []uint32) (expunged []uint32, modseq uint64, err error) {
	now := sa.version(v.b)
	if now.deleted == 0 {
		return nil, 0, nil
	}
	var size int64
	now.list.walk(uids, func(_ int, c *chunk, k int) bool {
		if c.flags[k]&Deleted != 0 {
			expunged = append(expunged, c.uids[k])
			size += int64(c.sizes[k])
		}
		return true
	})
	if len(expunged) == 0 {
		return nil, 0, nil
	}
	n := sa.numbers()
	n.usedBytes -= size
	n.usedMessages -= int64(len(expunged))
	modseq = sa.nextModSeq()
	err = runsOf(now.list, expunged).each(func(where string, args []any) error {
		_, err := tx.Exec(`INSERT INTO ref_log (account, modseq, original, delta) SELECT account, CAST(? AS BIGINT), original, -1
			FROM messages WHERE account = ? AND mailbox = ? AND `+where, append([]any{int64(modseq), now.account, now.id}, args...)...)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	tx.OnCommit(v.a.s.reaper.wake)
	modseq, err = v.a.s.remove(tx, sa, v.b, expunged, modseq)
	return expunged, modseq, err
}

// remove takes messages out of a mailbox and leaves tombstones (RFC 7162 3.2). What they refer to is not its business.
func (s *Store) remove(tx *db.Tx, sa *stagedAccount, b *box, uids []uint32, modseq uint64) (uint64, error) {
	v := sa.edit(b)
	err := runsOf(v.list, uids).each(func(where string, args []any) error {
		_, err := tx.Exec(`DELETE FROM messages WHERE account = ? AND mailbox = ? AND `+where, append([]any{v.account, v.id}, args...)...)
		return err
	})
	if err != nil {
		return 0, err
	}
	ranges, _ := rangesOf(v.list, uids)
	if err := s.bury(tx, v, modseq, ranges); err != nil {
		return 0, err
	}
	v.list.walk(uids, func(_ int, c *chunk, k int) bool {
		v.drop(c.flags[k], int64(c.sizes[k]))
		return true
	})
	v.list = v.list.without(uids)
	v.highest = max(v.highest, modseq)
	v.shuffles++
	return v.highest, nil
}

// tombstoneCRC is the checksum of a row of tombstones.
func tombstoneCRC(v *version, modseq uint64, r uidRange, at int64) int64 {
	return int64(crcOf(v.id, int64(modseq), int64(r.first), int64(r.last), v.account, at))
}

// bury writes tombstones.
func (s *Store) bury(tx *db.Tx, v *version, modseq uint64, ranges []uidRange) error {
	at := s.now().Unix()
	for _, r := range ranges {
		if _, err := tx.Exec(`INSERT INTO tombstones (mailbox, modseq, first, last, account, at, crc) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			v.id, int64(modseq), int64(r.first), int64(r.last), v.account, at, tombstoneCRC(v, modseq, r, at)); err != nil {
			return err
		}
	}
	return nil
}

// ChangedSince gives those of the UIDs (nil: all) whose flags changed, or which arrived, after modseq.
func (v *View) ChangedSince(_ context.Context, modseq uint64, uids []uint32) ([]uint32, error) {
	var changed []uint32
	v.list().walk(uids, func(_ int, c *chunk, k int) bool {
		if c.modseqs[k] > modseq {
			changed = append(changed, c.uids[k])
		}
		return true
	})
	return changed, nil
}

// VanishedSince gives the UIDs that were expunged after modseq, ascending; some that went before may be among them. When
// the tombstones do not reach back that far, it gives every UID that could have been and is not (RFC 7162 3.2.5.1).
func (v *View) VanishedSince(ctx context.Context, modseq uint64) ([]uint32, error) {
	cur := v.b.cur.Load()
	l := v.list()
	if modseq >= cur.highest {
		return nil, nil
	}
	var ranges []uidRange
	if modseq < cur.floor {
		ranges = append(ranges, uidRange{1, cur.uidnext - 1})
	} else {
		rows, err := v.a.s.db.Query(ctx, `SELECT first, last FROM tombstones WHERE account = ? AND mailbox = ? AND modseq > ?`,
			int64(v.a.id), v.b.id, int64(modseq))
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var first, last int64
			if err := rows.Scan(&first, &last); err != nil {
				return nil, err
			}
			ranges = append(ranges, uidRange{uint32(first), uint32(last)})
		}
		if err := closeRows(rows); err != nil {
			return nil, err
		}
	}
	return absent(l, ranges), nil
}

// absent lists the UIDs of the ranges that are not in the list.
func absent(l *list, ranges []uidRange) []uint32 {
	slices.SortFunc(ranges, func(x, y uidRange) int { return int(int64(x.first) - int64(y.first)) })
	present := l.uids()
	var out []uint32
	next := uint64(0)
	for _, r := range ranges {
		for uid := max(uint64(r.first), next); uid <= uint64(r.last); uid++ {
			i, ok := slices.BinarySearch(present, uint32(uid))
			present = present[i:]
			if !ok {
				out = append(out, uint32(uid))
			}
		}
		next = max(next, uint64(r.last)+1)
	}
	return out
}
