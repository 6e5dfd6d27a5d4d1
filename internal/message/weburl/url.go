// Package weburl finds web addresses in text and gives their hosts one spelling.
//
// The road starts with the text of a message, for [Find], or with an address that a link has, for [Parse] or a [Parser]; it
// ends at a [URL]: scheme, host in the form that the DNS and block lists know, and the tricks with which the address was
// disguised. It reads addresses as browsers do, who forgive a lot, and not as RFC 3986 does: what counts is where a click
// goes. Nothing is ever fetched, and an address that redirects is the address of the redirector.
//
// Everything is bounded: one pass over the text, addresses up to a length, as many as asked for.
package weburl

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Tricks are ways in which an address hides where it goes. Some are honest now and then.
type Tricks uint16

// The tricks.
const (
	Userinfo    Tricks = 1 << iota // http://bank.example@evil.example: what stands before the "@" means nothing
	PercentHost                    // characters of the host are percent-encoded
	NumericHost                    // an IPv4 address that is not written as four decimal numbers
	IPHost                         // the host is an IP address
	IDN                            // the host has characters beyond ASCII, as such or in Punycode
	MixedScript                    // a label of the host mixes Latin with another alphabet that looks like it
	Defanged                       // hxxp, [.], (dot): no address for a browser, but one for a reader
	Slashes                        // backslashes, or too few or too many slashes, before the host
	SplitURL                       // line ends or tabs inside, which browsers leave out
	OddPort                        // a port that is not the scheme's
	InvalidHost                    // no host that could be looked up
)

// Has reports whether t has any of the tricks.
func (t Tricks) Has(tricks Tricks) bool { return t&tricks != 0 }

// URL is where an address goes.
type URL struct {
	Scheme string // lower case; "http" where the address is written without one. Only http, https and ftp have a host.
	Host   string // lower-case A-labels without a dot at the end, or an IP address without brackets
	IP     netip.Addr
	Tricks Tricks
}

// maxAuthority is how much of an address is looked at for its host, in bytes. What is longer reaches nobody.
const maxAuthority = 2 << 10

// Parse reads the address that a link or an image has. ok is false when it has no scheme and so goes to no host of its own.
func Parse(raw []byte) (u URL, ok bool) { return new(Parser).Parse(raw) }

// Parser reads addresses one after another. It remembers the hosts that it met last, since most addresses of a message
// lead to a few. The zero value is ready; it is for one goroutine.
type Parser struct {
	hosts [4]string // in their normal form, and nothing but that in the address
	next  int       // the one to forget
}

// Parse is as the function of that name.
func (p *Parser) Parse(raw []byte) (u URL, ok bool) {
	raw = TrimBlank(raw)
	b := raw[:min(len(raw), maxAuthority)]
	if isSplit(b) {
		u.Tricks |= SplitURL
		b = joined(b)
	}
	if len(b) > 1 && isSlash(b[0]) && isSlash(b[1]) {
		u.Scheme = "http"
	} else {
		colon := schemeEnd(b)
		if colon == 0 {
			return URL{}, false
		}
		u.setScheme(b[:colon])
		b = b[colon+1:]
	}
	if !u.isWeb() {
		return u, true
	}
	p.readAuthority(&u, b)
	return u, true
}

// TrimBlank drops what browsers do not take for a part of an address: the white space and the control characters around it.
func TrimBlank(b []byte) []byte {
	for len(b) > 0 && b[0] <= ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] <= ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// isSplit reports whether an address has line ends or tabs inside.
func isSplit(b []byte) bool {
	i := 0
	for ; i+8 <= len(b); i += 8 { // most have no control character at all
		x := binary.LittleEndian.Uint64(b[i:])
		if (x-0x2020202020202020)&^x&0x8080808080808080 != 0 {
			break
		}
	}
	for _, c := range b[i:] {
		if c == '\t' || c == '\n' || c == '\r' {
			return true
		}
	}
	return false
}

// joined is an address without the line ends and tabs in it, which browsers leave out.
func joined(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, c := range b {
		if c != '\t' && c != '\n' && c != '\r' {
			out = append(out, c)
		}
	}
	return out
}

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// schemeEnd is the place of the colon behind a scheme (RFC 3986 3.1), 0 when there is none.
func schemeEnd(b []byte) int {
	for i, c := range b {
		switch {
		case c == ':':
			return i
		case isLetter(c):
		case i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.'):
		default:
			return 0
		}
	}
	return 0
}

