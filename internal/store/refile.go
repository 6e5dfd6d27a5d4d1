package store

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"postern/internal/db"
)

// Lying is a message as it lies in a mailbox, and the mailbox.
type Lying struct {
	Mailbox  string // its name now
	ID       int64  // as in [Message]
	Flags    []string
	Internal time.Time
}

// Lying finds a message by the number of its mailbox and its UID, without a view. It fails with [ErrGone].
func (a *Account) Lying(ctx context.Context, mailbox int64, uid uint32) (Lying, error) {
	st, err := a.state(ctx)
	if err != nil {
		return Lying{}, err
	}
	b := st.tree.Load().byID(mailbox)
	if b == nil {
		return Lying{}, fmt.Errorf("mailbox %d: %w", mailbox, ErrGone)
	}
	v := b.cur.Load()
	r, err := lyingRow(func(query string, args ...any) db.Row { return a.s.db.QueryRow(ctx, query, args...) }, v, uid)
	if err != nil {
		return Lying{}, err
	}
	l := Lying{Mailbox: b.cur.Load().name, ID: r.original, Internal: time.Unix(r.internal, 0).UTC()}
	for f := r.flags; f != 0; f &= f - 1 {
		if name := v.words.name(bits.TrailingZeros64(uint64(f))); name != "" {
			l.Flags = append(l.Flags, name)
		}
	}
	return l, nil
}

// byID finds a mailbox by its number.
func (t *tree) byID(id int64) *box {
	for _, b := range t.byName {
		if b.id == id {
			return b
		}
	}
	return nil
}

// lyingRow reads one message.
func lyingRow(query func(string, ...any) db.Row, v *version, uid uint32) (r row, err error) {
	var modseq, flags, size int64
	err = query(`SELECT modseq, flags, size, internal, original, blob FROM messages WHERE account = ? AND mailbox = ? AND uid = ?`,
		v.account, v.id, int64(uid)).Scan(&modseq, &flags, &size, &r.internal, &r.original, &r.blob)
	if errors.Is(err, db.ErrNoRows) {
		return r, fmt.Errorf("UID %d: %w", uid, ErrGone)
	}
	r.uid, r.modseq, r.flags, r.size = uid, uint64(modseq), Flags(flags), uint32(size)
	return r, err
}

// Refiling is what a script wants done with a message that lies in a mailbox.
type Refiling struct {
	Mailbox int64 // by its number
	UID     uint32
	// Add and Remove are flags; what is no flag that can be set, or finds no room, is left out.
	Add, Remove []string
	// Copies are to be made besides.
	Copies []Copy
}

// Copy is a place where another copy of a message is to lie.
type Copy struct {
	// Mailbox, Role and Create are as in [Target]; Flags as well.
	Mailbox, Role string
	Create        bool
	Flags         []string
	// Prepared, if set, is stored in place of the message's own bytes.
	Prepared *Prepared
}

// RefileTx does with a message what a script wants, within a transaction of the caller's. The journal is not told of it, so that
// no script runs for what a script did; a listener is told of copies, as of those that IMAP makes. whole is false if the quota had
// no room for all copies: then the message is not marked \Deleted either. It fails with [ErrGone] if the message is not there.
func (a *Account) RefileTx(tx *db.Tx, r Refiling) (whole bool, err error) {
	g := a.s.stage(tx)
	sa, err := g.account(a.id)
	if err != nil {
		return false, err
	}
	b := sa.tree.byID(r.Mailbox)
	if b == nil {
		return false, fmt.Errorf("mailbox %d: %w", r.Mailbox, ErrGone)
	}
	m, err := lyingRow(tx.QueryRow, sa.version(b), r.UID)
	if err != nil {
		return false, err
	}
	whole = true
	for i := range r.Copies {
		switch err := a.s.copyTo(tx, sa, b, m, &r.Copies[i]); {
		case errors.Is(err, ErrOverQuota):
			whole = false
		case err != nil:
			return false, err
		}
	}
	add := r.Add
	if !whole {
		add = slices.DeleteFunc(slices.Clone(add), func(flag string) bool { return flag == `\Deleted` })
	}
	return whole, a.s.reflag(tx, sa, b, m, add, r.Remove)
}

// copyTo makes one copy, with the message's internal date.
func (s *Store) copyTo(tx *db.Tx, sa *stagedAccount, from *box, m row, c *Copy) error {
	size := int64(m.size)
	if c.Prepared != nil {
		size = c.Prepared.size
	}
	if err := sa.room(size, 1); err != nil {
		return err
	}
	flags := settable(c.Flags)
	to, err := s.target(tx, sa, &Target{Mailbox: c.Mailbox, Role: c.Role, Create: c.Create})
	if err != nil {
		return err
	}
	v := sa.edit(to)
	uid := v.uidnext
	v.uidnext++
	if c.Prepared != nil {
		blob, err := s.putBlob(tx, c.Prepared, 1)
		if err != nil {
			return err
		}
		arrival := arrival{sa: sa, box: to, flags: flags, internal: time.Unix(m.internal, 0), lenient: true}
		if err := s.arrive(tx, &arrival, c.Prepared, blob, uid); err != nil {
			return err
		}
	} else if err := s.duplicate(tx, sa, v, m, flags, uid); err != nil {
		return err
	}
	return s.filed(tx, sa, sa.version(from).specialUse, to, []uint32{uid})
}

// duplicate gives a message of the account another place.
func (s *Store) duplicate(tx *db.Tx, sa *stagedAccount, to *version, m row, flags []string, uid uint32) error {
	bits, err := s.flagBits(tx, to, flags, true)
	if err != nil {
		return err
	}
	account := int64(sa.st.id)
	m.uid, m.flags, m.modseq = uid, bits, sa.nextModSeq()
	if err := insertMessage(tx, account, to.id, m); err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO ref_log (account, modseq, original, delta) VALUES (?, ?, ?, 1)`, account, int64(m.modseq), m.original); err != nil {
		return err
	}
	tx.OnCommit(s.reaper.wake)
	to.highest = m.modseq
	to.add(m.flags, int64(m.size))
	if to.list != nil {
		to.list = to.list.appended(m)
	}
	n := sa.numbers()
	n.usedBytes += int64(m.size)
	n.usedMessages++
	return nil
}

// reflag changes the flags of one message, whether or not its mailbox's list is in memory.
func (s *Store) reflag(tx *db.Tx, sa *stagedAccount, b *box, m row, add, remove []string) error {
	var gone Flags
	for _, name := range remove {
		bit, _ := sa.version(b).words.bit(name)
		gone |= bit
	}
	if len(add) == 0 && m.flags&gone == 0 {
		return nil
	}
	v := sa.edit(b)
	given, err := s.flagBits(tx, v, settable(add), true)
	if err != nil {
		return err
	}
	flags := m.flags&^gone | given
	if flags == m.flags {
		return nil
	}
	modseq := sa.nextModSeq()
	if _, err := tx.Exec(`UPDATE messages SET flags = ?, modseq = ? WHERE account = ? AND mailbox = ? AND uid = ?`,
		int64(flags), int64(modseq), v.account, v.id, int64(m.uid)); err != nil {
		return err
	}
	v.reflag(m.flags, flags)
	v.highest = modseq
	v.shuffles++
	if v.list != nil {
		v.list = v.list.changed([]uint32{m.uid}, func(_ uint32, f *Flags, seq *uint64) bool {
			*f, *seq = flags, modseq
			return true
		})
	}
	return nil
}

// settable are those that are flags.
func settable(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !IsFlag(name) })
}
