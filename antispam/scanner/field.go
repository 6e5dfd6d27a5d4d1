package scanner

import (
	"mime"
	"strings"
)

// Field is a header field that a scanner wants on a message. Its name is one (RFC 5322 2.2) that begins with "X-"; its
// value is one line of printable ASCII, encoded words (RFC 2047) where the scanner wrote anything else.
type Field struct{ Name, Value string }

const (
	maxFields     = 64
	maxFieldName  = 76
	maxFieldValue = 16 << 10
	maxFieldsSize = 32 << 10 // of all together, for they stand before each recipient's copy
	foldAt        = 76       // RFC 5322 2.1.1: 78 without CRLF
	longestWord   = 900      // 998 at the utmost
)

// newField takes a field of a scanner's answer. wanted is false for fields that a scanner has no say in: what is in the
// message's own header, or what our own checks write: Authentication-Results (RFC 8601 5), X-Postern-Verdict.
func newField(name, value string) (f Field, wanted bool, err error) {
	if !isFieldName(name) {
		return f, false, lying("%q is not the name of a header field", cut(name, 80))
	}
	if len(value) > maxFieldValue {
		return f, false, lying("the field %s has %d bytes", name, len(value))
	}
	if value, err = oneLine(value); err != nil {
		return f, false, lying("the field %s holds lines that are not its own", name)
	}
	lower := strings.ToLower(name)
	return Field{name, encodeValue(value)}, len(name) > 2 && strings.HasPrefix(lower, "x-") && !strings.HasPrefix(lower, "x-postern-"), nil
}

// add takes a field as long as there is room.
func (r *Result) add(f Field) {
	size := len(f.Name) + len(f.Value)
	for _, other := range r.Headers {
		size += len(other.Name) + len(other.Value)
	}
	if len(r.Headers) < maxFields && size <= maxFieldsSize {
		r.Headers = append(r.Headers, f)
	}
}

func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' { // RFC 5322 3.6.8
			return false
		}
	}
	return s != "" && len(s) <= maxFieldName
}

// oneLine unfolds a value (RFC 5322 2.2.3). A line break that is no folding would begin another field.
func oneLine(s string) (string, error) {
	s = strings.Trim(s, " \t\r\n")
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r' || c == '\n':
			if c == '\r' && i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			if i+1 < len(s) && s[i+1] != ' ' && s[i+1] != '\t' {
				return "", lying("a line break within")
			}
		case c == '\t':
			b.WriteByte(' ')
		case c < ' ' || c == 0x7f:
			b.WriteByte('?')
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func encodeValue(s string) string {
	return mime.QEncoding.Encode("utf-8", strings.ToValidUTF8(s, "?"))
}

// Append writes the field, folded, with its line end.
func (f Field) Append(dst []byte) []byte {
	dst = append(dst, f.Name...)
	dst = append(dst, ':')
	line := len(f.Name) + 1
	for word := range strings.FieldsSeq(f.Value) {
		for word != "" {
			piece := word[:min(len(word), longestWord)]
			word = word[len(piece):]
			if line+1+len(piece) > foldAt && line > len(f.Name)+1 {
				dst, line = append(dst, "\r\n"...), 0
			}
			dst = append(append(dst, ' '), piece...)
			line += 1 + len(piece)
		}
	}
	return append(dst, "\r\n"...)
}

// cut shortens a text to at most most bytes.
func cut(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}
