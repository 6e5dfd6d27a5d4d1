package mailflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postern/dkim"
	"postern/internal/address"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/settings"
	"postern/internal/spool"
	"postern/smtp"
)

// Out is the road from a user to the world: the backend of the submission servers.
type Out struct{ *Flow }

// Connect welcomes everybody; mail is taken only after a login.
func (out *Out) Connect(ctx context.Context, s *smtp.Session) error {
	s.State = &plan{}
	return nil
}

// Mail wants the reverse-path to be the user's own (MAIL-4).
func (out *Out) Mail(ctx context.Context, s *smtp.Session, e *smtp.Envelope) error {
	*s.State.(*plan) = plan{}
	if s.Identity == nil {
		return reply.New(530, "5.7.0", "Authentication required")
	}
	if !out.Directory.LoginHolds(s.Identity.Account, s.Started) {
		return reply.New(421, "4.7.0", "The account has changed, please log in again")
	}
	if e.From.IsZero() {
		return reply.New(550, "5.7.1", "The null reverse-path is for the system's own notices; send as %s", s.Identity.Login)
	}
	return out.mustOwn(ctx, s, e.From, 550, "envelope sender")
}

// Rcpt takes any address elsewhere, and those here that exist.
func (out *Out) Rcpt(ctx context.Context, s *smtp.Session, e *smtp.Envelope, r smtp.Recipient) error {
	res, err := out.resolve(ctx, r.Address)
	if err != nil {
		return err
	}
	if !res.LocalDomain {
		res.External = []address.Address{r.Address}
	} else if err := out.roomFor(ctx, res, e.Size); err != nil {
		return err
	}
	s.State.(*plan).add(r, res)
	return nil
}

// Data checks the header's authors, completes the header, signs, and makes the message durable.
func (out *Out) Data(ctx context.Context, s *smtp.Session, e *smtp.Envelope, c *spool.Content) (string, error) {
	m, err := message.Parse(c, c.Size(), message.DefaultLimits)
	if err != nil {
		return "", err
	}
	if err := checkHeader(m, int(settings.MessageReceivedLimit.Get(out.Settings))); err != nil {
		return "", err
	}
	if err := out.checkAuthors(ctx, s, m); err != nil {
		return "", err
	}
	p := s.State.(*plan)
	if err := p.checkLoops(m); err != nil {
		return "", err
	}
	clean, m, err := out.without(c, m, func(field message.Field) bool { return isPrivate(field) || out.isForged(field) })
	if err != nil {
		return "", err
	}
	if clean != c {
		defer clean.Close()
	}
	trace := append(out.received(s, e, out.Clock.Now()), out.missingFields(e, m)...)
	hold, err := out.look(ctx, s, e, p, m, clean, trace)
	if err != nil {
		return "", err
	}
	letter := &parcel{envelope: e, content: clean, parsed: m, trace: trace, plan: p, account: s.Identity.Account, tell: true, proven: true, hold: hold}
	defer letter.drop()
	if refusal, err := out.filter(ctx, s, letter); err != nil {
		return "", err
	} else if refusal != nil {
		return "", refusal
	}
	if err := out.commit(ctx, letter); err != nil {
		return "", err
	}
	return "2.6.0 Accepted as " + e.ID, nil
}

// checkAuthors wants every author and the sender in the header to be the user's own (MAIL-4).
func (out *Out) checkAuthors(ctx context.Context, s *smtp.Session, m *message.Message) error {
	from, sender, err := authors(m)
	if err != nil {
		return err
	}
	for _, a := range from {
		if err := out.mustOwn(ctx, s, a, 550, "From field"); err != nil {
			return err
		}
	}
	for _, a := range sender {
		if err := out.mustOwn(ctx, s, a, 550, "Sender field"); err != nil {
			return err
		}
	}
	return nil
}

func (out *Out) mustOwn(ctx context.Context, s *smtp.Session, a address.Address, code int, what string) error {
	ok, err := out.Directory.MaySendAs(ctx, s.Identity.Account, a)
	if err != nil {
		return err
	}
	if !ok {
		return reply.New(code, "5.7.1", "The %s %s is not an address of %s", what, a, s.Identity.Login)
	}
	return nil
}

// privateFields are not for the receivers: Bcc names those who are to stay unnamed, the others are ours to write.
var privateFields = []string{"Bcc", "Resent-Bcc", "Return-Path", "Delivered-To"}

func isPrivate(f message.Field) bool {
	return slices.ContainsFunc(privateFields, func(name string) bool { return strings.EqualFold(f.Name, name) })
}

// missingFields completes the header as a submission server may (RFC 6409 8.2, 8.3).
func (out *Out) missingFields(e *smtp.Envelope, m *message.Message) []byte {
	var b bytes.Buffer
	if m.Header.Count("Date") == 0 {
		fmt.Fprintf(&b, "Date: %s\r\n", out.Clock.Now().Format(dateForm))
	}
	if m.Header.Count("Message-ID") == 0 {
		fmt.Fprintf(&b, "Message-ID: <%s.%d@%s>\r\n", e.ID, out.Clock.Now().UnixNano(), e.From.Domain)
	}
	return b.Bytes()
}

// sign gives the DKIM-Signature fields for a message that leaves in the name of domain (MAIL-5). Without keys for it there
// are none: only domains of ours have keys, and each gets them when it is added.
func (f *Flow) sign(ctx context.Context, domain string, prefix []byte, p *parcel) ([]byte, error) {
	keys, err := f.Keys.Signing(ctx, domain)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	signature, err := dkim.Sign(p.content, p.content.Size(), prefix, keys, f.Clock.Now())
	if errors.Is(err, dkim.ErrBareNewline) || errors.Is(err, dkim.ErrHeaderFields) || errors.Is(err, dkim.ErrHeaderTooBig) {
		// It will be as it is at every further try.
		return nil, reply.Wrap(err, 554, "5.6.0", "The message cannot be signed: its header is broken, or has too many fields of one kind")
	}
	return signature, err
}

// sealARC gives the fields of an ARC set for mail that a domain of ours forwards (RFC 8617): what we found when it came
// in, sealed, so that those further on can believe us. A chain that takes no more sets goes on without ours.
func (f *Flow) sealARC(ctx context.Context, domain string, p *parcel) ([]byte, error) {
	keys, err := f.Keys.Signing(ctx, domain)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k *dkim.Key) bool { return k.Algorithm == dkim.RSA })
	if i < 0 {
		return nil, nil
	}
	seal, err := dkim.Seal(p.content, p.content.Size(), dkim.Sealing{
		Key: keys[i], Arrived: p.judgement.Auth.ARC, Results: p.judgement.Auth.ARCResults(f.Hostname), Time: f.Clock.Now(),
	})
	if errors.Is(err, dkim.ErrNoSeal) || errors.Is(err, dkim.ErrBareNewline) || errors.Is(err, dkim.ErrHeaderFields) {
		return nil, nil
	}
	return seal, err
}
