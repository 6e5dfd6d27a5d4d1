package mailflow

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/filter"
	"postern/internal/reply"
	"postern/internal/verdict"
	"postern/sieve"
	"postern/smtp"
)

// sifting is a parcel on its way through the scripts of those who get it. What they want done is put into the parcel, which is
// then committed as any other; what cannot be done keeps the copy.
type sifting struct {
	*Flow
	session  *smtp.Session
	p        *parcel
	header   []byte // the message's own, without the empty line; nil until a script wants it
	refusals []refusal
	onward   int // addresses that scripts sent the message on to
	noticed  int // addresses that scripts have told of it
	told     int // bytes that the trace of the judgement has of scripts
}

// filter has the recipients' scripts say what becomes of their copies. A refusal is for the sender: nobody takes the message, and
// nothing is to be done.
func (f *Flow) filter(ctx context.Context, s *smtp.Session, p *parcel) (*reply.Error, error) {
	x := &sifting{Flow: f, session: s, p: p}
	p.filings = make([]filing, 0, len(p.plan.accounts))
	for i := 0; i < len(p.plan.accounts); i++ { // it grows by those whom the message is sent on to
		if err := x.copy(ctx, i); err != nil {
			return nil, err
		}
	}
	if refusal := x.refuseAll(); refusal != nil {
		return refusal, nil
	}
	return nil, x.refuseSome(ctx)
}

// copy runs the scripts for one copy.
func (x *sifting) copy(ctx context.Context, i int) error {
	c := x.p.plan.accounts[i]
	own, ok := x.Directory.Account(c.account)
	if !ok {
		x.p.filings = append(x.p.filings, x.p.usual(i))
		return nil
	}
	usual, err := x.usual(ctx, i)
	if err != nil {
		return err
	}
	plan, err := x.Filters.For(ctx, c.account, own.Address.Domain)
	if err != nil {
		return err
	}
	if plan == nil {
		x.p.filings = append(x.p.filings, usual)
		if r := x.recipient(c); r != nil && usual.mailbox != "" {
			r.Mailbox, r.FiledBy = usual.name(), usual.usualBy()
		}
		return nil
	}
	result := plan.Run(ctx, x.mail(c, own))
	if err := ctx.Err(); err != nil {
		return err
	}
	y := &sifted{sifting: x, i: i, own: own, usual: usual, before: len(x.p.filings)}
	if err := y.carryOut(ctx, &result); err != nil {
		return err
	}
	for _, failed := range result.Failures {
		if err := y.tell(ctx, &failed); err != nil {
			return err
		}
	}
	return nil
}

// mail is a copy as scripts see it.
func (x *sifting) mail(c copyFor, own directory.Account) *filter.Mail {
	if x.header == nil {
		x.header = rawHeader(x.p.parsed)
	}
	form := x.p.as(c.form)
	m := &filter.Mail{
		Parsed: form.parsed, Content: form.content, Size: form.content.Size(), Header: append(x.p.prefix(c), x.headOf(c.form)...), Domain: own.Address.Domain,
		Envelope: sieve.Envelope{To: c.to.String(), OriginalTo: c.rcpt.Address.String()}, Verdict: x.recipient(c),
	}
	if from := x.p.envelope.From; !from.IsZero() {
		m.Envelope.From = from.String()
	}
	if domain, ok := x.Directory.Domain(c.to.Domain); ok {
		m.Delimiters = domain.Separator
	}
	if x.p.judgement != nil {
		m.Checks = x.p.judgement.Trace.Checks
	}
	if who := x.session.Identity; who != nil {
		m.Envelope.Auth = who.Login
	} else { // where our own users are is nobody's business
		m.ClientIP, m.ClientName = x.session.Remote.Addr().String(), x.session.Helo
	}
	return m
}

// recipient is the copy's place in the trace of the judgement, nil where there is none.
func (x *sifting) recipient(c copyFor) *verdict.Recipient {
	if x.p.judgement == nil {
		return nil
	}
	return &x.p.judgement.Trace.Recipients[c.judged]
}

