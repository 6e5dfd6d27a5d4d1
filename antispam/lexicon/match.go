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
	m.n, m.Quoted, m.found, m.sums, m.kinds = 0, false, m.found[:0], [Kinds]int{}, [Kinds]int{}
	if m.seen == nil {
		m.seen = make([]bool, len(m.Lexicon.phrases))
	}
}

// End says that the text has ended: no phrase goes on in the next one.
func (m *Matcher) End() { m.n = 0 }

// Word takes the next word of the text.
func (m *Matcher) Word(w *words.Word) {
	h := w.Hash
	if w.Digits && !w.Letters {
		h = number
	}
	kept, b := 0, bit(h)
	for _, o := range m.open[:m.n] {
		if o.follow&b == 0 {
			continue
		}
		if p, ok := m.Lexicon.next.Get(step(o.at, h)); ok {
			m.met(p)
			kept = m.goOn(kept, p)
		}
	}
	if p, ok := m.Lexicon.first.Get(h); ok {
		m.met(p)
		if kept < maxOpen {
			kept = m.goOn(kept, p)
		}
	}
	m.n = kept
}

// goOn keeps a phrase that is under way, unless it has come to its end, and gives how many are.
func (m *Matcher) goOn(kept int, p place) int {
	follow := m.Lexicon.follow[p.at]
	if follow == 0 {
		return kept
	}
	m.open[kept] = opened{p.at, follow}
	return kept + 1
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
