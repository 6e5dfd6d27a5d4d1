package grammar

import "strings"

// Separator divides the levels of the hierarchy of mailboxes.
const Separator = '/'

// Pattern is a LIST pattern made ready for many names: "*" is anything, "%"
// anything but the separator. RFC 9051 6.3.9
//
// It is a set of positions in the pattern that walks along the name, 64 of them
// at a step, so that no pattern can make it slow: the time is that of the name's
// bytes times a 64th of the pattern's.
type Pattern struct {
	text    string // when there are no wildcards
	literal bool
	any     bool // just "*"

	words   int
	index   [256]uint16 // 1 + number of the mask of a byte, 0 without
	masks   []uint64    // positions of each byte, words a mask
	star    []uint64    // positions of "*"
	percent []uint64    // positions of "%"
	last    int         // the position behind the end
}

// CompilePattern makes a pattern ready.
func CompilePattern(pattern string) *Pattern {
	pattern = joinWildcards(pattern)
	p := &Pattern{text: pattern, literal: !strings.ContainsAny(pattern, "*%"), any: pattern == "*"}
	if p.literal || p.any {
		return p
	}
	p.last = len(pattern)
	p.words = p.last/64 + 1
	p.star = make([]uint64, p.words)
	p.percent = make([]uint64, p.words)
	for i := range len(pattern) {
		mask := p.star
		switch c := pattern[i]; c {
		case '*':
		case '%':
			mask = p.percent
		default:
			if p.index[c] == 0 {
				p.masks = append(p.masks, make([]uint64, p.words)...)
				p.index[c] = uint16(len(p.masks) / p.words)
			}
			mask = p.mask(c)
		}
		mask[i/64] |= 1 << (i % 64)
	}
	return p
}

// joinWildcards makes of neighbouring wildcards one that matches the same.
func joinWildcards(pattern string) string {
	isWild := func(c byte) bool { return c == '*' || c == '%' }
	out := make([]byte, 0, len(pattern))
	for i := range len(pattern) {
		c := pattern[i]
		if n := len(out); n > 0 && isWild(c) && isWild(out[n-1]) {
			if c == '*' {
				out[n-1] = '*'
			}
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// mask is the positions of a byte, nil if it has none.
func (p *Pattern) mask(c byte) []uint64 {
	k := int(p.index[c])
	if k == 0 {
		return nil
	}
	return p.masks[(k-1)*p.words : k*p.words]
}

// Match reports whether the pattern matches the whole name. The first level
// INBOX matches in any case. RFC 9051 5.1
func (p *Pattern) Match(name string) bool {
	inbox := name == "INBOX" || strings.HasPrefix(name, "INBOX/")
	switch {
	case p.any:
		return true
	case p.literal:
		return p.text == name || inbox && canonical(p.text) == name
	}
	var small [8]uint64
	at := small[:]
	if p.words > len(small) {
		at = make([]uint64, p.words)
	}
	at[0] = 1
	p.skip(at[:p.words])
	for i := range len(name) {
		folded := byte(0)
		if inbox && i < len("INBOX") {
			folded = name[i] + 'a' - 'A'
		}
		if !p.step(at[:p.words], name[i], folded) {
			return false
		}
	}
	return at[p.last/64]&(1<<(p.last%64)) != 0
}

// step moves all positions over one byte, folded being another form of it or 0,
// and reports whether any is left.
func (p *Pattern) step(at []uint64, c, folded byte) bool {
	lit := p.mask(c)
	var lit2 []uint64
	if folded != 0 {
		lit2 = p.mask(folded)
	}
	var carry, left uint64
	for w := range at {
		was := at[w]
		stay := was & p.star[w]
		if c != Separator {
			stay |= was & p.percent[w]
		}
		var move uint64
		if lit != nil {
			move = was & lit[w]
		}
		if lit2 != nil {
			move |= was & lit2[w]
		}
		at[w] = stay | move<<1 | carry
		carry = move >> 63
		left |= at[w]
	}
	p.skip(at)
	return left != 0
}

// skip adds to positions at a wildcard those behind it. Wildcards are never
// neighbours, so once is enough.
func (p *Pattern) skip(at []uint64) {
	var carry uint64
	for w := range at {
		wild := at[w] & (p.star[w] | p.percent[w])
		at[w] |= wild<<1 | carry
		carry = wild >> 63
	}
}

// Match is Pattern.Match for one name.
func Match(pattern, name string) bool { return CompilePattern(pattern).Match(name) }
