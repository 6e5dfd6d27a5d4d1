package sieve

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"postern/sieve/grammar"
)

// decodeCharacters puts characters in the place of ${hex: 40 41} and ${unicode: 40 41} (RFC 5228 2.4.2.4). What is not
// written so stays as it is; a number that is no character is a mistake.
func (c *compiler) decodeCharacters(at grammar.Position, s string) string {
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			break
		}
		out.WriteString(s[:i])
		s = s[i:]
		decoded, n := c.encoded(at, s)
		if n == 0 {
			out.WriteString(s[:2])
			s = s[2:]
			continue
		}
		out.WriteString(decoded)
		s = s[n:]
	}
	out.WriteString(s)
	return out.String()
}

// encoded reads one such piece at the beginning of s and gives its length, 0 when there is none.
func (c *compiler) encoded(at grammar.Position, s string) (string, int) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return "", 0
	}
	kind, digits, ok := strings.Cut(s[2:end], ":")
	kind = strings.ToLower(kind)
	if !ok || kind != "hex" && kind != "unicode" {
		return "", 0
	}
	fields := strings.FieldsFunc(digits, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' })
	if len(fields) == 0 {
		return "", 0
	}
	var out strings.Builder
	for _, f := range fields {
		if strings.Trim(f, "0123456789abcdefABCDEF") != "" || kind == "hex" && len(f) > 2 {
			return "", 0
		}
		n, err := strconv.ParseUint(f, 16, 32)
		switch {
		case kind == "hex":
			out.WriteByte(byte(n))
		case err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)):
			c.problem(at, "%q is no character of Unicode", f)
			return "", end + 1
		default:
			out.WriteRune(rune(n))
		}
	}
	return out.String(), end + 1
}
