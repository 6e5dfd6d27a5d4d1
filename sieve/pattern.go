package sieve

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"postern/sieve/grammar"
)

// pattern is a key of :matches or :regex.
type pattern struct {
	expression *regexp.Regexp // of :regex
	size       int            // of its program, in instructions
	threads    int            // what a byte costs, in instructions
	bytes      int            // of its text
	fold       func(string) string
	caseless   bool    // fold is that of ASCII, done while comparing
	octets     bool    // a question mark is a byte, not a character
	pieces     []piece // of :matches
	wildcards  int
	never      bool // it could not be read
}

// piece of a wildcard pattern: a star, a question mark, or text as it is compared.
type piece struct {
	star, one bool
	slot      int16 // of a wildcard: what number it has, as far as what it meets can be asked for; else -1
	text      needle
}

// spans are where the wildcards begin and end that can be asked for.
type spans [2 * maxMatches]int

func (s *spans) set(p *piece, begin, end int) {
	if p.slot >= 0 {
		s[2*p.slot], s[2*p.slot+1] = begin, end
	}
}

const (
	// maxPieces is how many wildcards, and texts between them, one pattern of :matches may have.
	maxPieces = 1000
	// maxPatterns is what all patterns of a script may have together, in pieces and in instructions of expressions.
	maxPatterns = 60_000
)

// price is what making the pattern costs, in steps.
func (p *pattern) price() int {
	if p == nil {
		return 0
	}
	return 16*(p.size+len(p.pieces)) + 4*p.bytes
}

// tooManyPatterns: those that the script has are more than it may have, so no more are made.
func (c *compiler) tooManyPatterns() bool { return c.family.patterns > maxPatterns }

// countPattern adds up what the patterns of a script take.
func (c *compiler) countPattern(at grammar.Position, p *pattern) {
	if p == nil {
		return
	}
	if c.family.patterns += p.size + len(p.pieces); c.tooManyPatterns() {
		c.problem(at, "the patterns and regular expressions of the script are too costly together; have fewer of them")
	}
}

// pattern makes a wildcard pattern of a key: * is any text, ? one character, and a backslash takes their meaning away (RFC 5228 2.7.1).
func (c *comparator) pattern(key string) (*pattern, error) {
	p := &pattern{fold: c.fold, caseless: c.caseless, octets: c.name == "i;octet", bytes: len(key)}
	var literal []byte
	for i := 0; i < len(key) && len(p.pieces) <= maxPieces; i++ {
		switch {
		case key[i] == '*' || key[i] == '?':
			p.addText(literal)
			p.addWildcard(key[i] == '*')
			literal = literal[:0]
			continue
		case key[i] == '\\' && i+1 < len(key):
			i++
		}
		literal = append(literal, key[i])
	}
	p.addText(literal)
	if len(p.pieces) > maxPieces {
		return nil, fmt.Errorf("the pattern %q has more than %d wildcards and texts between them", clipText(key, 40), maxPieces)
	}
	return p, nil
}

// addText adds a piece of text. It is searched for if a star is before it.
func (p *pattern) addText(text []byte) {
	if len(text) == 0 {
		return
	}
	n := needle{key: p.fold(string(text))}
	if last := len(p.pieces) - 1; p.caseless && last >= 0 && p.pieces[last].star {
		n = newNeedle(n.key)
	}
	p.pieces = append(p.pieces, piece{text: n, slot: -1})
}

func (p *pattern) addWildcard(star bool) {
	slot := -1
	if p.wildcards < maxMatches {
		slot = p.wildcards
	}
	p.wildcards++
	p.pieces = append(p.pieces, piece{star: star, one: !star, slot: int16(slot)})
}

// match gives what the whole and each wildcard met, nil where the value does not match, and what that cost in steps, of which most
// are to be had. Each star meets as little as it can, from the left (RFC 5229 3.2).
func (p *pattern) match(value string, leaves bool, most int) (met []string, cost int) {
	if p.never {
		return nil, 1
	}
	if p.expression != nil {
		return p.matchExpression(value, leaves, most)
	}
	// Folding may change lengths; what is left for variables is then cut from the folded text.
	folded, shown := value, value
	if !p.caseless {
		folded = p.fold(value)
	}
	if len(folded) != len(value) {
		shown = folded
	}
	var at spans
	w := walker{pattern: p, text: folded, spans: &at, most: 64 * most}
	ok := w.walk()
	cost = bytesCost(w.work)
	if !ok {
		return nil, cost
	}
	if !leaves {
		return []string{}, cost
	}
	met = make([]string, 1, 1+min(p.wildcards, maxMatches))
	met[0] = shown
	for i := range cap(met) - 1 {
		met = append(met, shown[at[2*i]:at[2*i+1]])
	}
	return met, cost + len(met)
}

