package message

import (
	"strconv"
	"strings"
)

// Param is a parameter of Content-Type or Content-Disposition: the name in lower case, the value without quotes. The pieces
// of RFC 2231 3 are joined, but what is encoded stays so: filename*0*=utf-8”a%20 and filename*1=b are filename* with
// utf-8”a%20b.
type Param struct{ Name, Value string }

// mimeField reads the fields of MIME (RFC 2045 5.1, RFC 2183): tokens and quoted strings with comments between them.
// It is lenient: what makes no sense is skipped.
type mimeField struct{ rest string }

// isTSpecial tells what ends a token: the tspecials of RFC 2045 5.1, white space and controls.
func isTSpecial(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '\\', '"', '/', '[', ']', '?', '=':
		return true
	}
	return c <= ' ' || c == 0x7f
}

// space skips white space and comments.
func (f *mimeField) space() {
	for f.rest != "" {
		switch f.rest[0] {
		case ' ', '\t', '\r', '\n':
			f.rest = f.rest[1:]
		case '(':
			f.rest = f.rest[CommentLength(f.rest):]
		default:
			return
		}
	}
}

// CommentLength is the length of the comment (RFC 5322 3.2.2) at the beginning of s, those within it included; all of s
// when it does not end.
func CommentLength(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// accept skips the character c if it is next.
func (f *mimeField) accept(c byte) bool {
	f.space()
	if f.rest == "" || f.rest[0] != c {
		return false
	}
	f.rest = f.rest[1:]
	return true
}

func (f *mimeField) token() string {
	f.space()
	n := 0
	for n < len(f.rest) && !isTSpecial(f.rest[n]) {
		n++
	}
	token := f.rest[:n]
	f.rest = f.rest[n:]
	return token
}

// value reads a parameter's value. One with spaces that should have been quoted goes on to the semicolon, unless it looks
// as if that had been forgotten.
func (f *mimeField) value() string {
	f.space()
	if strings.HasPrefix(f.rest, `"`) {
		value, n := unquote(f.rest)
		f.rest = f.rest[n:]
		return value
	}
	n := strings.IndexAny(f.rest, ";(")
	if n < 0 {
		n = len(f.rest)
	}
	value := strings.TrimRight(f.rest[:n], " \t")
	if i := strings.IndexAny(value, " \t"); i >= 0 && strings.ContainsAny(value[i:], `="`) && !strings.HasPrefix(value, "=?") {
		n, value = i, value[:i]
	}
	f.rest = f.rest[n:]
	return value
}

// unquote reads the quoted string at the beginning of s and gives its text and its length in s.
func unquote(s string) (string, int) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return s[1:i], i + 1
		case '\\':
			return unescape(s)
		}
	}
	return s[1:], len(s)
}

func unescape(s string) (string, int) {
	var b []byte
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return string(b), i + 1
		case '\\':
			if i++; i == len(s) {
				return string(b), len(s)
			}
		}
		b = append(b, s[i])
	}
	return string(b), len(s)
}

// params reads the list of parameters that follows a type, at most most of them.
func (f *mimeField) params(most int) (params []Param, more bool) {
	pieces := false
	params, more, pieces = f.readParams(most)
	if pieces {
		params = joinPieces(params)
	}
	return params, more
}

func (f *mimeField) readParams(most int) (params []Param, more, pieces bool) {
	for {
		f.space()
		if f.rest == "" {
			return params, false, pieces
		}
		f.accept(';') // which some forget
		name := f.token()
		if name == "" || !f.accept('=') {
			f.skipTo(';')
			continue
		}
		if len(params) == most {
			return params, true, pieces
		}
		if params == nil {
			params = make([]Param, 0, 4)
		}
		params = append(params, Param{lower(name), f.value()})
		if !pieces && strings.IndexByte(name, '*') >= 0 {
			_, _, pieces = cutPiece(name)
		}
	}
}

