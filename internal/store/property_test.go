package store

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// The model is as simple as can be: a mailbox is a slice of messages. Random operations are done to the store and to
// the model; clients, each with a View, apply what Sync tells them to a picture of their own. Pictures, model and store
// must agree at all times.

type modelMessage struct {
	uid   uint32
	flags map[string]bool
	text  string
}

type modelBox struct {
	messages []modelMessage
	uidnext  uint32
	gone     map[uint32]uint64 // uid → highest modseq before it went
}

type modelClient struct {
	view  *View
	box   string
	known []modelMessage // what the client believes, in its order
}

type modelWorld struct {
	t       *testing.T
	f       *fixture
	r       *rand.Rand
	a       *Account
	boxes   map[string]*modelBox
	clients []*modelClient
	letters int
	marks   map[string][]uint64 // modseqs seen, per mailbox
	log     []string
}

var modelKeywords = []string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`, "$Forwarded", "work", "home", "later", "$Junk"}

func TestRandomOperationsAgreeWithASimpleModel(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		seed, steps := uint64(time.Now().UnixNano()), 1500
		if f.db.Dialect() != 0 {
			steps = 300
		}
		if testing.Short() {
			steps /= 5
		}
		t.Logf("seed %d", seed)
		w := &modelWorld{t: t, f: f, r: rand.New(rand.NewPCG(seed, 1)), a: f.account(1), boxes: map[string]*modelBox{}, marks: map[string][]uint64{}}
		for _, name := range []string{"INBOX", "Archive", "Sent"} {
			w.boxes[name] = &modelBox{uidnext: 1, gone: map[uint32]uint64{}}
		}
		for range 4 {
			w.join()
		}
		for range steps {
			w.step()
			if t.Failed() {
				t.Fatalf("the last steps were\n%s", strings.Join(w.log[max(0, len(w.log)-30):], "\n"))
			}
		}
		for _, c := range w.clients {
			w.sync(c, true)
		}
		w.compareAll()
	})
}

func (w *modelWorld) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *modelWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v after\n%s", err, strings.Join(w.log[max(0, len(w.log)-10):], "\n"))
	}
}

func (w *modelWorld) anyBox() string {
	names := slices.Sorted(maps.Keys(w.boxes))
	return names[w.r.IntN(len(names))]
}

func (w *modelWorld) join() *modelClient {
	c := &modelClient{box: w.anyBox()}
	var err error
	c.view, err = w.a.Select(ctx, c.box, SelectOptions{})
	w.must(err)
	c.known = w.copyOf(w.boxes[c.box])
	w.clients = append(w.clients, c)
	return c
}

func (w *modelWorld) copyOf(b *modelBox) []modelMessage {
	out := make([]modelMessage, len(b.messages))
	for i, m := range b.messages {
		out[i] = modelMessage{m.uid, maps.Clone(m.flags), m.text}
	}
	return out
}

func (w *modelWorld) step() {
	c := w.clients[w.r.IntN(len(w.clients))]
	switch n := w.r.IntN(100); {
	case n < 22:
		w.deliver()
	case n < 27:
		w.append()
	case n < 47:
		w.store(c)
	case n < 54:
		w.transfer(c, false)
	case n < 60:
		w.transfer(c, true)
	case n < 68:
		w.expunge(c)
	case n < 80:
		w.sync(c, w.r.IntN(3) > 0)
	case n < 86:
		w.read(c)
	case n < 90:
		w.since(c)
	case n < 94:
		w.note("leave and join")
		c.view.Close()
		w.clients = slices.DeleteFunc(w.clients, func(o *modelClient) bool { return o == c })
		w.join()
	case n < 96:
		w.note("reap")
		w.f.reap()
	case n < 97:
		w.renameInbox()
	case n < 98:
		w.restart()
	default:
		w.compareAll()
	}
}

func (w *modelWorld) letter() string {
	w.letters++
	n := w.letters
	if n%7 == 0 {
		n-- // sometimes the bytes are the same
	}
	return string(letter(fmt.Sprint("letter ", n), 300+n%5*700))
}

func (w *modelWorld) someFlags() []string {
	var out []string
	for _, f := range modelKeywords {
		if w.r.IntN(5) == 0 {
			out = append(out, f)
		}
	}
	return out
}

func flagSet(names []string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		set[n] = true
	}
	return set
}

func (b *modelBox) add(text string, flags map[string]bool) uint32 {
	b.messages = append(b.messages, modelMessage{b.uidnext, flags, text})
	b.uidnext++
	return b.uidnext - 1
}

func (w *modelWorld) deliver() {
	name, flags, text := w.anyBox(), w.someFlags(), w.letter()
	uid := w.f.deliver(1, name, []byte(text), flags...)
	w.note("deliver %s %d %v", name, uid, flags)
	if want := w.boxes[name].add("Return-Path: <a@example.test>\r\n"+text, flagSet(flags)); want != uid {
		w.t.Errorf("delivered as %d instead of %d", uid, want)
	}
}

func (w *modelWorld) append() {
	name := w.anyBox()
	var items []AppendItem
	var want []uint32
	for range 1 + w.r.IntN(3) {
		text, flags := w.letter(), w.someFlags()
		items = append(items, AppendItem{Prepared: w.f.prepare([]byte(text)), Flags: flags})
		want = append(want, w.boxes[name].add(text, flagSet(flags)))
	}
	_, uids, err := w.a.Append(ctx, name, items)
	w.must(err)
	w.note("append %s %v", name, uids)
	if !slices.Equal(uids, want) {
		w.t.Errorf("appended as %v instead of %v", uids, want)
	}
}

// pick gives some UIDs of the client's picture, ascending: a run, a sprinkle, or all.
func (w *modelWorld) pick(c *modelClient) []uint32 {
	var uids []uint32
	switch w.r.IntN(3) {
	case 0:
		for _, m := range c.known {
			uids = append(uids, m.uid)
		}
	case 1:
		for _, m := range c.known {
			if w.r.IntN(3) == 0 {
				uids = append(uids, m.uid)
			}
		}
	default:
		if n := len(c.known); n > 0 {
			from := w.r.IntN(n)
			for _, m := range c.known[from:min(n, from+1+w.r.IntN(40))] {
				uids = append(uids, m.uid)
			}
		}
	}
	return uids
}

func (b *modelBox) find(uid uint32) *modelMessage {
	i := sort.Search(len(b.messages), func(i int) bool { return b.messages[i].uid >= uid })
	if i < len(b.messages) && b.messages[i].uid == uid {
		return &b.messages[i]
	}
	return nil
}

func (w *modelWorld) store(c *modelClient) {
	op := StoreOp{UIDs: w.pick(c), Mode: StoreMode(w.r.IntN(3)), Flags: w.someFlags(), Silent: w.r.IntN(2) == 0}
	res, err := c.view.Store(ctx, op)
	w.must(err)
	w.note("store %s %v %d %v silent %v", c.box, op.UIDs, op.Mode, op.Flags, op.Silent)
	b := w.boxes[c.box]
	var changed, missing []uint32
	for _, uid := range op.UIDs {
		m := b.find(uid)
		if m == nil {
			missing = append(missing, uid)
			continue
		}
		before := maps.Clone(m.flags)
		if op.Mode == Set {
			m.flags = map[string]bool{}
		}
		for _, f := range op.Flags {
			if op.Mode == Remove {
				delete(m.flags, f)
			} else {
				m.flags[f] = true
			}
		}
		if !maps.Equal(before, m.flags) {
			changed = append(changed, uid)
		}
		if op.Silent && maps.Equal(before, c.flagsOf(uid)) {
			// The client knew the flags as they were: it works out the new ones itself.
			c.setFlags(uid, m.flags)
		}
	}
	if !slices.Equal(res.Changed, changed) || !slices.Equal(res.Missing, missing) {
		w.t.Errorf("store changed %v and missed %v instead of %v and %v", res.Changed, res.Missing, changed, missing)
	}
}

func (c *modelClient) flagsOf(uid uint32) map[string]bool {
	for _, m := range c.known {
		if m.uid == uid {
			return m.flags
		}
	}
	return nil
}

func (c *modelClient) setFlags(uid uint32, flags map[string]bool) {
	for i := range c.known {
		if c.known[i].uid == uid {
			c.known[i].flags = maps.Clone(flags)
		}
	}
}

func (w *modelWorld) transfer(c *modelClient, move bool) {
	to, uids := w.anyBox(), w.pick(c)
	var res CopyResult
	var err error
	before := w.f.mailbox(w.a, c.box).HighestModSeq
	if move {
		res, err = c.view.Move(ctx, uids, to)
	} else {
		res, err = c.view.Copy(ctx, uids, to)
	}
	w.must(err)
	w.note("transfer %s %v to %s, move %v", c.box, uids, to, move)
	src, dst := w.boxes[c.box], w.boxes[to]
	var from, at []uint32
	for _, uid := range uids {
		if m := src.find(uid); m != nil {
			from = append(from, uid)
			at = append(at, dst.add(m.text, maps.Clone(m.flags)))
		}
	}
	if !slices.Equal(res.Src, from) || !slices.Equal(res.Dst, at) {
		w.t.Errorf("copied %v to %v instead of %v to %v", res.Src, res.Dst, from, at)
	}
	if move {
		src.remove(from, before)
	}
}

func (b *modelBox) remove(uids []uint32, before uint64) {
	b.messages = slices.DeleteFunc(b.messages, func(m modelMessage) bool {
		if !slices.Contains(uids, m.uid) {
			return false
		}
		b.gone[m.uid] = before
		return true
	})
}

func (w *modelWorld) expunge(c *modelClient) {
	b := w.boxes[c.box]
	var uids []uint32
	if w.r.IntN(2) == 0 {
		if uids = w.pick(c); uids == nil {
			uids = []uint32{}
		}
	}
	var want []uint32
	for _, m := range b.messages {
		if m.flags[`\Deleted`] && (uids == nil || slices.Contains(uids, m.uid)) {
			want = append(want, m.uid)
		}
	}
	before := w.f.mailbox(w.a, c.box).HighestModSeq
	got, _, err := c.view.Expunge(ctx, uids)
	w.must(err)
	w.note("expunge %s %v", c.box, got)
	if !slices.Equal(got, want) {
		w.t.Errorf("expunged %v instead of %v", got, want)
	}
	b.remove(want, before)
}

// sync lets the client hear, and checks that it then knows what its picture should hold.
func (w *modelWorld) sync(c *modelClient, allow bool) {
	b := w.boxes[c.box]
	u, err := c.view.Sync(allow)
	w.must(err)
	w.note("sync %s %v: %+v", c.box, allow, u)
	if !allow && len(u.Expunged) > 0 {
		w.t.Error("an expunge was told when it must not be")
	}
	for _, e := range u.Expunged {
		if int(e.Seq) > len(c.known) || c.known[e.Seq-1].uid != e.UID {
			w.t.Fatalf("EXPUNGE %d is not UID %d for the client", e.Seq, e.UID)
		}
		c.known = slices.Delete(c.known, int(e.Seq)-1, int(e.Seq))
	}
	if u.Exists >= 0 {
		if u.Exists <= len(c.known) {
			w.t.Fatalf("EXISTS %d to a client that knows %d", u.Exists, len(c.known))
		}
		for seq := len(c.known) + 1; seq <= u.Exists; seq++ {
			uid, ok := c.view.UIDAt(uint32(seq))
			if !ok {
				w.t.Fatalf("no UID at %d", seq)
			}
			c.known = append(c.known, modelMessage{uid: uid, flags: w.fetchFlags(c, uid)})
		}
	}
	for _, uid := range u.Changed {
		c.setFlags(uid, w.fetchFlags(c, uid))
	}
	w.compareClient(c, b, allow)
}

func (w *modelWorld) fetchFlags(c *modelClient, uid uint32) map[string]bool {
	m, ok := c.view.Get(uid)
	if !ok {
		w.t.Fatalf("UID %d is not in the view", uid)
	}
	return flagSet(c.view.FlagNames(m.Flags))
}

func (w *modelWorld) compareClient(c *modelClient, b *modelBox, all bool) {
	w.t.Helper()
	if c.view.Len() != len(c.known) {
		w.t.Fatalf("the view of %s holds %d, its client knows %d", c.box, c.view.Len(), len(c.known))
	}
	if all && len(c.known) != len(b.messages) {
		w.t.Fatalf("the client of %s knows %d of %d", c.box, len(c.known), len(b.messages))
	}
	uids := c.view.UIDs()
	for i, k := range c.known {
		if uids[i] != k.uid {
			w.t.Fatalf("sequence number %d is UID %d, the client thinks %d", i+1, uids[i], k.uid)
		}
		if m := b.find(k.uid); m != nil {
			if !maps.Equal(m.flags, k.flags) {
				w.t.Fatalf("UID %d of %s: the client knows %v, it has %v", k.uid, c.box, k.flags, m.flags)
			}
		} else if all {
			w.t.Fatalf("the client still knows UID %d of %s", k.uid, c.box)
		}
	}
}

// read opens a message of the client's picture, which must work whether or not it was expunged.
func (w *modelWorld) read(c *modelClient) {
	if len(c.known) == 0 {
		return
	}
	k := c.known[w.r.IntN(len(c.known))]
	text, err := body(c.view, k.uid)
	w.must(err)
	if m := w.boxes[c.box].find(k.uid); m != nil && m.text != text {
		w.t.Errorf("UID %d of %s reads otherwise", k.uid, c.box)
	}
}

// since asks as a client does that comes back with an old modseq.
func (w *modelWorld) since(c *modelClient) {
	w.sync(c, true)
	w.marks[c.box] = append(w.marks[c.box], c.view.HighestModSeq())
	mark := w.marks[c.box][w.r.IntN(len(w.marks[c.box]))]
	vanished, err := c.view.VanishedSince(ctx, mark)
	w.must(err)
	b := w.boxes[c.box]
	for uid, before := range b.gone {
		if before >= mark && !slices.Contains(vanished, uid) {
			w.t.Errorf("UID %d went after modseq %d and is not among the vanished", uid, mark)
		}
	}
	for _, uid := range vanished {
		if b.find(uid) != nil || uid >= b.uidnext {
			w.t.Errorf("UID %d has not vanished", uid)
		}
	}
	changed, err := c.view.ChangedSince(ctx, mark, nil)
	w.must(err)
	err = c.view.Each(nil, func(m Message) bool {
		if (m.ModSeq > mark) != slices.Contains(changed, m.UID) {
			w.t.Errorf("UID %d with modseq %d, since %d", m.UID, m.ModSeq, mark)
		}
		return true
	})
	w.must(err)
}

func (w *modelWorld) renameInbox() {
	w.note("rename INBOX")
	name := fmt.Sprint("Old/", len(w.log))
	before := w.f.mailbox(w.a, Inbox).HighestModSeq
	w.must(w.a.RenameMailbox(ctx, Inbox, name))
	inbox := w.boxes[Inbox]
	w.boxes[name] = &modelBox{messages: inbox.messages, uidnext: inbox.uidnext, gone: map[uint32]uint64{}}
	if len(inbox.messages) == 0 {
		w.boxes[name].uidnext = 1
	}
	for _, m := range inbox.messages {
		inbox.gone[m.uid] = before
	}
	inbox.messages = nil
	if len(w.boxes) > 6 {
		w.deleteOne()
	}
}

func (w *modelWorld) deleteOne() {
	for _, name := range slices.Sorted(maps.Keys(w.boxes)) {
		if !strings.HasPrefix(name, "Old/") {
			continue
		}
		w.note("delete %s", name)
		w.must(w.a.DeleteMailbox(ctx, name))
		delete(w.boxes, name)
		for _, c := range slices.Clone(w.clients) {
			if c.box == name {
				c.view.Close()
				w.clients = slices.DeleteFunc(w.clients, func(o *modelClient) bool { return o == c })
				w.join()
			}
		}
		return
	}
}

func (w *modelWorld) restart() {
	w.note("restart")
	for _, c := range w.clients {
		c.view.Close()
	}
	n := len(w.clients)
	w.clients = nil
	w.f.reopen()
	w.a = w.f.Account(1)
	for range n {
		w.join()
	}
}

func (w *modelWorld) compareAll() {
	for name, b := range w.boxes {
		m := w.f.mailbox(w.a, name)
		if int(m.Messages) != len(b.messages) || m.UIDNext != b.uidnext {
			w.t.Errorf("%s holds %d and goes on at %d, not %d and %d", name, m.Messages, m.UIDNext, len(b.messages), b.uidnext)
		}
	}
	report, err := w.f.Verify(context.Background(), nil)
	w.must(err)
	for _, d := range report.Damage {
		w.t.Errorf("damage: %s", d)
	}
}
