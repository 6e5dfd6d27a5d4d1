package spf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"postern/internal/address"
)

// macroString is text with macros in it (RFC 7208 7.1).
type macroString []piece

// piece is plain text, or one macro when letter is set.
type piece struct {
	text    string
	escaped bool // the text stands for "%%", "%_" or "%-"

	letter  byte // lower case
	escape  bool // it was upper case: the value is escaped as in a URL
	parts   int  // how many of the right-hand parts are taken; 0: all
	reverse bool
	split   string // the delimiters
}

// place is where a macro string stands, which decides what may be in it.
type place uint8

const (
	inRecord      place = iota
	inExplanation       // with spaces, and the letters c, r and t
)

const (
	domainLetters      = "slodiphv"
	explanationLetters = domainLetters + "crt"
	delimiters         = ".-+,/_="
	// maxPieces bounds the macros of one string.
	maxPieces = 200
)

// parseMacros reads a macro-string, or an explain-string.
func parseMacros(s string, where place) (macroString, error) {
	m := macroString{}
	for s != "" {
		n := 0
		for n < len(s) && s[n] != '%' {
			if s[n] < ' ' || s[n] > '~' || s[n] == ' ' && where == inRecord {
				return nil, errors.New("a character that may not stand there")
			}
			n++
		}
		if n > 0 {
			m = append(m, piece{text: s[:n]})
			s = s[n:]
			continue
		}
		p, used, err := parseMacro(s, where)
		if err != nil {
			return nil, err
		}
		m, s = append(m, p), s[used:]
		if len(m) > maxPieces {
			return nil, errors.New("too many macros")
		}
	}
	return m, nil
}

// parseMacro reads the macro-expand at the beginning of s and tells its length.
func parseMacro(s string, where place) (piece, int, error) {
	if len(s) < 2 {
		return piece{}, 0, errors.New("a % alone")
	}
	switch s[1] {
	case '%':
		return piece{text: "%", escaped: true}, 2, nil
	case '_':
		return piece{text: " ", escaped: true}, 2, nil
	case '-':
		return piece{text: "%20", escaped: true}, 2, nil
	case '{':
	default:
		return piece{}, 0, errors.New("a % that begins no macro")
	}
	end := strings.IndexByte(s, '}')
	if end < 3 {
		return piece{}, 0, errors.New("a macro that does not end")
	}
	p, err := parseExpand(s[2:end], where)
	return p, end + 1, err
}

// parseExpand reads what stands between the braces: a letter, digits, "r", delimiters.
func parseExpand(s string, where place) (piece, error) {
	letters := domainLetters
	if where == inExplanation {
		letters = explanationLetters
	}
	p := piece{letter: s[0] | 0x20, escape: s[0] < 'a', split: "."}
	if !isAlpha(s[0]) || strings.IndexByte(letters, p.letter) < 0 {
		return p, errors.New("an unknown macro letter")
	}
	s = s[1:]
	digits := 0
	for digits < len(s) && isDigit(s[digits]) {
		digits++
	}
	if digits > 0 {
		n, err := strconv.Atoi(s[:digits])
		if err != nil || n == 0 {
			return p, errors.New("a macro that takes no parts") // RFC 7208 7.3
		}
		p.parts, s = n, s[digits:]
	}
	if s != "" && s[0]|0x20 == 'r' {
		p.reverse, s = true, s[1:]
	}
	if strings.Trim(s, delimiters) != "" {
		return p, errors.New("an unknown delimiter in a macro")
	}
	if s != "" {
		p.split = s
	}
	return p, nil
}

