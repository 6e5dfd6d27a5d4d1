package mailflow

import (
	"cmp"
	"context"
	"errors"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/judge"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/spool"
	"postern/internal/store"
	"postern/smtp"
	"postern/smtp/queue"
)

// parcel is a message that was decided on and only needs to become durable.
type parcel struct {
	envelope *smtp.Envelope
	content  *spool.Content
	parsed   *message.Message
	// trace are the fields that stand before the message in every copy: Received, and what a submission lacked.
	trace []byte
	plan  *plan
	// foreign mail is of a sender elsewhere: what is forwarded of it goes out under an address of ours.
	foreign bool
	// account submitted it; 0 is nobody here.
	account int64
	// tell allows notices to the sender, who is known not to be forged.
	tell bool
	// notice tells of mail that failed: it finds room in a full mailbox too.
	notice bool
	// signer is the domain in whose name a notice is, where that is not the server's own.
	signer string
	// once recognises the same delivery made again; nil when that cannot happen.
	once *receiptKey
	// filings are where the copies go, as scripts have it; nil where none was asked.
	filings []filing
	// proven: the sender of mail from elsewhere is not forged.
	proven bool
	// notices go out with the message: to its sender, and to owners of scripts.
	notices []queue.Prepared
	// editions are the forms that scripts gave the message.
	editions editions
	// seen are receipts of earlier deliveries, to be dropped.
	seen []receipt
	// judgement is how mail from elsewhere was judged; nil for all other.
	judgement *judge.Judgement
	// hold has what leaves wait in the queue until it is released.
	hold bool
	// also is what else belongs into the transaction.
	also []func(*db.Tx) error
}

// sealed is a parcel whose bytes are ready: all that is left is one transaction.
type sealed struct {
	flow     *Flow
	loads    loads
	outgoing []leaving
	once     *receiptKey
	seen     []receipt
	notice   queue.Prepared   // of success, where the sender asked for it; nil otherwise
	notices  []queue.Prepared // the parcel's
	// also is what else belongs into the transaction.
	also []func(*db.Tx) error
}

// leaving is what is queued of a load.
type leaving struct {
	queue.Message
	*load
}

// leaves reports whether something of the parcel is claimed as one: what is queued, and notices.
func (p *parcel) leaves() bool { return len(p.plan.external)+len(p.notices) > 0 }

// commit makes the parcel durable for all its recipients in one transaction, which shares its flush with all others that
// wait.
func (f *Flow) commit(ctx context.Context, p *parcel) error {
	ready, err := f.seal(ctx, p)
	if err != nil {
		return err
	}
	defer ready.Discard()
	err = f.DB.Write(ctx, ready.Tx)
	if errors.Is(err, store.ErrOverQuota) {
		return reply.Wrap(err, 452, "4.2.2", "The recipient's mailbox is full")
	}
	return err
}

// seal does the work that needs time: compressing, large files, signatures.
func (f *Flow) seal(ctx context.Context, p *parcel) (*sealed, error) {
	ready := &sealed{flow: f, loads: f.stored(p), once: p.once, seen: p.seen, also: p.also, notices: p.notices}
	if err := f.fill(ctx, ready, p); err != nil {
		ready.Discard()
		return nil, err
	}
	if p.account != 0 && !p.hold { // what is held may be of somebody else who has the account's password
		ready.also = append(ready.also, func(tx *db.Tx) error { return f.Correspondents.SentTx(tx, p.account, p.plan.addresses()) })
	}
	return ready, nil
}

// fill makes what is to be stored and queued.
func (f *Flow) fill(ctx context.Context, ready *sealed, p *parcel) (err error) {
	if ready.outgoing, err = f.outgoing(ctx, p, &ready.loads); err != nil {
		return err
	}
	if ready.notice, err = f.successNotice(ctx, p); err != nil {
		return err
	}
	for _, l := range ready.loads {
		form := p.as(l.form)
		if l.prepared, err = f.Store.Prepare(ctx, form.content, form.parsed.Meta()); err != nil {
			return err
		}
	}
	return f.addTrace(ready, p)
}

// addTrace puts the story of the judgement into the transaction, so that no message is without it.
func (f *Flow) addTrace(s *sealed, p *parcel) error {
	if p.judgement == nil {
		return nil
	}
	trace := p.judgement.Trace
	encoded, err := f.Traces.Encode(trace)
	if err != nil {
		return err
	}
	s.also = append(s.also, func(tx *db.Tx) error { return f.Traces.StoreTx(tx, trace, encoded) })
	return nil
}

