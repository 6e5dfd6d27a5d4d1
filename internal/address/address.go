// Package address reads and writes the mail addresses of the SMTP envelope.
//
// An address arrives in a MAIL or RCPT command, in an administrator's command or in a header, in many spellings: quoted or
// not, with a domain in Unicode or in Punycode, in any case. Here it becomes an [Address], one value for all spellings,
// which the rest of the server compares, stores and looks up; on its way out it becomes SMTP text again. The reading is
// strict (RFC 5321 4.1.2, RFC 6531 3.3, IDNA2008): what is accepted can be sent on to any server. The loose syntax of
// header fields is package message's affair.
package address

import (
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Limits in octets (RFC 5321 4.5.3.1). A path may have 256 with its angle brackets. Local parts may be longer than the 64
// that everybody must be able to take: mailing lists and newsletters write the receiver's address into their return paths.
const (
	maxLocal   = 128
	maxDomain  = 255
	maxAddress = 254
)

// Reasons for refusing an address. Their texts may be shown to the client.
var (
	errNoDomain      = errors.New("the address has no domain")
	errLocal         = errors.New("the local part is not valid")
	errLocalTooLong  = errors.New("the local part is longer than 128 octets")
	errUTF8          = errors.New("the address is not valid UTF-8")
	errDomain        = errors.New("the domain is not valid")
	errDomainTooLong = errors.New("the domain is longer than 255 octets")
	errLiteral       = errors.New("the address literal is not valid")
	errTooLong       = errors.New("the address is longer than 254 octets")
	errPath          = errors.New("the path must be an address in angle brackets")
	errRoute         = errors.New("the source route is not valid")
)

// Address is a mailbox as the envelope knows it. Two addresses of one spelling but for case in the local part differ; see
// [Address.Key].
type Address struct {
	// Local is the local part without quoting, UTF-8 in NFC, case kept.
	Local string
	// Domain is lower-case A-labels, or an address literal such as "[192.0.2.1]" or "[IPv6:2001:db8::1]".
	// It is empty only for the bare Postmaster (RFC 5321 4.1.1.3) and for the zero Address, which is the null path.
	Domain string
}

// Parse reads an address without angle brackets: user@example.org or "a user"@example.org.
func Parse(s string) (Address, error) {
	if len(s) > maxAddress*2 {
		return Address{}, errTooLong // whatever it is; the exact check is below, on the form that goes out
	}
	local, end, err := parseLocal(s)
	if err != nil {
		return Address{}, err
	}
	if end == len(s) {
		return Address{}, errNoDomain
	}
	if s[end] != '@' {
		return Address{}, errLocal
	}
	domain, err := parseDomain(s[end+1:])
	if err != nil {
		return Address{}, err
	}
	a := Address{Local: local, Domain: domain}
	if end+1+len(domain) > maxAddress {
		return Address{}, errTooLong
	}
	return a, nil
}

// ParsePath reads a path in angle brackets at the beginning of s, and gives what follows it, trimmed: the parameters of
// MAIL and RCPT. A source route is dropped (RFC 5321 appendix C). "<>" is the zero Address, "<Postmaster>" has no domain.
func ParsePath(s string) (a Address, rest string, err error) {
	s = strings.TrimLeft(s, " ")
	if len(s) == 0 || s[0] != '<' {
		return Address{}, "", errPath
	}
	end := pathEnd(s)
	if end < 0 {
		return Address{}, "", errPath
	}
	path, rest := s[1:end], s[end+1:]
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return Address{}, "", errPath
	}
	rest = strings.Trim(rest, " \t")
	if path == "" {
		return Address{}, rest, nil
	}
	if path[0] == '@' {
		if path, err = dropRoute(path); err != nil {
			return Address{}, "", err
		}
	}
	if strings.EqualFold(path, "postmaster") {
		return Address{Local: path}, rest, nil
	}
	a, err = Parse(path)
	return a, rest, err
}

