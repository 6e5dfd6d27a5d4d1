package mailflow

import (
	"postern/internal/store"
)

// filing is a place where one copy is stored.
type filing struct {
	// copy is which of the plan's accounts it is for, nth which of that copy's places.
	copy, nth int
	// mailbox, role, create and flags are as in [store.Target].
	mailbox, role string
	create        bool
	flags         []string
}

// usual is where a copy goes unless a script says otherwise.
func (p *parcel) usual(i int) filing {
	place := filing{copy: i}
	if p.judgement != nil && p.judgement.Junked(p.plan.accounts[i].judged) {
		place.role = `\Junk`
	}
	return place
}

// places are where the copies are stored.
func (p *parcel) places() []filing {
	if p.filings == nil {
		p.filings = make([]filing, 0, len(p.plan.accounts))
		for i := range p.plan.accounts {
			p.filings = append(p.filings, p.usual(i))
		}
	}
	return p.filings
}

// targets are the places as the store wants them.
func (f *Flow) targets(p *parcel) []store.Target {
	now := f.Clock.Now()
	targets := make([]store.Target, 0, len(p.places()))
	for _, place := range p.places() {
		c := p.plan.accounts[place.copy]
		t := store.Target{
			Account: store.AccountID(c.account), Mailbox: place.mailbox, Role: place.role, Create: place.create, Flags: place.flags, Internal: now,
			Prefix: p.prefix(c), IgnoreQuota: p.notice || len(p.plan.accounts) > 1 || place.nth > 0,
		}
		if p.once != nil {
			t.Once = p.once.of(c, place.nth)
		}
		targets = append(targets, t)
	}
	return targets
}

// prefix is the fields that stand before the message in a copy.
func (p *parcel) prefix(c copyFor) []byte {
	prefix := finalFields(p.envelope.From, c.to, p.envelope.SMTPUTF8)
	if p.judgement != nil {
		prefix = append(prefix, p.judgement.Fields(c.judged)...)
	}
	return append(prefix, p.trace...)
}