// Tx stores the copies and queues the rest.
func (s *sealed) Tx(tx *db.Tx) error {
	if err := s.flow.dropTx(tx, s.seen); err != nil {
		return err
	}
	for _, l := range s.loads {
		if len(l.targets) == 0 {
			continue
		}
		if _, err := s.flow.Store.DeliverTx(tx, l.prepared, l.targets); err != nil {
			return err
		}
	}
	for _, work := range s.also {
		if err := work(tx); err != nil {
			return err
		}
	}
	if fresh, err := s.claimOutgoing(tx); err != nil || !fresh {
		return err
	}
	for _, m := range s.outgoing {
		blob, err := s.flow.Store.RefBlobTx(tx, m.prepared)
		if err != nil {
			return err
		}
		m.BlobID = int64(blob)
		if _, err := s.flow.Queue.EnqueueTx(tx, m.Message); err != nil {
			return err
		}
	}
	for _, n := range s.notices {
		if err := n.Tx(tx); err != nil {
			return err
		}
	}
	if s.notice != nil {
		return s.notice.Tx(tx)
	}
	return nil
}

// claimOutgoing reports whether what goes elsewhere is still to be queued, and not a second try after a lost reply.
func (s *sealed) claimOutgoing(tx *db.Tx) (bool, error) {
	if s.once == nil || len(s.outgoing)+len(s.notices) == 0 {
		return true, nil
	}
	return s.flow.Store.ClaimOnceTx(tx, s.once[:])
}

// Discard removes what no transaction came to name.
func (s *sealed) Discard() {
	for _, l := range s.loads {
		l.prepared.Discard()
	}
	if s.notice != nil {
		s.notice.Discard()
	}
}

// route is by which address of ours, and in which form, a message leaves.
type route struct {
	via  address.Address
	form *edited
}

// outgoing gives one queued message for each address of ours that forwards, and one for those that the sender named.
func (f *Flow) outgoing(ctx context.Context, p *parcel, all *loads) ([]leaving, error) {
	var out []leaving
	index := map[route]int{}
	for _, l := range p.plan.external {
		by := route{l.via, l.form}
		i, ok := index[by]
		if !ok {
			m, err := f.outgoingVia(ctx, p.as(l.form), l.via)
			if err != nil {
				return nil, err
			}
			i = len(out)
			index[by] = i
			out = append(out, leaving{m, all.of(l.form)})
		}
		if p.foreign && !p.tell {
			l.to.Notify = queue.NotifyNever
		}
		out[i].Recipients = append(out[i].Recipients, l.to)
		out[i].SMTPUTF8 = out[i].SMTPUTF8 || l.to.Address.NeedsUTF8()
	}
	return out, nil
}

// needsUTF8 reports whether the message itself needs SMTPUTF8 on its way: many clients ask for it always, and a server that
// does not know it would have to be given up (RFC 6531 3.6).
func (p *parcel) needsUTF8() bool {
	if p.envelope.From.NeedsUTF8() {
		return true
	}
	for _, f := range p.parsed.Header.Fields {
		for _, b := range f.Raw {
			if b >= 0x80 {
				return true
			}
		}
	}
	return false
}

func (f *Flow) outgoingVia(ctx context.Context, p *parcel, via address.Address) (queue.Message, error) {
	e := p.envelope
	m := queue.Message{
		From: e.From, Ret: e.Ret, EnvID: smtp.EncodeXtext(e.EnvID), RequireTLS: e.RequireTLS, Account: p.account,
		SMTPUTF8: p.needsUTF8(), Body8Bit: p.parsed.Has8Bit, Hold: p.hold,
	}
	signer := e.From.Domain
	if p.notice {
		signer = cmp.Or(p.signer, f.ownDomain())
	}
	prefix := p.trace
	if !via.IsZero() {
		prefix = append([]byte("Delivered-To: "+headerForm(via, e.SMTPUTF8)+"\r\n"), prefix...)
		if p.foreign {
			m.From, signer = f.SRS.Forward(e.From, via.Domain, f.Clock.Now()), via.Domain
		}
	}
	signature, err := f.sign(ctx, signer, prefix, p)
	if err != nil {
		return m, err
	}
	if p.judgement != nil && !via.IsZero() {
		seal, err := f.sealARC(ctx, via.Domain, p)
		if err != nil {
			return m, err
		}
		signature = append(seal, signature...)
	}
	m.Prefix = append(signature, prefix...)
	m.Size = int64(len(m.Prefix)) + p.content.Size()
	return m, nil
}
