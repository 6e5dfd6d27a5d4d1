package smtp

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decodeUTF8Address reads utf-8-addr-xtext or, where UTF-8 may travel, utf-8-addr-unitext (RFC 6533 3): characters
// outside of printable ASCII, and "\", "+", "=", are written \x{HEX}.
func decodeUTF8Address(s string, unitext bool) (string, bool) {
	if !utf8.ValidString(s) || !unitext && !isASCII(s) {
		return "", false
	}
	var b strings.Builder
	for s != "" {
		if s[0] == '\\' {
			r, rest, ok := cutEmbedded(s)
			if !ok {
				return "", false
			}
			b.WriteRune(r)
			s = rest
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		if r == '+' || r == '=' || !unicode.IsPrint(r) {
			return "", false
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String(), true
}

// cutEmbedded reads one \x{HEX}, upper case, 2 to 6 digits.
func cutEmbedded(s string) (r rune, rest string, ok bool) {
	hex, rest, ok := strings.Cut(strings.TrimPrefix(s, `\x{`), "}")
	if !ok || !strings.HasPrefix(s, `\x{`) || len(hex) < 2 || len(hex) > 6 || strings.Trim(hex, "0123456789ABCDEF") != "" {
		return 0, "", false
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	r = rune(n)
	return r, rest, err == nil && utf8.ValidRune(r) && unicode.IsPrint(r)
}
