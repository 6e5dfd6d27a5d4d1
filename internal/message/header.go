package message

import (
	"bytes"
	"strings"
)

// Field is one header field.
type Field struct {
	Name string // as written, without the colon; empty for a line that is no field
	Raw  []byte // the whole field with its line ends

	text string // the same after the colon, when it was made by ParseHeader or Parse
}

// Value is what follows the colon, unfolded (RFC 5322 2.2.3) and trimmed.
func (f Field) Value() string {
	text := f.text
	if text == "" && len(f.Raw) > 0 {
		s := ScanHeader(f.Raw)
		if s.Next() {
			text = string(f.Raw[s.value:s.end])
		}
	}
	return unfold(text)
}

// Header is the fields of one header in their order.
type Header struct {
	Fields []Field
}

// ParseHeader reads the fields up to the first empty line. The header refers to b.
func ParseHeader(b []byte) Header {
	h, _ := parseHeader(b, DefaultLimits.Fields)
	return h
}

// parseHeader also tells whether there were more fields than max.
func parseHeader(b []byte, most int) (h Header, more bool) {
	text := string(b)
	n := 0
	for s := ScanHeader(b); n <= most && s.Next(); {
		n++
	}
	if n > most {
		n, more = most, true
	}
	h.Fields = make([]Field, 0, n)
	for s := ScanHeader(b); len(h.Fields) < n && s.Next(); {
		h.Fields = append(h.Fields, Field{
			Name: text[s.begin:s.nameEnd],
			Raw:  b[s.begin:s.end:s.end],
			text: text[s.value:s.end],
		})
	}
	return h, more
}

// Get is the value of the first field of that name, or "". Names are compared without regard to case.
func (h Header) Get(name string) string {
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, name) {
			return h.Fields[i].Value()
		}
	}
	return ""
}

// All gives all fields of that name.
func (h Header) All(name string) []Field {
	var all []Field
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, name) {
			all = append(all, h.Fields[i])
		}
	}
	return all
}

// Count is the number of fields of that name.
func (h Header) Count(name string) int {
	n := 0
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, name) {
			n++
		}
	}
	return n
}

// HeaderScanner walks the raw bytes of a header field by field without allocation.
//
//	for s := message.ScanHeader(b); s.Next(); {
//		if s.Is("Subject") {
//			text = s.AppendValue(text[:0])
//		}
//	}
type HeaderScanner struct {
	header  []byte
	begin   int // of the field
	nameEnd int // begin when the line is no field
	value   int // behind the colon; begin when the line is no field
	end     int // of the field, behind its line end
}

// ScanHeader starts a scanner. It ends at the empty line or at the end of header.
func ScanHeader(header []byte) HeaderScanner { return HeaderScanner{header: header} }

// Next goes to the next field and reports whether there is one.
func (s *HeaderScanner) Next() bool {
	s.begin = s.end
	rest := s.header[s.begin:]
	if len(rest) == 0 || isEmptyLine(rest) {
		return false
	}
	n := 0
	for { // RFC 5322 2.2.3: a line that begins with white space continues the field
		i := bytes.IndexByte(rest[n:], '\n')
		if i < 0 {
			n = len(rest)
			break
		}
		n += i + 1
		if n == len(rest) || rest[n] != ' ' && rest[n] != '\t' {
			break
		}
	}
	s.end = s.begin + n
	s.nameEnd, s.value = s.begin, s.begin
	if name, colon := fieldName(rest[:n]); name > 0 {
		s.nameEnd = s.begin + name
		s.value = s.begin + colon + 1
	}
	return true
}

// fieldName gives the length of the name and the place of the colon. White space before the colon is tolerated
// (RFC 5322 4.5). The length is 0 when the line is no field.
func fieldName(line []byte) (name, colon int) {
	for i, c := range line {
		switch {
		case c == ':':
			if name == 0 {
				name = i
			}
			return name, i
		case c == ' ' || c == '\t':
			if name == 0 {
				name = i
			}
			if i == 0 {
				return 0, 0
			}
		case c < ' ' || c >= 0x7f || name > 0:
			return 0, 0
		}
	}
	return 0, 0
}

func isEmptyLine(b []byte) bool {
	return b[0] == '\n' || b[0] == '\r' && len(b) > 1 && b[1] == '\n'
}

// Name is the field's name as written; empty when the line is no field. It shares memory with the header.
func (s *HeaderScanner) Name() []byte { return s.header[s.begin:s.nameEnd] }

// Raw is the whole field with its line ends.
func (s *HeaderScanner) Raw() []byte { return s.header[s.begin:s.end] }

// Is compares the name without regard to case.
func (s *HeaderScanner) Is(name string) bool { return equalFold(s.Name(), name) }

// AppendValue appends what follows the colon, unfolded and trimmed.
func (s *HeaderScanner) AppendValue(dst []byte) []byte {
	value := bytes.Trim(s.header[s.value:s.end], " \t\r\n")
	for {
		i := bytes.IndexByte(value, '\n')
		if i < 0 {
			return append(dst, value...)
		}
		dst = append(dst, bytes.TrimSuffix(value[:i], []byte{'\r'})...)
		value = value[i+1:]
	}
}

// equalFold compares ASCII.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c != s[i] && lowerByte(c) != lowerByte(s[i]) {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// unfold removes the line ends of a field's value, which are all followed by white space, and trims it.
func unfold(s string) string {
	s = strings.Trim(s, " \t\r\n")
	if strings.IndexByte(s, '\n') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for line := range strings.SplitSeq(s, "\n") {
		b = append(b, strings.TrimSuffix(line, "\r")...)
	}
	return string(b)
}

// FilterHeader appends the fields of header whose names are listed (not: those that are not), and the empty line:
// HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 9051 6.4.5.1).
func FilterHeader(dst, header []byte, names []string, not bool) []byte {
	for s := ScanHeader(header); s.Next(); {
		if s.isOneOf(names) != not {
			dst = append(dst, s.Raw()...)
			if dst[len(dst)-1] != '\n' {
				dst = append(dst, '\r', '\n')
			}
		}
	}
	return append(dst, '\r', '\n')
}

func (s *HeaderScanner) isOneOf(names []string) bool {
	for _, name := range names {
		if s.Is(name) {
			return true
		}
	}
	return false
}
