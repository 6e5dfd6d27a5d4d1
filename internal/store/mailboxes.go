package store

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"postern/internal/db"
)

// Mailbox is one mailbox as it stands, counters included: what LIST and STATUS tell.
type Mailbox struct {
	ID                        int64
	Name                      string // UTF-8 NFC, levels separated by "/"
	UIDValidity, UIDNext      uint32
	HighestModSeq             uint64
	Messages, Unseen, Deleted uint32
	Size                      int64
	SpecialUse                string // such as `\Sent`; several with spaces between
	Subscribed, HasChildren   bool
	// NoSelect marks a level that exists only because of the mailboxes below it; nothing but Name, Subscribed and
	// HasChildren is set then.
	NoSelect bool
}

// Quota is what an account uses and may use; a limit of 0 is none.
type Quota struct{ UsedBytes, LimitBytes, UsedMessages, LimitMessages int64 }

// newAccountBoxes are what every account starts with. Read-only.
var newAccountBoxes = []struct{ name, use string }{
	{Inbox, ""}, {"Drafts", `\Drafts`}, {"Sent", `\Sent`}, {"Junk", `\Junk`}, {"Trash", `\Trash`}, {"Archive", `\Archive`},
}

// CreateAccountTx gives an account its first mailboxes, subscribed.
func (s *Store) CreateAccountTx(tx *db.Tx, id AccountID) error {
	g := s.stage(tx)
	if _, err := tx.Exec(`INSERT INTO store_accounts (id, modseq, last_uidvalidity, used_bytes, used_messages, limit_bytes, limit_messages)
		VALUES (?, 1, 0, 0, 0, 0, 0)`, int64(id)); err != nil {
		return err
	}
	st := &state{id: id}
	st.counters.Store(&counters{modseq: 1})
	st.tree.Store(newTree(nil, nil))
	st.scripts.Store(&scriptNames{})
	before := g.accounts[id]
	sa := g.add(&stagedAccount{st: st, num: counters{modseq: 1}, tree: st.tree.Load(), created: true})
	tx.OnRollback(func() {
		g.order = slices.DeleteFunc(g.order, func(o *stagedAccount) bool { return o == sa })
		if delete(g.accounts, id); before != nil {
			g.accounts[id] = before
		}
	})
	for _, b := range newAccountBoxes {
		if _, err := s.addBox(tx, sa, b.name, b.use); err != nil {
			return err
		}
		if err := subscribe(tx, sa, b.name, true); err != nil {
			return err
		}
	}
	return nil
}

// RemoveAccountTx takes an account's mail away. What it held is erased in the background.
func (s *Store) RemoveAccountTx(tx *db.Tx, id AccountID) error {
	sa, err := s.stage(tx).account(id)
	if err != nil {
		return err
	}
	modseq := sa.nextModSeq()
	if _, err := tx.Exec(`INSERT INTO dead_mailboxes (mailbox, account, modseq) SELECT id, account, CAST(? AS BIGINT) FROM mailboxes
		WHERE account = ?`, int64(modseq), int64(id)); err != nil {
		return err
	}
	for _, q := range []string{
		`DELETE FROM mailboxes WHERE account = ?`, `DELETE FROM subscriptions WHERE account = ?`,
		`DELETE FROM once_keys WHERE account = ?`, `DELETE FROM annotations WHERE account = ?`, `DELETE FROM store_accounts WHERE id = ?`,
	} {
		if _, err := tx.Exec(q, int64(id)); err != nil {
			return err
		}
	}
	for _, b := range sa.tree.byName {
		v := sa.edit(b)
		v.gone, v.list = true, nil
	}
	sa.removed = true
	tx.OnRollback(func() { sa.removed = false })
	tx.OnCommit(s.reaper.wake)
	return nil
}

// SetQuotaTx sets the limits of an account; 0 means none.
func (s *Store) SetQuotaTx(tx *db.Tx, id AccountID, bytes, messages int64) error {
	sa, err := s.stage(tx).account(id)
	if err != nil {
		return err
	}
	n := sa.numbers()
	n.limitBytes, n.limitMessages = bytes, messages
	return nil
}

// Quota tells use and limits, from memory.
func (a *Account) Quota(ctx context.Context) (Quota, error) {
	st, err := a.state(ctx)
	if err != nil {
		return Quota{}, err
	}
	n := st.counters.Load()
	return Quota{n.usedBytes, n.limitBytes, n.usedMessages, n.limitMessages}, nil
}

