package mailflow

import (
	"context"

	"postern/antispam/outbound"
	"postern/internal/address"
	"postern/internal/judge"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/spool"
	"postern/internal/throttle"
	"postern/smtp"
)

// look scans what a user sends, refuses what is infected, and asks whether the account sends as no person does, so that what
// leaves has to wait. Trouble in finding out holds nobody's mail up.
func (out *Out) look(ctx context.Context, s *smtp.Session, e *smtp.Envelope, p *plan, m *message.Message, c *spool.Content, trace []byte) (hold bool, err error) {
	d := &judge.Departure{ID: e.ID, Client: s.Remote.Addr(), User: s.Identity.Login, From: e.From, Recipients: p.addresses(),
		Parsed: m, Content: c, Size: c.Size(), Received: trace}
	found, err := out.Judge.Outgoing(ctx, d)
	if err != nil {
		out.Log.Warn("a message that leaves could not be scored", "account", s.Identity.Account, "error", err)
	}
	if found.Virus != "" {
		return false, reply.New(550, "5.7.1", "A virus was found in the message: %s", foldedLine(found.Virus))
	}
	elsewhere := make([]address.Address, 0, len(p.external))
	for _, l := range p.external {
		elsewhere = append(elsewhere, l.to.Address)
	}
	if len(elsewhere) == 0 {
		return false, nil
	}
	fresh, err := out.Correspondents.CountNew(ctx, s.Identity.Account, elsewhere)
	if err != nil {
		out.Log.Warn("it could not be read whom an account writes to", "account", s.Identity.Account, "error", err)
	}
	j := out.Watch.Judge(ctx, outbound.Submission{
		Account: s.Identity.Account, Address: s.Identity.Login, Recipients: len(elsewhere), New: fresh, Score: found.Score,
		Network: throttle.Network(s.Remote.Addr()), At: out.Clock.Now(),
	})
	if j.Hold {
		out.Log.Warn("outgoing mail is held", "account", s.Identity.Account, "reason", j.Reason)
	}
	return j.Hold, nil
}