// walker fits a pattern to a text.
type walker struct {
	*pattern
	text  string
	spans *spans
	// work is what was done, in bytes that are looked at, of which most are to be had.
	work, most int
}

// What a place costs where a run is tried, and each piece there, in bytes that are looked at.
const (
	placeCost = 10
	pieceCost = 4
)

// walk fits the runs of pieces between stars one after the other, each as far left as it can be; the last must reach the end.
// That a run stands further left never keeps a later one from fitting, so nothing is tried twice.
func (w *walker) walk() bool {
	next := w.runEnd(0)
	at := w.fit(0, next, 0)
	if at < 0 || next == len(w.pieces) {
		return at == len(w.text)
	}
	for next < len(w.pieces) {
		star := next
		next = w.runEnd(star + 1)
		start, end := 0, 0
		if next == len(w.pieces) {
			start, end = w.fitEnd(star+1), len(w.text)
		} else {
			start, end = w.find(star+1, next, at)
		}
		if start < at {
			return false
		}
		w.spans.set(&w.pieces[star], at, start)
		at = end
	}
	return true
}

// runEnd is where the pieces from one on end that have no star.
func (w *walker) runEnd(from int) int {
	for from < len(w.pieces) && !w.pieces[from].star {
		from++
	}
	return from
}

// find looks for the first place from at on where a run fits, and gives where it begins and ends; -1 for none, or if that costs too much.
func (w *walker) find(from, to, at int) (start, end int) {
	if from == to {
		return at, at
	}
	first := &w.pieces[from]
	for start = at; start <= len(w.text) && w.work <= w.most; start += w.advance(start) {
		if first.text.key != "" {
			n := w.index(w.text[start:], first)
			if n < 0 {
				w.work += 2 * (len(w.text) - start)
				break
			}
			w.work += 2 * (n + len(first.text.key))
			start += n
		}
		w.work += placeCost
		if end = w.fit(from, to, start); end >= 0 {
			return start, end
		}
	}
	return -1, -1
}

// fit puts the pieces of a run without stars at a place and gives where they end, -1 where they do not fit.
func (w *walker) fit(from, to int, at int) int {
	for i := from; i < to; i++ {
		p := &w.pieces[i]
		w.work += pieceCost
		if p.one {
			if at >= len(w.text) {
				return -1
			}
			n := w.advance(at)
			w.spans.set(p, at, at+n)
			at += n
			continue
		}
		w.work += len(p.text.key)
		if !w.hasPrefix(w.text[at:], p.text.key) {
			return -1
		}
		at += len(p.text.key)
	}
	return at
}

// fitEnd puts the last run at the end and gives where it begins, -1 where it does not fit.
func (w *walker) fitEnd(from int) int {
	at := len(w.text)
	for i := len(w.pieces) - 1; i >= from; i-- {
		p := &w.pieces[i]
		w.work += pieceCost + len(p.text.key)
		switch {
		case p.one && at > 0:
			n := w.retreat(at)
			w.spans.set(p, at-n, at)
			at -= n
		case !p.one && w.hasSuffix(w.text[:at], p.text.key):
			at -= len(p.text.key)
		default:
			return -1
		}
	}
	return at
}

// advance is the length of the character at a place, 1 at the end; retreat of the one before it.
func (w *walker) advance(at int) int {
	if at >= len(w.text) || w.octets {
		return 1
	}
	_, n := utf8.DecodeRuneInString(w.text[at:])
	return n
}

func (w *walker) retreat(at int) int {
	if w.octets {
		return 1
	}
	_, n := utf8.DecodeLastRuneInString(w.text[:at])
	return n
}

func (p *pattern) index(s string, key *piece) int {
	if p.caseless {
		return key.text.indexIn(s)
	}
	return strings.Index(s, key.text.key)
}

func (p *pattern) hasPrefix(s, key string) bool {
	if p.caseless {
		return hasPrefixASCII(s, key)
	}
	return strings.HasPrefix(s, key)
}

func (p *pattern) hasSuffix(s, key string) bool {
	if p.caseless {
		return hasSuffixASCII(s, key)
	}
	return strings.HasSuffix(s, key)
}
