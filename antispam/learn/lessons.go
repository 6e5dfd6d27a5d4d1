package learn

import (
	"strings"

	"postern/internal/db"
	"postern/internal/store"
)

// The special uses that mean something here (RFC 6154 2).
const (
	junk  = `\Junk`
	trash = `\Trash`
)

// The keywords by which clients say what a message is, whatever the mailbox: those that are registered, and what
// Thunderbird calls them.
var (
	spamFlags = []string{"$Junk", "Junk"}
	hamFlags  = []string{"$NotJunk", "NonJunk", "NotJunk"}
)

// FiledTx is told by the store that messages were moved, copied or appended. Into Junk is spam; out of Junk into anything
// but Trash is ham; the rest teaches nothing.
func (l *Lessons) FiledTx(tx *db.Tx, f store.Filed) error {
	toJunk, fromJunk := store.HasRole(f.To, junk), store.HasRole(f.From, junk)
	switch {
	case toJunk && !fromJunk:
		return l.TeachTx(tx, f.Account, f.Mailbox, []store.UIDRange{f.UIDs}, Spam)
	case fromJunk && !toJunk && !store.HasRole(f.To, trash):
		return l.TeachTx(tx, f.Account, f.Mailbox, []store.UIDRange{f.UIDs}, Ham)
	}
	return nil
}

// MarkedTx is told by the store that flags were added. One that says both at once says nothing.
func (l *Lessons) MarkedTx(tx *db.Tx, m store.Marked) error {
	if !says(m.Flags) {
		return nil
	}
	spam, ham := gained(m, spamFlags), gained(m, hamFlags)
	switch {
	case len(spam) > 0 && len(ham) == 0:
		return l.TeachTx(tx, m.Account, m.Mailbox, spam, Spam)
	case len(ham) > 0 && len(spam) == 0:
		return l.TeachTx(tx, m.Account, m.Mailbox, ham, Ham)
	}
	return nil
}

// says tells cheaply whether any flag may be one of ours: most changes are of \Seen.
func says(flags []string) bool {
	for _, f := range flags {
		if !strings.HasPrefix(f, `\`) {
			return true
		}
	}
	return false
}

// gained gives the messages that got a flag of a set. One that had another of the set before, or gets two at once, is
// taught twice, which does no harm.
func gained(m store.Marked, flags []string) (ranges []store.UIDRange) {
	for _, f := range flags {
		ranges = append(ranges, m.Gained(f)...)
	}
	return ranges
}

// teachRows is how many rows one statement writes.
const teachRows = 16

// TeachTx puts messages of an account into the queue, within the transaction in which their owner said what they are. It
// is the one door for whoever learns that: the store's moves, a Sieve script, the API. The messages are opened later; those
// that are gone by then are passed over.
func (l *Lessons) TeachTx(tx *db.Tx, account store.AccountID, mailbox int64, uids []store.UIDRange, class Class) error {
	const row = "(?,?,?,?,?)"
	for len(uids) > 0 {
		n := teachRows
		if len(uids) < n {
			n = 1
		}
		args := make([]any, 0, 5*n)
		for _, r := range uids[:n] {
			args = append(args, int64(account), mailbox, int64(r.First), int64(r.Last), int64(class))
		}
		if _, err := tx.Exec(`INSERT INTO learn_queue (account, mailbox, first_uid, last_uid, class) VALUES `+
			strings.Repeat(row+",", n-1)+row, args...); err != nil {
			return err
		}
		uids = uids[n:]
	}
	tx.OnCommit(l.wake)
	return nil
}
