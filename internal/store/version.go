package store

import (
	"slices"
	"sort"
	"sync/atomic"
)

// chunkRows is how many messages a chunk holds at most: what a change of one flag copies.
const chunkRows = 256

// chunk is a run of messages in UID order. Chunks are immutable but for one thing: the columns may grow behind the
// length that older chunks see, which only the newest version of a mailbox does, on the committer.
type chunk struct {
	uids      []uint32
	flags     []Flags
	modseqs   []uint64
	sizes     []uint32
	internal  []int64
	originals []int64
	blobs     []int64
}

// row is one message as the list holds it.
type row struct {
	uid      uint32
	size     uint32
	flags    Flags
	modseq   uint64
	internal int64
	original int64
	blob     int64
}

// newChunk makes an empty chunk with room for n rows before its columns must grow.
func newChunk(n int) *chunk {
	n = max(1, min(n, chunkRows))
	return &chunk{
		uids: make([]uint32, 0, n), flags: make([]Flags, 0, n), modseqs: make([]uint64, 0, n), sizes: make([]uint32, 0, n),
		internal: make([]int64, 0, n), originals: make([]int64, 0, n), blobs: make([]int64, 0, n),
	}
}

// rowBytes is what one message costs in memory.
const rowBytes = 4 + 8 + 8 + 4 + 8 + 8 + 8

func (c *chunk) len() int { return len(c.uids) }

func (c *chunk) row(i int) row {
	return row{c.uids[i], c.sizes[i], c.flags[i], c.modseqs[i], c.internal[i], c.originals[i], c.blobs[i]}
}

// with gives a chunk that has r behind what c has. c must not be full, and must be the newest of its line.
func (c *chunk) with(r row) *chunk {
	return &chunk{
		uids: append(c.uids, r.uid), flags: append(c.flags, r.flags), modseqs: append(c.modseqs, r.modseq),
		sizes: append(c.sizes, r.size), internal: append(c.internal, r.internal),
		originals: append(c.originals, r.original), blobs: append(c.blobs, r.blob),
	}
}

// forFlags gives a copy whose flags and modseqs may be written; the rest is shared.
func (c *chunk) forFlags() *chunk {
	n := *c
	n.flags = slices.Clone(c.flags)
	n.modseqs = slices.Clone(c.modseqs)
	return &n
}

// list is the messages of a mailbox in UID order: an immutable value, cheap to derive others from.
type list struct {
	chunks []*chunk
	starts []uint32 // number of messages before each chunk
	n      int
	flat   atomic.Pointer[[]uint32]
}

func listOf(chunks []*chunk) *list {
	l := &list{chunks: chunks, starts: make([]uint32, len(chunks))}
	for i, c := range chunks {
		l.starts[i] = uint32(l.n)
		l.n += c.len()
	}
	return l
}

// listBuilder makes a list from rows that come in UID order; expected is how many come, roughly.
type listBuilder struct {
	expected int
	chunks   []*chunk
	last     *chunk
}

func (b *listBuilder) add(r row) {
	if b.last == nil || b.last.len() == chunkRows {
		b.last = newChunk(b.expected - chunkRows*len(b.chunks))
		b.chunks = append(b.chunks, b.last)
	}
	b.last.add(r)
}

func (b *listBuilder) list() *list { return listOf(b.chunks) }

// bytes is roughly what the list costs in memory.
func (l *list) bytes() int64 { return int64(l.n)*rowBytes + int64(len(l.chunks))*300 }

// uids gives all UIDs in one slice that the caller must not change.
func (l *list) uids() []uint32 {
	if flat := l.flat.Load(); flat != nil {
		return *flat
	}
	flat := make([]uint32, 0, l.n)
	for _, c := range l.chunks {
		flat = append(flat, c.uids...)
	}
	l.flat.Store(&flat)
	return flat
}

// at gives the place of the message at position i, counted from 0.
func (l *list) at(i int) (c *chunk, k int) {
	j := sort.Search(len(l.starts), func(j int) bool { return int(l.starts[j]) > i }) - 1
	return l.chunks[j], i - int(l.starts[j])
}

// find gives the position of a UID, or of the next larger one when it is not there.
func (l *list) find(uid uint32) (pos int, ok bool) {
	j := sort.Search(len(l.chunks), func(j int) bool { c := l.chunks[j]; return c.uids[c.len()-1] >= uid })
	if j == len(l.chunks) {
		return l.n, false
	}
	k, ok := slices.BinarySearch(l.chunks[j].uids, uid)
	return int(l.starts[j]) + k, ok
}

// appended gives the list with rows behind it. Only the newest list of a mailbox may be appended to.
func (l *list) appended(rows ...row) *list {
	chunks := slices.Clone(l.chunks)
	for _, r := range rows {
		if n := len(chunks); n > 0 && chunks[n-1].len() < chunkRows {
			chunks[n-1] = chunks[n-1].with(r)
		} else {
			chunks = append(chunks, newChunk(1).with(r))
		}
	}
	return listOf(chunks)
}

