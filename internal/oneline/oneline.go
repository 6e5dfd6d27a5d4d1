// Package oneline keeps strangers' texts on one line of bounded length, for traces, logs, tables and header fields.
package oneline

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text gives s without white space around it, of at most the given bytes, as valid UTF-8. Whatever would end a line or move
// a terminal's cursor is a space.
func Text(s string, most int) string {
	s = strings.TrimSpace(s)
	if IsPlain(s) {
		return strings.TrimSpace(s[:min(len(s), most)])
	}
	if len(s) > most {
		s = s[:most]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, n := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && n == 1 {
			s = s[:len(s)-1] // the beginning of a character that was cut
		}
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}

// IsPlain reports whether a text is nothing but printable ASCII and spaces, as nearly all are, so that nothing in it need be
// replaced.
func IsPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
