package grammar

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// kind of a token.
type kind uint8

const (
	end kind = iota
	name
	tagged
	number
	text
	sign // one of ; , ( ) [ ] { }
	bad  // was told of
	odd  // what no token begins with; was told of
)

// token is what the lexer reads in one step.
type token struct {
	Position
	kind  kind
	sign  byte
	value string // of a name, a tag or a string
	n     uint64
}

const (
	// maxName bounds names and tags.
	maxName = 32
	// maxText bounds a string.
	maxText = 1 << 20
)

// lexer cuts a script into tokens (RFC 5228 8.1).
type lexer struct {
	source    []byte
	at        int
	line      int
	lineStart int
	tell      func(Position, string)
}

func (l *lexer) position(at int) Position { return Position{l.line, at - l.lineStart + 1} }

// next reads a token; at the end of the script it gives end for ever.
func (l *lexer) next() token {
	if !l.skipSpace() {
		return token{Position: l.position(l.at), kind: bad}
	}
	t := token{Position: l.position(l.at)}
	if l.at == len(l.source) {
		return t
	}
	c := l.source[l.at]
	switch {
	case isNameStart(c):
		return l.name(t)
	case c == ':':
		l.at++
		return l.tag(t)
	case isDigit(c):
		return l.number(t)
	case c == '"':
		return l.quoted(t)
	case strings.IndexByte(";,()[]{}", c) >= 0:
		l.at++
		t.kind, t.sign = sign, c
		return t
	}
	return l.garbage(t)
}

func (l *lexer) bad(t token, format string, args ...any) token {
	l.tell(t.Position, fmt.Sprintf(format, args...))
	t.kind = bad
	return t
}

// garbage passes over what no token begins with.
func (l *lexer) garbage(t token) token {
	start := l.at
	for l.at < len(l.source) && !isSpace(l.source[l.at]) && strings.IndexByte(";,()[]{}\"", l.source[l.at]) < 0 {
		l.at++
	}
	if garbage := l.source[start:l.at]; bytes.IndexByte(garbage, 0) >= 0 {
		t = l.bad(t, "a NUL character, which no script may hold, stands here; take it out, or save the script as UTF-8")
	} else {
		t = l.bad(t, "%q has no meaning here", clip(garbage))
	}
	t.kind = odd
	return t
}

// skipSpace passes over white space and comments. It is false where a comment does not end.
func (l *lexer) skipSpace() bool {
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		switch {
		case rest[0] == '\n':
			l.at++
			l.newline()
		case isSpace(rest[0]):
			l.at++
		case rest[0] == '#':
			if n := bytes.IndexByte(rest, '\n'); n >= 0 {
				l.at += n
			} else {
				l.at = len(l.source)
			}
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				l.tell(l.position(l.at), "the comment does not end; close it with */")
				l.at = len(l.source)
				return false
			}
			l.pass(n + 4)
		default:
			return true
		}
	}
	return true
}

// pass moves over bytes among which may be line ends.
func (l *lexer) pass(n int) {
	for range n {
		l.at++
		if l.source[l.at-1] == '\n' {
			l.newline()
		}
	}
}

func (l *lexer) newline() { l.line, l.lineStart = l.line+1, l.at }

func (l *lexer) word() string {
	start := l.at
	for l.at < len(l.source) && (isNameStart(l.source[l.at]) || isDigit(l.source[l.at])) {
		l.at++
	}
	return strings.ToLower(string(l.source[start:l.at]))
}

func (l *lexer) name(t token) token {
	t.kind, t.value = name, l.word()
	if len(t.value) > maxName {
		return l.bad(t, "the name %q is longer than %d characters; there is none like it", clip([]byte(t.value)), maxName)
	}
	if t.value == "text" && l.at < len(l.source) && l.source[l.at] == ':' {
		l.at++
		return l.multiline(t)
	}
	return t
}

