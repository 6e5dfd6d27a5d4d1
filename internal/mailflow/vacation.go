package mailflow

import (
	"context"
	"fmt"
	"time"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/filter"
	"postern/internal/message"
	"postern/internal/spool"
	"postern/sieve"
	"postern/smtp"
	"postern/smtp/queue"
)

// answer has the recipient's answer go out to the sender with the message, once in the time that the script says (RFC 5230 4.2), under
// the null reverse-path. why tells that it does not, and err that it must be tried again.
func (y *sifted) answer(ctx context.Context, r *sieve.Reply) (why string, err error) {
	if r.Silence != "" {
		return "; nobody is answered: " + r.Silence, nil
	}
	if y.Watch.Held(y.own.ID) {
		return "; nobody is answered: " + onHold, nil
	}
	if y.usual.role != "" { // who writes junk forges whom it is from
		return "; nobody is answered: the message is junk by what it was judged", nil
	}
	to, err := address.Parse(r.To)
	if err != nil {
		return "; there is no address to answer to", nil
	}
	from, err := address.Parse(r.From)
	if err != nil {
		return "; there is no address to answer from", nil
	}
	if ok, err := y.Directory.MaySendAs(ctx, y.own.ID, from); err != nil || !ok { // MAIL-4
		return fmt.Sprintf("; nobody is answered, for %s is not an address of %s", from, y.own.Address), err
	}
	mark := filter.ReplyMark(r.Handle, to.Key())
	if answered, err := y.Filters.Remembers(ctx, y.own.ID, mark); err != nil || answered {
		return "; the sender was answered already", err
	}
	now := y.Clock.Now()
	id := fmt.Sprintf("<vacation.%d.%d@%s>", now.UnixNano(), y.own.ID, y.Hostname)
	ready, err := y.letterOf(ctx, from.Domain, address.Address{}, []address.Address{to}, r.Message(now, id))
	if err != nil {
		return "; the answer cannot be sent", nil
	}
	y.p.notices = append(y.p.notices, &markedOnce{ready, y.Filters, y.own.ID, mark, r.Every})
	return " answers " + to.String(), nil
}

// letterOf makes a letter of the server's ready that goes to some addresses under a reverse-path of its own, signed by a domain here.
// Addresses that lead nowhere are left out, but for the last.
func (y *sifted) letterOf(ctx context.Context, signer string, from address.Address, to []address.Address, text []byte) (*sealed, error) {
	content := spool.FromBytes(text)
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	p, e := &plan{}, &smtp.Envelope{From: from}
	none := errNobody
	for _, a := range to {
		res, err := y.resolve(ctx, a)
		if err != nil {
			none = err
			continue
		}
		if !res.LocalDomain {
			res.External = append(res.External, a)
		}
		rcpt := smtp.Recipient{Address: a, Notify: smtp.NotifyNever}
		e.Recipients = append(e.Recipients, rcpt)
		p.add(rcpt, res)
	}
	if len(e.Recipients) == 0 {
		return nil, none
	}
	return y.seal(ctx, &parcel{envelope: e, content: content, parsed: m, plan: p, notice: true, signer: signer})
}

// markedOnce is a letter that goes out unless its mark is set.
type markedOnce struct {
	*sealed
	filters Filters
	account int64
	mark    filter.Mark
	keep    time.Duration
}

var _ queue.Prepared = (*markedOnce)(nil)

// Tx stores or queues the letter.
func (o *markedOnce) Tx(tx *db.Tx) error {
	if fresh, err := o.filters.RememberTx(tx, o.account, o.mark, o.keep); err != nil || !fresh {
		return err
	}
	return o.sealed.Tx(tx)
}
