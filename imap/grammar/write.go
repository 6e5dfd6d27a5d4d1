package grammar

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxQuoted is the longest string that is written in quotes. Some clients keep
// lines in buffers of a kilobyte or more.
const maxQuoted = 1000

// AppendString writes s as a quoted string if it fits in one, else as a literal.
// With utf8ok, for clients that enabled IMAP4rev2, what is UTF-8 fits. RFC 9051 4.3
func AppendString(dst []byte, s string, utf8ok bool) []byte {
	if !quotable(s, utf8ok) {
		return AppendLiteral(dst, s)
	}
	dst = append(dst, '"')
	for {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			break
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, '\\', s[i])
		s = s[i+1:]
	}
	dst = append(dst, s...)
	return append(dst, '"')
}

func quotable(s string, utf8ok bool) bool {
	if len(s) > maxQuoted {
		return false
	}
	high := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0 || c == '\r' || c == '\n':
			return false
		case c >= utf8.RuneSelf:
			high = true
		}
	}
	return !high || utf8ok && utf8.ValidString(s)
}

// AppendLiteral writes s as a literal. It must hold no NUL.
func AppendLiteral(dst []byte, s string) []byte {
	dst = AppendLiteralHeader(dst, int64(len(s)), false)
	return append(dst, s...)
}

// AppendLiteralHeader writes "{n}" and CRLF, or "~{n}" for a literal8. The n bytes
// follow.
func AppendLiteralHeader(dst []byte, n int64, literal8 bool) []byte {
	if literal8 {
		dst = append(dst, '~')
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "}\r\n"...)
}

// AppendNString is AppendString with NIL for "".
func AppendNString(dst []byte, s string, utf8ok bool) []byte {
	if s == "" {
		return append(dst, "NIL"...)
	}
	return AppendString(dst, s, utf8ok)
}

// AppendAString writes s bare if it is an atom, else as AppendString does.
func AppendAString(dst []byte, s string, utf8ok bool) []byte {
	if s == "" || strings.EqualFold(s, "NIL") {
		return AppendString(dst, s, utf8ok)
	}
	for i := range len(s) {
		if !is(s[i], astringChar) {
			return AppendString(dst, s, utf8ok)
		}
	}
	return append(dst, s...)
}

// AppendMailbox writes a mailbox name: in UTF-8 for clients that enabled IMAP4rev2,
// else in modified UTF-7. RFC 9051 5.1, RFC 3501 5.1.3
func AppendMailbox(dst []byte, name string, utf8ok bool) []byte {
	if utf8ok {
		return AppendAString(dst, name, true)
	}
	return AppendAString(dst, EncodeUTF7(name), false)
}

// AppendFlags writes "(\Seen $Forwarded)".
func AppendFlags(dst []byte, flags []string) []byte {
	dst = append(dst, '(')
	for i, f := range flags {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, f...)
	}
	return append(dst, ')')
}