// boxCRC is the checksum of a row of mailboxes.
func boxCRC(v *version) int64 {
	crc := crcOf(v.id, v.account, int64(v.uidvalidity))
	crc = crc32.Update(crc, castagnoli, []byte(v.name))
	return int64(crc32.Update(crc, castagnoli, []byte("\x00"+v.specialUse)))
}

// addBox makes a mailbox; the name is clean and free.
func (s *Store) addBox(tx *db.Tx, sa *stagedAccount, name, use string) (*box, error) {
	if len(sa.tree.byName) >= maxMailboxes {
		return nil, fmt.Errorf("mailboxes: %w", ErrTooMany)
	}
	n := sa.numbers()
	// RFC 9051 2.3.1.1: a mailbox that takes the name of a deleted one has a larger UIDVALIDITY.
	n.lastUIDValidity = max(n.lastUIDValidity+1, uint32(s.now().Unix()))
	v := &version{id: s.newID(), account: int64(sa.st.id), name: name, specialUse: use, uidvalidity: n.lastUIDValidity, uidnext: 1,
		highest: sa.nextModSeq(), words: &dictionary{}}
	v.floor = v.highest
	_, err := tx.Exec(`INSERT INTO mailboxes (id, account, name, uidvalidity, special_use, crc, uidnext, highest_modseq, vanished_floor,
		messages, unseen, deleted, size, keywords) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, 0, 0, 0, 0, '')`,
		v.id, v.account, v.name, int64(v.uidvalidity), v.specialUse, boxCRC(v), int64(v.highest), int64(v.floor))
	if err != nil {
		return nil, err
	}
	b := &box{id: v.id, st: sa.st, views: map[*View]struct{}{}}
	first := *v
	first.rowIsFresh = true
	b.cur.Store(&first)
	t := sa.tree.clone()
	t.byName[name] = b
	sa.setTree(newTree(t.byName, t.subscribed))
	sa.tell(MailboxCreated, b, "")
	return b, nil
}

// info tells of a mailbox.
func info(t *tree, v *version) Mailbox {
	return Mailbox{ID: v.id, Name: v.name, UIDValidity: v.uidvalidity, UIDNext: v.uidnext, HighestModSeq: v.highest, Messages: v.messages,
		Unseen: v.unseen, Deleted: v.deleted, Size: v.size, SpecialUse: v.specialUse, Subscribed: t.subscribed[v.name],
		HasChildren: t.hasChildren(v.name)}
}

// Mailboxes lists the account's mailboxes by name, and the levels above them that are no mailboxes themselves. It reads
// memory only.
func (a *Account) Mailboxes(ctx context.Context) ([]Mailbox, error) {
	st, err := a.state(ctx)
	if err != nil {
		return nil, err
	}
	t := st.tree.Load()
	out := make([]Mailbox, 0, len(t.sorted))
	levels := map[string]bool{}
	for _, name := range t.sorted {
		for _, above := range parents(name) {
			if t.byName[above] == nil && !levels[above] {
				levels[above] = true
				out = append(out, Mailbox{Name: above, NoSelect: true, HasChildren: true, Subscribed: t.subscribed[above]})
			}
		}
		m := info(t, t.byName[name].cur.Load())
		// A rename publishes the tree and the versions one after the other.
		m.Name = name
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y Mailbox) int { return strings.Compare(x.Name, y.Name) })
	return out, nil
}

// Mailbox tells of one mailbox, counters and all, from memory: this is STATUS. A level that is no mailbox is given with
// NoSelect.
func (a *Account) Mailbox(ctx context.Context, name string) (Mailbox, error) {
	clean, err := cleanName(name)
	if err != nil {
		return Mailbox{}, errors.Join(ErrNoMailbox, err)
	}
	st, err := a.state(ctx)
	if err != nil {
		return Mailbox{}, err
	}
	t := st.tree.Load()
	if b := t.byName[clean]; b != nil {
		return info(t, b.cur.Load()), nil
	}
	if t.hasChildren(clean) {
		return Mailbox{Name: clean, NoSelect: true, HasChildren: true, Subscribed: t.subscribed[clean]}, nil
	}
	return Mailbox{}, fmt.Errorf("%w: %q", ErrNoMailbox, name)
}

// Subscriptions lists the subscribed names; some may name no mailbox (RFC 9051 6.3.7).
func (a *Account) Subscriptions(ctx context.Context) ([]string, error) {
	st, err := a.state(ctx)
	if err != nil {
		return nil, err
	}
	return sortedNames(st.tree.Load().subscribed), nil
}

