package mailflow

import (
	"context"
	"io"

	"postern/internal/autoreply"
	"postern/internal/judge"
	"postern/internal/mailauth"
	"postern/smtp"
	"postern/smtp/queue"
	"postern/smtp/queue/dsn"
)

// wantsSuccess are the copies whose sender asked to be told of their delivery (RFC 3461 4.1), each recipient once.
func (p *parcel) wantsSuccess() []copyFor {
	if p.notice || p.envelope.From.IsZero() {
		return nil
	}
	var out []copyFor
	told := map[string]bool{}
	for _, c := range p.plan.accounts {
		if key := c.rcpt.Address.Key(); !c.elsewhere && c.rcpt.Notify&smtp.NotifySuccess != 0 && !told[key] {
			told[key] = true
			out = append(out, c)
		}
	}
	return out
}

// mayTell reports whether a notice, of success or of what became of forwarded mail, may go out for mail from elsewhere: never
// about a notice, and only to senders that are proven, for a notice to a forged one is spam by our hand.
func (in *In) mayTell(p *parcel) bool {
	e := p.envelope
	if e.From.IsZero() || len(p.wantsSuccess()) == 0 && len(p.plan.external) == 0 {
		return false
	}
	if ok, reason := autoreply.MayNotify(p.parsed, e.From); !ok {
		in.Log.Debug("no notices about this message", "id", e.ID, "reason", reason)
		return false
	}
	return p.proven
}

// isProven reports whether the reverse-path is the sender's own: SPF vouches for the client, or a signature for the author
// whose address it is. A signed message can be sent again by anybody, and by any other address of its domain would have
// a stranger told of it.
func isProven(p *parcel, j *judge.Judgement) bool {
	from := p.envelope.From
	if j.Auth.SPF.Status == mailauth.Pass {
		return true
	}
	authors, err := mailboxes(p.parsed, "From")
	return err == nil && len(authors) == 1 && authors[0].Key() == from.Key() && j.Auth.Aligned(from.Domain)
}

// successNotice is the notice for the copies that are stored here; nil when nobody asked. What is forwarded is told of by
// the queue.
func (f *Flow) successNotice(ctx context.Context, p *parcel) (queue.Prepared, error) {
	copies := p.wantsSuccess()
	if !p.tell || len(copies) == 0 {
		return nil, nil
	}
	now := f.Clock.Now()
	report := dsn.Report{
		Hostname: f.Hostname, To: p.envelope.From.String(), Date: now, EnvID: smtp.EncodeXtext(p.envelope.EnvID), Arrived: p.envelope.Started,
		Message: io.NewSectionReader(p.content, 0, p.content.Size()), SMTPUTF8: p.envelope.SMTPUTF8,
	}
	for _, c := range copies {
		report.Recipients = append(report.Recipients, dsn.Recipient{
			Address: c.rcpt.Address.String(), ORCPT: xtextAddress(c.rcpt.ORCPT), Action: dsn.Delivered, Status: "2.0.0", LastAttempt: now,
		})
	}
	n, err := dsn.Compose(report)
	if err != nil {
		return nil, err
	}
	return Bouncer{Flow: f}.Prepare(ctx, queue.Notice{
		To: p.envelope.From, Message: n.Message, SMTPUTF8: p.envelope.SMTPUTF8, Body8Bit: n.Has8Bit, Account: p.account,
	})
}
