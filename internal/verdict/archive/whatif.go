package archive

import (
	"context"
	"time"

	"postern/internal/verdict"
)

// WhatIf is another policy, by which stored traces are decided again. What is zero stays as it was in force.
type WhatIf struct {
	Thresholds
	Virus verdict.Action
	// DMARC overrides what authors' domains asked for, where a message failed DMARC.
	DMARC Overrides
}

// IsZero reports whether nothing would be otherwise.
func (w WhatIf) IsZero() bool { return w.isZero() && w.Virus == "" && len(w.DMARC) == 0 }

// Policy is what a recipient's mail would be judged by.
func (w WhatIf) Policy(t *verdict.Trace, r *verdict.Recipient) verdict.Policy {
	policy := r.Policy
	w.over(&policy)
	if !w.isZero() {
		policy.Source = "what if"
	}
	if w.Virus != "" {
		policy.Virus = w.Virus
	}
	if asks, source, ok := w.DMARC.For(domainOf(t.Author)); ok && failedDMARC(t) {
		policy.DMARC, policy.DMARCSource = asks, source
	}
	return policy
}

// failedDMARC reports whether an override concerns the message: one that passes is asked nothing of.
func failedDMARC(t *verdict.Trace) bool {
	for _, c := range t.Checks {
		if c.Name == verdict.CheckDMARC {
			return c.Result == "fail"
		}
	}
	return false
}

// Each calls fn with every trace that the query describes, latest first, reading them page by page; examined tells how many were
// looked at so far. The query's Limit is that of a page.
func (a *Archive) Each(ctx context.Context, q Query, fn func(e Entry, examined int) error) (examined, damaged int, err error) {
	if q.Limit == 0 {
		q.Limit = 1000
	}
	for {
		page, err := a.Find(ctx, q)
		if err != nil {
			return examined, damaged, err
		}
		examined, damaged = examined+page.Examined, damaged+page.Damaged
		for _, e := range page.Entries {
			if err := fn(e, examined); err != nil {
				return examined, damaged, err
			}
		}
		if page.Next == 0 {
			return examined, damaged, nil
		}
		q.Before = page.Next
	}
}

// Count is about how many traces the archive holds since a time: the ids between the first and the last.
func (a *Archive) Count(ctx context.Context, since time.Time) (int, error) {
	first, err := a.firstSince(ctx, since)
	if err != nil {
		return 0, err
	}
	oldest, err := a.keeper.oldest(ctx)
	return int(a.end.Load() - max(first, oldest)), err
}
