package spf

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"postern/internal/readings"
)

// record is a domain's policy, read whole (RFC 7208 4.6).
type record struct {
	directives    []directive
	redirect, exp macroString // nil when there is none
}

// directive is a mechanism with its qualifier.
type directive struct {
	text    string // as written
	result  Result // when it matches
	kind    kind
	spec    macroString  // nil: the current domain
	network netip.Prefix // of ip4 and ip6
	v4, v6  int          // prefix lengths of a and mx
}

type kind uint8

const (
	all kind = iota
	include
	addresses // "a"
	exchangers
	pointer // "ptr"
	network // "ip4", "ip6"
	exists
)

// selectRecord gives the one text that is an SPF record, "" if there is none (RFC 7208 4.5).
func selectRecord(texts []string) (string, error) {
	found := ""
	for _, text := range texts {
		if !isRecord(text) {
			continue
		}
		if found != "" {
			return "", errors.New("the domain has more than one SPF record")
		}
		found = text
	}
	return found, nil
}

func isRecord(text string) bool {
	const version = "v=spf1"
	return len(text) >= len(version) && strings.EqualFold(text[:len(version)], version) &&
		(len(text) == len(version) || text[len(version)] == ' ')
}

// Records remembers what records say. Nobody changes what it gives.
type Records = readings.Memory[*record]

// parseRecord reads an SPF record. An error anywhere makes all of it void (RFC 7208 4.6).
func parseRecord(text string) (*record, error) {
	r := &record{directives: make([]directive, 0, min(strings.Count(text, " "), 16))}
	for term := range strings.SplitSeq(text[len("v=spf1"):], " ") {
		if term == "" {
			continue
		}
		if err := r.parseTerm(term); err != nil {
			return nil, fmt.Errorf("%q in the SPF record: %w", printable(term, 60), err)
		}
	}
	return r, nil
}

func (r *record) parseTerm(term string) error {
	if n := modifierName(term); n > 0 {
		return r.parseModifier(term[:n], term[n+1:])
	}
	d, err := parseDirective(term)
	r.directives = append(r.directives, d)
	return err
}

// modifierName is the length of the name of "name=value", 0 when the term is none (RFC 7208 4.6.1).
func modifierName(term string) int {
	for i := range len(term) {
		switch c := term[i]; {
		case c == '=':
			return i
		case isAlpha(c), i > 0 && (isDigit(c) || c == '-' || c == '_' || c == '.'):
		default:
			return 0
		}
	}
	return 0
}

func (r *record) parseModifier(name, value string) error {
	var into *macroString
	switch strings.ToLower(name) {
	case "redirect":
		into = &r.redirect
	case "exp":
		into = &r.exp
	default:
		_, err := parseMacros(value, inRecord) // RFC 7208 6: others are ignored, if well-formed
		return err
	}
	if *into != nil {
		return errors.New("it stands twice") // RFC 7208 6
	}
	var err error
	*into, err = parseDomainSpec(value)
	return err
}

func parseDirective(term string) (directive, error) {
	d := directive{text: term, result: Pass, v4: 32, v6: 128}
	switch term[0] {
	case '-':
		d.result = Fail
	case '~':
		d.result = SoftFail
	case '?':
		d.result = Neutral
	}
	if strings.IndexByte("+-~?", term[0]) >= 0 {
		term = term[1:]
	}
	end := strings.IndexAny(term, ":/")
	if end < 0 {
		end = len(term)
	}
	name, rest := strings.ToLower(term[:end]), term[end:]
	var err error
	switch name {
	case "all":
		err = noArgument(rest)
	case "include":
		d.kind = include
		d.spec, err = target(rest, false)
	case "exists":
		d.kind = exists
		d.spec, err = target(rest, false)
	case "ptr":
		d.kind = pointer
		d.spec, err = target(rest, true)
	case "a", "mx":
		if d.kind = addresses; name == "mx" {
			d.kind = exchangers
		}
		if rest, err = d.cutLengths(rest); err == nil {
			d.spec, err = target(rest, true)
		}
	case "ip4", "ip6":
		d.kind = network
		d.network, err = parseNetwork(rest, name == "ip6")
	default:
		err = errors.New("it is not a mechanism")
	}
	return d, err
}

func noArgument(rest string) error {
	if rest != "" {
		return errors.New("it takes nothing behind it")
	}
	return nil
}

// target reads ":domain-spec"; where it may be left out that gives nil.
func target(rest string, optional bool) (macroString, error) {
	if rest == "" && optional {
		return nil, nil
	}
	if rest == "" || rest[0] != ':' {
		return nil, errors.New("a colon and a domain are wanted")
	}
	return parseDomainSpec(rest[1:])
}

// cutLengths takes a dual-cidr-length off the end (RFC 7208 5.3): "/24", "//64", "/24//64".
func (d *directive) cutLengths(s string) (rest string, err error) {
	if i := strings.LastIndex(s, "//"); i >= 0 && isDigits(s[i+2:]) {
		if d.v6, err = prefixLength(s[i+2:], 128); err != nil {
			return "", err
		}
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '/'); i >= 0 && isDigits(s[i+1:]) {
		if d.v4, err = prefixLength(s[i+1:], 32); err != nil {
			return "", err
		}
		s = s[:i]
	}
	return s, nil
}

func prefixLength(s string, most int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n > most || len(s) > 1 && s[0] == '0' {
		return 0, errors.New("the prefix length is out of range")
	}
	return n, nil
}

// parseNetwork reads ":address" with an optional prefix length (RFC 7208 5.6).
func parseNetwork(rest string, v6 bool) (netip.Prefix, error) {
	if rest == "" || rest[0] != ':' {
		return netip.Prefix{}, errors.New("a colon and an address are wanted")
	}
	text, length, hasLength := strings.Cut(rest[1:], "/")
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Is6() != v6 || ip.Zone() != "" {
		return netip.Prefix{}, errors.New("the address is malformed")
	}
	bits := ip.BitLen()
	if hasLength {
		if !isDigits(length) {
			return netip.Prefix{}, errors.New("the prefix length is malformed")
		}
		if bits, err = prefixLength(length, ip.BitLen()); err != nil {
			return netip.Prefix{}, err
		}
	}
	return netip.PrefixFrom(ip, bits), nil
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
