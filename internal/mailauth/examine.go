package mailauth

import (
	"context"
	"sync"
	"time"

	"postern/dkim"
	"postern/internal/address"
)

// Examine runs all checks of a message. It fails only when the message cannot be read; trouble with the DNS is in the
// results, and what is to be done about it in [DMARC.Unsure] and [Results.Unsure].
func (c *Checker) Examine(ctx context.Context, q Request) (Results, error) { return c.Begin(ctx, q)() }

// examination is a message whose checks are under way.
type examination struct {
	*Checker
	q        Request
	ctx      context.Context
	cancel   context.CancelFunc
	budget   *budget
	waiting  sync.WaitGroup
	results  Results
	tookHelo time.Duration
	policies *policies
}

// Begin is Examine in two parts, for whoever has other work to do while the DNS is waited for. The function that it gives is
// called once and reads the message; if it is never called, what was started ends with ctx.
//
// What needs only answers that the resolver remembers is done at once, and for a message of which all is remembered nothing
// is started at all: goroutines for it would cost more than it does.
func (c *Checker) Begin(ctx context.Context, q Request) func() (Results, error) {
	e := &examination{Checker: c, q: q, budget: c.newBudget(), results: Results{Client: q.Client, HeloName: q.Helo, From: q.From}}
	e.ctx, e.cancel = context.WithTimeout(ctx, c.Timeout)
	b, r := e.budget, &e.results
	e.check(&b.spf, &r.took.spf, func() { r.SPF = c.checkSPF(e.ctx, &b.spf, q.Client, q.Helo, q.From) })
	if !q.From.IsZero() {
		e.check(&b.helo, &e.tookHelo, func() { r.Helo = c.checkSPF(e.ctx, &b.helo, q.Client, q.Helo, address.Address{}) })
	}
	if q.IPRev {
		e.check(&b.iprev, &r.took.iprev, func() { r.IPRev = iprev(e.ctx, &b.iprev, q.Client) })
	}
	e.check(&b.dmarc, &r.took.dmarc, func() { e.policies = c.policies(e.ctx, &b.dmarc, q.Header) })
	return e.end
}

// check makes a check now, if it need not wait, or beside the others.
func (e *examination) check(s *share, took *time.Duration, run func()) {
	start := e.Clock.Now()
	if s.recall(run) {
		*took = e.Clock.Now().Sub(start)
		return
	}
	e.waiting.Go(func() {
		run()
		*took = e.Clock.Now().Sub(start)
	})
}

// end verifies the signatures, waits for what still runs, and joins all.
func (e *examination) end() (Results, error) {
	defer e.cancel()
	r, start := &e.results, e.Clock.Now()
	var err error
	r.DKIM, r.ARC, err = dkim.VerifyAll(e.ctx, e.q.Content, e.q.Size, e.budget.dkim.keys(), e.budget.arc.keys(), start)
	r.took.signatures = e.Clock.Now().Sub(start)
	e.waiting.Wait()
	if err != nil {
		return Results{}, err
	}
	r.took.spf = max(r.took.spf, e.tookHelo)
	start = e.Clock.Now()
	r.DMARC = e.policies.judge(e.ctx, r, e.q.TrustedSealers)
	r.took.dmarc += e.Clock.Now().Sub(start)
	return *r, nil
}
