// Package spf asks whether a client may send in a domain's name (RFC 7208).
//
// A domain lists in a TXT record which clients may use it in MAIL FROM and HELO. The road starts in [Check] with one
// identity of one connection. The record is selected and read whole before any of it counts (record.go, macro.go); then
// its terms are tried from left to right (evaluate.go, mechanism.go), each of which may ask the DNS or another record. It
// ends in one [Answer]: the result, which term decided, and, for a client that is refused, what the domain has to say
// about it (explain.go).
//
// Everything read here was written by strangers, so all of it is bounded: 10 terms that ask the DNS, 2 of them in vain,
// 10 names of a mail exchanger or of an address (RFC 7208 4.6.4), and as many questions as the resolver allows.
package spf

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"postern/internal/address"
	"postern/internal/resolver"
)

// Resolver is what is asked of the DNS. An error that is not resolver.ErrNotFound or ErrBudget is taken as temporary.
type Resolver interface {
	TXT(ctx context.Context, name string) (resolver.Answer[string], error)
	MX(ctx context.Context, name string) (resolver.Answer[resolver.MX], error)
	LookupA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
	LookupAAAA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
	LookupPTR(ctx context.Context, ip netip.Addr) (resolver.Answer[string], error)
}

// ErrBudget is what a resolver answers that will not be asked any more for this message; the result is PermError, for
// coming again would not help.
var ErrBudget = errors.New("the message causes too many questions to the DNS")

// Result is an outcome of check_host() (RFC 7208 2.6).
type Result string

// The results.
const (
	None      Result = "none"
	Neutral   Result = "neutral"
	Pass      Result = "pass"
	Fail      Result = "fail"
	SoftFail  Result = "softfail"
	TempError Result = "temperror"
	PermError Result = "permerror"
)

// Limits of RFC 7208 4.6.4.
const (
	maxLookups = 10 // terms that ask the DNS
	maxVoid    = 2  // questions without an answer
	maxNames   = 10 // of one mx mechanism, and of the client's address
)

// Query is one identity to check.
type Query struct {
	// Client is the address that speaks to us.
	Client netip.Addr
	// Helo is the name it gave itself; "%{h}" of macros.
	Helo string
	// Local and Domain are the sender's: the reverse-path's, or "postmaster" at the HELO name (RFC 7208 2.3, 2.4). An
	// empty Local is "postmaster". The domain may be in U-labels.
	Local, Domain string
	// Receiver is our own name, "%{r}" of explanations; "unknown" if empty.
	Receiver string
	// Now is the time for "%{t}" of explanations.
	Now time.Time
	// Records remembers records that were read; nil reads each anew.
	Records *Records
}

// Answer is what was found about a Query.
type Answer struct {
	Result Result
	// Domain that was checked, in lower-case A-labels as far as it has any.
	Domain string
	// Mechanism is the term of the domain's record that decided, as it is written there, such as "-all"; "default" when
	// none matched; empty without a record.
	Mechanism string
	// Explanation is what the domain says to a client that fails: at most 500 bytes of printable ASCII. It is a stranger's
	// text; empty when the domain has none.
	Explanation string
	// Lookups is the number of terms evaluated that ask the DNS, of the 10 that a domain has.
	Lookups int
	// Cause says what is wrong when the result is an error; for logs and comments.
	Cause error
}

// Check is check_host() of RFC 7208 4. It never fails; what goes wrong is a TempError or PermError.
func Check(ctx context.Context, r Resolver, q Query) Answer {
	domain, ok := checkable(q.Domain)
	if !ok {
		return Answer{Result: None, Domain: strings.ToLower(q.Domain)} // RFC 7208 4.3
	}
	if q.Local == "" {
		q.Local = "postmaster" // RFC 7208 4.3
	}
	if q.Receiver == "" {
		q.Receiver = "unknown"
	}
	q.Client, q.Domain = q.Client.Unmap().WithZone(""), domain // RFC 7208 5: mapped addresses are IPv4
	e := &evaluation{ctx: ctx, resolver: r, Query: q}
	o := e.host(domain)
	a := Answer{Result: o.result, Domain: domain, Mechanism: o.term, Lookups: min(e.lookups, maxLookups), Cause: o.cause}
	if o.result == Fail {
		a.Explanation = e.explain(o)
	}
	return a
}

// checkable gives a domain as it is looked up, and whether it is one that can be: several labels (RFC 7208 4.3), U-labels
// turned into A-labels (RFC 8616 4).
func checkable(domain string) (string, bool) {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	if !address.IsASCII(domain) {
		if address.TooLong(domain) {
			return domain, false
		}
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return domain, false
		}
		domain = ascii
	}
	literal := strings.HasPrefix(domain, "[")
	return domain, strings.Contains(domain, ".") && isName(domain) && !literal
}

// isName reports whether a question about name can be asked: labels of 1 to 63 bytes, 253 in all.
func isName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
	}
	return true
}
