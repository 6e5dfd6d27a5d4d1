package resolver

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// ErrNotRemembered is what a [Memory] says to a question that would have to be sent.
var ErrNotRemembered = errors.New("the answer is not remembered")

// Memory answers as its resolver does, but from what that remembers only: it never waits. Whoever has several questions may
// ask it first, and only for the rest start something that waits.
type Memory struct{ r *Resolver }

// Memory gives what the resolver remembers.
func (r *Resolver) Memory() Memory { return Memory{r} }

func (m Memory) ask(_ context.Context, name string, qtype uint16) (e *entry, now time.Time, err error) {
	_, e, now, err = m.r.recall(name, qtype)
	if e == nil && err == nil {
		err = ErrNotRemembered
	}
	return e, now, err
}

// TXT is [Resolver.TXT].
func (m Memory) TXT(ctx context.Context, name string) (Answer[string], error) {
	return values(ctx, m.ask, name, dns.TypeTXT, txtValue)
}

// MX is [Resolver.MX].
func (m Memory) MX(ctx context.Context, name string) (Answer[MX], error) {
	return exchangers(ctx, m.ask, name)
}

// LookupA is [Resolver.LookupA].
func (m Memory) LookupA(ctx context.Context, name string) (Answer[netip.Addr], error) {
	return values(ctx, m.ask, name, dns.TypeA, aValue)
}

// LookupAAAA is [Resolver.LookupAAAA].
func (m Memory) LookupAAAA(ctx context.Context, name string) (Answer[netip.Addr], error) {
	return values(ctx, m.ask, name, dns.TypeAAAA, aaaaValue)
}

// LookupPTR is [Resolver.LookupPTR].
func (m Memory) LookupPTR(ctx context.Context, ip netip.Addr) (Answer[string], error) {
	return pointers(ctx, m.ask, ip)
}
