package grammar

import (
	"strings"
	"unicode/utf8"
)

// The functions of this file take one token of the current line each. After the
// first error they take nothing and give zero values, so that the rules can be
// written as the RFC writes them; whoever loops asks r.err.

// class is a set of character classes.
type class uint8

const (
	atomChar    class = 1 << iota // ATOM-CHAR
	astringChar                   // ASTRING-CHAR: and "]"
	listChar                      // list-char: and the wildcards
	tagChar                       // ASTRING-CHAR without "+"
	digit
	nameChar // of commands and items: letters, digits, "."
)

// classes is RFC 9051 9 as a table.
var classes = func() (t [256]class) {
	for c := 0x21; c < 0x7f; c++ {
		switch c {
		case '(', ')', '{', '"', '\\':
			continue
		case '%', '*':
			t[c] = listChar
		case ']':
			t[c] = astringChar | listChar | tagChar
		case '+':
			t[c] = atomChar | astringChar | listChar
		default:
			t[c] = atomChar | astringChar | listChar | tagChar
		}
		switch {
		case '0' <= c && c <= '9':
			t[c] |= digit | nameChar
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', c == '.':
			t[c] |= nameChar
		}
	}
	return t
}()

func is(c byte, k class) bool { return classes[c]&k != 0 }

// fail records the first error.
func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *Reader) bad(text string) { r.fail(bad(text)) }

// peek is the next byte of the line, 0 at its end.
func (r *Reader) peek() byte {
	if r.err != nil || r.pos >= r.eol {
		return 0
	}
	return r.buf[r.pos]
}

func (r *Reader) atEnd() bool { return r.pos >= r.eol }

// accept takes c if it is next.
func (r *Reader) accept(c byte) bool {
	if r.peek() != c || c == 0 {
		return false
	}
	r.pos++
	return true
}

// expect takes c, which must be next.
func (r *Reader) expect(c byte, text string) {
	if !r.accept(c) {
		r.bad(text)
	}
}

func (r *Reader) space() { r.expect(' ', "A space or another argument is missing") }

// end is the end of the command. Spaces before it, which some clients leave, do
// no harm.
func (r *Reader) end() {
	for r.accept(' ') {
	}
	if r.err == nil && !r.atEnd() {
		r.bad("There is more than the command takes")
	}
}

// run takes the bytes of class k that are next; they are valid until the next
// line is read.
func (r *Reader) run(k class) []byte {
	if r.err != nil {
		return nil
	}
	line := r.buf[r.pos:r.eol]
	n := 0
	for n < len(line) && is(line[n], k) {
		n++
	}
	r.pos += n
	return line[:n]
}

// word takes a name in upper case, for a switch; it is valid until the next word.
func (r *Reader) word() []byte { return r.upper(r.run(nameChar)) }

// hyphenated is word for names that have other characters than letters, digits
// and dots.
func (r *Reader) hyphenated() []byte { return r.upper(r.run(atomChar)) }

// upper puts b in upper case into a buffer of its own.
func (r *Reader) upper(b []byte) []byte {
	r.scratch = r.scratch[:0]
	if len(b) > cap(r.scratch) {
		return nil // longer than any name there is
	}
	for _, c := range b {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		r.scratch = append(r.scratch, c)
	}
	return r.scratch
}

// upperAtom takes an atom in upper case that is kept.
func (r *Reader) upperAtom(text string) string {
	return strings.ToUpper(string(r.atom(text)))
}

// acceptWord takes the name if it is next.
func (r *Reader) acceptWord(name string) bool {
	was := r.pos
	if r.err == nil && equalFold(r.run(nameChar), name) {
		return true
	}
	r.pos = was
	return false
}

