package dmarc

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"postern/internal/readings"
)

const (
	maxRecord       = 16 << 10
	maxTags         = 100
	maxDestinations = 20
)

// ErrNotDMARC: the text does not begin with v=DMARC1, so that it is some other record.
var ErrNotDMARC = errors.New("not a DMARC record")

// errNoPolicy: what should be asked for is malformed, and nobody is to be told (RFC 7489 6.6.3, RFC 9989 4.10.1).
var errNoPolicy = errors.New("the DMARC record has a malformed policy")

// Records remembers what records say. Nobody changes what it gives.
type Records = readings.Memory[*Record]

func readRecord(text string) (*Record, error) {
	record, err := ParseRecord(text)
	return &record, err
}

// ParseRecord reads the text of a record (RFC 9989 4.7). Tags that are malformed or unknown are as if they were not there
// (RFC 7489 6.3); only a malformed p=, sp= or np= makes the record void, or one of p=none if it names a place for reports.
func ParseRecord(text string) (Record, error) {
	if len(text) > maxRecord {
		return Record{}, errors.New("the DMARC record is too long")
	}
	list := tagList(text)
	if len(list) == 0 || list[0] != [2]string{"v", "DMARC1"} {
		return Record{}, ErrNotDMARC
	}
	r := Record{Percent: 100, PSD: 'u', Interval: 86400, FailureOptions: []string{"0"}, Text: text}
	seen := map[string]bool{}
	valid := true
	for _, tag := range list[1:] {
		if name := tag[0]; !seen[name] { // the first one counts
			seen[name] = true
			valid = r.set(name, tag[1]) && valid
		}
	}
	if !valid {
		if len(r.Aggregate) == 0 {
			return Record{}, errNoPolicy
		}
		r.Policy, r.Subdomains, r.Nonexistent = None, "", ""
	}
	if r.Policy == "" {
		r.Policy = None // RFC 9989 4.7
	}
	return r, nil
}

// tagList splits "name=value; name=value"; what is no tag is left out, but for the first.
func tagList(text string) [][2]string {
	var list [][2]string
	for spec := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(spec, "=")
		if !ok && len(list) > 0 {
			continue
		}
		list = append(list, [2]string{strings.ToLower(strings.Trim(name, " \t\r\n")), strings.Trim(value, " \t\r\n")})
		if len(list) == maxTags {
			break
		}
	}
	return list
}

// set takes a tag's value; it reports false only for a policy that cannot be read.
func (r *Record) set(name, value string) bool {
	folded := strings.ToLower(value)
	switch name {
	case "p":
		return setPolicy(&r.Policy, folded)
	case "sp":
		return setPolicy(&r.Subdomains, folded)
	case "np":
		return setPolicy(&r.Nonexistent, folded)
	case "adkim":
		r.StrictDKIM = folded == "s"
	case "aspf":
		r.StrictSPF = folded == "s"
	case "t":
		r.Testing = folded == "y"
	case "pct":
		if n, err := strconv.ParseUint(value, 10, 8); err == nil && n <= 100 {
			r.Percent = int(n)
		}
	case "psd":
		if folded == "y" || folded == "n" {
			r.PSD = folded[0]
		}
	case "ri":
		if n, err := strconv.ParseUint(value, 10, 32); err == nil && n > 0 {
			r.Interval = uint32(n)
		}
	case "fo":
		r.setFailureOptions(folded)
	case "rua":
		r.Aggregate = destinations(value)
	case "ruf":
		r.Failure = destinations(value)
	}
	return true
}

func setPolicy(p *Policy, value string) bool {
	if !slices.Contains([]Policy{None, Quarantine, Reject}, Policy(value)) {
		return false
	}
	*p = Policy(value)
	return true
}

func (r *Record) setFailureOptions(value string) {
	var options []string
	for option := range strings.SplitSeq(value, ":") {
		option = strings.Trim(option, " \t")
		if slices.Contains([]string{"0", "1", "d", "s"}, option) && !slices.Contains(options, option) {
			options = append(options, option)
		}
	}
	if options != nil {
		r.FailureOptions = options
	}
}

// destinations reads a list of URIs, each with an optional size such as "!10m" (RFC 7489 6.2, 6.4). Malformed ones are
// left out.
func destinations(value string) []Destination {
	var list []Destination
	for text := range strings.SplitSeq(value, ",") {
		text, size, sized := strings.Cut(strings.Trim(text, " \t"), "!")
		d := Destination{URI: text}
		if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Opaque+u.Host == "" || strings.ContainsAny(text, " \t") {
			continue
		}
		if sized {
			var ok bool
			if d.MaxBytes, ok = parseSize(size); !ok {
				continue
			}
		}
		if list = append(list, d); len(list) == maxDestinations {
			break
		}
	}
	return list
}

// parseSize reads digits with an optional unit k, m, g or t, powers of 1024.
func parseSize(s string) (int64, bool) {
	shift := 0
	if s != "" {
		if i := strings.IndexByte("kmgt", s[len(s)-1]|0x20); i >= 0 {
			s, shift = s[:len(s)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(s, 10, 22)
	return int64(n) << shift, err == nil && n > 0
}
