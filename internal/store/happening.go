package store

import (
	"math/bits"

	"postern/internal/db"
)

// Cause is what was done with messages in a mailbox (RFC 6785 4.3). The numbers are stored.
type Cause int64

// The causes. A message that was moved was copied, for the mailbox where it lies now.
const (
	Appended  Cause = 1
	Copied    Cause = 2
	Reflagged Cause = 3
)

// String is the cause's name in scripts.
func (c Cause) String() string {
	return map[Cause]string{Appended: "APPEND", Copied: "COPY", Reflagged: "FLAG"}[c]
}

// Happening is what one command of an owner did with messages that lie in a mailbox now.
type Happening struct {
	Account AccountID
	Mailbox int64
	Cause   Cause
	UIDs    []uint32 // ascending
	// Flags are the names of those that were set or taken away; bit k of Changed[i] tells that Flags[k] was on the message UIDs[i].
	// Both are nil for what came into the mailbox.
	Flags   []string
	Changed []uint64
}

// Journal is told what owners do with their mail, within the transaction that does it, where a script waits for it: what is
// written there is durable exactly when that is. It is not told of what is delivered, nor of what a script did
// ([Account.RefileTx]), nor of mailboxes that no script watches.
type Journal interface {
	// Watches reports, from memory, whether scripts that the account has not named itself watch its mailboxes.
	Watches(AccountID) bool
	HappenedTx(*db.Tx, Happening) error
}

// Record has a journal told from now on. There is one; nil is none.
func (s *Store) Record(j Journal) {
	if j == nil {
		s.journal.Store(nil)
		return
	}
	s.journal.Store(&j)
}

// watching gives the journal if a script watches the mailbox, which costs a look into memory.
func (s *Store) watching(sa *stagedAccount, b *box) Journal {
	j := s.journal.Load()
	if j == nil || sa.scripts.of(b.id) == "" && !(*j).Watches(sa.st.id) {
		return nil
	}
	return *j
}

// came tells the journal that messages came into a mailbox.
func (s *Store) came(tx *db.Tx, sa *stagedAccount, b *box, cause Cause, uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	j := s.watching(sa, b)
	if j == nil {
		return nil
	}
	return j.HappenedTx(tx, Happening{Account: sa.st.id, Mailbox: b.id, Cause: cause, UIDs: uids})
}

// reflagged tells the journal that flags of messages changed, by the lists before and after it.
func (s *Store) reflagged(tx *db.Tx, sa *stagedAccount, b *box, res changed) error {
	j := s.watching(sa, b)
	if j == nil {
		return nil
	}
	h := Happening{Account: sa.st.id, Mailbox: b.id, Cause: Reflagged, UIDs: res.Changed, Changed: make([]uint64, 0, len(res.Changed))}
	var all Flags
	res.before.walk(res.Changed, func(_ int, c *chunk, k int) bool {
		h.Changed = append(h.Changed, uint64(c.flags[k]))
		return true
	})
	i := 0
	res.after.walk(res.Changed, func(_ int, c *chunk, k int) bool {
		h.Changed[i] ^= uint64(c.flags[k])
		all |= Flags(h.Changed[i])
		i++
		return true
	})
	// A bit of which nothing changed takes no place. Both lists are read with the words after the change: a bit that was given
	// another name had been on no message.
	place := map[int]int{}
	for f := all; f != 0; f &= f - 1 {
		bit := bits.TrailingZeros64(uint64(f))
		place[bit] = len(h.Flags)
		h.Flags = append(h.Flags, res.words.name(bit))
	}
	for i, f := range h.Changed {
		packed := uint64(0)
		for ; f != 0; f &= f - 1 {
			packed |= 1 << place[bits.TrailingZeros64(f)]
		}
		h.Changed[i] = packed
	}
	return j.HappenedTx(tx, h)
}
