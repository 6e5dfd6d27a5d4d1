package mailflow

import (
	"context"
	"io"
	"strings"

	"postern/internal/autoreply"
	"postern/internal/reply"
	"postern/smtp/queue"
	"postern/smtp/queue/dsn"
)

// refusal is a copy that a script refuses (RFC 5429).
type refusal struct {
	*sifted
	by     string
	reason string
}

// refuseAll is the reply where all copies are refused: the sender is told while it waits (RFC 5429 2.1). Nil where one is taken.
func (x *sifting) refuseAll() *reply.Error {
	if len(x.refusals) == 0 || len(x.refusals) < len(x.p.plan.accounts) || len(x.p.plan.external)+len(x.p.filings) > 0 {
		return nil
	}
	for _, r := range x.refusals {
		r.note("%s: refused", r.by)
	}
	text := safeLine(x.refusals[0].reason)
	if x.p.judgement != nil {
		return x.p.judgement.RefuseFor(text)
	}
	return reply.New(550, "5.7.1", "%s", text)
}

// safeLine makes of what a script says one line of ASCII that a reply can hold.
func safeLine(reason string) string {
	const atMost = 300
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, strings.Join(strings.Fields(reason), " "))
	if line == "" {
		return "The recipient does not take this message"
	}
	return line[:min(len(line), atMost)]
}

// refuseSome has those who refuse the message that others take refuse it by a notice (RFC 5429 2.1.1). Where none may go to the
// sender the copy is kept.
func (x *sifting) refuseSome(ctx context.Context) error {
	for _, r := range x.refusals {
		if ok, why := x.mayRefuse(); !ok {
			y := r.sifted
			y.before = len(x.p.filings)
			if _, err := y.keepAsUsual(nil, nil); err != nil {
				return err
			}
			x.p.plan.accounts[y.i].elsewhere = false
			y.note("%s: refused, but others take the message and no notice may go to its sender, so it is kept: %s", r.by, why)
			continue
		}
		n, err := x.refusalNotice(ctx, r)
		if err != nil {
			return err
		}
		x.p.notices = append(x.p.notices, n)
		r.note("%s: refused by a notice to the sender", r.by)
	}
	return nil
}

// mayRefuse reports whether the sender may be sent a notice: never one that is forged, a list or a machine.
func (x *sifting) mayRefuse() (ok bool, why string) {
	if ok, why := autoreply.May(x.p.parsed, x.p.envelope.From, autoreply.Options{Content: x.p.content}); !ok {
		return false, why
	}
	if !x.p.proven {
		return false, "the sender is not proven"
	}
	return true, ""
}

// refusalNotice tells the sender that one recipient refuses the message.
func (x *sifting) refusalNotice(ctx context.Context, r refusal) (queue.Prepared, error) {
	e, c := x.p.envelope, x.p.plan.accounts[r.i]
	now := x.Clock.Now()
	n, err := dsn.Compose(dsn.Report{
		Hostname: x.Hostname, To: e.From.String(), Date: now, EnvID: e.EnvID, Arrived: e.Started, SMTPUTF8: e.SMTPUTF8,
		Message: io.NewSectionReader(x.p.content, 0, x.p.content.Size()),
		Recipients: []dsn.Recipient{{
			Address: c.rcpt.Address.String(), ORCPT: xtextAddress(c.rcpt.ORCPT), Action: dsn.Failed, Status: "5.7.1",
			Diagnostic: "550 5.7.1 " + safeLine(r.reason), Reason: foldedLine(r.reason), LastAttempt: now,
		}},
	})
	if err != nil {
		return nil, err
	}
	return Bouncer{Flow: x.Flow}.Prepare(ctx, queue.Notice{
		To: e.From, Message: n.Message, SMTPUTF8: e.SMTPUTF8, Body8Bit: n.Has8Bit, Account: x.p.account,
	})
}

// drop gives back what notices and changed forms of the message hold, whatever became of them.
func (p *parcel) drop() {
	p.editions.drop()
	for _, n := range p.notices {
		n.Discard()
	}
}