// setScheme takes the scheme, and undoes the disguise of those who warn of addresses.
func (u *URL) setScheme(b []byte) {
	switch {
	case len(b) == 4 && hasFold(b, "http"):
		u.Scheme = "http"
	case len(b) == 5 && hasFold(b, "https"):
		u.Scheme = "https"
	case len(b) == 4 && hasFold(b, "hxxp"), len(b) == 5 && hasFold(b, "hxxps"):
		u.Tricks |= Defanged
		u.Scheme = "http" + strings.ToLower(string(b[4:]))
	case len(b) == 6 && hasFold(b, "mailto"):
		u.Scheme = "mailto"
	case len(b) == 3 && hasFold(b, "cid"):
		u.Scheme = "cid"
	default:
		u.Scheme = strings.ToLower(string(b))
	}
}

// isWeb reports whether the scheme is one with a host that browsers go to.
func (u *URL) isWeb() bool { return u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "ftp" }

// readAuthority reads what follows "http:".
func (p *Parser) readAuthority(u *URL, b []byte) {
	n := 0
	for n < len(b) && isSlash(b[n]) {
		n++
	}
	if n != 2 || b[0] != '/' || b[1] != '/' {
		u.Tricks |= Slashes
	}
	p.readHostPort(u, b[n:])
}

// readHostPort reads what follows the slashes.
func (p *Parser) readHostPort(u *URL, b []byte) {
	end, odd := 0, false
	for ; end < len(b) && authority[b[end]] != behind; end++ {
		odd = odd || authority[b[end]] == notPlain
	}
	b = b[:end]
	if odd || end == 0 {
		u.readServer(b)
		return
	}
	for _, host := range p.hosts {
		if string(b) == host {
			u.Host = host
			return
		}
	}
	if !isPlainHost(b) {
		u.readServer(b)
		return
	}
	u.Host = string(b)
	p.hosts[p.next] = u.Host
	p.next = (p.next + 1) % len(p.hosts)
}

// What a byte is behind the slashes.
const (
	inHost   = iota // of a host in its normal form
	notPlain        // of anything else
	behind          // of what follows user, host and port
)

var authority = func() (t [256]uint8) {
	for c := range t {
		if !isHostByte(byte(c)) || 'A' <= c && c <= 'Z' {
			t[c] = notPlain
		}
	}
	for _, c := range `/\?#` {
		t[c] = behind
	}
	return t
}()

// isPlainHost reports whether what has only bytes of a host in its normal form is one, and neither a number nor in Punycode.
func isPlainHost(b []byte) bool {
	return !isDigit(b[len(b)-1]) && !hasALabel(b) && !bytes.Contains(b, []byte("0x")) && isHost(b)
}

// readServer reads "user@host:port".
func (u *URL) readServer(b []byte) {
	if at := bytes.LastIndexByte(b, '@'); at >= 0 {
		if at > 0 {
			u.Tricks |= Userinfo
		}
		b = b[at+1:]
	}
	host, port := cutPort(b)
	if port != "" && port != "80" && port != "443" {
		u.Tricks |= OddPort
	}
	u.readHost(host)
}

// cutPort takes ":8080" off.
func cutPort(b []byte) (host []byte, port string) {
	colon := bytes.LastIndexByte(b, ':')
	if colon < 0 || bytes.IndexByte(b[colon:], ']') >= 0 {
		return b, ""
	}
	return b[:colon], string(b[colon+1:])
}

// readHost finds the host's normal form.
func (u *URL) readHost(b []byte) {
	if len(b) > 1 && b[0] == '[' {
		if ip, err := netip.ParseAddr(string(bytes.Trim(b, "[]"))); err == nil && ip.Zone() == "" {
			u.setIP(ip.Unmap())
			return
		}
	}
	if bytes.IndexByte(b, '%') >= 0 {
		u.Tricks |= PercentHost
		b = percentDecode(b)
	}
	if hasBracket(b) {
		if plain := undoDots(b); len(plain) < len(b) {
			u.Tricks |= Defanged
			b = plain
		}
	}
	host := u.normalize(b)
	if ip, odd, ok := parseIPv4(host); ok {
		if odd {
			u.Tricks |= NumericHost
		}
		u.setIP(ip)
		return
	}
	if !isHost(host) {
		u.Tricks |= InvalidHost
	}
	u.Host = host
}

func hasBracket(b []byte) bool {
	for _, c := range b {
		if c == '[' || c == '(' || c == '{' {
			return true
		}
	}
	return false
}

func (u *URL) setIP(ip netip.Addr) {
	u.IP, u.Host = ip, ip.String()
	u.Tricks |= IPHost
}

// mapping is what browsers do to a host's characters: case and width folded, other full stops made dots, labels beyond ASCII
// in Punycode (UTS 46). It does not insist that the name may be registered.
var mapping = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false),
	idna.CheckJoiners(false), idna.VerifyDNSLength(false))

