package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/internal/db"
)

const (
	// maxPrefix bounds the trace fields of one recipient.
	maxPrefix = 256 << 10
	// onceFor is how long a delivery's key is remembered.
	onceFor    = 24 * time.Hour
	maxOnceKey = 64
)

// Target is where one recipient's copy goes.
type Target struct {
	Account AccountID
	// Mailbox by name; "" is INBOX, and so is one that does not exist.
	Mailbox string
	// Role, if set, is a special use such as `\Junk`: the mailbox that has it wins over Mailbox.
	Role string
	// Create makes Mailbox, subscribed and with the Role, where there is none; where that cannot be it is INBOX.
	Create bool
	// Flags must be some (see [IsFlag]). A keyword for which the mailbox has no room is left out.
	Flags []string
	// Prefix holds trace header fields (Return-Path, Received, …), each ending in CRLF; they are joined on reading.
	Prefix []byte
	// Internal is the INTERNALDATE; zero means now.
	Internal time.Time
	// Once, if set, makes the delivery idempotent: with the same account and key within 24 hours nothing is stored
	// again, and the first UID is returned as a duplicate.
	Once        []byte
	IgnoreQuota bool
}

// Delivered is where a copy came to lie.
type Delivered struct {
	Account          AccountID
	MailboxID        int64
	UIDValidity, UID uint32
	Duplicate        bool
}

