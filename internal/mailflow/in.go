package mailflow

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"postern/dnsbl"
	"postern/internal/address"
	"postern/internal/directory"
	"postern/internal/judge"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/settings"
	"postern/internal/spool"
	"postern/internal/store"
	"postern/smtp"
)

// In is the road from the world to a mailbox: the backend of the MX server.
type In struct {
	*Flow
	receipts receipts
}

// visit is what In remembers of a session.
type visit struct {
	verdict func() dnsbl.Verdict // waits for the block lists, once
	plan    plan                 // of the transaction under way
	leave   context.CancelFunc
	last    *receipt // of the last delivery, whose 250 the client has not yet shown to have seen
	said    int      // commands up to that delivery
}

// Connect starts to ask the block lists; whoever only looks in is not waited for.
func (in *In) Connect(ctx context.Context, s *smtp.Session) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	v := &visit{leave: cancel}
	v.verdict = sync.OnceValue(func() dnsbl.Verdict { return dnsbl.Verdict{Allowed: true} }) // nobody is asked
	if settings.DNSBLEnabled.Get(in.Settings) {
		answer := make(chan dnsbl.Verdict, 1)
		go func(ip netip.Addr) { answer <- in.BlockLists.Check(ctx, ip) }(s.Remote.Addr())
		v.verdict = sync.OnceValue(func() dnsbl.Verdict { return <-answer })
	}
	s.State = v
	return nil
}

// Disconnect ends what still runs for the session.
func (in *In) Disconnect(s *smtp.Session) {
	if v, ok := s.State.(*visit); ok {
		v.leave()
		in.receipts.end(v.last, s.Commands > v.said)
	}
}

// Mail is refused to listed clients (MAIL-1). That the reverse-path may be used is not known before the message is here:
// its signature may prove it.
func (in *In) Mail(ctx context.Context, s *smtp.Session, e *smtp.Envelope) error {
	v := s.State.(*visit)
	v.plan = plan{}
	in.receipts.end(v.last, true)
	v.last = nil
	if verdict := v.verdict(); verdict.Listed {
		return reply.New(554, "5.7.1", "Service unavailable; client [%s] blocked using %s: %s", s.Remote.Addr(), verdict.Zone, foldedLine(verdict.Reason))
	}
	return nil
}

// Rcpt refuses whom we do not know, who is over quota, and everybody who is not ours (MAIL-3).
func (in *In) Rcpt(ctx context.Context, s *smtp.Session, e *smtp.Envelope, r smtp.Recipient) error {
	v := s.State.(*visit)
	res, err := in.resolve(ctx, r.Address)
	if err != nil {
		return err
	}
	if !res.LocalDomain {
		return reply.New(550, "5.7.1", "Relaying denied: %s is not a domain of this server", r.Address.Domain)
	}
	if res.Via == viaReturnPath && !e.From.IsZero() {
		return reply.New(550, "5.7.1", "Only delivery notices, with the null reverse-path, go to this return address")
	}
	if err := in.roomFor(ctx, res, e.Size); err != nil {
		return err
	}
	v.plan.add(r, res)
	return nil
}

// Data decides about the message and makes it durable.
func (in *In) Data(ctx context.Context, s *smtp.Session, e *smtp.Envelope, c *spool.Content) (string, error) {
	v := s.State.(*visit)
	m, err := message.Parse(c, c.Size(), message.DefaultLimits)
	if err != nil {
		return "", err
	}
	if err := checkHeader(m, int(settings.MessageReceivedLimit.Get(in.Settings))); err != nil {
		return "", err
	}
	if err := v.plan.checkLoops(m); err != nil {
		return "", err
	}
	p := &parcel{envelope: e, content: c, parsed: m, trace: in.received(s, e, in.Clock.Now()), plan: &v.plan, foreign: true}
	claimed, err := in.localDomains(e.From, m)
	if err != nil {
		return "", err
	}
	if len(claimed) > 0 || settings.SpamEnabled.Get(in.Settings) {
		if err := in.judge(ctx, s, v, p, claimed); err != nil {
			return "", err
		}
	}
	if p.content, p.parsed, err = in.without(c, m, in.isForged); err != nil {
		return "", err
	}
	if p.content != c {
		defer p.content.Close()
	}
	isReport := in.takeReport(p)
	defer p.drop()
	if refusal, err := in.filter(ctx, s, p); err != nil {
		return "", err
	} else if refusal != nil {
		if p.judgement != nil {
			in.refused(p, p.judgement, refusal)
		}
		return "", refusal
	}
	p.tell = in.mayTell(p)
	if err := in.deliver(ctx, s, v, p); err != nil {
		return "", err
	}
	if p.judgement != nil {
		in.Judge.Learn(p.judgement)
		in.observe(p, p.judgement, isReport)
	}
	return "2.6.0 Accepted as " + e.ID, nil
}

