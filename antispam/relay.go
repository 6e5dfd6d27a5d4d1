package antispam

import (
	"net/netip"
	"strings"
)

// relayFacts are about the client that handed the message over to us, or to whoever wrote the topmost Received field that
// tells of a public address.
type relayFacts struct {
	known bool
	ip    netip.Addr
	helo  string
	name  string // in the DNS; "" when it has none
	asked bool   // whether it has a name is known
}

// maxHops bounds how many Received fields are looked at for the relay.
const maxHops = 10

func (f *features) readRelay(m *Mail) {
	if m.Relay != nil {
		f.relay = relayFacts{known: m.Relay.IP.IsValid(), ip: m.Relay.IP, helo: strings.ToLower(m.Relay.Helo), name: strings.ToLower(m.Relay.Name), asked: m.Relay.Asked}
		return
	}
	hops := 0
	for i := range m.Parsed.Header.Fields {
		if field := &m.Parsed.Header.Fields[i]; strings.EqualFold(field.Name, "Received") {
			if r, ok := parseReceived(field.Value()); ok {
				f.relay = r
				return
			}
			if hops++; hops == maxHops {
				return
			}
		}
	}
}

// parseReceived reads "from HELO (NAME [IP]) by …" in the forms that Postfix, Sendmail, Exim and qmail give it. It takes
// only public addresses: a hop from within tells nothing about strangers.
func parseReceived(value string) (r relayFacts, ok bool) {
	value = clip(value, 1000)
	rest, found := cutPrefixFold(value, "from ")
	if !found {
		return r, false
	}
	if by := indexFold(rest, " by "); by >= 0 {
		rest = rest[:by]
	}
	helo, comment, _ := strings.Cut(strings.TrimSpace(rest), " ")
	r.helo = strings.ToLower(helo)
	comment = strings.ToLower(comment)
	open := strings.IndexByte(comment, '(')
	if open < 0 {
		r.ip, r.known = bracketed(helo)
		return r, r.known
	}
	inside := comment[open+1:]
	if end := strings.LastIndexByte(inside, ')'); end >= 0 {
		inside = inside[:end]
	}
	r.readComment(inside)
	return r, r.known
}

// readComment reads what the receiving server found out itself.
func (r *relayFacts) readComment(inside string) {
	if strings.HasPrefix(inside, "helo ") || strings.HasPrefix(inside, "ehlo ") {
		// qmail: from NAME (HELO helo) (IP)
		r.name = r.helo
		r.helo, inside, _ = strings.Cut(inside[5:], " ")
		r.helo = strings.TrimSuffix(r.helo, ")")
	}
	for word := range strings.FieldsSeq(inside) {
		word = strings.Trim(word, "(),;")
		if ip, ok := bracketed(word); ok {
			r.ip, r.known = ip, isPublic(ip)
			continue
		}
		if i := strings.IndexByte(word, '@'); i >= 0 {
			word = word[i+1:]
		}
		if helo, found := strings.CutPrefix(word, "helo="); found {
			r.helo = helo
			continue
		}
		if r.name == "" && !r.known && strings.IndexByte(word, '.') > 0 && !strings.ContainsAny(word, "=:") {
			r.name = word
		}
	}
	r.asked = r.known
	if r.name == "unknown" || r.name == r.ip.String() {
		r.name = ""
	}
}

func bracketed(s string) (netip.Addr, bool) {
	s = strings.Trim(s, "[]")
	if s, found := cutPrefixFold(s, "ipv6:"); found {
		ip, err := netip.ParseAddr(s)
		return ip, err == nil
	}
	ip, err := netip.ParseAddr(s)
	return ip, err == nil
}

func isPublic(ip netip.Addr) bool {
	return ip.IsValid() && !ip.IsPrivate() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsUnspecified()
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if hasPrefixFold(s, prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

func indexFold(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

// looksDynamic reports whether a name is one that providers give to their customers' lines: it holds the address, or words
// for such lines together with digits.
func looksDynamic(name string, ip netip.Addr) bool {
	if name == "" {
		return false
	}
	if ip.Is4() {
		b := ip.As4()
		found := 0
		for _, octet := range b {
			if containsNumber(name, int(octet)) {
				found++
			}
		}
		if found >= 3 && (b[2] > 9 || b[3] > 9) {
			return !isServerName(name)
		}
	}
	digits := strings.ContainsAny(name, "0123456789")
	for _, word := range []string{"dsl", "dial", "dhcp", "dyn", "ppp", "pool", "cable", "broadband", "cust", "client", "user", "catv", "modem", "fibre", "ftth"} {
		if digits && strings.Contains(name, word) {
			return !isServerName(name)
		}
	}
	return false
}

// isServerName: providers of servers put addresses into names too, and say what is there.
func isServerName(name string) bool {
	for _, word := range []string{"mail", "mx", "smtp", "static", "server", "out", "mta", "relay", "host", "vps", "amazonses", "sendgrid", "mailgun"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// containsNumber looks for a decimal number that stands apart from other digits; leading zeros are allowed.
func containsNumber(s string, n int) bool {
	for i := 0; i < len(s); {
		if s[i] < '0' || s[i] > '9' {
			i++
			continue
		}
		value, start := 0, i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' && i-start < 6 {
			value = value*10 + int(s[i]-'0')
			i++
		}
		if value == n {
			return true
		}
	}
	return false
}

// isAddressLiteral: the HELO name is an address, in brackets or not.
func isAddressLiteral(helo string) bool {
	_, ok := bracketed(helo)
	return ok
}
