package mailflow

import (
	"context"
	"strings"

	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/spool"
	"postern/smtp"
	"postern/smtp/queue"
)

// Bouncer brings the queue's notices to those whose mail they are about: into a mailbox here, or out with the null
// reverse-path, signed like all that leaves.
type Bouncer struct{ *Flow }

// Prepare finds out where the notice goes. One for an address that is no more is dropped: there is nobody to tell.
func (b Bouncer) Prepare(ctx context.Context, n queue.Notice) (queue.Prepared, error) {
	res, err := b.resolve(ctx, n.To)
	if err != nil {
		b.Log.Warn("notice dropped", "to", n.To.String(), "about", n.About.String(), "error", err)
		return dropped{}, nil
	}
	if !res.LocalDomain {
		res.External = append(res.External, n.To)
	}
	to := smtp.Recipient{Address: n.To, Notify: smtp.NotifyNever}
	e := &smtp.Envelope{ID: n.About.String(), Recipients: []smtp.Recipient{to}, SMTPUTF8: n.SMTPUTF8}
	content := spool.FromBytes(n.Message)
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	p := &plan{}
	p.add(to, res)
	return b.seal(ctx, &parcel{envelope: e, content: content, parsed: m, plan: p, notice: true})
}

// ownDomain is the domain of ours that signs notices, whose author is at the server's name: that name, or the nearest above
// it that is ours.
func (f *Flow) ownDomain() string {
	domain := f.Hostname
	for domain != "" && !f.Directory.IsLocalDomain(domain) {
		_, domain, _ = strings.Cut(domain, ".")
	}
	return domain
}

type dropped struct{}

func (dropped) Tx(*db.Tx) error { return nil }
func (dropped) Discard()        {}
