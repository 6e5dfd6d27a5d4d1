package learn

import (
	"math/bits"
	"math/rand/v2"
	"sync/atomic"

	"postern/antispam/bayes"
)

// model is a [bayes.Model] in memory. It is read without locks while one goroutine at a time changes it.
type model struct {
	table  atomic.Pointer[table]
	totals atomic.Uint64
}

// table is a hash table with open addressing: 16 bytes a slot, at most three of four taken.
type table struct {
	slots []slotPair
	used  int    // written by the one that changes it
	seed  uint64 // nobody can choose words that meet in one place
}

// slotPair is a token and its counts. A token that was written stays; 0 is a free slot.
type slotPair struct{ token, counts atomic.Uint64 }

// instead stands for the token 0.
const instead = 0x9e3779b97f4a7c15

func pack(c bayes.Count) uint64 { return uint64(c.Spam)<<32 | uint64(c.Ham) }

func unpack(n uint64) bayes.Count { return bayes.Count{Spam: uint32(n >> 32), Ham: uint32(n)} }

// newModel makes room for so many tokens.
func newModel(tokens int) *model {
	m := &model{}
	m.table.Store(newTable(tokens))
	return m
}

func newTable(tokens int) *table {
	return &table{slots: make([]slotPair, tokens+tokens/3+8), seed: rand.Uint64() | 1}
}

// Totals is how many messages of each class were learnt.
func (m *model) Totals() bayes.Count { return unpack(m.totals.Load()) }

// Counts fills counts.
func (m *model) Counts(tokens []bayes.Token, counts []bayes.Count) {
	t := m.table.Load()
	for i, token := range tokens {
		counts[i] = bayes.Count{}
		if s, found := t.find(token); found {
			counts[i] = unpack(s.counts.Load())
		}
	}
}

// bytes is what the model takes in memory.
func (m *model) bytes() int64 { return int64(len(m.table.Load().slots))*16 + 128 }

// set replaces the counts of a token.
func (m *model) set(token bayes.Token, c bayes.Count) {
	t := m.table.Load()
	s, found := t.find(token)
	switch {
	case found:
		s.counts.Store(pack(c))
		return
	case c == (bayes.Count{}):
		return
	case (t.used+1)*4 > len(t.slots)*3:
		t = t.grown()
		m.table.Store(t)
		s, _ = t.find(token)
	}
	t.put(s, token, c)
}

// grown is a copy with more room and without what counts nothing.
func (t *table) grown() *table {
	live := 0
	for i := range t.slots {
		if t.slots[i].counts.Load() != 0 {
			live++
		}
	}
	n := newTable(live + live/2)
	for i := range t.slots {
		if token, counts := t.slots[i].token.Load(), t.slots[i].counts.Load(); counts != 0 {
			s, _ := n.find(bayes.Token(token))
			n.put(s, bayes.Token(token), unpack(counts))
		}
	}
	return n
}

// put fills a free slot. The counts are there before the token is.
func (t *table) put(s *slotPair, token bayes.Token, c bayes.Count) {
	s.counts.Store(pack(c))
	s.token.Store(nonzero(token))
	t.used++
}

func nonzero(token bayes.Token) uint64 {
	if token == 0 {
		return instead
	}
	return uint64(token)
}

// find gives a token's slot, or the free one where it would go.
func (t *table) find(token bayes.Token) (s *slotPair, found bool) {
	key := nonzero(token)
	at, _ := bits.Mul64(key*t.seed, uint64(len(t.slots)))
	for {
		s = &t.slots[at]
		switch s.token.Load() {
		case key:
			return s, true
		case 0:
			return s, false
		}
		if at++; at == uint64(len(t.slots)) {
			at = 0
		}
	}
}

// untaught is the model of an account that taught nothing.
type untaught struct{}

func (untaught) Totals() bayes.Count { return bayes.Count{} }

func (untaught) Counts(_ []bayes.Token, counts []bayes.Count) { clear(counts) }