// pathEnd finds the bracket that ends the path, which a quoted local part may contain too; -1 when there is none.
func pathEnd(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && c == '>':
			return i
		}
	}
	return -1
}

// dropRoute takes the "@a,@b:" off a path.
func dropRoute(path string) (string, error) {
	route, rest, ok := strings.Cut(path, ":")
	if !ok || len(route) > maxAddress {
		return "", errRoute
	}
	for hop := range strings.SplitSeq(route, ",") {
		if !strings.HasPrefix(hop, "@") {
			return "", errRoute
		}
		if _, err := NormalizeDomain(hop[1:]); err != nil {
			return "", errRoute
		}
	}
	return rest, nil
}

// parseLocal reads the local part at the beginning of s and gives it unquoted, and where it ends in s.
func parseLocal(s string) (local string, end int, err error) {
	if strings.HasPrefix(s, `"`) {
		local, end, err = parseQuoted(s)
	} else {
		end = dotStringEnd(s)
		local = s[:end]
		if end == 0 || local[0] == '.' || local[end-1] == '.' || strings.Contains(local, "..") {
			return "", 0, errLocal
		}
	}
	if err != nil {
		return "", 0, err
	}
	if end > maxLocal {
		return "", 0, errLocalTooLong
	}
	if IsASCII(local) {
		return local, end, nil
	}
	// RFC 6531 3.3 lets UTF-8 into atext and qtextSMTP; RFC 6532 3.1 asks for NFC.
	if !utf8.ValidString(local) {
		return "", 0, errUTF8
	}
	for _, r := range local {
		if r >= utf8.RuneSelf && (unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == utf8.RuneError) {
			return "", 0, errLocal
		}
	}
	local = norm.NFC.String(local)
	if len(local) > maxLocal {
		return "", 0, errLocalTooLong
	}
	return local, end, nil
}

func dotStringEnd(s string) int {
	for i := range len(s) {
		if c := s[i]; c < utf8.RuneSelf && c != '.' && !isAtext(c) {
			return i
		}
	}
	return len(s)
}

// parseQuoted reads a Quoted-string (RFC 5321 4.1.2): no control characters, not even quoted.
func parseQuoted(s string) (string, int, error) {
	text := make([]byte, 0, maxLocal)
	for i := 1; i < len(s); i++ {
		c := s[i]
		if c == '"' {
			return string(text), i + 1, nil
		}
		if c == '\\' {
			i++
			if i == len(s) || s[i] >= utf8.RuneSelf {
				return "", 0, errLocal
			}
			c = s[i]
		}
		if c < ' ' || c == 0x7f {
			return "", 0, errLocal
		}
		text = append(text, c)
	}
	return "", 0, errLocal
}

func parseDomain(s string) (string, error) {
	if s == "" {
		return "", errNoDomain
	}
	if s[0] == '[' {
		return parseLiteral(s)
	}
	return NormalizeDomain(s)
}

// NormalizeDomain gives a domain name as lower-case A-labels. It takes no trailing dot and no address literal.
func NormalizeDomain(s string) (string, error) {
	if len(s) > maxDomain*2 || TooLong(s) {
		return "", errDomainTooLong
	}
	if !utf8.ValidString(s) {
		return "", errUTF8
	}
	if !IsASCII(s) || hasALabel(s) {
		ascii, err := idna.Lookup.ToASCII(s)
		if err != nil {
			return "", errDomain
		}
		s = ascii
	}
	if len(s) > maxDomain {
		return "", errDomainTooLong
	}
	s = strings.ToLower(s)
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return "", errDomain
		}
	}
	return s, nil
}

// TooLong reports whether a domain name, in whatever spelling, has more characters than the DNS takes bytes: 63 in a label, 253 in
// all, which its A-labels have too. Whoever turns a stranger's name into A-labels asks before, since the time that takes grows
// with the square of a label's length.
func TooLong(domain string) bool {
	label, all := 0, 0
	for _, r := range domain {
		label++
		if r == '.' || r == '\u3002' || r == '\uff0e' || r == '\uff61' { // what IDNA takes for a dot
			label = 0
		}
		if all++; label > 63 || all > 254 { // a dot may end it
			return true
		}
	}
	return false
}