// Deliver stores one message for all its recipients in one transaction: when it returns nil the message is durable in
// every mailbox, otherwise it is in none.
func (s *Store) Deliver(ctx context.Context, p *Prepared, to []Target) (out []Delivered, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		out, err = s.DeliverTx(tx, p, to)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// arrival is one copy on its way into a mailbox.
type arrival struct {
	sa       *stagedAccount
	box      *box
	flags    []string
	prefix   []byte
	internal time.Time
	skip     bool
	lenient  bool // what flags there is no room for are left out
}

// DeliverTx is Deliver within a transaction of the caller's.
func (s *Store) DeliverTx(tx *db.Tx, p *Prepared, to []Target) ([]Delivered, error) {
	g := s.stage(tx)
	arrivals := make([]arrival, len(to))
	for i := range to {
		if err := g.check(&to[i], p, &arrivals[i]); err != nil {
			return nil, err
		}
	}
	out := make([]Delivered, len(to))
	fresh := 0
	for i := range to {
		a, t := &arrivals[i], &to[i]
		v := a.sa.version(a.box)
		out[i] = Delivered{Account: t.Account, MailboxID: a.box.id, UIDValidity: v.uidvalidity, UID: v.uidnext}
		if len(t.Once) > 0 {
			if err := s.claim(tx, t, &out[i]); err != nil {
				return nil, err
			}
		}
		if a.skip = out[i].Duplicate; a.skip {
			continue
		}
		fresh++
		// The UID is taken now, so that a second target in the same mailbox claims the next.
		a.sa.edit(a.box).uidnext++
	}
	if fresh == 0 {
		return out, nil
	}
	blob, err := s.putBlob(tx, p, fresh)
	if err != nil {
		return nil, err
	}
	for i := range arrivals {
		if !arrivals[i].skip {
			if err := s.arrive(tx, &arrivals[i], p, blob, out[i].UID); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// check finds the mailbox, making it if that is wanted, and refuses what cannot be stored before any of it is written.
func (g *staging) check(t *Target, p *Prepared, a *arrival) error {
	sa, err := g.account(t.Account)
	if err != nil {
		return err
	}
	if len(t.Prefix) > maxPrefix || len(t.Once) > maxOnceKey {
		return fmt.Errorf("prefix or key too long: %w", ErrTooMany)
	}
	for _, f := range t.Flags {
		if err := checkFlag(f); err != nil {
			return err
		}
	}
	b, err := g.s.target(g.tx, sa, t)
	if err != nil {
		return err
	}
	*a = arrival{sa: sa, box: b, flags: t.Flags, prefix: t.Prefix, internal: t.Internal, lenient: true}
	if a.internal.IsZero() {
		a.internal = g.s.now()
	}
	if !t.IgnoreQuota {
		return sa.room(p.size+int64(len(t.Prefix)), 1)
	}
	return nil
}

// target finds the mailbox that a target means, or makes it.
func (s *Store) target(tx *db.Tx, sa *stagedAccount, t *Target) (*box, error) {
	if t.Role != "" {
		if b := sa.tree.withRole(t.Role, sa.version); b != nil {
			return b, nil
		}
	}
	inbox := sa.tree.byName[Inbox]
	if t.Mailbox == "" {
		return inbox, nil
	}
	name, err := cleanName(t.Mailbox)
	if err != nil {
		return inbox, nil
	}
	if b := sa.tree.byName[name]; b != nil {
		return b, nil
	}
	if !t.Create || len(sa.tree.byName)+len(parents(name)) >= maxMailboxes {
		return inbox, nil
	}
	return s.madeFor(tx, sa, name, t.Role)
}

// madeFor makes a mailbox for a message that comes in, and has it seen in clients.
func (s *Store) madeFor(tx *db.Tx, sa *stagedAccount, name, role string) (*box, error) {
	use, err := cleanSpecialUse(role)
	if err != nil {
		use = ""
	}
	b, err := s.addWithParents(tx, sa, name, use)
	if err != nil || len(sa.tree.subscribed) >= maxSubscribed {
		return b, err
	}
	return b, subscribe(tx, sa, name, true)
}

// room tells whether the quota leaves room.
func (sa *stagedAccount) room(bytes, messages int64) error {
	n := &sa.num
	if n.limitBytes > 0 && n.usedBytes+bytes > n.limitBytes || n.limitMessages > 0 && n.usedMessages+messages > n.limitMessages {
		return fmt.Errorf("account %d: %w", sa.st.id, ErrOverQuota)
	}
	return nil
}

// arrive writes one copy's rows and stages its place in memory. The UID was taken before.
func (s *Store) arrive(tx *db.Tx, a *arrival, p *Prepared, blob int64, uid uint32) error {
	sa := a.sa
	v := sa.edit(a.box)
	flags, err := s.flagBits(tx, v, a.flags, a.lenient)
	if err != nil {
		return err
	}
	r := row{uid: uid, size: uint32(p.size + int64(len(a.prefix))), flags: flags, modseq: sa.nextModSeq(),
		internal: a.internal.Unix(), original: s.newID(), blob: blob}
	prefix := a.prefix
	if prefix == nil {
		prefix = []byte{}
	}
	account := int64(sa.st.id)
	if _, err := tx.Exec(`INSERT INTO originals (id, account, blob, refs, prefix, crc) VALUES (?, ?, ?, 1, ?, ?)`,
		r.original, account, blob, prefix, originalCRC(account, blob, prefix)); err != nil {
		return err
	}
	if err := insertMessage(tx, account, v.id, r); err != nil {
		return err
	}
	v.highest = r.modseq
	v.add(flags, int64(r.size))
	if v.list != nil {
		v.list = v.list.appended(r)
	}
	n := sa.numbers()
	n.usedBytes += int64(r.size)
	n.usedMessages++
	return nil
}

// messageCRC is the checksum of a row of messages.
func messageCRC(account int64, r row) int64 {
	return int64(crcOf(account, int64(r.size), r.internal, r.original, r.blob))
}

func insertMessage(tx *db.Tx, account, mailbox int64, r row) error {
	_, err := tx.Exec(`INSERT INTO messages (mailbox, uid, account, modseq, flags, size, internal, original, blob, crc)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, mailbox, int64(r.uid), account, int64(r.modseq), int64(r.flags), int64(r.size),
		r.internal, r.original, r.blob, messageCRC(account, r))
	return err
}

// flagBits turns names into bits, giving new keywords theirs in v's dictionary. Lenient leaves out those that find no room.
func (s *Store) flagBits(tx *db.Tx, v *version, names []string, lenient bool) (Flags, error) {
	var f Flags
	for _, name := range names {
		bit, ok := v.words.bit(name)
		if !ok {
			if err := checkFlag(name); err != nil {
				return 0, err
			}
			words, newBit, err := v.words.with(name, func() (Flags, error) { return usedFlags(tx, v, f) })
			if lenient && errors.Is(err, ErrTooManyKeywords) {
				continue
			}
			if err != nil {
				return 0, err
			}
			v.words, bit = words, newBit
		}
		f |= bit
	}
	return f, nil
}

// usedFlags gathers the bits that messages carry, and those in also.
func usedFlags(tx *db.Tx, v *version, also Flags) (Flags, error) {
	if v.list != nil {
		for _, c := range v.list.chunks {
			for _, f := range c.flags {
				also |= f
			}
		}
		return also, nil
	}
	rows, err := tx.Query(`SELECT DISTINCT flags FROM messages WHERE account = ? AND mailbox = ?`, v.account, v.id)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var f int64
		if err := rows.Scan(&f); err != nil {
			return 0, err
		}
		also |= Flags(f)
	}
	return also, closeRows(rows)
}

// AppendItem is one message of an APPEND.
type AppendItem struct {
	Prepared *Prepared
	Flags    []string
	Internal time.Time // zero: now
}

// Append adds messages to a mailbox, all or none (RFC 3502). It fails with [ErrNoMailbox] when there is no such mailbox.
func (a *Account) Append(ctx context.Context, mailbox string, items []AppendItem) (uidValidity uint32, uids []uint32, err error) {
	err = a.do(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		uids = make([]uint32, 0, len(items))
		b, err := sa.find(mailbox)
		if err != nil {
			return err
		}
		var total int64
		for _, it := range items {
			total += it.Prepared.size
			for _, f := range it.Flags {
				if err := checkFlag(f); err != nil {
					return err
				}
			}
		}
		if err := sa.room(total, int64(len(items))); err != nil {
			return err
		}
		for _, it := range items {
			v := sa.edit(b)
			uidValidity = v.uidvalidity
			uid := v.uidnext
			v.uidnext++
			blob, err := a.s.putBlob(tx, it.Prepared, 1)
			if err != nil {
				return err
			}
			arrived := arrival{sa: sa, box: b, flags: it.Flags, internal: it.Internal}
			if arrived.internal.IsZero() {
				arrived.internal = a.s.now()
			}
			if err := a.s.arrive(tx, &arrived, it.Prepared, blob, uid); err != nil {
				return err
			}
			uids = append(uids, uid)
		}
		if err := a.s.filed(tx, sa, "", b, uids); err != nil {
			return err
		}
		return a.s.came(tx, sa, b, Appended, uids)
	})
	if err != nil {
		return 0, nil, err
	}
	return uidValidity, slices.Clip(uids), nil
}

// find gives a mailbox by name.
func (sa *stagedAccount) find(name string) (*box, error) {
	clean, err := cleanName(name)
	if err != nil {
		return nil, errors.Join(ErrNoMailbox, err)
	}
	b := sa.tree.byName[clean]
	if b == nil {
		return nil, fmt.Errorf("%w: %q", ErrNoMailbox, name)
	}
	return b, nil
}
