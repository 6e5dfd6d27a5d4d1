package mailauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"postern/dkim"
	"postern/internal/mailauth/dmarc"
	"postern/internal/mailauth/spf"
	"postern/internal/message"
)

// DMARC is what became of the authors' domains: of each, and of all together.
type DMARC struct {
	// Status is fail as soon as one author's domain fails; then permerror, temperror, pass and none in this order.
	Status Status
	Reason string
	// Authors are the distinct domains in From.
	Authors []Author
	// Disposition is the strictest that the domains which failed ask for: what is to be done if nothing local speaks
	// against it.
	Disposition dmarc.Policy
	// Override says why Disposition is not to be carried out all the same, as in "trusted ARC seal of lists.example.org";
	// empty when nothing does.
	Override string
	// Local is what the administrator has done in place of the Disposition, and LocalWhy says by which of their words;
	// empty when they have none. Whoever knows them writes them here, so that the field tells what was done.
	Local    dmarc.Policy
	LocalWhy string
	// TooMany: From has more domains than are asked about, and Disposition is reject whatever those that were ask for.
	TooMany bool
	// Unsure: there is a disposition other than none, and only because something that might have passed could not be
	// checked just now. The sender should come again (451).
	Unsure bool
}

// Author is what became of one domain in From; an aggregate report is written from it.
type Author struct {
	Domain string
	Status Status
	Reason string
	// Found is the policy record that applies.
	Found dmarc.Found
	// Asked is what it asks for, were it to fail; Disposition what follows, with t=y and pct=0 regarded. It is none for
	// what did not fail.
	Asked, Disposition dmarc.Policy
	// SPF and DKIM: an aligned identifier passed. Signer is the first such d=.
	SPF, DKIM bool
	Signer    string
	// Override is the sealer whose ARC chain speaks for this author.
	Override string
	// Unsure: an aligned identifier, or the chain of a trusted sealer, might have passed.
	Unsure bool
}

// Effective is the disposition after the overrides.
func (d *DMARC) Effective() dmarc.Policy {
	if d.Local != "" {
		return d.Local
	}
	if d.Override != "" || d.Disposition == "" {
		return dmarc.None
	}
	return d.Disposition
}

// policies are the records of the authors' domains, as they are looked for while the other checks run.
type policies struct {
	tree  dmarc.Tree
	named authors
	found []sought // one for each domain that is named
}

// sought is an author, or why the policy is not known.
type sought struct {
	Author
	err error
}

// find looks for the records of all authors at the same time: one whose DNS is slow, which may be so by intent, must
// not take the time in which another's policy is found. What is remembered is had at once, one after the other.
func (p *policies) find(ctx context.Context, s *share, records *dmarc.Records, h message.Header) {
	*p = policies{tree: dmarc.Tree{Resolver: s, Records: records}}
	p.named.readAll(h)
	n := len(p.named.domains)
	p.found = make([]sought, n)
	if s.recalling || n < 2 {
		for i := range n {
			p.findOne(ctx, i)
		}
		return
	}
	var others sync.WaitGroup
	for i := range n - 1 {
		others.Go(func() { p.findOne(ctx, i) })
	}
	p.findOne(ctx, n-1)
	others.Wait()
}

func (p *policies) findOne(ctx context.Context, i int) {
	a := &p.found[i]
	a.Domain = p.named.domains[i]
	a.Found, a.err = p.tree.Policy(ctx, a.Domain)
}

// judge joins the policies to what was proven.
func (p *policies) judge(ctx context.Context, r *Results, trusted []string) DMARC {
	d := DMARC{Status: None, Disposition: dmarc.None, Authors: make([]Author, 0, len(p.found))}
	if p.named.unreadable || len(p.found) == 0 {
		d.Status, d.Reason = PermError, "no author domain in From"
	}
	for i := range p.found {
		a := &p.found[i]
		if a.err != nil {
			a.noPolicy(a.err)
		} else {
			p.judgeAuthor(ctx, &a.Author, r, trusted)
		}
		d.add(&a.Author)
	}
	if p.named.more {
		d.Status, d.Reason, d.Disposition, d.Unsure = PermError, fmt.Sprintf("more than %d author domains", maxAuthors), dmarc.Reject, false
		d.TooMany = true
	}
	if d.Disposition == dmarc.None {
		d.Override = "" // there is nothing to override
	}
	return d
}

