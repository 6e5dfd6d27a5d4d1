package mailflow

import (
	"context"
	"errors"

	"postern/internal/address"
	"postern/internal/reply"
	"postern/smtp"
	"postern/smtp/queue"
)

// maxOnward is how many addresses the scripts of all recipients of a message may send it on to, those to whom it is sent on
// included.
const maxOnward = 20

// sendOn sends the copy on to an address, as an alias does that leads there: under a rewritten return path, signed, sealed and marked
// by the account's own address, by which it is known should it come again. why tells that it is not done.
func (y *sifted) sendOn(ctx context.Context, target string) (why string) {
	to, err := address.Parse(target)
	switch {
	case err != nil:
		return "; that is no address to send to, so the message is kept"
	case deliveredTo(y.p.parsed, y.own.Address), deliveredTo(y.p.parsed, to):
		return "; the message has been there before and would go round in a loop, so it is kept"
	case y.onward >= maxOnward:
		return "; the message is sent on to too many addresses already, so it is kept"
	}
	y.onward++
	res, err := y.resolve(ctx, to)
	var refused *reply.Error
	switch {
	case errors.As(err, &refused):
		return "; " + refused.Text + ", so the message is kept"
	case err != nil:
		return "; it could not be found out who that is, so the message is kept"
	case res.Via == viaReturnPath:
		return "; that address takes only notices, so the message is kept"
	}
	for _, a := range res.Accounts {
		if a.ID == y.own.ID {
			return "; that is the recipient's own address, so the message is kept"
		}
	}
	plan, c := y.p.plan, y.p.plan.accounts[y.i]
	rcpt := smtp.Recipient{Address: to, Notify: c.rcpt.Notify, ORCPT: c.rcpt.ORCPT}
	if !res.LocalDomain {
		if plan.first(place{name: to.Key()}) {
			plan.external = append(plan.external, leg{to: queue.Recipient{Address: to, Notify: rcpt.Notify, ORCPT: xtextAddress(rcpt.ORCPT)}, via: y.own.Address})
		}
		return ""
	}
	known := len(plan.accounts)
	plan.add(rcpt, res)
	if y.p.judgement != nil {
		for i := known; i < len(plan.accounts); i++ {
			plan.accounts[i].judged = y.p.judgement.Onward(c.judged, plan.accounts[i].account, to)
		}
	}
	return ""
}
