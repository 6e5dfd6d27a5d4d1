package dkim

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
)

const (
	// maxTags bounds a tag list.
	maxTags = 50
	// usualTags is how many a signature has, as a rule.
	usualTags = 12
)

// tags are a tag list's values by name (RFC 6376 3.2), outer white space removed, in their order.
type tags struct{ list []tag }

type tag struct{ name, value string }

// get gives the value of a tag, and whether there is one.
func (t *tags) get(name string) (string, bool) {
	for i := range t.list {
		if t.list[i].name == name {
			return t.list[i].value, true
		}
	}
	return "", false
}

// value is that of a tag, "" where there is none.
func (t *tags) value(name string) string {
	value, _ := t.get(name)
	return value
}

// parseTags reads "name=value; name=value". A name twice, a name that is none or a value with control characters makes
// the whole list void.
func parseTags(s string) (tags, error) {
	t := tags{list: make([]tag, 0, min(strings.Count(s, ";")+1, usualTags))}
	for s != "" {
		var spec string
		spec, s, _ = strings.Cut(s, ";")
		if strings.Trim(spec, " \t\r\n") == "" {
			if strings.Trim(s, " \t\r\n") == "" {
				break // one semicolon may end the list
			}
			return t, errors.New("an empty tag")
		}
		name, value, ok := strings.Cut(spec, "=")
		name = strings.Trim(name, " \t\r\n")
		if !ok || !isTagName(name) {
			return t, errors.New("a tag without a name or value")
		}
		if _, twice := t.get(name); twice {
			return t, errors.New("the tag " + name + "= stands twice")
		}
		value = strings.Trim(value, " \t\r\n")
		if strings.ContainsFunc(value, isControl) {
			return t, errors.New("a control character in the tag " + name + "=")
		}
		if t.list = append(t.list, tag{name, value}); len(t.list) > maxTags {
			return t, errors.New("too many tags")
		}
	}
	return t, nil
}

func isTagName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '_')) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func isControl(r rune) bool {
	return (r < ' ' && r != '\t' && r != '\r' && r != '\n') || r == 0x7f
}

// compact removes all white space, which a value may be folded with.
func compact(s string) string {
	if !strings.ContainsAny(s, " \t\r\n") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			out = append(out, c)
		}
	}
	return string(out)
}

// list splits a colon-separated value and removes white space.
func list(s string) []string {
	return strings.Split(compact(s), ":")
}

// decodeQP decodes DKIM's quoted-printable (RFC 6376 2.11); what is not well-formed stays.
func decodeQP(s string) string {
	if !strings.Contains(s, "=") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// withoutSignature is a DKIM-Signature field with the value of its b= tag taken out, white space included, and without
// its last line end: as it was when it was signed (RFC 6376 3.5, 3.7).
func withoutSignature(raw []byte) []byte {
	name, rest, _ := bytes.Cut(raw, []byte{':'})
	out := append(make([]byte, 0, len(raw)), name...)
	out = append(out, ':')
	for first := true; ; first = false {
		spec, after, more := bytes.Cut(rest, []byte{';'})
		if !first {
			out = append(out, ';')
		}
		if tag, _, ok := bytes.Cut(spec, []byte{'='}); ok && string(bytes.Trim(tag, " \t\r\n")) == "b" {
			out = append(append(out, tag...), '=')
		} else {
			out = append(out, spec...)
		}
		if rest = after; !more {
			break
		}
	}
	return bytes.TrimSuffix(out, []byte("\r\n"))
}
