package authres

import (
	"strings"

	"golang.org/x/net/idna"
)

// Claims reports whether a field's value pretends to come from the server with that authserv-id. Such a field that
// another wrote must be taken out on the way in (RFC 8601 5). Case, quotes, comments, folds, a version, a final dot and
// the spellings of internationalised names make no difference, nor does what is wrong with the rest of the field. Whose a
// field of more than 64 KiB is, is not looked at: it may be anybody's.
func Claims(value, id string) bool {
	id = spelling(id)
	if id == "" {
		return false
	}
	if len(value) > maxLength {
		return true // behind that much of a comment, another reader may find anything
	}
	r := reader{s: value}
	if first, err := r.looseID(); err == nil && spelling(first) == id {
		return true
	}
	return spelling(bare(value)) == id
}

// looseID reads an authserv-id: a quoted string, or all up to what may follow one.
func (r *reader) looseID() (string, error) {
	r.space()
	if r.peek() == '"' {
		return r.quoted()
	}
	end := strings.IndexAny(r.s[r.pos:], "; \t\r\n(")
	if end < 0 {
		end = len(r.s) - r.pos
	}
	return r.s[r.pos : r.pos+end], nil
}

// bare is all up to the first semicolon without quotes, comments and white space.
func bare(s string) string {
	var b strings.Builder
	for r := (reader{s: s}); ; {
		if r.space(); !r.more() || r.peek() == ';' {
			return b.String()
		}
		if c := r.peek(); c != '"' && c != '\\' {
			b.WriteByte(c)
		}
		r.pos++
	}
}

// spelling is one form for all spellings of a name.
func spelling(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if ascii, err := idna.Lookup.ToASCII(s); err == nil {
		s = ascii
	} else if ascii, err := idna.Punycode.ToASCII(s); err == nil {
		s = ascii
	}
	return strings.ToLower(strings.Trim(s, "."))
}
