// Package authres writes and reads the value of an Authentication-Results field (RFC 8601), in which a server tells those
// behind it what it found out about who sent a message.
//
// What is written holds names that strangers chose. The road there goes through [Field.Append], which quotes or replaces
// whatever could be taken for something else, so that no text from outside ends a result, a field or a header. The road
// back starts in [Parse]. [Claims] reads as little of a field as is needed to tell whether it pretends to be ours, and
// reads it as generously as the most careless reader might.
package authres

import "strings"

// Field is the value of one Authentication-Results field.
type Field struct {
	// ID is the authserv-id: who says so.
	ID string
	// Version is what may stand behind it; 0 and 1 are RFC 8601's.
	Version int
	// Results are the findings in their order; none at all is "none".
	Results []Result
}

// Result is one finding, "method=value".
type Result struct {
	// Method and Value are lower case, such as "dkim" and "pass".
	Method, Value string
	// Comment stands behind the value in parentheses, for people. It is not read back.
	Comment string
	// Reason is the reason= of the value.
	Reason string
	Props  []Property
}

// Property is what a result was found about, "type.name=value", such as header.d=example.org.
type Property struct {
	Type, Name, Value string
}

// Get is the value of the first property of a type and name, or "".
func (r Result) Get(kind, name string) string {
	for _, p := range r.Props {
		if p.Type == kind && p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Limits of what is written, in bytes: with them no line comes near the 998 of RFC 5322 2.1.1.
const (
	maxValue   = 256
	maxRemark  = 200
	wantedLine = 78
)

// Append writes the value, folded, without the line end behind it. column is how much of the line is taken.
func (f Field) Append(dst []byte, column int) []byte {
	w := writer{dst: dst, column: column}
	w.add(quote(f.ID))
	if len(f.Results) == 0 {
		w.dst = append(w.dst, ';')
		w.add(" none")
		return w.dst
	}
	for _, r := range f.Results {
		w.dst = append(w.dst, ";\r\n\t"...)
		w.column = 8
		w.result(r)
	}
	return w.dst
}

// writer folds between the pieces it is given.
type writer struct {
	dst    []byte
	column int
}

func (w *writer) add(piece string) {
	if w.column+len(piece) > wantedLine && piece[0] == ' ' {
		w.dst = append(w.dst, "\r\n\t"...)
		piece, w.column = piece[1:], 8
	}
	w.dst = append(w.dst, piece...)
	w.column += len(piece)
}

func (w *writer) result(r Result) {
	w.add(keyword(r.Method) + "=" + keyword(r.Value))
	if r.Comment != "" {
		w.add(" (" + comment(r.Comment) + ")")
	}
	if r.Reason != "" {
		w.add(" reason=" + quote(cut(r.Reason, maxRemark)))
	}
	for _, p := range r.Props {
		w.add(" " + keyword(p.Type) + "." + keyword(p.Name) + "=" + pvalue(p.Value))
	}
}

// keyword keeps what may be in a Keyword or a property's name; the rest goes.
func keyword(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (isAlnum(byte(r)) || r == '-' || r == '_') {
			return r
		}
		return -1
	}, s)
}

// pvalue writes an address or a domain as it is, if it is one, and quotes all else.
func pvalue(s string) string {
	local, domain, isAddress := strings.Cut(s, "@")
	if isAddress && isToken(domain) && (local == "" || isToken(local) && !strings.ContainsAny(local, "'`{|}")) && len(s) <= maxValue {
		return s
	}
	return quote(s)
}

// quote writes a value: a token as it is, all else as a quoted-string.
func quote(s string) string {
	s = printable(cut(s, maxValue))
	if isToken(s) {
		return s
	}
	if strings.ContainsAny(s, `\"`) {
		s = strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)
	}
	return `"` + s + `"`
}

// comment is text without what would end or nest a comment, in ASCII.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '(':
			return '['
		case r == ')':
			return ']'
		case r == '\\':
			return '/'
		case r == ';':
			return ','
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, cut(s, maxRemark))
}

// printable replaces control characters, and what is not UTF-8: local parts may be in UTF-8 (RFC 6532 3.1). A semicolon is
// replaced too, for not every reader knows that a quoted one ends no result.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ';' {
			return ','
		}
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufffd' {
			return '?'
		}
		return r
	}, s)
}

func cut(s string, most int) string { return s[:min(len(s), most)] }

func isAlnum(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }

// isTokenByte tells the characters of a token (RFC 2045 5.1).
func isTokenByte(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=`, c) < 0
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}