// equalFold compares with a name in upper case.
func equalFold(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

func (r *Reader) atom(text string) []byte {
	b := r.run(atomChar)
	if len(b) == 0 {
		r.bad(text)
	}
	return b
}

// astring is an atom, a quoted string or a literal.
func (r *Reader) astring() string {
	switch r.peek() {
	case '"', '{', '~':
		if r.peek() != '~' || r.binaryLiteralNext() {
			return r.str()
		}
	}
	b := r.run(astringChar)
	if len(b) == 0 {
		r.bad("A string is missing")
	}
	return string(b)
}

// str is a quoted string or a literal.
func (r *Reader) str() string {
	switch r.peek() {
	case '"':
		return r.quoted()
	case '{':
		return r.literal()
	case '~':
		r.bad("A binary literal is not possible here")
		return ""
	}
	r.bad("A quoted string or a literal is missing")
	return ""
}

// nstring is str, or NIL as "".
func (r *Reader) nstring() string {
	if r.acceptWord("NIL") {
		return ""
	}
	return r.str()
}

// binaryLiteralNext tells ~{5} from an atom that starts with a tilde.
func (r *Reader) binaryLiteralNext() bool {
	return r.pos+1 < r.eol && r.buf[r.pos+1] == '{'
}

// quoted takes a quoted string. RFC 9051 4.3 has UTF-8 in it; RFC 3501 does not,
// but clients send it, passwords above all, and it can mean nothing else.
func (r *Reader) quoted() string {
	line := r.buf[r.pos+1 : r.eol]
	n, escapes, high := 0, 0, false
	for {
		if n >= len(line) {
			r.bad("A quoted string does not end")
			return ""
		}
		c := line[n]
		if c == '"' {
			break
		}
		switch {
		case c == '\\':
			if n+1 >= len(line) || line[n+1] != '"' && line[n+1] != '\\' {
				r.bad("Only \" and \\ follow a \\ in a quoted string")
				return ""
			}
			escapes++
			n++
		case c >= utf8.RuneSelf:
			high = true
		case c == 0 || c == '\r':
			r.bad("A quoted string holds no NUL and no CR")
			return ""
		}
		n++
	}
	s := line[:n]
	r.pos += n + 2
	if high && !utf8.Valid(s) {
		r.bad("A quoted string must be UTF-8")
		return ""
	}
	if escapes == 0 {
		return string(s)
	}
	out := make([]byte, 0, n-escapes)
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// literal takes a literal that is a string: without NUL. RFC 9051 9 (CHAR8)
func (r *Reader) literal() string {
	h, ok := r.literalHeader()
	if !ok {
		return ""
	}
	if h.binary {
		r.bad("A binary literal is not possible here")
		return ""
	}
	s, err := r.literalString(h)
	if err != nil {
		r.fail(err)
		return ""
	}
	for i := range len(s) {
		if s[i] == 0 {
			r.bad("A literal holds no NUL")
			return ""
		}
	}
	return s
}

// literalHeader takes the announcement of a literal, which must end the line.
func (r *Reader) literalHeader() (literalHeader, bool) {
	if r.err != nil {
		return literalHeader{}, false
	}
	h, ok := literalAtEnd(r.buf[r.pos:r.eol])
	if !ok || h.start != 0 {
		r.bad("A literal is announced as {size} at the end of a line")
		return literalHeader{}, false
	}
	return h, true
}

// number takes digits up to max.
func (r *Reader) number(max uint64) uint64 {
	b := r.run(digit)
	if len(b) == 0 {
		r.bad("A number is missing")
		return 0
	}
	var n uint64
	for _, c := range b {
		d := uint64(c - '0')
		if n > (max-d)/10 {
			r.bad("A number is too big")
			return 0
		}
		n = n*10 + d
	}
	return n
}

const (
	maxNumber   = 1<<32 - 1
	maxNumber64 = 1<<63 - 1 // RFC 9051 9 (number64)
)

// positive takes a number other than 0.
func (r *Reader) positive(max uint64) uint64 {
	n := r.number(max)
	if n == 0 {
		r.bad("A number must not be 0")
	}
	return n
}

// element counts a member of a list.
func (r *Reader) element() {
	r.elements++
	if r.elements > r.lim.Elements {
		r.fail(refused("LIMIT", "The command has too many elements"))
	}
}

// list takes members between parentheses, separated by spaces. It may be empty.
func (r *Reader) list(member func()) {
	r.expect('(', "A list in parentheses is missing")
	if r.accept(')') {
		return
	}
	r.nest()
	for r.err == nil {
		r.element()
		member()
		if r.accept(')') {
			break
		}
		r.expect(' ', "A list must be closed with )")
	}
	r.depth--
}

// nest goes one level deeper.
func (r *Reader) nest() {
	r.depth++
	if r.depth > r.lim.Depth {
		r.bad("The command is nested too deeply")
	}
}
