package store

import (
	"context"
	"slices"
	"strings"

	"postern/internal/db"
)

// Listener is told what the owners of mail do with it, within the transaction that does it: what a listener writes there
// is durable exactly when that is. It must be as short as a work of the store's own. What the server itself delivers is
// not told, nor are expunges.
type Listener interface {
	// FiledTx is called when messages were moved, copied or appended.
	FiledTx(*db.Tx, Filed) error
	// MarkedTx is called when flags were added to messages.
	MarkedTx(*db.Tx, Marked) error
}

// UIDRange is all UIDs from First to Last.
type UIDRange struct{ First, Last uint32 }

// Filed tells of messages that came to lie in a mailbox.
type Filed struct {
	Account AccountID
	// Mailbox is where they lie now, under UIDs that no other message has.
	Mailbox int64
	UIDs    UIDRange
	// From and To are the special uses of the mailbox that they come from and of the one where they lie: such as `\Junk`,
	// several with spaces between, "" for none and for what was appended.
	From, To string
}

// Marked tells of flags that were added to messages.
type Marked struct {
	Account AccountID
	Mailbox int64
	// Flags that were added or set; some messages may have had some of them.
	Flags []string
	// What Gained needs: the messages that changed, and how they were before.
	changed []uint32
	before  *list
	words   *dictionary
}

// Gained gives the messages that did not have a flag before and have it now: ranges that hold no other message.
func (m Marked) Gained(flag string) []UIDRange {
	if !slices.ContainsFunc(m.Flags, func(given string) bool { return strings.EqualFold(given, flag) }) {
		return nil
	}
	bit, _ := m.words.bit(flag)
	gained := make([]uint32, 0, len(m.changed))
	m.before.walk(m.changed, func(_ int, c *chunk, k int) bool {
		if c.flags[k]&bit == 0 {
			gained = append(gained, c.uids[k])
		}
		return true
	})
	if len(gained) == 0 {
		return nil
	}
	found, _ := rangesOf(m.before, gained)
	ranges := make([]UIDRange, len(found))
	for i, r := range found {
		ranges[i] = UIDRange{r.first, r.last}
	}
	return ranges
}

// Listen has a listener told from now on. There is one; nil is none.
func (s *Store) Listen(l Listener) {
	if l == nil {
		s.listener.Store(nil)
		return
	}
	s.listener.Store(&l)
}

// filed tells that the UIDs, one after the other, came into a mailbox.
func (s *Store) filed(tx *db.Tx, sa *stagedAccount, from string, to *box, uids []uint32) error {
	l := s.listener.Load()
	if l == nil || len(uids) == 0 {
		return nil
	}
	return (*l).FiledTx(tx, Filed{Account: sa.st.id, Mailbox: to.id, UIDs: UIDRange{uids[0], uids[len(uids)-1]},
		From: from, To: sa.version(to).specialUse})
}

// marked tells that an operation changed messages.
func (s *Store) marked(tx *db.Tx, b *box, op StoreOp, res changed, words *dictionary) error {
	l := s.listener.Load()
	if l == nil || op.Mode == Remove {
		return nil
	}
	return (*l).MarkedTx(tx, Marked{Account: b.st.id, Mailbox: b.id, Flags: op.Flags, changed: res.Changed, before: res.before, words: words})
}

// HasRole tells whether special uses, as [Filed] and [Mailbox] have them, name one.
func HasRole(specialUses, role string) bool { return hasSpecialUse(specialUses, role) }

// Stored is a message as it lies in a mailbox.
type Stored struct {
	UID uint32
	ID  int64    // as in [Message]
	Key [32]byte // SHA-256 of its bytes, without what the server added before them
}

// StoredIn lists messages of a mailbox by its number, in the order of their UIDs and at most so many. It needs no view
// and costs what it lists. A mailbox that is gone has none.
func (a *Account) StoredIn(ctx context.Context, mailbox int64, uids UIDRange, atMost int) ([]Stored, error) {
	rows, err := a.s.db.Query(ctx, `SELECT m.uid, m.original, b.hash FROM messages m JOIN blobs b ON b.id = m.blob
		WHERE m.account = ? AND m.mailbox = ? AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ?`,
		int64(a.id), mailbox, int64(uids.First), int64(uids.Last), atMost)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Stored
	for rows.Next() {
		var m Stored
		var uid int64
		var key []byte
		if err := rows.Scan(&uid, &m.ID, &key); err != nil {
			return nil, err
		}
		m.UID = uint32(uid)
		copy(m.Key[:], key)
		found = append(found, m)
	}
	return found, closeRows(rows)
}

// OpenStored opens a message of the account by its ID. It may be gone by then: [ErrGone].
func (a *Account) OpenStored(ctx context.Context, id int64) (MessageContent, error) {
	return a.s.openOriginal(ctx, a.id, id)
}
