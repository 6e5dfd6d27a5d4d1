package mailflow

import (
	"slices"

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
	// edited is the message as a script changed it, nil as it came. front are fields that stand before those of ours, and own is in their
	// place unless it is nil.
	edited     *edited
	front, own []byte
}

// usual is where a copy goes unless a script says otherwise.
func (p *parcel) usual(i int) filing {
	place := filing{copy: i, edited: p.plan.accounts[i].form}
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

// load is a form of the message with the places where it is stored. Its bytes are stored once, for these and for what is queued.
type load struct {
	form     *edited
	prepared *store.Prepared
	targets  []store.Target
}

// loads are all forms of a message that are wanted.
type loads []*load

// of gives the load of a form.
func (all *loads) of(form *edited) *load {
	i := slices.IndexFunc(*all, func(l *load) bool { return l.form == form })
	if i < 0 {
		i = len(*all)
		*all = append(*all, &load{form: form})
	}
	return (*all)[i]
}

// stored are the places as the store wants them.
func (f *Flow) stored(p *parcel) (all loads) {
	now := f.Clock.Now()
	for _, place := range p.places() {
		c := p.plan.accounts[place.copy]
		t := store.Target{
			Account: store.AccountID(c.account), Mailbox: place.mailbox, Role: place.role, Create: place.create, Flags: place.flags, Internal: now,
			Prefix: p.fieldsFor(&place), IgnoreQuota: p.notice || len(p.plan.accounts) > 1 || place.nth > 0,
		}
		if p.once != nil {
			t.Once = p.once.of(c, place.nth)
		}
		l := all.of(place.edited)
		l.targets = append(l.targets, t)
	}
	return all
}

// fieldsFor are the fields that stand before the message in a place.
func (p *parcel) fieldsFor(place *filing) []byte {
	own := place.own
	if own == nil {
		own = p.prefix(p.plan.accounts[place.copy])
	}
	if len(place.front) == 0 {
		return own
	}
	return slices.Concat(place.front, own)
}

// prefix is the fields that stand before the message in a copy.
func (p *parcel) prefix(c copyFor) []byte {
	prefix := finalFields(p.envelope.From, c.to, p.envelope.SMTPUTF8)
	if p.judgement != nil {
		prefix = append(prefix, p.judgement.Fields(c.judged)...)
	}
	return append(prefix, p.trace...)
}
