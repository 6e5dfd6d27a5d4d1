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

// parseReceived reads "from HELO (NAME [IP]) by …" in the forms that Postfix, Sendmail, Exim, qmail, Exchange and Gmail give
// it. It takes only public addresses, and no hop between two servers of one organization: those tell nothing about
// strangers.
func parseReceived(value string) (r relayFacts, ok bool) {
	value = strings.ReplaceAll(strings.ToLower(clip(value, 1000)), "\t", " ")
	rest, found := strings.CutPrefix(value, "from ")
	if !found || strings.Contains(value, "(fetchmail") {
		return r, false // what fetches mail from a mailbox names the mailbox's server
	}
	rest, by, _ := strings.Cut(rest, " by ")
	helo, comment, _ := strings.Cut(strings.TrimSpace(rest), " ")
	r.helo = helo
	if ip, ok := bracketed(helo); ok {
		r.ip, r.known = ip, isPublic(ip)
	}
	r.readComments(comment, strings.Contains(by, "(exim "))
	r.name = strings.TrimSuffix(r.name, ".")
	by, _, _ = strings.Cut(strings.TrimSpace(by), " ")
	return r, r.known && !sameHouse(r.helo, r.name, by)
}

// readComments reads what the receiving server found out itself.
func (r *relayFacts) readComments(text string, exim bool) {
	first, brackets := true, false
	for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ' ' || c == '(' || c == ')' || c == ',' || c == ';' }) {
		switch ip, ok := bracketed(word); {
		case r.helo == "":
			r.helo = word
		case ok:
			r.ip, r.known = ip, isPublic(ip)
			brackets = brackets || word[0] == '[' && strings.HasPrefix(text, "(")
		case word == "helo" || word == "ehlo":
			// qmail: from NAME (HELO helo) (IP)
			r.name, r.helo, brackets = r.helo, "", true
		case strings.HasPrefix(word, "helo="):
			// Exim: from NAME ([IP] helo=HELO), from [IP] (helo=HELO)
			r.name, r.helo = nameOnly(r.helo), word[len("helo="):]
			exim, brackets = false, true
		case first && r.name == "":
			r.name = nameOnly(word[strings.IndexByte(word, '@')+1:])
		}
		first = false
	}
	if exim && r.name == "" {
		r.name = nameOnly(r.helo) // it names the client once when both names are the same
	}
	// Exchange writes the address in round brackets and does not ask for the name.
	r.asked = r.known && brackets
	if r.name == "unknown" {
		r.name = ""
	}
}

// nameOnly gives a word back if it has the form of a name.
func nameOnly(word string) string {
	if _, ok := bracketed(word); ok || strings.ContainsAny(word, "=:[") || !strings.Contains(word, ".") && word != "unknown" {
		return ""
	}
	return word
}

// sameHouse: the client is of the organization that took the message from it.
func sameHouse(helo, name, by string) bool {
	org := organization(by)
	return strings.Contains(org, ".") && (organization(name) == org || name == "" && organization(helo) == org)
}

// bracketed reads an address, in brackets or not, with the port that Exim may add.
func bracketed(s string) (netip.Addr, bool) {
	if end := strings.LastIndexByte(s, ']'); end > 0 && s[0] == '[' {
		s = s[1:end]
	}
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
