package mailauth

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"

	"postern/dkim"
	"postern/internal/mailauth/spf"
	"postern/internal/resolver"
)

// defaultLookups is what one message may ask of the DNS; an ordinary one asks less than 20 questions.
const defaultLookups = 100

// errBudget is what a part of the checks is told that has used up its questions. It is for good: the sender made the
// message so, and would make it so again.
var errBudget = fmt.Errorf("%w (%w)", spf.ErrBudget, dkim.ErrTooMany)

// budget is what one message may ask. Each part has some questions for itself, so that no part of a message made to hurt
// takes them from another, least of all from DMARC's policy; what is left over is for whoever needs more.
type budget struct {
	left                               atomic.Int64
	spf, helo, dkim, arc, dmarc, iprev *share
}

// share is a part's way to the DNS.
type share struct {
	from *budget
	own  atomic.Int64
	dns  Resolver
}

func (c *Checker) newBudget() *budget {
	total := int64(c.MaxLookups)
	if total <= 0 {
		total = defaultLookups
	}
	b := &budget{}
	b.left.Store(total)
	part := func(percent int64) *share {
		s := &share{from: b, dns: c.Resolver}
		n := total * percent / 100
		s.own.Store(n)
		b.left.Add(-n)
		return s
	}
	b.spf, b.helo, b.dkim, b.arc, b.dmarc, b.iprev = part(15), part(5), part(10), part(6), part(20), part(4)
	return b
}

// take counts one question.
func (s *share) take() error {
	if s.own.Add(-1) >= 0 || s.from.left.Add(-1) >= 0 {
		return nil
	}
	return errBudget
}

// asking is a question to the resolver that is counted.
func asking[K, V any](ctx context.Context, s *share, ask func(context.Context, K) (resolver.Answer[V], error), what K) (resolver.Answer[V], error) {
	if err := s.take(); err != nil {
		return resolver.Answer[V]{}, err
	}
	return ask(ctx, what)
}

func (s *share) TXT(ctx context.Context, name string) (resolver.Answer[string], error) {
	return asking(ctx, s, s.dns.TXT, name)
}

func (s *share) MX(ctx context.Context, name string) (resolver.Answer[resolver.MX], error) {
	return asking(ctx, s, s.dns.MX, name)
}

func (s *share) LookupA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error) {
	return asking(ctx, s, s.dns.LookupA, name)
}

func (s *share) LookupAAAA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error) {
	return asking(ctx, s, s.dns.LookupAAAA, name)
}

func (s *share) LookupPTR(ctx context.Context, ip netip.Addr) (resolver.Answer[string], error) {
	return asking(ctx, s, s.dns.LookupPTR, ip)
}

// keys is TXT for dkim.
func (s *share) keys(ctx context.Context, name string) ([]string, error) {
	a, err := s.TXT(ctx, name)
	return a.Values, err
}