// CreateMailbox makes a mailbox and the levels above it (RFC 9051 6.3.4). specialUse is "" or attributes such as
// `\Sent` (RFC 6154 3). It is not subscribed.
func (a *Account) CreateMailbox(ctx context.Context, name, specialUse string) (m Mailbox, err error) {
	clean, err := cleanName(strings.TrimSuffix(name, Separator))
	if err != nil {
		return Mailbox{}, err
	}
	use, err := cleanSpecialUse(specialUse)
	if err != nil {
		return Mailbox{}, err
	}
	err = a.do(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		if sa.tree.byName[clean] != nil {
			return fmt.Errorf("%w: %q", ErrExists, name)
		}
		if err := sa.usesFree(use, nil); err != nil {
			return err
		}
		b, err := a.s.addWithParents(tx, sa, clean, use)
		if err == nil {
			m = info(sa.tree, sa.version(b))
		}
		return err
	})
	return m, err
}

func (s *Store) addWithParents(tx *db.Tx, sa *stagedAccount, name, use string) (*box, error) {
	for _, above := range parents(name) {
		if sa.tree.byName[above] == nil {
			if _, err := s.addBox(tx, sa, above, ""); err != nil {
				return nil, err
			}
		}
	}
	return s.addBox(tx, sa, name, use)
}

// usesFree refuses a special use that another mailbox has.
func (sa *stagedAccount) usesFree(uses string, except *box) error {
	for _, use := range strings.Fields(uses) {
		if b := sa.tree.withRole(use, sa.version); b != nil && b != except {
			return fmt.Errorf("special use %s: %w", use, ErrExists)
		}
	}
	return nil
}

// DeleteMailbox removes a mailbox and its messages. One that has others below it leaves its name behind as a level that
// cannot be selected; such a level cannot be deleted (RFC 9051 6.3.5). INBOX stays.
func (a *Account) DeleteMailbox(ctx context.Context, name string) error {
	clean, err := cleanName(name)
	if err != nil {
		return errors.Join(ErrNoMailbox, err)
	}
	if clean == Inbox {
		return fmt.Errorf("%w: INBOX cannot be deleted", ErrBadName)
	}
	return a.do(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		b := sa.tree.byName[clean]
		switch {
		case b == nil && sa.tree.hasChildren(clean):
			return fmt.Errorf("%w: %q", ErrHasChildren, name)
		case b == nil:
			return fmt.Errorf("%w: %q", ErrNoMailbox, name)
		}
		if _, err := tx.Exec(`DELETE FROM mailboxes WHERE id = ? AND account = ?`, b.id, int64(a.id)); err != nil {
			return err
		}
		if err := sa.dropAnnotations(tx, b.id); err != nil {
			return err
		}
		modseq := sa.nextModSeq()
		if _, err := tx.Exec(`INSERT INTO dead_mailboxes (mailbox, account, modseq) VALUES (?, ?, ?)`, b.id, int64(a.id), int64(modseq)); err != nil {
			return err
		}
		v := sa.edit(b)
		n := sa.numbers()
		n.usedBytes -= v.size
		n.usedMessages -= int64(v.messages)
		v.gone, v.list = true, nil
		t := sa.tree.clone()
		delete(t.byName, clean)
		sa.setTree(newTree(t.byName, t.subscribed))
		sa.tell(MailboxDeleted, b, "")
		tx.OnCommit(a.s.reaper.wake)
		return nil
	})
}

// RenameMailbox renames a mailbox and those below it. INBOX is not renamed: its messages move to a new mailbox
// (RFC 9051 6.3.6).
func (a *Account) RenameMailbox(ctx context.Context, from, to string) error {
	cleanFrom, err := cleanName(from)
	if err != nil {
		return errors.Join(ErrNoMailbox, err)
	}
	cleanTo, err := cleanName(strings.TrimSuffix(to, Separator))
	if err != nil {
		return err
	}
	return a.do(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		if sa.tree.byName[cleanTo] != nil || sa.tree.hasChildren(cleanTo) && !strings.HasPrefix(cleanTo+Separator, cleanFrom+Separator) {
			return fmt.Errorf("%w: %q", ErrExists, to)
		}
		if cleanFrom == Inbox {
			return a.s.moveInbox(tx, sa, cleanTo)
		}
		if sa.tree.byName[cleanFrom] == nil && !sa.tree.hasChildren(cleanFrom) {
			return fmt.Errorf("%w: %q", ErrNoMailbox, from)
		}
		if strings.HasPrefix(cleanTo, cleanFrom+Separator) {
			return fmt.Errorf("%w: %q lies below %q", ErrBadName, to, from)
		}
		return a.s.rename(tx, sa, cleanFrom, cleanTo)
	})
}

