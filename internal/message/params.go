package message

import (
	"strconv"
	"strings"
)

// Param is a parameter of Content-Type or Content-Disposition: the name in lower case and as the field has it (the
// pieces of RFC 2231, such as filename*0*, are not joined), the value without quotes.
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
			f.rest = f.rest[commentEnd(f.rest):]
		default:
			return
		}
	}
}

// commentEnd is the length of the comment at the beginning of s, all of s when it does not end.
func commentEnd(s string) int {
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

// value reads a parameter's value. Software that does not quote what it should is understood as far as the next
// semicolon.
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
	b := make([]byte, 0, len(s))
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
	for {
		f.space()
		i := strings.IndexByte(f.rest, ';') // skips junk behind the last value
		if i < 0 {
			return params, false
		}
		f.rest = f.rest[i+1:]
		name := f.token()
		if name == "" || !f.accept('=') {
			continue
		}
		if len(params) == most {
			return params, true
		}
		if params == nil {
			params = make([]Param, 0, 4)
		}
		params = append(params, Param{lower(name), f.value()})
	}
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

// paramValue finds a parameter in any of its forms: name, name* (RFC 2231 4), name*0 name*1 … (RFC 2231 3), and decodes it.
func paramValue(params []Param, name string) string {
	plain, hasPlain := "", false
	pieces := false
	for _, p := range params {
		rest, ok := strings.CutPrefix(p.Name, name)
		switch {
		case !ok:
		case rest == "*":
			charset, text, ok := cutCharset(p.Value)
			if !ok {
				return toUTF8(percentDecode(p.Value), "")
			}
			return toUTF8(percentDecode(text), charset)
		case rest == "" && !hasPlain:
			plain, hasPlain = p.Value, true
		case strings.HasPrefix(rest, "*"):
			pieces = true
		}
	}
	if pieces {
		if value, ok := joinPieces(params, name); ok {
			return value
		}
	}
	return DecodeHeader(plain)
}

// joinPieces joins name*0, name*1* … as far as they go without a gap.
func joinPieces(params []Param, name string) (string, bool) {
	byNumber := make(map[string]Param, len(params))
	for _, p := range params {
		if rest, ok := strings.CutPrefix(p.Name, name+"*"); ok {
			number, _ := strings.CutSuffix(rest, "*")
			if _, seen := byNumber[number]; !seen {
				byNumber[number] = p
			}
		}
	}
	var b []byte
	charset := ""
	n := 0
	for ; ; n++ {
		p, ok := byNumber[strconv.Itoa(n)]
		if !ok {
			break
		}
		value := p.Value
		if strings.HasSuffix(p.Name, "*") {
			if n == 0 {
				if cs, text, ok := cutCharset(value); ok {
					charset, value = cs, text
				}
			}
			b = append(b, percentDecode(value)...)
		} else {
			b = append(b, value...)
		}
	}
	return toUTF8(b, charset), n > 0
}

// cutCharset takes charset'language' off an extended value.
func cutCharset(s string) (charset, text string, ok bool) {
	charset, rest, ok := strings.Cut(s, "'")
	if !ok {
		return "", s, false
	}
	_, text, ok = strings.Cut(rest, "'")
	if !ok {
		return "", s, false
	}
	return charset, text, true
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
