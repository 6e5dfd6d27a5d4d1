package authres

import (
	"strings"

	"golang.org/x/net/idna"

	"postern/internal/address"
)

// Claims reports whether a field's value pretends to come from the server with that authserv-id. Such a field that
// another wrote must be taken out on the way in (RFC 8601 5). Case, quotes, comments, folds, a version, a final dot and
// the spellings of internationalised names make no difference, nor does what is wrong with the rest of the field. Whose a
// field is that has more than 64 KiB, or a name beyond ASCII that is too long for one, is not looked at: it may be anybody's.
func Claims(value, id string) bool {
	id, _ = spelling(id)
	if id == "" {
		return false
	}
	if len(value) > maxLength {
		return true // behind that much of a comment, another reader may find anything
	}
	r := reader{s: value}
	first, err := r.looseID()
	if err == nil && isSpelling(first, id) {
		return true
	}
	whole := bare(value)
	return whole != first && isSpelling(whole, id)
}

// isSpelling reports whether a name is, or may be, a spelling of the one that id is the form for.
func isSpelling(name, id string) bool {
	form, ok := spelling(name)
	return !ok || form == id
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

// spelling is one form for all spellings of a name. There is none for what would take long to spell: beyond ASCII, and too long
// for a name.
func spelling(s string) (form string, ok bool) {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	switch tooLong := address.TooLong(s); {
	case tooLong && !address.IsASCII(s):
		return "", false
	case tooLong: // no A-label is such a label
	default:
		if ascii, err := idna.Lookup.ToASCII(s); err == nil {
			s = ascii
		} else if ascii, err := idna.Punycode.ToASCII(s); err == nil {
			s = ascii
		}
	}
	return strings.ToLower(strings.Trim(s, ".")), true
}
