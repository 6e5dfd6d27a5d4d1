package lexicon

import "postern/antispam/words"

// maxOpen bounds the phrases that are under way at once; no text needs more.
const maxOpen = 16

// Matcher follows texts and counts the different phrases that it met. The zero value with a Lexicon is ready.
type Matcher struct {
	Lexicon *Lexicon
	// Quoted says that what comes is quoted from somebody else: a phrase that is met there first weighs half. People ask
	// their friends whether a letter is a fraud, and their administrators warn of it.
	Quoted bool

	before uint64 // the word before, 0 at the beginning of a text

	open  [maxOpen]opened
	n     int
	seen  []bool
	found []int32
	sums  [Kinds]int
	kinds [Kinds]int
}

// opened is a phrase under way: the place that it has come to, and the bits of the words that lead on from there.
type opened struct {
	at     int32
	follow uint64
}

// Reset forgets everything that was met.
func (m *Matcher) Reset() {
	for _, p := range m.found {
		m.seen[p] = false
	}
	m.n, m.before, m.Quoted, m.found, m.sums, m.kinds = 0, 0, false, m.found[:0], [Kinds]int{}, [Kinds]int{}
	if m.seen == nil {
		m.seen = make([]bool, len(m.Lexicon.phrases))
	}
}

// End says that the text has ended: no phrase goes on in the next one.
func (m *Matcher) End() { m.n, m.before = 0, 0 }

// Word takes the next word of the text.
func (m *Matcher) Word(w *words.Word) {
	h := w.Hash
	if w.Digits && !w.Letters {
		h = number
	}
	if m.n > 0 {
		m.follow(h)
	}
	if m.before != 0 {
		if p, ok := m.Lexicon.pairs.Get(words.Join(m.before, h)); ok {
			m.met(p)
			m.goOn(p)
		}
	}
	if p, ok := m.Lexicon.single.Get(h); ok {
		m.met(p)
	}
	m.before = h
}

// follow leads the phrases on that are under way.
func (m *Matcher) follow(word uint64) {
	open, b := m.open[:m.n], bit(word)
	m.n = 0
	for _, o := range open { // no more are kept than were read
		if o.follow&b == 0 {
			continue
		}
		if p, ok := m.Lexicon.next.Get(step(o.at, word)); ok {
			m.met(p)
			m.goOn(p)
		}
	}
}

// goOn keeps a phrase that is under way, unless it has come to its end.
func (m *Matcher) goOn(p place) {
	if follow := m.Lexicon.follow[p.at]; follow != 0 && m.n < maxOpen {
		m.open[m.n] = opened{p.at, follow}
		m.n++
	}
}

func (m *Matcher) met(p place) {
	if p.phrase == 0 || m.seen[p.phrase-1] {
		return
	}
	i := p.phrase - 1
	m.seen[i] = true
	m.found = append(m.found, i)
	weight := m.Lexicon.phrases[i].weight
	if m.Quoted {
		weight = (weight + 1) / 2
	}
	m.sums[m.Lexicon.phrases[i].kind] += weight
	m.kinds[m.Lexicon.phrases[i].kind]++
}

// Weight is the sum of the weights of the different phrases of a kind that were met; 10 is one telling phrase.
func (m *Matcher) Weight(k Kind) int { return m.sums[k] }

// Count is the number of different phrases of a kind that were met.
func (m *Matcher) Count(k Kind) int { return m.kinds[k] }

// Found gives the phrases of a kind that were met, in the order of meeting.
func (m *Matcher) Found(k Kind) []string {
	var list []string
	for _, i := range m.found {
		if p := m.Lexicon.phrases[i]; p.kind == k {
			list = append(list, p.text)
		}
	}
	return list
}
