// Package mailauth answers who really sent a message.
//
// SPF (RFC 7208) says whether the client may use the envelope's domain, DKIM (RFC 6376) whether a domain vouches for the
// bytes. Both are asked of DNS and gathered into one [Results] value, from which the road in decides. Alignment
// (RFC 7489 3.1) joins them to a domain a person sees: a result counts for a domain when both have the same
// organizational domain.
package mailauth

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
	"golang.org/x/net/publicsuffix"

	"postern/dkim"
	"postern/internal/address"
	"postern/internal/clock"
)

// Resolver is what SPF and DKIM ask of DNS. Errors are *net.DNSError.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}

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
	// Cause tells more of an error; for logs.
	Cause error
}

// Results gathers the checks of one message.
type Results struct {
	SPF  SPF
	DKIM []dkim.Verification
}

// Checker runs the checks. All fields must be set.
type Checker struct {
	Resolver Resolver
	// Timeout bounds the checks of one message.
	Timeout time.Duration
	Clock   clock.Clock
}

// Check runs SPF for the envelope and DKIM for the message. It fails only when the message cannot be read.
func (c *Checker) Check(ctx context.Context, client netip.Addr, helo string, from address.Address, message io.ReaderAt, size int64) (Results, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	done := make(chan SPF, 1)
	go func() { done <- c.CheckSPF(ctx, client, helo, from) }()
	signatures, err := dkim.Verify(ctx, message, size, c.Resolver.LookupTXT, c.Clock.Now())
	return Results{SPF: <-done, DKIM: signatures}, err
}

// CheckSPF asks whether client may send for the reverse-path, or for the HELO name when that is null.
func (c *Checker) CheckSPF(ctx context.Context, client netip.Addr, helo string, from address.Address) SPF {
	domain, sender := from.Domain, from.String()
	if from.IsZero() {
		domain, sender = strings.ToLower(helo), ""
	}
	result, err := spf.CheckHostWithSender(net.IP(client.AsSlice()), helo, sender, spf.WithContext(ctx), spf.WithResolver(c.Resolver))
	return SPF{Status: Status(result), Domain: domain, Cause: err}
}

// Aligned reports whether a check that passed vouches for domain.
func (r Results) Aligned(domain string) bool {
	if r.SPF.Status == Pass && SameOrganization(r.SPF.Domain, domain) {
		return true
	}
	for _, d := range r.DKIM {
		if d.Result == dkim.ResultPass && !d.Testing && SameOrganization(d.Domain, domain) {
			return true
		}
	}
	return false
}

// Unsure reports whether a check that might have passed failed for the moment only, so that the sender should come again.
func (r Results) Unsure() bool {
	if r.SPF.Status == TempError {
		return true
	}
	for _, d := range r.DKIM {
		if d.Result == dkim.ResultTempError {
			return true
		}
	}
	return false
}

// SameOrganization reports whether two domains have the same organizational domain (RFC 7489 3.2).
func SameOrganization(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSuffix(a, ".")), strings.ToLower(strings.TrimSuffix(b, "."))
	return a != "" && OrganizationalDomain(a) == OrganizationalDomain(b)
}

// OrganizationalDomain is the name registered below a public suffix; a public suffix is its own.
func OrganizationalDomain(domain string) string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return org
	}
	return domain
}