func (s *Store) rename(tx *db.Tx, sa *stagedAccount, from, to string) error {
	for _, above := range parents(to) {
		if sa.tree.byName[above] == nil && above != from {
			if _, err := s.addBox(tx, sa, above, ""); err != nil {
				return err
			}
		}
	}
	t := sa.tree.clone()
	for _, name := range sa.tree.sorted {
		if name != from && !strings.HasPrefix(name, from+Separator) {
			continue
		}
		b := t.byName[name]
		v := sa.edit(b)
		if v.name = to + strings.TrimPrefix(name, from); len(v.name) > maxNameBytes {
			return fmt.Errorf("%w: too long", ErrBadName)
		}
		if _, err := tx.Exec(`UPDATE mailboxes SET name = ?, crc = ? WHERE id = ? AND account = ?`, v.name, boxCRC(v), b.id, v.account); err != nil {
			return err
		}
		delete(t.byName, name)
		t.byName[v.name] = b
		sa.tell(MailboxRenamed, b, name)
	}
	sa.nextModSeq()
	sa.setTree(newTree(t.byName, t.subscribed))
	return nil
}

// moveInbox takes all messages of INBOX to a new mailbox, where they keep their UIDs.
func (s *Store) moveInbox(tx *db.Tx, sa *stagedAccount, to string) error {
	b, err := s.addWithParents(tx, sa, to, "")
	if err != nil {
		return err
	}
	inbox := sa.tree.byName[Inbox]
	src, dst := sa.edit(inbox), sa.edit(b)
	if src.messages == 0 {
		return nil
	}
	modseq := sa.nextModSeq()
	if _, err := tx.Exec(`UPDATE messages SET mailbox = ?, modseq = ? WHERE account = ? AND mailbox = ?`,
		b.id, int64(modseq), src.account, inbox.id); err != nil {
		return err
	}
	if err := s.bury(tx, src, modseq, []uidRange{{1, src.uidnext - 1}}); err != nil {
		return err
	}
	dst.uidnext, dst.messages, dst.unseen, dst.deleted, dst.size = src.uidnext, src.messages, src.unseen, src.deleted, src.size
	dst.words, dst.highest = src.words, modseq
	dst.shuffles++
	src.messages, src.unseen, src.deleted, src.size, src.highest = 0, 0, 0, 0, modseq
	src.shuffles++
	if src.list != nil {
		src.list = listOf(nil)
	}
	return nil
}

// Subscribe adds a name to the subscriptions or takes it away; a mailbox of that name need not exist.
func (a *Account) Subscribe(ctx context.Context, name string, on bool) error {
	clean, err := cleanName(name)
	if err != nil {
		return err
	}
	return a.do(ctx, func(tx *db.Tx, sa *stagedAccount) error { return subscribe(tx, sa, clean, on) })
}

func subscribe(tx *db.Tx, sa *stagedAccount, name string, on bool) error {
	if sa.tree.subscribed[name] == on {
		return nil
	}
	t := sa.tree.clone()
	var err error
	if on {
		if len(t.subscribed) >= maxSubscribed {
			return fmt.Errorf("subscriptions: %w", ErrTooMany)
		}
		t.subscribed[name] = true
		_, err = tx.Exec(`INSERT INTO subscriptions (account, name) VALUES (?, ?)`, int64(sa.st.id), name)
	} else {
		delete(t.subscribed, name)
		_, err = tx.Exec(`DELETE FROM subscriptions WHERE account = ? AND name = ?`, int64(sa.st.id), name)
	}
	sa.setTree(newTree(t.byName, t.subscribed))
	if b := t.byName[name]; b != nil {
		sa.tell(SubscriptionChanged, b, "")
	}
	return err
}

// SetSpecialUse gives a mailbox its special uses; "" takes them away.
func (a *Account) SetSpecialUse(ctx context.Context, name, specialUse string) error {
	use, err := cleanSpecialUse(specialUse)
	if err != nil {
		return err
	}
	return a.do(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		b, err := sa.find(name)
		if err != nil {
			return err
		}
		if err := sa.usesFree(use, b); err != nil {
			return err
		}
		v := sa.edit(b)
		v.specialUse = use
		_, err = tx.Exec(`UPDATE mailboxes SET special_use = ?, crc = ? WHERE id = ? AND account = ?`, use, boxCRC(v), b.id, v.account)
		return err
	})
}
