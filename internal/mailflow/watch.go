package mailflow

import (
	"context"

	"postern/antispam/outbound"
	"postern/internal/address"
	"postern/internal/message"
	"postern/internal/spool"
	"postern/internal/throttle"
	"postern/internal/verdict"
	"postern/smtp"
)

// mustHold asks whether the account sends as no person does, so that what leaves has to wait. Trouble in finding out holds
// nobody's mail up.
func (out *Out) mustHold(ctx context.Context, s *smtp.Session, p *plan, m *message.Message, c *spool.Content) bool {
	elsewhere := make([]address.Address, 0, len(p.external))
	for _, l := range p.external {
		elsewhere = append(elsewhere, l.to.Address)
	}
	if len(elsewhere) == 0 {
		return false
	}
	fresh, err := out.Correspondents.CountNew(ctx, s.Identity.Account, elsewhere)
	if err != nil {
		out.Log.Warn("it could not be read whom an account writes to", "account", s.Identity.Account, "error", err)
	}
	score, err := out.Judge.Outgoing(m, c)
	if err != nil {
		out.Log.Warn("a message that leaves could not be scored", "account", s.Identity.Account, "error", err)
		score = verdict.Points(0)
	}
	j := out.Watch.Judge(ctx, outbound.Submission{
		Account: s.Identity.Account, Address: s.Identity.Login, Recipients: len(elsewhere), New: fresh, Score: score, Network: throttle.Network(s.Remote.Addr()), At: out.Clock.Now(),
	})
	if j.Hold {
		out.Log.Warn("outgoing mail is held", "account", s.Identity.Account, "reason", j.Reason)
	}
	return j.Hold
}