// walk calls fn for each of the given UIDs that is in the list, in order; nil means all. The UIDs must ascend.
func (l *list) walk(uids []uint32, fn func(pos int, c *chunk, k int) bool) {
	if uids == nil {
		pos := 0
		for _, c := range l.chunks {
			for k := range c.uids {
				if !fn(pos, c, k) {
					return
				}
				pos++
			}
		}
		return
	}
	for j := 0; len(uids) > 0 && j < len(l.chunks); j++ {
		c := l.chunks[j]
		if c.uids[c.len()-1] < uids[0] {
			j += sort.Search(len(l.chunks)-j, func(i int) bool { d := l.chunks[j+i]; return d.uids[d.len()-1] >= uids[0] }) - 1
			continue
		}
		k := 0
		for len(uids) > 0 && uids[0] <= c.uids[c.len()-1] {
			if c.uids[k] != uids[0] {
				d, found := slices.BinarySearch(c.uids[k:], uids[0])
				k += d
				if !found {
					uids = uids[1:]
					continue
				}
			}
			if !fn(int(l.starts[j])+k, c, k) {
				return
			}
			uids = uids[1:]
			if k++; k == c.len() {
				break
			}
		}
	}
}

// changed gives the list with fn applied to the flags and modseq of each given UID; fn tells whether it changed them.
func (l *list) changed(uids []uint32, fn func(uid uint32, flags *Flags, modseq *uint64) bool) *list {
	chunks := slices.Clone(l.chunks)
	last, fresh := -1, (*chunk)(nil)
	l.walk(uids, func(pos int, c *chunk, k int) bool {
		f, m := c.flags[k], c.modseqs[k]
		if !fn(c.uids[k], &f, &m) {
			return true
		}
		if last < 0 || l.chunks[last] != c {
			for last++; l.chunks[last] != c; last++ {
			}
			fresh = c.forFlags()
			chunks[last] = fresh
		}
		fresh.flags[k], fresh.modseqs[k] = f, m
		return true
	})
	n := &list{chunks: chunks, starts: l.starts, n: l.n}
	n.flat.Store(l.flat.Load())
	return n
}

// without gives the list less the given UIDs, which must ascend.
func (l *list) without(uids []uint32) *list {
	chunks := make([]*chunk, 0, len(l.chunks))
	for _, c := range l.chunks {
		for len(uids) > 0 && uids[0] < c.uids[0] {
			uids = uids[1:]
		}
		n := 0
		for n < len(uids) && uids[n] <= c.uids[c.len()-1] {
			n++
		}
		if n > 0 {
			c = c.without(uids[:n])
			uids = uids[n:]
		}
		if c.len() > 0 {
			chunks = append(chunks, c)
		}
	}
	return listOf(merged(chunks))
}

func (c *chunk) without(uids []uint32) *chunk {
	n := newChunk(c.len())
	for k, uid := range c.uids {
		for len(uids) > 0 && uids[0] < uid {
			uids = uids[1:]
		}
		if len(uids) > 0 && uids[0] == uid {
			continue
		}
		n.add(c.row(k))
	}
	return n
}

// add puts a row into a chunk that nobody else has seen yet.
func (c *chunk) add(r row) {
	c.uids = append(c.uids, r.uid)
	c.flags = append(c.flags, r.flags)
	c.modseqs = append(c.modseqs, r.modseq)
	c.sizes = append(c.sizes, r.size)
	c.internal = append(c.internal, r.internal)
	c.originals = append(c.originals, r.original)
	c.blobs = append(c.blobs, r.blob)
}

// merged joins neighbours that have become small, so that expunging one by one does not leave a crumb per chunk.
func merged(chunks []*chunk) []*chunk {
	out := chunks[:0]
	for _, c := range chunks {
		if n := len(out); n > 0 && out[n-1].len()+c.len() <= chunkRows/2 {
			joined := newChunk(out[n-1].len() + c.len())
			for _, part := range []*chunk{out[n-1], c} {
				for k := range part.uids {
					joined.add(part.row(k))
				}
			}
			out[n-1] = joined
			continue
		}
		out = append(out, c)
	}
	return out
}

// version is one mailbox as it was after one commit: an immutable value. The list is nil while nobody needs it.
type version struct {
	id, account int64
	name        string
	specialUse  string
	uidvalidity uint32
	uidnext     uint32
	highest     uint64
	floor       uint64 // tombstones up to this modseq may be gone
	messages    uint32
	unseen      uint32
	deleted     uint32
	size        int64
	words       *dictionary
	list        *list
	shuffles    int  // counts changes other than appending, so that a load that overlapped one is seen
	gone        bool // the mailbox was deleted
	rowIsFresh  bool // nothing to flush
}

// add counts a message in.
func (v *version) add(f Flags, size int64) {
	v.messages++
	v.size += size
	if f&Seen == 0 {
		v.unseen++
	}
	if f&Deleted != 0 {
		v.deleted++
	}
}

// drop counts a message out.
func (v *version) drop(f Flags, size int64) {
	v.messages--
	v.size -= size
	if f&Seen == 0 {
		v.unseen--
	}
	if f&Deleted != 0 {
		v.deleted--
	}
}

// reflag moves the counters from one set of flags to another.
func (v *version) reflag(from, to Flags) {
	switch {
	case from&Seen == 0 && to&Seen != 0:
		v.unseen--
	case from&Seen != 0 && to&Seen == 0:
		v.unseen++
	}
	switch {
	case from&Deleted == 0 && to&Deleted != 0:
		v.deleted++
	case from&Deleted != 0 && to&Deleted == 0:
		v.deleted--
	}
}
