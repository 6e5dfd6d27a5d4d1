package mailauth

import (
	"context"
	"sync"
	"time"

	"postern/dkim"
	"postern/internal/address"
	"postern/internal/latectx"
)

// Examine runs all checks of a message. It fails only when the message cannot be read; trouble with the DNS is in the
// results, and what is to be done about it in [DMARC.Unsure] and [Results.Unsure].
func (c *Checker) Examine(ctx context.Context, q Request) (Results, error) { return c.Begin(ctx, q)() }

// examination is a message whose checks are under way.
type examination struct {
	*Checker
	q        Request
	ctx      latectx.Context
	budget   budget
	began    time.Time
	waiting  sync.WaitGroup
	waits    bool // something was begun that has to wait
	results  Results
	tookHelo time.Duration
	policies policies
}

// part is a check that may be made while the message is read.
type part uint8

const (
	partSPF part = iota
	partHelo
	partIPRev
	partPolicies
)

// Begin is Examine in two parts, for whoever has other work to do while the DNS is waited for. The function that it gives is
// called once and reads the message; if it is never called, what was started ends with ctx.
//
// What needs only answers that the resolver remembers is done at once, and for a message of which all is remembered nothing
// is started at all: goroutines for it would cost more than it does.
func (c *Checker) Begin(ctx context.Context, q Request) func() (Results, error) {
	e := &examination{Checker: c, q: q, results: Results{Client: q.Client, HeloName: q.Helo, From: q.From}}
	e.budget.fill(c)
	e.ctx.Start(ctx, c.Timeout)
	e.began = c.Clock.Now()
	now := e.begin(partSPF, e.began)
	if !q.From.IsZero() {
		now = e.begin(partHelo, now)
	}
	if q.IPRev {
		now = e.begin(partIPRev, now)
	}
	e.begin(partPolicies, now)
	return e.end
}

// begin makes a check now, if it need not wait, or beside the others. It gives the time, which is the start of the next.
func (e *examination) begin(p part, start time.Time) time.Time {
	share, took := e.of(p)
	if share.recall(func() { e.make(p) }) {
		now := e.Clock.Now()
		*took = now.Sub(start)
		return now
	}
	e.waits = true
	e.waiting.Go(func() {
		e.make(p)
		*took = e.Clock.Now().Sub(start)
	})
	return start
}

// of gives what a check may ask, and where it is noted how long it took.
func (e *examination) of(p part) (*share, *time.Duration) {
	switch p {
	case partSPF:
		return &e.budget.spf, &e.results.took.spf
	case partHelo:
		return &e.budget.helo, &e.tookHelo
	case partIPRev:
		return &e.budget.iprev, &e.results.took.iprev
	default:
		return &e.budget.dmarc, &e.results.took.dmarc
	}
}

func (e *examination) make(p part) {
	q, r, b := &e.q, &e.results, &e.budget
	switch p {
	case partSPF:
		r.SPF = e.checkSPF(&e.ctx, &b.spf, e.began, q.Client, q.Helo, q.From)
	case partHelo:
		r.Helo = e.checkSPF(&e.ctx, &b.helo, e.began, q.Client, q.Helo, address.Address{})
	case partIPRev:
		r.IPRev = iprev(&e.ctx, &b.iprev, q.Client)
	case partPolicies:
		e.policies.find(&e.ctx, &b.dmarc, &e.dmarcRecords, q.Header)
	}
}

// end verifies the signatures, waits for what still runs, and joins all.
func (e *examination) end() (Results, error) {
	defer e.ctx.Cancel()
	r, start := &e.results, e.Clock.Now()
	var err error
	r.DKIM, r.ARC, err = dkim.VerifyAll(&e.ctx, e.q.Content, e.q.Size, e.lookup(&e.budget.dkim), e.lookup(&e.budget.arc), start)
	now := e.Clock.Now()
	r.took.signatures = now.Sub(start)
	if e.waits {
		e.waiting.Wait()
		now = e.Clock.Now()
	}
	if err != nil {
		return Results{}, err
	}
	r.took.spf = max(r.took.spf, e.tookHelo)
	r.DMARC = e.policies.judge(&e.ctx, r, e.q.TrustedSealers)
	r.took.dmarc += e.Clock.Now().Sub(now)
	return *r, nil
}

// lookup is how a part asks for keys.
func (e *examination) lookup(s *share) dkim.Lookup {
	return dkim.Lookup{Source: keys{s}, Records: &e.keyRecords}
}
