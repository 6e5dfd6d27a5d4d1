package store

import "slices"

// Expunge is one message that went: its sequence number at its turn, and its UID.
type Expunge struct{ Seq, UID uint32 }

// Update is what happened since the last Sync, in the order in which a session tells it: first the expunges, then the
// new number of messages, then flags.
type Update struct {
	Expunged      []Expunge // ascending; each Seq is valid once those before it were told
	Vanished      []uint32  // the same UIDs, for VANISHED
	Exists        int       // the new number of messages when some arrived, -1 otherwise
	Changed       []uint32  // UIDs of known messages whose flags changed; ascending
	FlagsList     bool      // the mailbox has new keywords: send FLAGS again
	HighestModSeq uint64
}

// Empty tells whether there is nothing to tell.
func (u *Update) Empty() bool {
	return len(u.Expunged) == 0 && u.Exists < 0 && len(u.Changed) == 0 && !u.FlagsList
}

// Notify has fn called when Sync may have something to give; once, until the next Sync. fn runs where commits are made
// and must only signal: it must not block and must not call the view. nil ends it.
func (v *View) Notify(fn func()) {
	if fn == nil {
		v.notify.Store(nil)
		return
	}
	v.notify.Store(&fn)
	if v.woken.Load() {
		fn()
	}
}

// wake is called when the mailbox has a new version.
func (v *View) wake() {
	if v.woken.Swap(true) {
		return
	}
	if fn := v.notify.Load(); fn != nil {
		(*fn)()
	}
}

// Sync brings the view up to date and tells what changed. While allowExpunge is false (RFC 9051 7.5.1: during FETCH,
// STORE and SEARCH) expunged messages stay in the view, so that sequence numbers hold. It fails with [ErrGone] once the
// mailbox is deleted.
func (v *View) Sync(allowExpunge bool) (Update, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.woken.Store(false)
	told := v.b.st.counters.Load().modseq
	cur := v.b.cur.Load()
	u := Update{Exists: -1, HighestModSeq: v.highest}
	if cur.gone || cur.list == nil {
		return u, ErrGone
	}
	if cur.words != v.announced {
		u.FlagsList = !slices.Equal(cur.words.words, v.announced.words)
		v.announced = cur.words
	}
	v.words = cur.words
	if cur.list == v.synced && (v.ghosts == 0 || !allowExpunge) {
		if v.ghosts == 0 {
			v.inform(cur, told)
		}
		u.HighestModSeq = v.highest
		return u, nil
	}
	d := compare(v.picture, cur.list)
	u.Changed = d.changed
	v.synced = cur.list
	if len(d.gone) > 0 && !allowExpunge {
		v.picture, v.ghosts = withGhosts(v.picture, cur.list), len(d.gone)
	} else {
		u.Vanished, u.Expunged = d.gone, numbered(v.picture, d.gone)
		v.picture, v.ghosts = cur.list, 0
		v.inform(cur, told)
		v.a.s.reaper.told(v.a.id)
	}
	if d.arrived > 0 {
		u.Exists = v.picture.n
	}
	u.HighestModSeq = v.highest
	return u, nil
}

// inform notes that the session knows all there is. While ghosts remain the old modseq stands: a client that kept a
// newer one would never learn of the expunges (RFC 7162 3.2.7).
func (v *View) inform(cur *version, told uint64) {
	v.highest = cur.highest
	v.told.Store(told)
}

// difference between what a view knew and what is.
type difference struct {
	gone    []uint32
	changed []uint32
	arrived int
}

// compare walks two lists of one mailbox; runs that they share cost nothing.
func compare(old, now *list) (d difference) {
	i, j, k, l := 0, 0, 0, 0 // chunk i, row k of old; chunk j, row l of now
	for i < len(old.chunks) && j < len(now.chunks) {
		p, q := old.chunks[i], now.chunks[j]
		if p == q && k == 0 && l == 0 {
			i, j = i+1, j+1
			continue
		}
		switch {
		case p.uids[k] == q.uids[l]:
			if p.modseqs[k] != q.modseqs[l] {
				d.changed = append(d.changed, p.uids[k])
			}
			k, l = k+1, l+1
		case p.uids[k] < q.uids[l]:
			d.gone = append(d.gone, p.uids[k])
			k++
		default:
			d.arrived++
			l++
		}
		if k == p.len() {
			i, k = i+1, 0
		}
		if l == q.len() {
			j, l = j+1, 0
		}
	}
	for ; i < len(old.chunks); i, k = i+1, 0 {
		d.gone = append(d.gone, old.chunks[i].uids[k:]...)
	}
	for ; j < len(now.chunks); j, l = j+1, 0 {
		d.arrived += now.chunks[j].len() - l
	}
	return d
}

// numbered gives each expunged UID the sequence number it has when those before it are gone.
func numbered(l *list, gone []uint32) []Expunge {
	if len(gone) == 0 {
		return nil
	}
	out := make([]Expunge, 0, len(gone))
	l.walk(gone, func(pos int, c *chunk, k int) bool {
		out = append(out, Expunge{Seq: uint32(pos - len(out) + 1), UID: c.uids[k]})
		return true
	})
	return out
}

// withGhosts is the newest list with those messages of the old one that are gone put back in their places.
func withGhosts(old, now *list) *list {
	b := listBuilder{expected: old.n}
	pos := 0
	var next *row
	step := func() {
		next = nil
		if pos < now.n {
			c, k := now.at(pos)
			r := c.row(k)
			next, pos = &r, pos+1
		}
	}
	step()
	old.walk(nil, func(_ int, c *chunk, k int) bool {
		for next != nil && next.uid < c.uids[k] {
			b.add(*next)
			step()
		}
		if next != nil && next.uid == c.uids[k] {
			b.add(*next)
			step()
		} else {
			b.add(c.row(k))
		}
		return true
	})
	for next != nil {
		b.add(*next)
		step()
	}
	return b.list()
}

// accept makes the view know a change of its own, so that Sync does not tell it; but where another session had changed
// the same message before, Sync still must.
func (v *View) accept(before, after *list, uids []uint32, words *dictionary) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.words = words
	if v.picture == before && v.synced == before {
		v.picture, v.synced = after, after
		return
	}
	v.picture = v.picture.changed(uids, func(uid uint32, flags *Flags, modseq *uint64) bool {
		pos, ok := before.find(uid)
		if !ok {
			return false
		}
		if c, k := before.at(pos); c.modseqs[k] != *modseq {
			return false
		}
		pos, _ = after.find(uid)
		c, k := after.at(pos)
		*flags, *modseq = c.flags[k], c.modseqs[k]
		return true
	})
}
