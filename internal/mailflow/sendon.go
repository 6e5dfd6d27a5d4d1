package mailflow

import (
	"context"
	"errors"
	"slices"

	"postern/internal/address"
	"postern/internal/directory"
	"postern/internal/reply"
	"postern/sieve"
	"postern/smtp"
	"postern/smtp/queue"
)

// maxOnward is how many addresses the scripts of all recipients of a message may send it on to, those to whom it is sent on
// included.
const maxOnward = 20

// sendOn sends the copy on to an address, as an alias does that leads there: under a rewritten return path, signed, sealed and marked
// by the account's own address, by which it is known should it come again. why tells what of that is not done.
func (y *sifted) sendOn(ctx context.Context, a *sieve.Action) (why string, sent bool, err error) {
	to, res, why := y.target(ctx, a.Address)
	if why != "" {
		return why + ", so the message is kept", false, nil
	}
	if y.comesBack(res) {
		return "; the message comes back from there, so it is kept", false, nil
	}
	form, why, err := y.onwardForm(ctx, a.Header)
	if err != nil {
		return "", false, err
	}
	plan, c := y.p.plan, y.p.plan.accounts[y.i]
	rcpt := smtp.Recipient{Address: to, Notify: c.rcpt.Notify, ORCPT: c.rcpt.ORCPT}
	here, away := len(plan.accounts), len(plan.external)
	if res.LocalDomain {
		plan.add(rcpt, res)
	} else if plan.first(place{name: to.Key()}) {
		leaves := leg{to: queue.Recipient{Address: to, Notify: rcpt.Notify, ORCPT: xtextAddress(rcpt.ORCPT)}, via: y.own.Address}
		plan.external = append(plan.external, leaves)
	}
	mine := &plan.accounts[y.i]
	mine.onward, mine.settled = append(mine.onward, plan.copiesOf(res)...), mine.settled || !res.LocalDomain || len(res.External) > 0
	for i := away; i < len(plan.external); i++ {
		plan.external[i].form = form
	}
	for i := here; i < len(plan.accounts); i++ {
		plan.accounts[i].form = form
		if y.p.judgement != nil {
			plan.accounts[i].judged = y.p.judgement.Onward(c.judged, plan.accounts[i].account, to)
		}
	}
	return why, true, nil
}

// comesBack reports whether an address leads only to copies whose own scripts sent them on to this one: then nobody would have it.
func (y *sifted) comesBack(res directory.Resolution) bool {
	if !res.LocalDomain || len(res.External) > 0 {
		return false
	}
	plan := y.p.plan
	there := plan.copiesOf(res)
	if len(there) < len(res.Accounts) {
		return false
	}
	seen := map[int]bool{y.i: true}
	return !slices.ContainsFunc(there, func(i int) bool { return plan.rests(i, seen) })
}

// target finds out whom the copy would be sent on to; why is what speaks against it.
func (y *sifted) target(ctx context.Context, text string) (to address.Address, res directory.Resolution, why string) {
	to, err := address.Parse(text)
	switch {
	case err != nil:
		return to, res, "; that is no address to send to"
	case deliveredTo(y.p.parsed, y.own.Address), deliveredTo(y.p.parsed, to):
		return to, res, "; the message has been there before and would go round in a loop"
	case y.onward >= maxOnward:
		return to, res, "; the message is sent on to too many addresses already"
	}
	y.onward++
	res, err = y.resolve(ctx, to)
	var refused *reply.Error
	switch {
	case errors.As(err, &refused):
		return to, res, "; " + refused.Text
	case err != nil:
		return to, res, "; it could not be found out who that is"
	case res.Via == viaReturnPath:
		return to, res, "; that address takes only notices"
	}
	for _, a := range res.Accounts {
		if a.ID == y.own.ID {
			return to, res, "; that is the recipient's own address"
		}
	}
	return to, res, ""
}
