package powercut_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// kept is a message in a mailbox: which letter it is (0 for one that the server wrote) and its flags.
type kept struct {
	letter int
	flags  string
}

// uidKey is what must never name two messages. RFC 9051 2.3.1.1
type uidKey struct {
	box      string
	validity uint32
	uid      uint32
}

// box is a mailbox as it should be.
type box struct {
	validity uint32
	next     uint32 // UIDNEXT is this or more
	modseq   uint64 // HIGHESTMODSEQ is this or more
	mail     map[uint32]kept
	// arrived are messages whose UID nobody knows: of an operation that had no answer.
	arrived []kept
}

func newBox(validity uint32) *box { return &box{validity: validity, mail: map[uint32]kept{}} }

func (b *box) uids() []uint32 { return slices.Sorted(maps.Keys(b.mail)) }

// boxes are the mailboxes of one owner by name.
type boxes map[string]*box

func (bs boxes) clone() boxes {
	c := make(boxes, len(bs))
	for name, b := range bs {
		n := *b
		n.mail = maps.Clone(b.mail)
		c[name] = &n
	}
	return c
}

// change is one operation on an owner's mailboxes.
type change struct {
	verb      string // append, add, remove, set, copy, move, expunge, create, rename, delete
	box, dest string
	uids      []uint32
	flags     []string
	delivery  *delivery // of an append
}

func (c *change) String() string {
	return fmt.Sprintf("%s %s %s %s %v", c.verb, c.box, c.dest, formatUIDs(c.uids), c.flags)
}

// apply does the change to the model. placed are the UIDs that the server told for what arrived, nil when it told none.
func (c *change) apply(bs boxes, placed []uint32) {
	b := bs[c.box]
	switch c.verb {
	case "append":
		for i, l := range c.delivery.letters {
			b.arrive(kept{l.id, canonical(c.flags)}, placed, i)
		}
	case "copy", "move":
		dest := bs[c.dest]
		for i, uid := range c.uids {
			dest.arrive(b.mail[uid], placed, i)
		}
		if c.verb == "move" {
			c.remove(b)
		}
	case "expunge":
		c.remove(b)
	case "create":
		bs[c.box] = newBox(0)
	case "delete":
		delete(bs, c.box)
	case "rename":
		bs[c.dest] = b
		delete(bs, c.box)
	default:
		for _, uid := range c.uids {
			b.mail[uid] = kept{b.mail[uid].letter, storeFlags(c.verb, b.mail[uid].flags, c.flags)}
		}
	}
}

func (c *change) remove(b *box) {
	for _, uid := range c.uids {
		delete(b.mail, uid)
	}
}

func (b *box) arrive(k kept, placed []uint32, i int) {
	if i >= len(placed) {
		b.arrived = append(b.arrived, k)
		return
	}
	b.mail[placed[i]] = k
	b.next = max(b.next, placed[i]+1)
}

// found is a mailbox as it was read.
type found struct {
	validity, next uint32
	modseq         uint64
	mail           map[uint32]kept
}

// compare tells how a mailbox differs from what it should be. What is there beside is given back, in order of UIDs.
func (b *box) compare(f *found) (more []uint32, err error) {
	if b.validity != 0 && b.validity != f.validity {
		return nil, fmt.Errorf("UIDVALIDITY is %d and was %d", f.validity, b.validity)
	}
	if f.next < b.next || f.modseq < b.modseq {
		return nil, fmt.Errorf("UIDNEXT %d and HIGHESTMODSEQ %d were %d and %d", f.next, f.modseq, b.next, b.modseq)
	}
	for uid, want := range b.mail {
		got, ok := f.mail[uid]
		if !ok {
			return nil, fmt.Errorf("UID %d, which is letter %d, is not there", uid, want.letter)
		}
		if got != want {
			return nil, fmt.Errorf("UID %d is letter %d with (%s) instead of letter %d with (%s)", uid, got.letter, got.flags, want.letter, want.flags)
		}
	}
	missing := slices.Clone(b.arrived)
	for _, uid := range slices.Sorted(maps.Keys(f.mail)) {
		if _, known := b.mail[uid]; known {
			continue
		}
		if i := slices.Index(missing, f.mail[uid]); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
			continue
		}
		more = append(more, uid)
	}
	if len(missing) > 0 {
		slices.SortFunc(missing, func(a, b kept) int { return cmp.Compare(a.letter, b.letter) })
		return more, fmt.Errorf("letters are missing: %v", missing)
	}
	return more, nil
}