// normalize gives the host in lower-case A-labels.
func (u *URL) normalize(b []byte) string {
	if len(b) > maxHost {
		b = b[:maxHost]
	}
	var host string
	switch {
	case isASCII(b) && !hasALabel(b):
		host = strings.ToLower(string(b))
	case hasLongLabel(b):
		u.Tricks |= IDN | InvalidHost
		return string(bytes.ToValidUTF8(b, []byte("\ufffd")))
	default:
		u.Tricks |= IDN
		ascii, err := mapping.ToASCII(string(bytes.ToValidUTF8(b, []byte("\ufffd"))))
		if err != nil {
			u.Tricks |= InvalidHost
		}
		host = strings.ToLower(ascii)
		if name, err := mapping.ToUnicode(host); err == nil && mixesScripts(name) {
			u.Tricks |= MixedScript
		}
	}
	return strings.TrimSuffix(host, ".")
}

// maxHost is how much of a host is looked at, in bytes. The DNS has 253; the cost of Punycode grows faster than the length.
const maxHost = 300

// hasLongLabel reports whether a label has more characters than its A-label may have bytes.
func hasLongLabel(b []byte) bool {
	n := 0
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if n++; r == '.' || r == '。' || r == '．' || r == '｡' {
			n = 0
		}
		if n > 63 {
			return true
		}
		b = b[size:]
	}
	return false
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// hasALabel reports whether some label is in Punycode.
func hasALabel(b []byte) bool {
	for rest := b; len(rest) >= 4; {
		if rest[0]|0x20 == 'x' && rest[1]|0x20 == 'n' && rest[2] == '-' && rest[3] == '-' {
			return true
		}
		dot := bytes.IndexByte(rest, '.')
		if dot < 0 {
			return false
		}
		rest = rest[dot+1:]
	}
	return false
}

// isHost reports whether a name can be looked up. Underscores are not for hosts, but resolvers do not mind.
func isHost[text string | []byte](s text) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	length := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if length == 0 {
				return false
			}
			length = 0
			continue
		case !isHostByte(c):
			return false
		}
		if length++; length > 63 {
			return false
		}
	}
	return length > 0
}

// isHostByte tells the bytes of a host, the dot among them.
func isHostByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' || c == '_' || c == '.' }

// mixesScripts reports whether a label has letters of Latin and of an alphabet with letters of the same looks.
func mixesScripts(host string) bool {
	latin, other := false, false
	for _, r := range host {
		switch {
		case r == '.':
			latin, other = false, false
		case r < utf8.RuneSelf:
			latin = latin || isLetter(byte(r))
		case unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee):
			other = true
		case unicode.Is(unicode.Latin, r):
			latin = true
		}
		if latin && other {
			return true
		}
	}
	return false
}

// parseIPv4 reads an IPv4 address in any form that browsers take: one to four numbers, the last one filling what the others
// leave, each decimal, octal (0177) or hexadecimal (0x7f). odd tells that it was not the common form.
func parseIPv4(s string) (ip netip.Addr, odd, ok bool) {
	if s == "" || !isDigit(s[len(s)-1]) && strings.LastIndex(s, "0x") < 0 {
		return netip.Addr{}, false, false // nearly all hosts
	}
	sum, parts := uint64(0), 0
	for rest, more := s, true; more; parts++ {
		var part string
		part, rest, more = strings.Cut(rest, ".")
		n, valid := parseNumber(part)
		if parts == 4 || !valid || more && n > 0xff {
			return netip.Addr{}, false, false
		}
		if more {
			sum = sum<<8 | n
			continue
		}
		room := 8 * (4 - parts) // bits
		if n >= 1<<room {
			return netip.Addr{}, false, false
		}
		sum = sum<<room | n
	}
	ip = netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return ip, ip.String() != s, true
}

func parseNumber(s string) (uint64, bool) {
	base := uint64(10)
	switch {
	case strings.HasPrefix(s, "0x"):
		base, s = 16, s[2:]
	case len(s) > 1 && s[0] == '0':
		base, s = 8, s[1:]
	case s == "":
		return 0, false
	}
	n := uint64(0)
	for i := range len(s) {
		digit, ok := unhex(s[i])
		if !ok || uint64(digit) >= base {
			return 0, false
		}
		if n = n*base + uint64(digit); n > 1<<32 {
			return 0, false
		}
	}
	return n, true
}

func percentDecode(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) {
			hi, ok1 := unhex(b[i+1])
			if lo, ok2 := unhex(b[i+2]); ok1 && ok2 {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}

func unhex(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
