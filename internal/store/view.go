package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"postern/internal/message"
)

// ErrReadOnly means that the view was opened for reading only.
var ErrReadOnly = errors.New("mailbox is open for reading only")

// SelectOptions of [Account.Select].
type SelectOptions struct{ ReadOnly bool }

// Message is what a view knows of a message without touching the database.
type Message struct {
	UID      uint32
	Seq      uint32 // counted from 1
	Flags    Flags
	ModSeq   uint64
	Size     int64 // RFC822.SIZE: prefix and blob
	Internal time.Time
	ID       int64 // the same for all copies of one delivered message, never given twice
}

// View is one session's picture of one mailbox. It stays as it is until [View.Sync] brings it up to date, so sequence
// numbers hold as long as the session wants. Two views on one mailbox share their memory. The methods may be called
// from any goroutine, though a session has little use for more than one.
type View struct {
	a        *Account
	b        *box
	readOnly bool
	notify   atomic.Pointer[func()]
	woken    atomic.Bool
	told     atomic.Uint64 // the account's modseq when the session last knew everything

	mu        sync.Mutex
	picture   *list // what the session knows
	synced    *list // the mailbox's list that picture reflects
	ghosts    int   // messages in picture that are expunged already
	words     *dictionary
	announced *dictionary
	highest   uint64
}

// Select opens a view of a mailbox. The first one on a mailbox reads its list of messages; later ones cost next to nothing.
func (a *Account) Select(ctx context.Context, name string, o SelectOptions) (*View, error) {
	clean, err := cleanName(name)
	if err != nil {
		return nil, errors.Join(ErrNoMailbox, err)
	}
	for {
		st, err := a.state(ctx)
		if err != nil {
			return nil, err
		}
		b := st.tree.Load().byName[clean]
		if b == nil {
			return nil, fmt.Errorf("%w: %q", ErrNoMailbox, name)
		}
		if v := b.attach(a, o.ReadOnly); v != nil {
			return v, nil
		}
		if err := a.s.loadList(ctx, b); err != nil {
			return nil, err
		}
	}
}

// attach makes a view if the list is in memory.
func (b *box) attach(a *Account, readOnly bool) *View {
	b.lastUse.Store(a.s.uses.Add(1))
	b.mu.Lock()
	defer b.mu.Unlock()
	told := b.st.counters.Load().modseq
	cur := b.cur.Load()
	if cur.list == nil || cur.gone {
		return nil
	}
	v := &View{a: a, b: b, readOnly: readOnly, picture: cur.list, synced: cur.list, words: cur.words, announced: cur.words, highest: cur.highest}
	v.told.Store(told)
	b.views[v] = struct{}{}
	a.s.addView(v)
	return v
}

func (s *Store) addView(v *View) {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	views := s.views[v.a.id]
	if views == nil {
		views = map[*View]struct{}{}
		s.views[v.a.id] = views
	}
	views[v] = struct{}{}
}

func (s *Store) dropView(v *View) {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	if delete(s.views[v.a.id], v); len(s.views[v.a.id]) == 0 {
		delete(s.views, v.a.id)
	}
}

// told is the modseq up to which every view of the account knows what went: what went later may still be read. It is
// called on the committer.
func (s *Store) told(id AccountID) uint64 {
	s.viewMu.Lock()
	defer s.viewMu.Unlock()
	least := ^uint64(0)
	for v := range s.views[id] {
		least = min(least, v.knows())
	}
	return least
}

// knows is the account's modseq up to which the session knows everything; now, when its picture is what there is.
func (v *View) knows() uint64 {
	now := v.b.st.counters.Load().modseq
	v.mu.Lock()
	defer v.mu.Unlock()
	if cur := v.b.cur.Load(); v.ghosts == 0 && v.picture == cur.list {
		return now
	}
	return v.told.Load()
}

// Close ends the view.
func (v *View) Close() {
	v.b.mu.Lock()
	delete(v.b.views, v)
	v.b.mu.Unlock()
	v.a.s.dropView(v)
	v.a.s.reaper.told(v.a.id)
}

// Mailbox tells of the mailbox as it is now, which may be ahead of the view.
func (v *View) Mailbox() Mailbox { return info(v.b.st.tree.Load(), v.b.cur.Load()) }

// Account is whose mailbox it is.
func (v *View) Account() *Account { return v.a }

// ReadOnly tells whether the view may change nothing.
func (v *View) ReadOnly() bool { return v.readOnly }

// list is the picture, safe to be read without the lock.
func (v *View) list() *list {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.picture
}

// Len is the number of messages in the view.
func (v *View) Len() int { return v.list().n }

// UIDs lists the view's UIDs in order; UIDs()[i] has sequence number i+1. The slice is shared: it must not be changed.
func (v *View) UIDs() []uint32 { return v.list().uids() }

// Seq gives the sequence number of a UID.
func (v *View) Seq(uid uint32) (seq uint32, ok bool) {
	pos, ok := v.list().find(uid)
	return uint32(pos) + 1, ok
}

