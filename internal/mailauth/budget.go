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
	spf, helo, dkim, arc, dmarc, iprev share
}

// share is a part's way to the DNS. What the resolver remembers counts like what is asked, so that a message comes to the
// same whatever is remembered.
type share struct {
	from *budget
	own  atomic.Int64
	dns  Resolver
	// memory is what dns remembers; nil if it remembers nothing.
	memory Resolver
	// recalling: only memory is asked. missed: that was not enough. borrowed was taken from what is left over meanwhile.
	recalling, missed bool
	borrowed          int64
}

// remembering is a resolver that can tell without waiting what it remembers; *resolver.Resolver is one.
type remembering interface {
	Memory() resolver.Memory
}

// fill says what may be asked.
func (b *budget) fill(c *Checker) {
	total := int64(c.MaxLookups)
	if total <= 0 {
		total = defaultLookups
	}
	b.left.Store(total)
	var memory Resolver
	if r, ok := c.Resolver.(remembering); ok {
		memory = r.Memory()
	}
	part := func(s *share, percent int64) {
		s.from, s.dns, s.memory = b, c.Resolver, memory
		n := total * percent / 100
		s.own.Store(n)
		b.left.Add(-n)
	}
	part(&b.spf, 15)
	part(&b.helo, 5)
	part(&b.dkim, 10)
	part(&b.arc, 6)
	part(&b.dmarc, 20)
	part(&b.iprev, 4)
}

// take counts one question.
func (s *share) take() error {
	if s.own.Add(-1) >= 0 {
		return nil
	}
	if s.recalling {
		s.borrowed++
	}
	if s.from.left.Add(-1) >= 0 {
		return nil
	}
	return errBudget
}

// recall runs a check on what the resolver remembers, and reports whether that was enough. If not it is as if it had not
// been run. Nobody else uses the share meanwhile.
func (s *share) recall(check func()) bool {
	if s.memory == nil {
		return false
	}
	own := s.own.Load()
	s.recalling = true
	check()
	s.recalling = false
	if s.missed {
		s.own.Store(own)
		s.from.left.Add(s.borrowed)
	}
	return !s.missed
}

// asking is a question that is counted.
func asking[K, V any](ctx context.Context, s *share, ask func(Resolver, context.Context, K) (resolver.Answer[V], error), what K) (resolver.Answer[V], error) {
	if err := s.take(); err != nil {
		return resolver.Answer[V]{}, err
	}
	if !s.recalling {
		return ask(s.dns, ctx, what)
	}
	a, err := ask(s.memory, ctx, what)
	s.missed = s.missed || err == resolver.ErrNotRemembered
	return a, err
}

func (s *share) TXT(ctx context.Context, name string) (resolver.Answer[string], error) {
	return asking(ctx, s, Resolver.TXT, name)
}

func (s *share) MX(ctx context.Context, name string) (resolver.Answer[resolver.MX], error) {
	return asking(ctx, s, Resolver.MX, name)
}

func (s *share) LookupA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error) {
	return asking(ctx, s, Resolver.LookupA, name)
}

func (s *share) LookupAAAA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error) {
	return asking(ctx, s, Resolver.LookupAAAA, name)
}

func (s *share) LookupPTR(ctx context.Context, ip netip.Addr) (resolver.Answer[string], error) {
	return asking(ctx, s, Resolver.LookupPTR, ip)
}

// keys is how dkim asks for keys.
type keys struct{ *share }

// TXT is what dkim asks.
func (k keys) TXT(ctx context.Context, name string) ([]string, error) {
	a, err := k.share.TXT(ctx, name)
	return a.Values, err
}

// Recall is what dkim asks before.
func (k keys) Recall(ctx context.Context, name string) (texts []string, remembered bool, err error) {
	if k.memory == nil {
		return nil, false, nil
	}
	a, err := k.memory.TXT(ctx, name)
	if err == resolver.ErrNotRemembered {
		return nil, false, nil
	}
	if short := k.take(); short != nil {
		return nil, true, short
	}
	return a.Values, true, err
}