// noPolicy is an author whose record could not be had. Without one nothing is asked for, so that trouble in the DNS loses
// no mail; but who asks so much that the budget is used up has made the message to that end.
func (a *Author) noPolicy(err error) {
	a.Asked, a.Disposition = dmarc.None, dmarc.None
	a.Status, a.Reason = TempError, "the policy could not be looked up"
	if errors.Is(err, spf.ErrBudget) {
		a.Status, a.Reason, a.Disposition = PermError, err.Error(), dmarc.Reject
	}
}

func (p *policies) judgeAuthor(ctx context.Context, a *Author, r *Results, trusted []string) {
	a.Asked, a.Disposition = dmarc.None, dmarc.None
	if a.Found.Domain == "" {
		a.Status, a.Reason = None, "no policy"
		return
	}
	p.align(ctx, a, r)
	if a.SPF || a.DKIM {
		a.Status, a.Asked, a.Unsure = Pass, a.Found.Asks(true), false
		return
	}
	a.Asked = p.asked(ctx, a)
	a.Status, a.Reason, a.Disposition = Fail, "nothing that passed is aligned", a.Found.Record.Wanted(a.Asked)
	if a.Unsure {
		a.Status, a.Reason = TempError, "what might be aligned could not be checked"
	}
	switch sealer := vouchedFor(r.ARC, a.Domain, trusted); {
	case sealer != "" && r.ARC.Result == dkim.ResultPass:
		a.Override = sealer
	case sealer != "" && r.ARC.Result == dkim.ResultTempError:
		a.Unsure = true // it might have been overridden
	}
}

// asked is what the record asks for. Where that hangs on whether the author's domain exists and the DNS does not tell, the
// stricter holds and the author is unsure: whoever sends can make the checks last until their time is over.
func (p *policies) asked(ctx context.Context, a *Author) dmarc.Policy {
	exists, missing := a.Found.Asks(true), a.Found.Asks(false)
	if exists == missing {
		return exists
	}
	switch found, err := p.tree.Exists(ctx, a.Domain); {
	case isTemporary(err):
		a.Unsure = true
		return dmarc.Stricter(exists, missing)
	case found:
		return exists
	}
	return missing
}

// align looks for identifiers that passed and count for the author, and for such as might have.
func (p *policies) align(ctx context.Context, a *Author, r *Results) {
	record := &a.Found.Record
	if proven, hope := r.SPF.Status == Pass, r.SPF.Status == TempError; proven || hope {
		aligned, err := p.tree.Aligned(ctx, a.Domain, r.SPF.Domain, record.StrictSPF)
		a.SPF = aligned && proven
		a.Unsure = aligned && hope || isTemporary(err)
	}
	for i := range r.DKIM {
		s := &r.DKIM[i]
		proven, hope := s.Result == dkim.ResultPass, s.Result == dkim.ResultTempError
		if !proven && !hope || a.DKIM {
			continue
		}
		aligned, err := p.tree.Aligned(ctx, a.Domain, s.Domain, record.StrictDKIM)
		if aligned && proven {
			a.DKIM, a.Signer = true, s.Domain
		}
		a.Unsure = a.Unsure || aligned && hope || isTemporary(err)
	}
}

func isTemporary(err error) bool { return err != nil && !errors.Is(err, spf.ErrBudget) }

// add joins one author's outcome to that of all: the strictest of those that did not pass decides (RFC 9989 5.3.1).
func (d *DMARC) add(a *Author) {
	if d.Status == None && len(d.Authors) == 0 || severity(a.Status) > severity(d.Status) {
		d.Status, d.Reason = a.Status, a.Reason
	}
	d.Authors = append(d.Authors, *a)
	if a.Disposition == dmarc.None {
		return
	}
	// All that ask for something must be vouched for, and all must be in doubt.
	first := d.Disposition == dmarc.None
	if a.Override != "" && (first || d.Override != "") {
		d.Override = "trusted ARC seal of " + a.Override
	} else {
		d.Override = ""
	}
	d.Unsure = a.Unsure && (first || d.Unsure)
	d.Disposition = dmarc.Stricter(d.Disposition, a.Disposition)
}

func severity(s Status) int {
	return slices.Index([]Status{None, Pass, TempError, PermError, Fail}, s)
}
