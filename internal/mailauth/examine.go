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
func (c *Checker) Examine(ctx context.Context, q Request) (Results, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	b := c.newBudget()
	r := Results{Client: q.Client, HeloName: q.Helo, From: q.From}
	var waiting sync.WaitGroup
	during := func(took *time.Duration, check func()) {
		waiting.Go(func() {
			start := c.Clock.Now()
			check()
			*took = c.Clock.Now().Sub(start)
		})
	}
	during(&r.took.spf, func() { r.SPF = c.checkSPF(ctx, b.spf, q.Client, q.Helo, q.From) })
	var heloTook time.Duration
	if !q.From.IsZero() {
		during(&heloTook, func() { r.Helo = c.checkSPF(ctx, b.helo, q.Client, q.Helo, address.Address{}) })
	}
	if q.IPRev {
		during(&r.took.iprev, func() { r.IPRev = iprev(ctx, b.iprev, q.Client) })
	}
	var p *policies
	during(&r.took.dmarc, func() { p = c.policies(ctx, b.dmarc, q.Header) })
	start := c.Clock.Now()
	var err error
	r.DKIM, r.ARC, err = dkim.VerifyAll(ctx, q.Content, q.Size, b.dkim.keys, b.arc.keys, start)
	r.took.signatures = c.Clock.Now().Sub(start)
	waiting.Wait()
	if err != nil {
		return Results{}, err
	}
	r.took.spf = max(r.took.spf, heloTook)
	start = c.Clock.Now()
	r.DMARC = p.judge(ctx, &r, q.TrustedSealers)
	r.took.dmarc += c.Clock.Now().Sub(start)
	return r, nil
}
