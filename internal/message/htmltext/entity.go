package htmltext

import (
	"bytes"
	"html"
	"unicode/utf8"
)

// maxEntity is the longest character reference that is understood; the longest name of HTML has 33 bytes.
const maxEntity = 40

// maxRare is how many references with rare names are looked up in one document, since that allocates.
const maxRare = 1000

// entity reads a character reference in text; the "&" is next.
func (s *scanner) entity() {
	b := s.in.look(maxEntity)
	b = b[:min(len(b), maxEntity)]
	if bytes.HasPrefix(b, []byte("&nbsp;")) { // most
		s.in.pos += len("&nbsp;")
		s.out.space(' ')
		return
	}
	r, n := reference(b, false)
	if n == 0 {
		r, n = s.rareReference(b)
	}
	if n == 0 {
		r, n = unendedReference(b)
	}
	if n == 0 {
		s.write(b[:1])
		s.in.pos++
		return
	}
	numeric := b[1] == '#'
	s.in.pos += n
	switch {
	case r < utf8.RuneSelf && classes[r] == white || isBlank(r):
		s.out.space(' ')
	case isWidthless(r):
		s.d.ZeroWidth++
	case r < utf8.RuneSelf && classes[r] == control:
		s.d.ControlBytes++
	default:
		if numeric && (r < utf8.RuneSelf && isLetter(byte(r)) || '0' <= r && r <= '9') {
			s.d.CodedLetters++
		}
		s.write(utf8.AppendRune(s.scratch[:0], r))
	}
}

// rareReference asks the standard library, which knows all names.
func (s *scanner) rareReference(b []byte) (rune, int) {
	n := nameLength(b)
	if n < 3 || n == len(b) || b[n] != ';' || s.rare == maxRare {
		return 0, 0
	}
	s.rare++
	text := html.UnescapeString(string(b[:n+1]))
	r, _ := utf8.DecodeRuneInString(text)
	if r == '&' || text[len(text)-1] == ';' { // only some of it is a name
		return 0, 0
	}
	return r, n + 1
}

// nameLength is the length of "&" and the letters and digits behind it.
func nameLength(b []byte) int {
	n := 1
	for n < len(b) && (isLetter(b[n]) || isDigit(b[n])) {
		n++
	}
	return n
}

// reference reads a numeric or a common named character reference at the beginning of b and gives its length, 0 when
// there is none. In an attribute the semicolon may lack where HTML lets it lack, if no letter, digit or "=" follows.
func reference(b []byte, attribute bool) (rune, int) {
	if len(b) > 1 && b[1] == '#' {
		return numericReference(b)
	}
	n := nameLength(b)
	if n < len(b) && b[n] == ';' {
		if r := named(b[1:n]); r != 0 {
			return r, n + 1
		}
		return 0, 0
	}
	if attribute && (n == len(b) || b[n] != '=') {
		if r := named(b[1:n]); needsNoSemicolon(r) {
			return r, n
		}
	}
	return 0, 0
}

// unendedReference reads a name without a semicolon, of which the letters behind it are no part.
func unendedReference(b []byte) (rune, int) {
	for n := min(nameLength(b), 7); n > 2; n-- { // such names have at most six letters
		if r := named(b[1:n]); needsNoSemicolon(r) {
			return r, n
		}
	}
	return 0, 0
}

// needsNoSemicolon tells the characters whose names are as old as HTML.
func needsNoSemicolon(r rune) bool {
	return 0xa0 <= r && r <= 0xff || r == '&' || r == '<' || r == '>' || r == '"'
}

func numericReference(b []byte) (rune, int) {
	i, base := 2, rune(10)
	if i < len(b) && b[i]|0x20 == 'x' {
		i, base = 3, 16
	}
	first, r := i, rune(0)
	for ; i < len(b); i++ {
		digit := rune(99)
		switch c := b[i]; {
		case isDigit(c):
			digit = rune(c - '0')
		case base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
			digit = rune(c|0x20-'a') + 10
		}
		if digit >= base {
			break
		}
		r = min(r*base+digit, utf8.MaxRune+1)
	}
	if i == first {
		return 0, 0
	}
	if i < len(b) && b[i] == ';' {
		i++
	}
	switch {
	case 0x80 <= r && r <= 0x9f:
		r = windows1252[r-0x80]
	case r == 0 || r > utf8.MaxRune || 0xd800 <= r && r <= 0xdfff:
		r = utf8.RuneError
	}
	return r, i
}

// windows1252 is what the references &#128; to &#159; mean by the HTML standard.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}

// decodeReferences replaces the character references in an attribute's value, in place.
func decodeReferences(b []byte) []byte {
	i := bytes.IndexByte(b, '&')
	if i < 0 {
		return b
	}
	out := b[:i]
	for i < len(b) {
		if b[i] == '&' {
			// No common reference is shorter than what it stands for, so out stays behind i.
			if r, n := reference(b[i:min(len(b), i+maxEntity)], true); n > 0 {
				out = utf8.AppendRune(out, r)
				i += n
				continue
			}
		}
		out = append(out, b[i])
		i++
	}
	return out
}
