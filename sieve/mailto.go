package sieve

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// mailto is what a URI of that scheme says (RFC 6068), as far as a notice heeds it (RFC 5436 2.1, 2.7).
type mailto struct {
	to, cc, bcc   []string
	subject, body string
	fields        [][2]string // other fields of the header
	ignored       []string    // names of fields that a notice does not take from a URI
}

// maxMailto is how many addresses a URI may name.
const maxMailto = 8

// parseMailto reads a URI. The error says what is wrong with it.
func parseMailto(uri string) (*mailto, error) {
	rest, ok := cutScheme(uri)
	if !ok {
		return nil, errors.New("there is only \"mailto:\", with an address behind it")
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"\\^`{|}#", r) }) {
		return nil, errors.New("it has characters that no URI has; they are written as % and two digits")
	}
	m := &mailto{}
	to, query, _ := strings.Cut(rest, "?")
	if err := m.addresses(&m.to, to); err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(query, "&") {
		if err := m.field(field); err != nil {
			return nil, err
		}
	}
	switch n := len(m.to) + len(m.cc) + len(m.bcc); {
	case n == 0:
		return nil, errors.New("it names no address")
	case n > maxMailto:
		return nil, fmt.Errorf("it names %d addresses; %d are the most", n, maxMailto)
	}
	return m, nil
}

// cutScheme takes mailto: off; schemes have no case (RFC 3986 3.1).
func cutScheme(uri string) (rest string, ok bool) {
	const scheme = "mailto:"
	if len(uri) < len(scheme) || !strings.EqualFold(uri[:len(scheme)], scheme) {
		return "", false
	}
	return uri[len(scheme):], true
}

// addresses reads addresses with commas between, each encoded (RFC 6068 2).
func (m *mailto) addresses(into *[]string, list string) error {
	if list == "" {
		return nil
	}
	for encoded := range strings.SplitSeq(list, ",") {
		s, err := url.PathUnescape(encoded)
		if err != nil {
			return errors.New("a % in it is not followed by two digits")
		}
		a := outAddress(s)
		if a == "" {
			return fmt.Errorf("\"%s\" in it is no mail address", strings.ToValidUTF8(clipText(s, 60), "?"))
		}
		*into = append(*into, a)
	}
	return nil
}

// field reads one field of the header, or the body.
func (m *mailto) field(s string) error {
	if s == "" {
		return nil
	}
	encodedName, encodedValue, ok := strings.Cut(s, "=")
	name, err := url.PathUnescape(encodedName)
	value, err2 := url.PathUnescape(encodedValue)
	if err != nil || err2 != nil || !ok || !isFieldName(name) {
		return fmt.Errorf("\"%s\" in it is no field with a value", clipText(s, 60))
	}
	lists := map[string]*[]string{"to": &m.to, "cc": &m.cc, "bcc": &m.bcc}
	name = strings.ToLower(name)
	switch list := lists[name]; {
	case list != nil:
		return m.addresses(list, strings.ReplaceAll(encodedValue, "%2C", ","))
	case name == "body":
		return once(&m.body, name, plainText(value))
	case name == "subject":
		return once(&m.subject, name, oneLine(value))
	case isFree(name) && len(m.fields) < maxMailto:
		m.fields = append(m.fields, [2]string{name, oneLine(value)})
	default:
		m.ignored = append(m.ignored, name)
	}
	return nil
}

func once(into *string, name, value string) error {
	if *into != "" {
		return fmt.Errorf("it has the field %s twice", name)
	}
	*into = value
	return nil
}

// isFree: a field that says nothing of where a message comes from, by what way, and what it is made of (RFC 5436 2.7, RFC 6068 4).
func isFree(name string) bool {
	for _, prefix := range []string{"resent-", "content-", "mime-", "list-", "arc-", "dkim-", "authentication-", "received", "x-sieve", "x-loop", "x-auto"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return !slices.Contains([]string{"from", "sender", "auto-submitted", "return-path", "delivered-to", "message-id", "date", "errors-to", "precedence",
		"importance", "apparently-to", "envelope-to", "disposition-notification-to", "return-receipt-to"}, name)
}
