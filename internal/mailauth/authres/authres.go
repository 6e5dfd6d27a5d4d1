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
	from := len(w.dst)
	w.quote(f.ID)
	w.fold(from)
	if len(f.Results) == 0 {
		w.dst = append(w.dst, ';')
		from = len(w.dst)
		w.dst = append(w.dst, " none"...)
		w.fold(from)
		return w.dst
	}
	for i := range f.Results {
		w.dst = append(w.dst, ";\r\n\t"...)
		w.column = 8
		w.result(&f.Results[i])
	}
	return w.dst
}

// writer writes piece by piece, and folds between them.
type writer struct {
	dst    []byte
	column int
}

// fold ends the piece that begins at from. One that begins with a space goes onto a line of its own if it is too long for this.
func (w *writer) fold(from int) {
	n := len(w.dst) - from
	if w.column+n <= wantedLine || w.dst[from] != ' ' {
		w.column += n
		return
	}
	const line = "\r\n\t" // in place of the space
	w.dst = append(w.dst, line[1:]...)
	copy(w.dst[from+len(line):], w.dst[from+1:from+n])
	copy(w.dst[from:], line)
	w.column = 8 + n - 1
}

func (w *writer) result(r *Result) {
	from := len(w.dst)
	w.keyword(r.Method)
	w.dst = append(w.dst, '=')
	w.keyword(r.Value)
	w.fold(from)
	if r.Comment != "" {
		from = len(w.dst)
		w.dst = append(w.dst, " ("...)
		w.comment(r.Comment)
		w.dst = append(w.dst, ')')
		w.fold(from)
	}
	if r.Reason != "" {
		from = len(w.dst)
		w.dst = append(w.dst, " reason="...)
		w.quote(cut(r.Reason, maxRemark))
		w.fold(from)
	}
	for i := range r.Props {
		w.property(&r.Props[i])
	}
}

func (w *writer) property(p *Property) {
	from := len(w.dst)
	w.dst = append(w.dst, ' ')
	w.keyword(p.Type)
	w.dst = append(w.dst, '.')
	w.keyword(p.Name)
	w.dst = append(w.dst, '=')
	w.pvalue(p.Value)
	w.fold(from)
}

// keyword keeps what may be in a Keyword or a property's name; the rest goes.
func (w *writer) keyword(s string) {
	for i := range len(s) {
		if c := s[i]; isAlnum(c) || c == '-' || c == '_' {
			w.dst = append(w.dst, c)
		}
	}
}

// pvalue writes an address or a domain as it is, if it is one, and quotes all else.
func (w *writer) pvalue(s string) {
	local, domain, isAddress := strings.Cut(s, "@")
	if isAddress && len(s) <= maxValue && isToken(domain) && (local == "" || isToken(local) && !strings.ContainsAny(local, "'`{|}")) {
		w.dst = append(w.dst, s...)
		return
	}
	w.quote(s)
}

// quote writes a value: a token as it is, all else as a quoted-string.
func (w *writer) quote(s string) {
	s = cut(s, maxValue)
	if !isToken(s) {
		w.quoteText(printable(s))
		return
	}
	w.dst = append(w.dst, s...)
}

func (w *writer) quoteText(s string) {
	if isToken(s) {
		w.dst = append(w.dst, s...)
		return
	}
	w.dst = append(w.dst, '"')
	for i := range len(s) {
		if s[i] == '\\' || s[i] == '"' {
			w.dst = append(w.dst, '\\')
		}
		w.dst = append(w.dst, s[i])
	}
	w.dst = append(w.dst, '"')
}

// comment is text without what would end or nest a comment, in ASCII.
func (w *writer) comment(s string) {
	for _, r := range cut(s, maxRemark) {
		c := byte('?')
		switch {
		case r == '(':
			c = '['
		case r == ')':
			c = ']'
		case r == '\\':
			c = '/'
		case r == ';':
			c = ','
		case r >= ' ' && r <= '~':
			c = byte(r)
		}
		w.dst = append(w.dst, c)
	}
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
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=':
		return false
	}
	return c > ' ' && c < 0x7f
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}
