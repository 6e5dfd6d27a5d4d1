package store

import (
	"context"
	"fmt"
	"math/bits"
	"strings"

	"postern/internal/db"
)

// CopyResult tells where copies came to lie: Src[i] became Dst[i] (RFC 4315 3, COPYUID).
type CopyResult struct {
	UIDValidity uint32 // of the destination
	Src, Dst    []uint32
	// ModSeq is the source's highest modseq after a Move; 0 after a Copy.
	ModSeq uint64
}

// Copy copies messages, all or none, with their flags and internal dates (RFC 9051 6.4.7). UIDs that are not there any
// more are passed over.
func (v *View) Copy(ctx context.Context, uids []uint32, dest string) (CopyResult, error) {
	return v.transfer(ctx, uids, dest, false)
}

// Move moves messages in one step (RFC 6851). The view learns of it through Sync.
func (v *View) Move(ctx context.Context, uids []uint32, dest string) (CopyResult, error) {
	if v.readOnly {
		return CopyResult{}, ErrReadOnly
	}
	return v.transfer(ctx, uids, dest, true)
}

func (v *View) transfer(ctx context.Context, uids []uint32, dest string, move bool) (res CopyResult, err error) {
	if uids = ascending(uids); uids == nil {
		uids = []uint32{} // none, where nil would mean all
	}
	err = v.change(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		to, err := sa.find(dest)
		if err != nil {
			return err
		}
		res, err = v.a.s.transfer(tx, sa, v.b, to, uids, move)
		return err
	})
	if err != nil {
		return CopyResult{}, err
	}
	return res, nil
}

// transfer copies rows set by set, and for a move takes away where they came from.
func (s *Store) transfer(tx *db.Tx, sa *stagedAccount, from, to *box, uids []uint32, move bool) (CopyResult, error) {
	src := sa.version(from).list
	res := CopyResult{UIDValidity: sa.version(to).uidvalidity}
	var size int64
	var used Flags
	src.walk(uids, func(_ int, c *chunk, k int) bool {
		res.Src = append(res.Src, c.uids[k])
		size += int64(c.sizes[k])
		used |= c.flags[k]
		return true
	})
	if len(res.Src) == 0 {
		return res, nil
	}
	if !move {
		if err := sa.room(size, int64(len(res.Src))); err != nil {
			return res, err
		}
	}
	words := sa.version(from).words
	dst := sa.edit(to)
	mapping, err := s.mapFlags(tx, words, dst, used)
	if err != nil {
		return res, err
	}
	modseq := sa.nextModSeq()
	if err := s.copyRows(tx, sa, src, from, dst, &res, mapping, modseq, move); err != nil {
		return res, err
	}
	if err := s.filed(tx, sa, sa.version(from).specialUse, to, res.Dst); err != nil {
		return res, err
	}
	if err := s.came(tx, sa, to, Copied, res.Dst); err != nil {
		return res, err
	}
	if !move {
		n := sa.numbers()
		n.usedBytes += size
		n.usedMessages += int64(len(res.Src))
		return res, nil
	}
	res.ModSeq, err = s.remove(tx, sa, from, res.Src, modseq)
	return res, err
}

// copyRows inserts the copies in the database and in dst.
func (s *Store) copyRows(tx *db.Tx, sa *stagedAccount, src *list, from *box, dst *version, res *CopyResult, mapping flagMapping, modseq uint64, move bool) error {
	account, next := int64(sa.st.id), dst.uidnext
	err := runsOf(src, res.Src).eachInOrder(func(p part) error {
		newUID, offset := `row_number() OVER (ORDER BY uid)`, int64(next)-1
		if p.first > 0 {
			newUID, offset = `uid`, int64(next)-int64(p.first)
		}
		first := []any{dst.id, offset, account, int64(modseq), account, from.id}
		if _, err := tx.Exec(`INSERT INTO messages (mailbox, uid, account, modseq, flags, size, internal, original, blob, crc)
			SELECT CAST(? AS BIGINT), CAST(? AS BIGINT) + `+newUID+`, CAST(? AS BIGINT), CAST(? AS BIGINT), `+mapping.sql()+`,
			size, internal, original, blob, crc FROM messages WHERE account = ? AND mailbox = ? AND `+p.where, append(first, p.args...)...); err != nil {
			return err
		}
		next += uint32(p.n)
		if move {
			return nil
		}
		_, err := tx.Exec(`INSERT INTO ref_log (account, modseq, original, delta) SELECT account, CAST(? AS BIGINT), original, 1
			FROM messages WHERE account = ? AND mailbox = ? AND `+p.where, append([]any{int64(modseq), account, from.id}, p.args...)...)
		return err
	})
	if err != nil {
		return err
	}
	rows := make([]row, 0, len(res.Src))
	res.Dst = make([]uint32, 0, len(res.Src))
	src.walk(res.Src, func(_ int, c *chunk, k int) bool {
		r := c.row(k)
		r.uid, r.modseq, r.flags = dst.uidnext, modseq, mapping.apply(r.flags)
		dst.uidnext++
		dst.add(r.flags, int64(r.size))
		rows = append(rows, r)
		res.Dst = append(res.Dst, r.uid)
		return true
	})
	if dst.uidnext != next {
		return fmt.Errorf("copied %d rows instead of %d", next-res.Dst[0], len(res.Dst))
	}
	dst.highest = modseq
	if dst.list != nil {
		dst.list = dst.list.appended(rows...)
	}
	if !move {
		tx.OnCommit(s.reaper.wake)
	}
	return nil
}

// flagMapping carries flags from one mailbox's dictionary to another's.
type flagMapping struct{ from, to []int }

// mapFlags prepares the mapping for the flags in use, making keywords that the destination lacks.
func (s *Store) mapFlags(tx *db.Tx, words *dictionary, dst *version, used Flags) (m flagMapping, err error) {
	for f := used &^ systemMask; f != 0; f &= f - 1 {
		bit := bits.TrailingZeros64(uint64(f))
		name := words.name(bit)
		if name == "" {
			continue
		}
		to, err := s.flagBits(tx, dst, []string{name}, false)
		if err != nil {
			return m, err
		}
		m.from = append(m.from, bit)
		m.to = append(m.to, bits.TrailingZeros64(uint64(to)))
	}
	return m, nil
}

func (m flagMapping) apply(f Flags) Flags {
	to := f & systemMask
	for i, bit := range m.from {
		if f&(1<<bit) != 0 {
			to |= 1 << m.to[i]
		}
	}
	return to
}

// sql is apply as an expression over the column flags.
func (m flagMapping) sql() string {
	var same Flags = systemMask
	var b strings.Builder
	for i, bit := range m.from {
		if m.to[i] == bit {
			same |= 1 << bit
			continue
		}
		fmt.Fprintf(&b, " | (((flags >> %d) & 1) << %d)", bit, m.to[i])
	}
	return fmt.Sprintf("(flags & %d)", int64(same)) + b.String()
}
