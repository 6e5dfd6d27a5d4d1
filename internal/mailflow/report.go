package mailflow

import (
	"context"
	"errors"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/spool"
	"postern/internal/store"
	"postern/smtp"
)

// ReportSender sends reports about mail and TLS to those whom they concern.
type ReportSender struct{ *Flow }

// Domain is in whose name reports are sent: the domain that notices are signed by, or else the first of ours; "" when there
// is none.
func (s ReportSender) Domain() string {
	if domain := s.ownDomain(); domain != "" {
		return domain
	}
	for _, d := range s.Directory.Domains() {
		return d.Name
	}
	return ""
}

// Send brings a message to one address, signed in the name of from's domain, which must be ours. Then runs in the
// transaction that stores or queues the message.
//
// The reverse-path is from: a null one is for notices about mail that failed (RFC 5321 4.5.5). Nobody is told when a report
// cannot be delivered; its receiver will get another tomorrow.
func (s ReportSender) Send(ctx context.Context, from, to address.Address, text []byte, then func(*db.Tx) error) error {
	keys, err := s.Keys.Signing(ctx, from.Domain)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return reply.New(554, "5.7.20", "%s has no DKIM keys, and a report without a signature is not believed", from.Domain) // RFC 8460 3
	}
	res, err := s.resolve(ctx, to)
	if err != nil {
		return err
	}
	if !res.LocalDomain {
		res.External = append(res.External, to)
	}
	rcpt := smtp.Recipient{Address: to, Notify: smtp.NotifyNever}
	content := spool.FromBytes(text)
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		return err
	}
	p := &plan{}
	p.add(rcpt, res)
	e := &smtp.Envelope{From: from, Recipients: []smtp.Recipient{rcpt}}
	ready, err := s.seal(ctx, &parcel{envelope: e, content: content, parsed: m, plan: p})
	if err != nil {
		return err
	}
	defer ready.Discard()
	err = s.DB.Write(ctx, func(tx *db.Tx) error {
		if err := ready.Tx(tx); err != nil {
			return err
		}
		return then(tx)
	})
	if errors.Is(err, store.ErrOverQuota) {
		return reply.Wrap(err, 452, "4.2.2", "The recipient's mailbox is full")
	}
	return err
}