// hasALabel reports whether some label claims to be Punycode, which then must be valid.
func hasALabel(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if len(label) >= 4 && strings.EqualFold(label[:4], "xn--") {
			return true
		}
	}
	return false
}

// isLabel checks sub-domain = Let-dig [Ldh-str] and the limit of the DNS.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && !isAlnum(c) {
			return false
		}
	}
	return true
}

// parseLiteral reads an address literal (RFC 5321 4.1.3). Tags other than IPv6 are unknown to everyone.
func parseLiteral(s string) (string, error) {
	if len(s) < 2 || s[len(s)-1] != ']' {
		return "", errLiteral
	}
	text := s[1 : len(s)-1]
	v6 := len(text) >= 5 && strings.EqualFold(text[:5], "IPv6:")
	if v6 {
		text = text[5:]
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" || ip.Is6() != v6 {
		return "", errLiteral
	}
	if !v6 {
		return "[" + ip.String() + "]", nil
	}
	// RFC 5321 4.1.3: "::" stands for at least two groups of zeros.
	groups := strings.Count(text, ":") + 1
	if strings.Contains(text, ".") {
		groups++
	}
	if strings.Contains(text, "::") {
		groups--
		if strings.HasPrefix(text, "::") {
			groups--
		}
		if strings.HasSuffix(text, "::") {
			groups--
		}
		if groups > 6 {
			return "", errLiteral
		}
	}
	return "[IPv6:" + ip.String() + "]", nil
}

// String is the form for SMTP and for logs: the local part quoted where it must be, the domain in A-labels. The zero
// Address gives "".
func (a Address) String() string {
	if a.Domain == "" {
		return a.quoted()
	}
	return a.quoted() + "@" + a.Domain
}

// Unicode is the form for people: the domain in U-labels where it has any.
func (a Address) Unicode() string {
	if a.Domain == "" {
		return a.quoted()
	}
	return a.quoted() + "@" + UnicodeDomain(a.Domain)
}

// UnicodeDomain gives a domain name in U-labels; it gives back what it cannot read.
func UnicodeDomain(domain string) string {
	if !hasALabel(domain) {
		return domain
	}
	if u, err := idna.Lookup.ToUnicode(domain); err == nil {
		return u
	}
	return domain
}

// quoted is the local part as SMTP writes it.
func (a Address) quoted() string {
	if a.IsZero() || isDotString(a.Local) {
		return a.Local
	}
	b := make([]byte, 0, len(a.Local)+4)
	b = append(b, '"')
	for i := range len(a.Local) {
		c := a.Local[i]
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return string(append(b, '"'))
}

// IsZero reports whether a is the null path "<>".
func (a Address) IsZero() bool { return a == Address{} }

// NeedsUTF8 reports whether a can be sent only to a server with SMTPUTF8 (RFC 6531).
func (a Address) NeedsUTF8() bool { return !IsASCII(a.Local) }

// Key is one string for all spellings of a mailbox of ours: without quoting and with the case of the local part folded.
// Other servers may tell cases apart (RFC 5321 2.4), so it is for looking up, not for sending.
func (a Address) Key() string {
	return foldLocal(a.Local) + "@" + a.Domain
}

func foldLocal(s string) string {
	if IsASCII(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(cases.Fold().String(s))
}

func isDotString(s string) bool {
	return s != "" && s[0] != '.' && s[len(s)-1] != '.' && !strings.Contains(s, "..") && dotStringEnd(s) == len(s)
}

// IsASCII reports whether a text has no byte beyond ASCII.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isAtext tells the characters of an atom (RFC 5322 3.2.3).
func isAtext(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}