// UIDAt gives the UID of a sequence number.
func (v *View) UIDAt(seq uint32) (uid uint32, ok bool) {
	l := v.list()
	if seq == 0 || int64(seq) > int64(l.n) {
		return 0, false
	}
	c, k := l.at(int(seq) - 1)
	return c.uids[k], true
}

// FirstUnseen is the sequence number of the first message without \Seen.
func (v *View) FirstUnseen() (seq uint32, ok bool) {
	l := v.list()
	for i, c := range l.chunks {
		for k, f := range c.flags {
			if f&Seen == 0 {
				return l.starts[i] + uint32(k) + 1, true
			}
		}
	}
	return 0, false
}

// HighestModSeq is the modseq up to which the session may believe itself informed (RFC 7162 3.1.2.1).
func (v *View) HighestModSeq() uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.highest
}

// dict is the dictionary that the picture's flags are to be read with.
func (v *View) dict() *dictionary {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.words
}

// Flags lists the system flags and the keywords of the mailbox.
func (v *View) Flags() []string { return v.dict().all() }

// AppendFlags writes the names of f to dst with spaces between, without parentheses.
func (v *View) AppendFlags(dst []byte, f Flags) []byte { return v.dict().appendTo(dst, f) }

// FlagNames lists the names of f.
func (v *View) FlagNames(f Flags) []string {
	d := v.dict()
	var names []string
	for bit := range 63 {
		if f&(1<<bit) != 0 && d.name(bit) != "" {
			names = append(names, d.name(bit))
		}
	}
	return names
}

// FlagBit gives the bit of a flag, if the mailbox knows it.
func (v *View) FlagBit(name string) (Flags, bool) { return v.dict().bit(name) }

// Each calls fn for each of the given UIDs that is in the view, in order, until it returns false; nil means all. The
// UIDs must ascend. Everything comes from memory.
func (v *View) Each(uids []uint32, fn func(Message) bool) error {
	v.list().walk(uids, func(pos int, c *chunk, k int) bool { return fn(messageAt(pos, c, k)) })
	return nil
}

func messageAt(pos int, c *chunk, k int) Message {
	return Message{UID: c.uids[k], Seq: uint32(pos) + 1, Flags: c.flags[k], ModSeq: c.modseqs[k], Size: int64(c.sizes[k]),
		Internal: time.Unix(c.internal[k], 0).UTC(), ID: c.originals[k]}
}

// Get gives one message by UID.
func (v *View) Get(uid uint32) (m Message, ok bool) {
	l := v.list()
	pos, ok := l.find(uid)
	if !ok {
		return Message{}, false
	}
	c, k := l.at(pos)
	return messageAt(pos, c, k), true
}

// Open opens a message for reading. It can be read, and what was opened goes on being readable, also when another
// session expunged the message, until Sync has told this view so.
func (v *View) Open(ctx context.Context, uid uint32) (MessageContent, error) {
	l := v.list()
	pos, ok := l.find(uid)
	if !ok {
		return nil, fmt.Errorf("UID %d: %w", uid, ErrGone)
	}
	c, k := l.at(pos)
	return v.a.s.openOriginal(ctx, v.a.id, c.originals[k])
}

// metaBatch is how many metas are read at once.
const metaBatch = 256

// EachMeta is Each with the metas, from memory where they are cached. A meta that is damaged and cannot be made again
// from the message is nil.
func (v *View) EachMeta(ctx context.Context, uids []uint32, fn func(Message, message.Meta) bool) error {
	batch := metaReader{v: v, ctx: ctx, fn: fn}
	v.list().walk(uids, func(pos int, c *chunk, k int) bool {
		batch.messages = append(batch.messages, messageAt(pos, c, k))
		batch.blobs = append(batch.blobs, c.blobs[k])
		return len(batch.blobs) < metaBatch || batch.flush()
	})
	if !batch.stopped {
		batch.flush()
	}
	return batch.err
}

// Meta gives one message's meta.
func (v *View) Meta(ctx context.Context, uid uint32) (message.Meta, error) {
	var found message.Meta
	err := v.EachMeta(ctx, []uint32{uid}, func(_ Message, m message.Meta) bool {
		found = m
		return true
	})
	if err == nil && found == nil {
		err = fmt.Errorf("UID %d: %w", uid, ErrGone)
	}
	return found, err
}

// metaReader gathers messages and reads their metas a batch at a time.
type metaReader struct {
	v        *View
	ctx      context.Context
	fn       func(Message, message.Meta) bool
	messages []Message
	blobs    []int64
	metas    []message.Meta
	stopped  bool
	err      error
}

func (r *metaReader) flush() bool {
	if r.metas == nil {
		r.metas = make([]message.Meta, metaBatch)
	}
	metas := r.metas[:len(r.blobs)]
	if r.v.a.s.metas.get(r.blobs, metas) > 0 {
		if r.err = r.v.a.s.readMetas(r.ctx, r.v.a.id, r.messages, r.blobs, metas); r.err != nil {
			r.stopped = true
			return false
		}
	}
	for i, m := range r.messages {
		if !r.fn(m, metas[i]) {
			r.stopped = true
			return false
		}
	}
	r.messages, r.blobs = r.messages[:0], r.blobs[:0]
	return true
}