// judge finds out who sent the message and whether it is wanted, and refuses it if it must be. What was refused leaves a
// trace too.
func (in *In) judge(ctx context.Context, s *smtp.Session, v *visit, p *parcel, claimed []string) error {
	j, err := in.Judge.Judge(ctx, arrival(s, v, p, claimed))
	if err != nil {
		return err
	}
	refusal := j.Spoofed()
	if refusal == nil && settings.SpamEnabled.Get(in.Settings) {
		p.judgement, refusal = j, j.Answer()
	}
	if refusal != nil {
		in.refused(p, j, refusal)
		return refusal
	}
	p.proven = isProven(p, j)
	p.trace = append(j.Results(in.Hostname), p.trace...)
	return nil
}

// refused keeps how a message came to be refused. Only a refusal for good is the end of it, which counts.
func (in *In) refused(p *parcel, j *judge.Judgement, refusal *reply.Error) {
	if !refusal.Temporary() {
		in.observe(p, j, false)
		in.Judge.Learn(j)
	}
	in.Traces.StoreLater(j.Trace)
}

// arrival is the message as the judge sees it.
func arrival(s *smtp.Session, v *visit, p *parcel, claimed []string) *judge.Arrival {
	a := &judge.Arrival{
		ID: p.envelope.ID, Client: s.Remote.Addr(), Helo: s.Helo, From: p.envelope.From, Parsed: p.parsed, Content: p.content, Size: p.content.Size(),
		Listed: v.verdict(), Received: p.trace, Claimed: claimed,
	}
	for _, c := range p.plan.accounts {
		a.Recipients = append(a.Recipients, judge.Recipient{Account: c.account, Address: c.to})
	}
	// Those that one address of ours leads to are one copy as far as the judgement goes.
	vias := map[string]bool{}
	for _, l := range p.plan.external {
		if key := l.via.Key(); !vias[key] {
			vias[key] = true
			a.Recipients = append(a.Recipients, judge.Recipient{Address: l.via})
		}
	}
	return a
}

// isForged: the field speaks in our name, and we did not write it.
func (f *Flow) isForged(field message.Field) bool {
	if !judge.MayBeForged(field.Name) {
		return false // without unfolding its value
	}
	return judge.IsForged(field.Name, field.Value(), f.Hostname)
}

// deliver commits the parcel, with a receipt, so that it is not made twice.
func (in *In) deliver(ctx context.Context, s *smtp.Session, v *visit, p *parcel) error {
	key := newReceiptKey(s, p.envelope, p.content)
	fresh := in.receipts.begin(key)
	if fresh {
		p.once = &key
	}
	p.seen = in.receipts.take()
	err := in.commit(ctx, p)
	in.receipts.dropped(p.seen, err)
	if err != nil {
		if fresh {
			in.receipts.forget(key)
		}
		return err
	}
	if fresh {
		v.last, v.said = &receipt{key: key, copies: key.keys(p), elsewhere: p.leaves()}, s.Commands
	}
	return nil
}

// localDomains are those of ours that the envelope or the header claims as the sender's.
func (in *In) localDomains(from address.Address, m *message.Message) ([]string, error) {
	claimed := []string{from.Domain}
	for _, field := range []string{"From", "Sender"} {
		names, err := claims(m, field)
		if err != nil {
			return nil, err
		}
		claimed = append(claimed, names...)
	}
	claimed = slices.DeleteFunc(claimed, func(domain string) bool { return !in.Directory.IsLocalDomain(domain) })
	slices.Sort(claimed)
	return slices.Compact(claimed), nil
}

// roomFor refuses a recipient whose mailbox cannot take the announced size, so that the others still get theirs. A list is
// not held up by one full member. Where several are let in here all get the message, for after DATA none could be refused
// alone; the last message may then pass a quota.
func (f *Flow) roomFor(ctx context.Context, res directory.Resolution, size int64) error {
	if len(res.Accounts) == 0 || len(res.External) > 0 {
		return nil
	}
	for _, a := range res.Accounts {
		q, err := f.Store.Account(store.AccountID(a.ID)).Quota(ctx)
		if err != nil {
			return err
		}
		if q.LimitBytes <= 0 || q.UsedBytes+size < q.LimitBytes {
			return nil
		}
	}
	return reply.New(452, "4.2.2", "The mailbox of %s is full", res.Accounts[0].Address)
}