// skipTo skips junk before the next c.
func (f *mimeField) skipTo(c byte) {
	i := strings.IndexByte(f.rest, c)
	if i < 0 {
		i = len(f.rest)
	}
	f.rest = f.rest[i:]
}

// lower gives s in lower case (ASCII), without an allocation where it can.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			if len(s) <= 32 {
				var b [32]byte
				for j := range len(s) {
					b[j] = lowerByte(s[j])
				}
				if w := wordCode(b[:len(s)]); w >= 0 {
					return words[w]
				}
				return string(b[:len(s)])
			}
			b := []byte(s)
			for j, c := range b {
				b[j] = lowerByte(c)
			}
			return string(b)
		}
	}
	return s
}

// cutPiece takes the number off the name of a piece: title*0*, title*1.
func cutPiece(name string) (base string, number int, ok bool) {
	base, digits, ok := strings.Cut(strings.TrimSuffix(name, "*"), "*")
	if !ok || base == "" || digits == "" || len(digits) > 3 || len(digits) > 1 && digits[0] == '0' {
		return "", 0, false
	}
	number, err := strconv.Atoi(digits)
	return base, number, err == nil && number >= 0
}

// joinPieces puts a parameter in place of its pieces, as far as they go without a gap.
func joinPieces(params []Param) []Param {
	at := make(map[string]int, len(params)) // where a piece is, by base*number
	for i := len(params) - 1; i >= 0; i-- {
		at[strings.TrimSuffix(params[i].Name, "*")] = i
	}
	joined := make([]Param, 0, len(params))
	done := make(map[int]bool, len(params))
	for i, p := range params {
		base, _, ok := cutPiece(p.Name)
		if !ok {
			joined = append(joined, p)
			continue
		}
		var run []Param
		for n := 0; ; n++ {
			j, ok := at[base+"*"+strconv.Itoa(n)]
			if !ok || done[j] {
				break
			}
			done[j] = true
			run = append(run, params[j])
		}
		if len(run) > 0 {
			joined = append(joined, joinRun(base, run))
		}
		if !done[i] {
			joined = append(joined, p)
		}
	}
	return joined
}

func joinRun(base string, run []Param) Param {
	extended := false
	for _, p := range run {
		extended = extended || strings.HasSuffix(p.Name, "*")
	}
	charset, _, _ := strings.Cut(run[0].Value, "'")
	var b []byte
	for i, p := range run {
		switch {
		case strings.HasSuffix(p.Name, "*") && i > 0:
			b = append(b, strings.TrimPrefix(p.Value, charset+"'")...) // some repeat the charset
			continue
		case strings.HasSuffix(p.Name, "*"):
			b = append(b, p.Value...)
			continue
		case extended && i == 0:
			b = append(b, "''"...) // no charset, no language
		}
		if extended {
			b = percentEncode(b, p.Value)
		} else {
			b = append(b, p.Value...)
		}
	}
	if extended {
		base += "*"
	}
	return Param{base, string(b)}
}

// percentEncode appends what is no attribute-char (RFC 2231 7) in hexadecimal.
func percentEncode(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; isTSpecial(c) || c >= 0x80 || c == '*' || c == '\'' || c == '%' {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// paramValue finds a parameter and decodes it: name* (RFC 2231 4) is better than name.
func paramValue(params []Param, name string) string {
	plain, found := "", false
	for _, p := range params {
		rest, ok := strings.CutPrefix(p.Name, name)
		switch {
		case !ok:
		case rest == "*":
			charset, text := cutCharset(p.Value)
			return toUTF8(percentDecode(text), charset)
		case rest == "" && !found:
			plain, found = p.Value, true
		}
	}
	return DecodeHeader(plain)
}

// cutCharset takes charset'language' off an extended value.
func cutCharset(s string) (charset, text string) {
	charset, rest, ok := strings.Cut(s, "'")
	if !ok {
		return "", s
	}
	_, text, ok = strings.Cut(rest, "'")
	if !ok {
		return "", s
	}
	return charset, text
}

func percentDecode(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b = append(b, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return b
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
