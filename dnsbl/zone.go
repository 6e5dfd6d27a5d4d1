package dnsbl

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Zone is one list and how its answers are read.
type Zone struct {
	// Name is the zone as it is shown, such as "zen.spamhaus.org".
	Name string
	// Weight of a listing. Default 1.
	Weight float64
	// Codes are the answers that are a listing. Empty means those that the zone is known to use, or 127.0.0.2 to 127.0.0.11.
	Codes []Codes
}

// Codes is a range of answers, both ends included.
type Codes struct {
	First, Last netip.Addr
	// Meaning is said in the reason, such as "PBL"; may be empty.
	Meaning string
	// Factor is what such an answer counts of the zone's weight; 0 means all of it.
	Factor float64
}

func (c Codes) factor() float64 {
	if c.Factor <= 0 {
		return 1
	}
	return c.Factor
}

// ParseZone reads a zone as it stands in the settings: the name, optionally "=" and codes with "|" between them, optionally "*" and a weight:
//
//	zen.spamhaus.org
//	bl.example.org=127.0.0.2|127.0.0.4-127.0.0.9*0.5
func ParseZone(s string) (Zone, error) {
	z := Zone{Weight: 1}
	rest, weight, ok := strings.Cut(strings.TrimSpace(s), "*")
	if ok {
		w, err := strconv.ParseFloat(weight, 64)
		if err != nil || !(w > 0 && w <= 1000) {
			return z, fmt.Errorf("zone %q: the weight after * must be a number above 0, up to 1000", s)
		}
		z.Weight = w
	}
	name, codes, ok := strings.Cut(rest, "=")
	z.Name = strings.TrimSuffix(strings.ToLower(name), ".")
	if !isZoneName(z.Name) {
		return z, fmt.Errorf("zone %q: %q is not a domain name", s, name)
	}
	if ok {
		for text := range strings.SplitSeq(codes, "|") {
			c, err := parseCodes(text)
			if err != nil {
				return z, fmt.Errorf("zone %q: %w", s, err)
			}
			z.Codes = append(z.Codes, c)
		}
	}
	return z, nil
}

func parseCodes(s string) (Codes, error) {
	first, last, ok := strings.Cut(strings.TrimSpace(s), "-")
	if !ok {
		last = first
	}
	var c Codes
	var err1, err2 error
	c.First, err1 = netip.ParseAddr(first)
	c.Last, err2 = netip.ParseAddr(last)
	if err1 != nil || err2 != nil || !loopback.Contains(c.First) || !loopback.Contains(c.Last) || c.Last.Less(c.First) {
		return c, fmt.Errorf("%q is not a code in 127.0.0.0/8 or a range of them", s)
	}
	if problem, bad := neverListed(c.First); bad && c.First == c.Last {
		return c, fmt.Errorf("%s is never a listing, it means %q", c.First, problem)
	}
	return c, nil
}

func isZoneName(s string) bool {
	if len(s) > 200 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// zen are the codes of zen.spamhaus.org that say "do not take mail from here" (docs.spamhaus.com, 040-zones).
func zen() []Codes {
	return []Codes{
		code(2, 2, "SBL"), code(3, 3, "CSS"), code(4, 7, "XBL"), code(8, 8, ""), code(9, 9, "DROP"), code(10, 11, "PBL"),
	}
}

func code(first, last byte, meaning string) Codes {
	return Codes{First: netip.AddrFrom4([4]byte{127, 0, 0, first}), Last: netip.AddrFrom4([4]byte{127, 0, 0, last}), Meaning: meaning}
}

// dbl are the codes of dbl.spamhaus.org (docs.spamhaus.com, 040-zones). A legitimate site that was broken into counts half:
// most that link to it mean no harm.
func dbl() []Codes {
	domain := func(first, last byte, meaning string, factor float64) Codes {
		return Codes{netip.AddrFrom4([4]byte{127, 0, 1, first}), netip.AddrFrom4([4]byte{127, 0, 1, last}), meaning, factor}
	}
	return []Codes{
		domain(2, 3, "spam", 1), domain(4, 4, "phishing", 1), domain(5, 5, "malware", 1), domain(6, 6, "botnet", 1), domain(7, 99, "", 1),
		domain(102, 199, "abused", 0.5),
	}
}

// codes are the zone's own, or the default. Whatever they say, codes that mean an error are no listing.
func (z Zone) codes() []Codes {
	if len(z.Codes) > 0 {
		return z.Codes
	}
	switch {
	case z.isSpamhaus() && strings.HasPrefix(z.Name, "dbl."):
		return dbl()
	case z.isSpamhaus():
		return zen()
	}
	return []Codes{code(2, 11, "")}
}

// find gives the codes that an answer is among.
func (z Zone) find(a netip.Addr) (Codes, bool) {
	codes := z.codes()
	i := slices.IndexFunc(codes, func(c Codes) bool { return !a.Less(c.First) && !c.Last.Less(a) })
	if i < 0 {
		return Codes{}, false
	}
	return codes[i], true
}

func (z Zone) weight() float64 {
	if z.Weight <= 0 {
		return 1
	}
	return z.Weight
}

func (z Zone) isSpamhaus() bool { return strings.HasSuffix(z.Name, ".spamhaus.org") }

// queryZone is the zone that is really asked: Spamhaus's under the customer's key (docs.spamhaus.com, Data Query Service).
func (z Zone) queryZone(dqsKey string) string {
	if sub, ok := strings.CutSuffix(z.Name, ".spamhaus.org"); ok && dqsKey != "" {
		return dqsKey + "." + sub + ".dq.spamhaus.net"
	}
	return z.Name
}

// neverListed tells the answers that no configuration can make a listing, and what they mean.
func neverListed(a netip.Addr) (Problem, bool) {
	if !a.Is4() || !loopback.Contains(a) {
		return MadeUp, true
	}
	b := a.As4()
	switch {
	case b == [4]byte{127, 0, 0, 1}:
		return NotAList, true
	case b == [4]byte{127, 255, 255, 252}:
		return Typo, true
	case b == [4]byte{127, 255, 255, 254}:
		return PublicResolver, true
	case b == [4]byte{127, 255, 255, 255}:
		return TooMany, true
	case b[1] == 255 && b[2] == 255:
		return Refused, true
	case b == [4]byte{127, 0, 1, 255}: // an address was asked of a list of domains
		return Refused, true
	}
	return "", false
}

// reversed is the address as the left part of a query: four numbers, or 32 nibbles (RFC 5782 2.1, 2.4).
func reversed(ip netip.Addr) string {
	const hex = "0123456789abcdef"
	if ip.Is4() {
		b := ip.As4()
		return fmt.Sprintf("%d.%d.%d.%d", b[3], b[2], b[1], b[0])
	}
	b := ip.As16()
	out := make([]byte, 0, 63)
	for i := len(b) - 1; i >= 0; i-- {
		out = append(out, hex[b[i]&15], '.', hex[b[i]>>4], '.')
	}
	return string(out[:len(out)-1])
}