func (l *lexer) tag(t token) token {
	if l.at == len(l.source) || !isNameStart(l.source[l.at]) {
		return l.bad(t, "a colon stands alone; a tag is written with its name behind it, such as :is")
	}
	t.kind, t.value = tagged, l.word()
	if len(t.value) > maxName {
		return l.bad(t, "the tag :%q is longer than %d characters; there is none like it", clip([]byte(t.value)), maxName)
	}
	return t
}

// number reads digits and a multiplier.
func (l *lexer) number(t token) token {
	t.kind = number
	overflow := false
	for ; l.at < len(l.source) && isDigit(l.source[l.at]); l.at++ {
		d := uint64(l.source[l.at] - '0')
		overflow = overflow || t.n > (math.MaxUint64-d)/10
		t.n = t.n*10 + d
	}
	if l.at < len(l.source) {
		shift := map[byte]uint{'k': 10, 'm': 20, 'g': 30}[l.source[l.at]|0x20]
		if shift > 0 {
			l.at++
			overflow = overflow || t.n > math.MaxUint64>>shift
			t.n <<= shift
		}
	}
	if overflow {
		return l.bad(t, "the number is too large; the largest is %d", uint64(math.MaxUint64))
	}
	return t
}

// quoted reads a string in quotes (RFC 5228 2.4.2): a backslash makes the next character stand for itself.
func (l *lexer) quoted(t token) token {
	t.kind = text
	var out strings.Builder
	for i := l.at + 1; i < len(l.source); i++ {
		c := l.source[i]
		switch {
		case c == '"':
			l.pass(i + 1 - l.at)
			t.value = out.String()
			return l.checkText(t)
		case c == '\\' && i+1 < len(l.source):
			i++
			c = l.source[i]
		}
		out.WriteByte(c)
	}
	l.pass(len(l.source) - l.at)
	return l.bad(t, "the string does not end; close it with a quotation mark")
}

// multiline reads the lines behind "text:" up to one with a single dot (RFC 5228 2.4.2).
func (l *lexer) multiline(t token) token {
	t.kind = text
	for l.at < len(l.source) && (l.source[l.at] == ' ' || l.source[l.at] == '\t' || l.source[l.at] == '\r') {
		l.at++
	}
	if l.at < len(l.source) && l.source[l.at] == '#' {
		for l.at < len(l.source) && l.source[l.at] != '\n' {
			l.at++
		}
	}
	if l.at == len(l.source) || l.source[l.at] != '\n' {
		return l.bad(t, "behind text: the line must end; the text begins with the next one")
	}
	l.pass(1)
	var out strings.Builder
	for l.at < len(l.source) {
		line := l.source[l.at:]
		n := bytes.IndexByte(line, '\n') + 1
		if n == 0 {
			n = len(line)
		}
		l.pass(n)
		line = line[:n]
		body := bytes.TrimRight(line, "\r\n")
		if string(body) == "." {
			t.value = out.String()
			return l.checkText(t)
		}
		if len(body) > 0 && body[0] == '.' {
			body = body[1:]
		}
		out.Write(body)
		out.WriteString("\r\n")
	}
	return l.bad(t, "the text does not end; close it with a line that holds a dot alone")
}

func (l *lexer) checkText(t token) token {
	switch {
	case len(t.value) > maxText:
		return l.bad(t, "the string is longer than %d bytes", maxText)
	case strings.IndexByte(t.value, 0) >= 0:
		return l.bad(t, "the string holds a NUL character, which no script may")
	}
	return t
}

// notUTF8 finds the first bytes that are no UTF-8, also in comments (RFC 5228 2.1).
func notUTF8(source []byte) (at Position, found bool) {
	line, start := 1, 0
	for i := 0; i < len(source); {
		r, n := utf8.DecodeRune(source[i:])
		if r == utf8.RuneError && n == 1 {
			return Position{line, i - start + 1}, true
		}
		if i += n; r == '\n' {
			line, start = line+1, i
		}
	}
	return at, false
}

func isNameStart(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func isSpace(c byte) bool     { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// clip shortens what is shown in a message.
func clip(b []byte) string {
	const most = 40
	if len(b) > most {
		return string(b[:most]) + "..."
	}
	return string(b)
}
