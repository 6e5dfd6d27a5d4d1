// Package mailauth answers who really sent a message.
//
// SPF (RFC 7208, package spf) says whether the client may use the envelope's domain, DKIM (RFC 6376, package dkim) whether a
// domain vouches for the bytes, ARC (RFC 8617) what those found who handled the message before, and iprev (RFC 8601 3)
// whether the client's name is its own. DMARC (RFC 7489 and 9989, package dmarc) joins them to the domain that a person
// sees as the author's, and says what that domain asks for when nothing fits.
//
// The road starts in [Checker.Examine] with a message and where it came from, or in [Checker.Begin] for whoever has other
// work to do meanwhile. All that waits for the DNS waits at the same
// time, under one deadline and one budget of questions (budget.go). It ends in one [Results] value, from which the road in
// decides, which writes the one Authentication-Results field (package authres) and the checks of the verdict's trace.
package mailauth

import (
	"context"
	"io"
	"net/netip"
	"strings"
	"time"

	"postern/dkim"
	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/mailauth/authres"
	"postern/internal/mailauth/dmarc"
	"postern/internal/mailauth/spf"
	"postern/internal/message"
)

// Resolver is what the checks ask of the DNS.
type Resolver = spf.Resolver

// Status is the outcome of one check, in the words of RFC 8601 2.7.
type Status string

// Outcomes of checks.
const (
	None      Status = "none"
	Neutral   Status = "neutral"
	Pass      Status = "pass"
	Fail      Status = "fail"
	SoftFail  Status = "softfail"
	TempError Status = "temperror"
	PermError Status = "permerror"
)

// SPF is what became of the check of one identity.
type SPF struct {
	Status Status
	// Domain that was checked: the reverse-path's, or the HELO name for a null reverse-path (RFC 7208 2.4).
	Domain string
	// Mechanism is the term of the domain's record that decided, such as "-all"; "default" when none matched.
	Mechanism string
	// Explanation is what the domain has to say to a client that fails, in printable ASCII; a stranger's text.
	Explanation string
	// Lookups is how many terms asked the DNS, of the 10 that a domain has.
	Lookups int
	// Cause tells more of an error; for logs.
	Cause error
}

// IPRev is whether the client's address has a name that leads back to it (RFC 8601 3).
type IPRev struct {
	// Status is pass, fail, temperror or permerror (no name at all); empty when it was not asked for.
	Status Status
	// Name is the one that leads back, or the first one when none does.
	Name string
}

// Results gathers the checks of one message.
type Results struct {
	// Client, Helo and From are what was asked about.
	Client   netip.Addr
	HeloName string
	From     address.Address
	// SPF is the check of the reverse-path, or of the HELO name when that is null. Helo is the check of the HELO name
	// besides the reverse-path; its status is empty when the reverse-path is null.
	SPF, Helo SPF
	DKIM      []dkim.Verification
	ARC       dkim.Chain
	DMARC     DMARC
	IPRev     IPRev

	took timings
}

// timings are what each check took by the clock, waiting included.
type timings struct{ spf, signatures, dmarc, iprev time.Duration }

// Checker runs the checks. Resolver, Timeout and Clock must be set.
type Checker struct {
	Resolver Resolver
	// Timeout bounds the checks of one message.
	Timeout time.Duration
	Clock   clock.Clock
	// MaxLookups bounds the questions to the DNS about one message; 0 is 100.
	MaxLookups int
	// Receiver is our own name, for the macros of SPF explanations.
	Receiver string

	// What records were read as. They are remembered by their texts; which texts hold, the Resolver says.
	spfRecords   spf.Records
	dmarcRecords dmarc.Records
	keyRecords   dkim.Records
}

// Request is a message and where it came from.
type Request struct {
	Client netip.Addr
	Helo   string
	// From is the reverse-path, zero for the null one.
	From address.Address
	// Header is the message's own; its From fields name the authors.
	Header  message.Header
	Content io.ReaderAt
	Size    int64
	// TrustedSealers are domains whose ARC seals are believed; names below them count too.
	TrustedSealers []string
	// IPRev asks for the client's name as well.
	IPRev bool
}

// CheckSPF asks whether client may send for the reverse-path, or for the HELO name when that is null.
func (c *Checker) CheckSPF(ctx context.Context, client netip.Addr, helo string, from address.Address) SPF {
	return c.checkSPF(ctx, c.Resolver, c.Clock.Now(), client, helo, from)
}

func (c *Checker) checkSPF(ctx context.Context, r Resolver, now time.Time, client netip.Addr, helo string, from address.Address) SPF {
	q := spf.Query{Client: client, Helo: helo, Local: from.Local, Domain: from.Domain, Receiver: c.Receiver, Now: now, Records: &c.spfRecords}
	if from.IsZero() {
		q.Domain = helo
	}
	a := spf.Check(ctx, r, q)
	return SPF{
		Status: Status(a.Result), Domain: a.Domain, Mechanism: a.Mechanism, Explanation: a.Explanation, Lookups: a.Lookups, Cause: a.Cause,
	}
}

// Aligned reports whether a check that passed vouches for domain.
func (r *Results) Aligned(domain string) bool {
	if r.SPF.Status == Pass && SameOrganization(r.SPF.Domain, domain) {
		return true
	}
	for i := range r.DKIM {
		d := &r.DKIM[i]
		if d.Result == dkim.ResultPass && !d.Testing && SameOrganization(d.Domain, domain) {
			return true
		}
	}
	return false
}

// Unsure reports whether a check that might have passed failed for the moment only, so that a sender who must be proven
// should come again. What hangs on DMARC alone is told by [DMARC.Unsure].
func (r *Results) Unsure() bool {
	if r.SPF.Status == TempError {
		return true
	}
	for i := range r.DKIM {
		if r.DKIM[i].Result == dkim.ResultTempError {
			return true
		}
	}
	return false
}

// SameOrganization reports whether two domains have the same organizational domain (RFC 7489 3.2).
func SameOrganization(a, b string) bool { return dmarc.SameOrganization(a, b) }

// OrganizationalDomain is the name registered below a public suffix, in lower-case A-labels; a public suffix is its own.
// What is no domain name gives "".
func OrganizationalDomain(domain string) string { return dmarc.OrganizationalDomain(domain) }

// IsOwnResults reports whether the value of an Authentication-Results field claims to be of the server with that
// authserv-id, in whatever spelling. One that came from outside is forged and must be taken out (RFC 8601 5).
func IsOwnResults(value, authservID string) bool {
	return authres.Claims(value, strings.TrimSpace(authservID))
}