// sifted is one copy that scripts were run for.
type sifted struct {
	*sifting
	i   int // which of the plan's accounts
	own directory.Account
	// usual is where the copy would go without a script; the parcel's filings behind before are its own.
	usual  filing
	before int
	lies   string // the mailbox where the message lies already, "" for mail that comes in
	// occasion is what was done with a message that lies in a mailbox, so that it is told of what is done next as well.
	occasion string
	// announced are the notices that the copy's scripts send.
	announced int64
}

// carryOut puts into the parcel what the scripts want done. Whatever goes wrong, the copy is kept.
func (y *sifted) carryOut(ctx context.Context, result *filter.Result) error {
	c := &y.p.plan.accounts[y.i]
	if r := y.recipient(*c); r != nil {
		r.Mailbox, r.FiledBy = "", ""
		if story := result.Story; story != nil && y.traceHas(len(story.Steps)) {
			r.Run = story
		}
	}
	lost := false // the copy would be nowhere, though nobody wants that
	for _, a := range result.Actions {
		if err := y.act(ctx, &a, &lost); err != nil {
			return err
		}
	}
	for _, s := range result.Sightings {
		account, mark := y.own.ID, filter.SightingMark(s.Key)
		y.p.also = append(y.p.also, func(tx *db.Tx) error { return y.Filters.RememberAnewTx(tx, account, mark, s.For) })
	}
	for _, failed := range result.Failures {
		y.note("%s failed: %s", failed.Name, failed.Reason)
	}
	if c = &y.p.plan.accounts[y.i]; result.ImplicitKeep || lost && len(y.p.filings) == y.before {
		why, err := y.keepAsUsual(result.Flags, result.Header)
		if err != nil {
			return err
		}
		if why != "" {
			y.note("keep%s", why)
		}
	}
	discarded := slices.ContainsFunc(result.Actions, func(a sieve.Action) bool { return a.Kind == sieve.Discard })
	c.elsewhere = len(y.p.filings) == y.before && !discarded
	return nil
}

// act puts one action into the parcel.
func (y *sifted) act(ctx context.Context, a *sieve.Action, lost *bool) error {
	by := fmt.Sprintf("%s, line %d", a.Script, a.Line)
	switch a.Kind {
	case sieve.Keep:
		why, err := y.file(filing{flags: a.Flags}, a.Header, by)
		y.note("%s: keep%s%s", by, flagWords(a.Flags), why)
		return err
	case sieve.FileInto:
		place, why, err := y.place(ctx, a)
		if err != nil {
			return err
		}
		plain, err := y.file(place, a.Header, by)
		y.note("%s: fileinto %s%s%s%s", by, a.Mailbox, flagWords(a.Flags), why, plain)
		return err
	case sieve.Redirect:
		why, sent, err := y.sendOn(ctx, a)
		*lost = *lost || !sent
		y.note("%s: redirect to %s%s", by, a.Address, why)
		return err
	case sieve.Reject, sieve.EReject:
		y.refusals = append(y.refusals, refusal{y, by, a.Reason})
		y.p.plan.accounts[y.i].settled = true
	case sieve.Discard:
		y.note("%s: discard", by)
	case sieve.Vacation:
		why, err := y.answer(ctx, a.Reply)
		y.note("%s: vacation%s", by, why)
		return err
	case sieve.Notify:
		why, err := y.announce(ctx, a.Notice)
		y.note("%s: notify%s", by, why)
		return err
	default:
		// What is not carried out cannot be required; see package filter.
		*lost = true
		y.note("%s: %s is not done here", by, a.Kind)
	}
	return nil
}

func flagWords(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return " with " + strings.Join(flags, " ")
}

// traceHas reports whether the trace has room for so many bytes more of what scripts did: it is one for all recipients, who may be
// many.
func (x *sifting) traceHas(n int) bool {
	const atMost = 1 << 20
	if x.told+n > atMost {
		return false
	}
	x.told += n
	return true
}

// note tells the judgement's trace what was done with the copy.
func (y *sifted) note(format string, args ...any) {
	if r := y.recipient(y.p.plan.accounts[y.i]); r != nil {
		const atMost = 500
		text := foldedLine(fmt.Sprintf(format, args...))
		if !y.traceHas(min(len(text), atMost)) {
			return
		}
		r.Scripts = append(r.Scripts, strings.ToValidUTF8(text[:min(len(text), atMost)], ""))
	}
}
