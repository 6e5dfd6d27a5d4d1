package mailflow

import (
	"context"
	"errors"
	"slices"
	"strings"

	"postern/internal/address"
	"postern/internal/directory"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/srs"
	"postern/smtp"
	"postern/smtp/queue"
)

// plan is where the message of a transaction goes: to accounts of ours and to addresses elsewhere, each once, however many
// aliases and groups led there. Two subaddresses of one account are two places.
type plan struct {
	accounts []copyFor
	external []leg
	// known are those that are in, since groups can be large and be named again and again.
	known map[place]bool
}

// place is an account with a detail, or the key of an address elsewhere.
type place struct {
	account int64
	name    string
}

// copyFor is a copy for an account.
type copyFor struct {
	account int64
	// to is the address that led here, detail what stood behind the separator in it.
	to     address.Address
	detail string
	// rcpt is what the sender asked for: for whom, and what to be told.
	rcpt smtp.Recipient
	// judged is the copy's place among the recipients of the judgement.
	judged int
	// elsewhere: it is not stored here, but refused or sent on, and whoever does that tells the sender.
	elsewhere bool
	// onward are the copies here that it is sent on to, by their places in the plan; settled: it leaves, or is refused.
	onward  []int
	settled bool
	// form is how scripts of others changed the message that they sent on to here; nil is as it came.
	form *edited
}

// leg is the way to one address elsewhere.
type leg struct {
	to queue.Recipient
	// via is the address of ours that stands for it; zero when the sender named it.
	via address.Address
	// form is the message as a script changed it; nil is as it came.
	form *edited
}

func (p *plan) add(r smtp.Recipient, res directory.Resolution) {
	for _, a := range res.Accounts {
		if p.first(place{account: a.ID, name: res.Detail}) {
			p.accounts = append(p.accounts, copyFor{account: a.ID, to: r.Address, detail: res.Detail, rcpt: r, judged: len(p.accounts)})
		}
	}
	for _, to := range res.External {
		via := r.Address
		if !res.LocalDomain {
			via = address.Address{}
		}
		if p.first(place{name: to.Key()}) {
			p.external = append(p.external, leg{to: queue.Recipient{Address: to, Notify: r.Notify, ORCPT: xtextAddress(r.ORCPT)}, via: via})
		}
	}
}

// copiesOf are the places in the plan of the copies that an address leads to.
func (p *plan) copiesOf(res directory.Resolution) (list []int) {
	for i, c := range p.accounts {
		if c.detail == res.Detail && slices.ContainsFunc(res.Accounts, func(a directory.Account) bool { return a.ID == c.account }) {
			list = append(list, i)
		}
	}
	return list
}

// rests reports whether a copy comes to rest other than by those that were seen: it is stored or will be looked at yet, leaves, is
// refused, or is sent on to one that comes to rest.
func (p *plan) rests(i int, seen map[int]bool) bool {
	c := &p.accounts[i]
	if seen[i] {
		return false
	}
	seen[i] = true
	return !c.elsewhere || c.settled || slices.ContainsFunc(c.onward, func(k int) bool { return p.rests(k, seen) })
}

// xtextAddress puts an ORCPT, "type;address", into the form of the command (RFC 3461 4.2).
func xtextAddress(orcpt string) string {
	kind, a, ok := strings.Cut(orcpt, ";")
	if !ok {
		return ""
	}
	return kind + ";" + smtp.EncodeXtext(a)
}

// first reports whether a place is new, and remembers it.
func (p *plan) first(at place) bool {
	if p.known[at] {
		return false
	}
	if p.known == nil {
		p.known = make(map[place]bool)
	}
	p.known[at] = true
	return true
}

// checkLoops refuses a message that would be forwarded from an address which it has passed before.
func (p *plan) checkLoops(m *message.Message) error {
	for _, l := range p.external {
		if !l.via.IsZero() && deliveredTo(m, l.via) {
			return reply.New(554, "5.4.6", "Mail forwarding loop: the message has passed %s before", l.via)
		}
	}
	return nil
}

// viaReturnPath says in a Resolution that the address is a rewritten reverse-path which leads elsewhere.
const viaReturnPath = "return path"

// resolve finds out who is meant. A rewritten reverse-path of ours leads back to the address it stands for.
func (f *Flow) resolve(ctx context.Context, to address.Address) (directory.Resolution, error) {
	if f.Directory.IsLocalDomain(to.Domain) {
		switch original, err := f.SRS.Reverse(to, f.Clock.Now()); {
		case err == nil && f.Directory.IsLocalDomain(original.Domain):
			return f.Directory.Resolve(ctx, original)
		case err == nil:
			return directory.Resolution{LocalDomain: true, External: []address.Address{original}, Via: viaReturnPath}, nil
		case errors.Is(err, srs.ErrExpired):
			return directory.Resolution{}, reply.New(550, "5.1.1", "This return address has expired")
		}
	}
	return f.Directory.Resolve(ctx, to)
}

// addresses are all that the sender named or reaches, for remembering whom an account writes to.
func (p *plan) addresses() []address.Address {
	list := make([]address.Address, 0, len(p.accounts)+len(p.external))
	for _, c := range p.accounts {
		list = append(list, c.to)
	}
	for _, l := range p.external {
		list = append(list, l.to.Address)
	}
	return list
}
