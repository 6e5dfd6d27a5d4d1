package mailflow

import (
	"context"
	"crypto/sha256"
	"errors"

	"postern/internal/address"
	"postern/internal/directory"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/spool"
	"postern/internal/srs"
	"postern/smtp"
	"postern/smtp/queue"
)

// plan is where the message of a transaction goes: to accounts of ours and to addresses elsewhere, each once, however many
// aliases and groups led there. Two subaddresses of one account are two places.
type plan struct {
	accounts []copyFor
	external []leg
}

// copyFor is a copy for an account.
type copyFor struct {
	account int64
	// to is the address that led here, detail what stood behind the separator in it.
	to     address.Address
	detail string
}

// leg is the way to one address elsewhere.
type leg struct {
	to queue.Recipient
	// via is the address of ours that stands for it; zero when the sender named it.
	via address.Address
}

func (p *plan) add(r smtp.Recipient, res directory.Resolution) {
	for _, a := range res.Accounts {
		if !p.has(a.ID, res.Detail) {
			p.accounts = append(p.accounts, copyFor{account: a.ID, to: r.Address, detail: res.Detail})
		}
	}
	for _, to := range res.External {
		via := r.Address
		if !res.LocalDomain {
			via = address.Address{}
		}
		p.addExternal(leg{to: queue.Recipient{Address: to, Notify: queue.Notify(r.Notify), ORCPT: r.ORCPT}, via: via})
	}
}

func (p *plan) has(account int64, detail string) bool {
	for _, c := range p.accounts {
		if c.account == account && c.detail == detail {
			return true
		}
	}
	return false
}

func (p *plan) addExternal(l leg) {
	for _, known := range p.external {
		if known.to.Address.Key() == l.to.Address.Key() {
			return
		}
	}
	p.external = append(p.external, l)
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

// resolve finds out who is meant. A rewritten reverse-path of ours leads back to the address it stands for.
func (f *Flow) resolve(ctx context.Context, to address.Address) (directory.Resolution, error) {
	if f.Directory.IsLocalDomain(to.Domain) {
		switch original, err := f.SRS.Reverse(to, f.Clock.Now()); {
		case err == nil:
			return directory.Resolution{LocalDomain: true, External: []address.Address{original}}, nil
		case errors.Is(err, srs.ErrExpired):
			return directory.Resolution{}, reply.New(550, "5.1.1", "This return address has expired")
		}
	}
	return f.Directory.Resolve(ctx, to)
}

// deliveryKey is the same for the same message sent again in a session that did not see our 250: same bytes, same
// envelope (the recipient is the account's), same client. A different message by the same sender has other bytes.
func deliveryKey(s *smtp.Session, e *smtp.Envelope, c *spool.Content) []byte {
	h := sha256.New()
	sum := c.SHA256()
	h.Write(sum[:])
	h.Write([]byte(e.From.Key() + "\x00" + s.Remote.Addr().String()))
	return h.Sum(nil)
}