// parseDomainSpec reads a domain-spec: it ends in a macro or in a dot and a top label (RFC 7208 7.1).
func parseDomainSpec(s string) (macroString, error) {
	m, err := parseMacros(s, inRecord)
	if err != nil {
		return nil, err
	}
	if len(m) == 0 {
		return nil, errors.New("the domain is empty")
	}
	if last := m[len(m)-1]; last.letter == 0 && !last.escaped {
		text := strings.TrimSuffix(last.text, ".")
		i := strings.LastIndexByte(text, '.')
		if i < 0 || !isTopLabel(text[i+1:]) {
			return nil, errors.New("the domain does not end in a top-level label")
		}
	}
	return m, nil
}

// isTopLabel: letters, digits and inner hyphens, not digits alone.
func isTopLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' || isDigits(s) {
		return false
	}
	for i := range len(s) {
		if !isAlpha(s[i]) && !isDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// name expands a domain-spec to the name that is asked for; nil is the current domain. It is not ok when the name cannot
// be in the DNS, also because of a local part that is not ASCII (RFC 8616 4): the term then matches nothing.
func (e *evaluation) name(m macroString, domain string) (name string, ok bool) {
	if m == nil {
		return domain, true
	}
	name = strings.TrimSuffix(e.expand(m, domain), ".")
	for len(name) > 253 { // RFC 7208 7.3
		_, after, found := strings.Cut(name, ".")
		if !found {
			return "", false
		}
		name = after
	}
	return name, isName(name) && address.IsASCII(name)
}

// maxExpansion bounds an expanded string before it is cut; a name or an explanation is shorter.
const maxExpansion = 4096

// expand puts the values of the macros in. domain is the current one.
func (e *evaluation) expand(m macroString, domain string) string {
	if len(m) == 1 && m[0].letter == 0 {
		return m[0].text
	}
	var b strings.Builder
	for _, p := range m {
		if p.letter == 0 {
			b.WriteString(p.text)
		} else {
			b.WriteString(p.transform(e.value(p.letter, domain)))
		}
		if b.Len() > maxExpansion {
			break
		}
	}
	return b.String()
}

// value is what a macro letter stands for (RFC 7208 7.2).
func (e *evaluation) value(letter byte, domain string) string {
	switch letter {
	case 's':
		return e.Local + "@" + e.Domain
	case 'l':
		return e.Local
	case 'o':
		return e.Domain
	case 'd':
		return domain
	case 'i':
		return dotted(e.Client)
	case 'p':
		return e.validatedName(domain)
	case 'v':
		if e.Client.Is4() {
			return "in-addr"
		}
		return "ip6"
	case 'h':
		return e.Helo
	case 'c':
		return e.Client.String()
	case 'r':
		return e.Receiver
	default: // 't'
		return strconv.FormatInt(e.Now.Unix(), 10)
	}
}

// dotted is an address as macros have it: an IPv6 one as 32 nibbles.
func dotted(ip netip.Addr) string {
	if !ip.Is6() {
		return ip.String()
	}
	b := make([]byte, 0, 63)
	for i, octet := range ip.As16() {
		if i > 0 {
			b = append(b, '.')
		}
		const hex = "0123456789ABCDEF"
		b = append(b, hex[octet>>4], '.', hex[octet&15])
	}
	return string(b)
}

// transform splits, turns round, cuts and escapes a value (RFC 7208 7.3).
func (p piece) transform(value string) string {
	if p.parts > 0 || p.reverse || p.split != "." {
		parts := splitAny(value, p.split)
		if p.reverse {
			slices.Reverse(parts)
		}
		if p.parts > 0 && p.parts < len(parts) {
			parts = parts[len(parts)-p.parts:]
		}
		value = strings.Join(parts, ".")
	}
	if p.escape {
		return escapeURL(value)
	}
	return value
}

func splitAny(s, any string) []string {
	var parts []string
	for {
		i := strings.IndexAny(s, any)
		if i < 0 {
			return append(parts, s)
		}
		parts, s = append(parts, s[:i]), s[i+1:]
	}
}

// escapeURL leaves the unreserved characters of RFC 3986 2.3 alone.
func escapeURL(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if isAlpha(c) || isDigit(c) || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
