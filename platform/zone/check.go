package zone

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"postern/internal/resolver"
)

// State is how a record stands in the DNS.
type State string

// The states of a record.
const (
	OK        State = "ok"
	Missing   State = "missing"
	Different State = "different"
	Unknown   State = "unknown" // the DNS did not answer
)

// Result compares one record with the DNS.
type Result struct {
	Record
	State State `json:"state" doc:"ok, missing, different, or unknown when the DNS did not answer."`
	// Actual is what stands there, in the form of Value.
	Actual []string `json:"actual" doc:"What stands there."`
	Fix    string   `json:"fix,omitempty" doc:"How to mend it."`
}

// Resolver is what checking needs of the DNS.
type Resolver interface {
	MX(ctx context.Context, name string) (resolver.Answer[resolver.MX], error)
	TXT(ctx context.Context, name string) (resolver.Answer[string], error)
	SRV(ctx context.Context, name string) (resolver.Answer[resolver.SRV], error)
	LookupA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
	LookupAAAA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
}

// Check asks the DNS for every record, all at once, and gives the results in the records' order.
func Check(ctx context.Context, dns Resolver, records []Record) []Result {
	results := make([]Result, len(records))
	var asking sync.WaitGroup
	for i, r := range records {
		asking.Go(func() { results[i] = check(ctx, dns, r) })
	}
	asking.Wait()
	return results
}

func check(ctx context.Context, dns Resolver, r Record) Result {
	result := Result{Record: r, Actual: []string{}}
	actual, err := lookUp(ctx, dns, r)
	switch {
	case err != nil && !resolver.IsNotFound(err):
		result.State, result.Fix = Unknown, "the DNS did not answer ("+err.Error()+"); try again, or check [dns] servers"
		return result
	case err != nil:
		actual = nil
	}
	compare(&result, actual)
	return result
}

func lookUp(ctx context.Context, dns Resolver, r Record) ([]string, error) {
	switch r.Type {
	case "MX":
		a, err := dns.MX(ctx, r.Name)
		return texts(a, err, func(m resolver.MX) string { return fmt.Sprintf("%d %s.", m.Preference, absolute(m.Host)) })
	case "SRV":
		a, err := dns.SRV(ctx, r.Name)
		return texts(a, err, func(s resolver.SRV) string {
			return fmt.Sprintf("%d %d %d %s.", s.Priority, s.Weight, s.Port, absolute(s.Target))
		})
	case "A":
		a, err := dns.LookupA(ctx, r.Name)
		return texts(a, err, netip.Addr.String)
	case "AAAA":
		a, err := dns.LookupAAAA(ctx, r.Name)
		return texts(a, err, netip.Addr.String)
	}
	a, err := dns.TXT(ctx, r.Name)
	return texts(a, err, func(s string) string { return s })
}

func texts[T any](a resolver.Answer[T], err error, text func(T) string) ([]string, error) {
	if err != nil {
		return nil, err
	}
	list := make([]string, len(a.Values))
	for i, v := range a.Values {
		list[i] = text(v)
	}
	slices.Sort(list)
	return list, nil
}

// absolute is a host name in lower case without its final dot.
func absolute(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// compare sets the state, what is there and how to mend it. Only records of the same purpose count: other TXT records at
// a name are none of our business.
func compare(result *Result, actual []string) {
	r := result.Record
	same := func(a string) bool { return a == r.Value }
	switch r.kind {
	case spf:
		actual = having(actual, "v=spf1")
		same = func(a string) bool { return strings.EqualFold(strings.Join(strings.Fields(a), " "), r.Value) }
	case dmarc, tlsrpt:
		version, _, _ := strings.Cut(r.Value, ";")
		actual = having(actual, version)
		same = func(a string) bool { return sameTags(a, r.Value) }
	case dkimKey:
		same = func(a string) bool { return sameTags(a, r.Value) }
	}
	result.Actual = append(result.Actual, actual...)
	found := slices.ContainsFunc(actual, same)
	switch {
	case len(actual) == 0:
		result.State, result.Fix = Missing, "add it"
	case found && (len(actual) == 1 || r.Type == "A" || r.Type == "AAAA"):
		result.State = OK
	case found && r.Type == "MX" && first(actual, r.Value):
		result.State = OK // others may take mail when we do not
	case found:
		result.State, result.Fix = Different, "remove the others: with several, receivers heed none or the wrong one"
	default:
		result.State, result.Fix = Different, "replace it; whoever needs what is there now must be asked first"
	}
}

// first reports whether no other exchanger comes before ours.
func first(actual []string, ours string) bool {
	preference := func(s string) (n int) {
		fmt.Sscanf(s, "%d", &n)
		return n
	}
	for _, a := range actual {
		if a != ours && preference(a) <= preference(ours) {
			return false
		}
	}
	return true
}

// having gives the texts that begin with a version tag and then end or go on.
func having(texts []string, version string) []string {
	var list []string
	for _, t := range texts {
		if len(t) >= len(version) && strings.EqualFold(t[:len(version)], version) &&
			(len(t) == len(version) || strings.ContainsRune(" ;\t", rune(t[len(version)]))) {
			list = append(list, t)
		}
	}
	return list
}

// sameTags compares tag lists (RFC 6376 3.2) whatever their order and white space.
func sameTags(a, b string) bool { return slices.Equal(tags(a), tags(b)) }

func tags(s string) []string {
	var list []string
	for _, tag := range strings.Split(s, ";") {
		name, value, _ := strings.Cut(tag, "=")
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		value = strings.Join(strings.Fields(value), "")
		if name == "v" || name == "k" && value == "rsa" {
			continue // the version was compared before; rsa is the default (RFC 6376 3.6.1)
		}
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
