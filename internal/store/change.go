package store

import (
	"context"
	"fmt"

	"postern/internal/db"
)

// StoreMode is how the flags of a STORE act.
type StoreMode int

// The modes.
const (
	Set StoreMode = iota
	Add
	Remove
)

// StoreOp is a change of flags.
type StoreOp struct {
	UIDs  []uint32
	Mode  StoreMode
	Flags []string
	// Conditional makes UnchangedSince count: messages with a larger modseq are left alone (RFC 7162 3.1.3).
	Conditional    bool
	UnchangedSince uint64
	// Silent keeps Sync from telling this view of these changes.
	Silent bool
}

// StoreResult is what came of it.
type StoreResult struct {
	Modified []uint32 // left alone because of UnchangedSince
	Changed  []uint32
	Missing  []uint32 // not there any more
	ModSeq   uint64   // of those that changed; 0 when none did
}

// Store changes the flags of messages. Unless op.Silent, the next Sync tells of the changes.
func (v *View) Store(ctx context.Context, op StoreOp) (StoreResult, error) {
	if v.readOnly {
		return StoreResult{}, ErrReadOnly
	}
	for _, f := range op.Flags {
		if err := checkFlag(f); err != nil {
			return StoreResult{}, err
		}
	}
	if op.UIDs = ascending(op.UIDs); len(op.UIDs) == 0 {
		return StoreResult{}, nil
	}
	var res changed
	err := v.change(ctx, func(tx *db.Tx, sa *stagedAccount) (err error) {
		res, err = v.storeTx(tx, sa, op)
		return err
	})
	if err != nil {
		return StoreResult{}, err
	}
	if op.Silent {
		v.accept(res.before, res.after, res.Changed, res.words)
	}
	return res.StoreResult, nil
}

// changed is a StoreResult and the lists around it.
type changed struct {
	StoreResult
	before, after *list
	words         *dictionary
}

func (v *View) storeTx(tx *db.Tx, sa *stagedAccount, op StoreOp) (res changed, err error) {
	now := sa.version(v.b)
	res.before, res.after, res.words = now.list, now.list, now.words
	bits, err := v.a.s.storeBits(tx, sa, v.b, op)
	if err != nil {
		return res, err
	}
	next := res.sort(now.list, op, bits)
	if len(res.Changed) == 0 {
		return res, nil
	}
	cur := sa.edit(v.b)
	res.ModSeq = sa.nextModSeq()
	res.after = now.list.changed(res.Changed, func(_ uint32, flags *Flags, modseq *uint64) bool {
		to := next(*flags)
		cur.reflag(*flags, to)
		*flags, *modseq = to, res.ModSeq
		return true
	})
	cur.list, cur.highest, res.words = res.after, res.ModSeq, cur.words
	cur.shuffles++
	if err := writeFlags(tx, cur, op.Mode, bits, res.StoreResult, res.before); err != nil {
		return res, err
	}
	if err := v.a.s.marked(tx, v.b, op, res, now.words); err != nil {
		return res, err
	}
	return res, v.a.s.reflagged(tx, sa, v.b, res)
}

// change runs fn on the committer with the view's mailbox staged and its list in memory.
func (v *View) change(ctx context.Context, fn func(tx *db.Tx, sa *stagedAccount) error) error {
	return v.a.do(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		if cur := sa.version(v.b); cur.gone || cur.list == nil {
			return fmt.Errorf("mailbox of a view: %w", ErrGone)
		}
		return fn(tx, sa)
	})
}

// storeBits turns the operation's flags into bits; only adding makes new keywords.
func (s *Store) storeBits(tx *db.Tx, sa *stagedAccount, b *box, op StoreOp) (Flags, error) {
	var bits Flags
	known := true
	words := sa.version(b).words
	for _, name := range op.Flags {
		bit, ok := words.bit(name)
		known = known && ok
		bits |= bit
	}
	if known || op.Mode == Remove {
		return bits, nil
	}
	return s.flagBits(tx, sa.edit(b), op.Flags, false)
}

// sort finds which of the messages change, which are left alone and which are missing. next gives the new flags for
// old ones.
func (res *StoreResult) sort(l *list, op StoreOp, bits Flags) (next func(Flags) Flags) {
	switch op.Mode {
	case Add:
		next = func(f Flags) Flags { return f | bits }
	case Remove:
		next = func(f Flags) Flags { return f &^ bits }
	default:
		next = func(Flags) Flags { return bits }
	}
	rest := op.UIDs
	res.Changed = make([]uint32, 0, len(op.UIDs))
	l.walk(op.UIDs, func(_ int, c *chunk, k int) bool {
		for rest[0] != c.uids[k] {
			res.Missing, rest = append(res.Missing, rest[0]), rest[1:]
		}
		rest = rest[1:]
		switch {
		case op.Conditional && c.modseqs[k] > op.UnchangedSince:
			res.Modified = append(res.Modified, c.uids[k])
		case next(c.flags[k]) != c.flags[k]:
			res.Changed = append(res.Changed, c.uids[k])
		}
		return true
	})
	res.Missing = append(res.Missing, rest...)
	return next
}

// writeFlags writes the new flags of the changed messages.
func writeFlags(tx *db.Tx, v *version, mode StoreMode, bits Flags, res StoreResult, l *list) error {
	expr := `CAST(? AS BIGINT)`
	arg := int64(bits)
	switch mode {
	case Add:
		expr = `flags | CAST(? AS BIGINT)`
	case Remove:
		expr, arg = `flags & CAST(? AS BIGINT)`, int64(^bits&(1<<63-1))
	}
	return runsOf(l, res.Changed).each(func(where string, args []any) error {
		_, err := tx.Exec(`UPDATE messages SET flags = `+expr+`, modseq = ? WHERE account = ? AND mailbox = ? AND `+where,
			append([]any{arg, int64(res.ModSeq), v.account, v.id}, args...)...)
		return err
	})
}
