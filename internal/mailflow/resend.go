package mailflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"postern/antispam/outbound"
	"postern/internal/address"
	"postern/internal/message"
	"postern/internal/reply"
	"postern/internal/settings"
	"postern/internal/store"
	"postern/sieve"
)

func copyFrom(w io.Writer, content store.MessageContent, from int64) error {
	_, err := io.Copy(w, io.NewSectionReader(content, from, content.Size()-from))
	return err
}

// redirect sends a message from a mailbox on. One that came to the account by mail goes the way it would have gone when it came. One
// that its owner put there themselves goes as if they sent it: they must be its author (MAIL-4), for nobody has looked at it.
func (y *touched) redirect(ctx context.Context, a *sieve.Action) (why string, sent bool, err error) {
	if err := y.load(); err != nil {
		return "", false, err
	}
	if err := y.mayLeave(ctx); err != nil {
		var refused *reply.Error
		if errors.As(err, &refused) && !refused.Temporary() {
			return "; " + refused.Text + ", so the message is kept", false, nil
		}
		return "", false, err
	}
	onward := *a
	if onward.Header, err = y.leaving(a.Header); err != nil {
		return "", false, err
	}
	return y.sendOn(ctx, &onward)
}

// leaving is a header that a script changed without what does not leave: the fields that the server put before the message when it
// came, and of one that its owner put into the mailbox, what is theirs alone.
func (y *touched) leaving(header []byte) ([]byte, error) {
	if header == nil {
		return nil, nil
	}
	ours := make([]byte, y.content.PrefixLen())
	if _, err := y.content.ReadAt(ours, 0); err != nil {
		return nil, err
	}
	now := parts(header, ours)
	leaves := []byte{}
	for _, field := range message.ParseHeader(append(now.front, now.head...)).Fields {
		if y.p.foreign || !isPrivate(field) && !y.isForged(field) {
			leaves = append(leaves, field.Raw...)
		}
	}
	return leaves, nil
}

// load puts the message's own bytes into the parcel, for whatever leaves.
func (y *touched) load() error {
	if y.p.content != nil {
		return nil
	}
	content, err := y.spooled(nil, y.content.PrefixLen())
	if err != nil {
		return err
	}
	y.closers = append(y.closers, content.Close)
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		return err
	}
	y.p.envelope.From = y.own.Address
	if y.content.PrefixLen() > 0 { // which only the server writes
		y.p.foreign, y.p.envelope.From = true, returnPath(y.whole)
	} else {
		clean, parsed, err := y.without(content, m, func(field message.Field) bool { return isPrivate(field) || y.isForged(field) })
		if err != nil {
			return err
		}
		if clean != content {
			y.closers = append(y.closers, clean.Close)
		}
		content, m = clean, parsed
	}
	now := y.Clock.Now()
	y.p.trace = fmt.Appendf(nil, "Received: by %s (Postern)\r\n\tid imapsieve.%d.%d;\r\n\t%s\r\n", y.Hostname, now.UnixNano(), y.own.ID, now.Format(dateForm))
	y.p.content, y.p.parsed = content, m
	return nil
}

// mayLeave refuses what would be refused if the owner sent it now; it is asked behind load.
func (y *touched) mayLeave(ctx context.Context) error {
	if err := checkHeader(y.p.parsed, int(settings.MessageReceivedLimit.Get(y.Settings))); err != nil {
		return err
	}
	if y.p.foreign {
		return nil
	}
	return y.mustBeAuthor(ctx, y.p.parsed)
}

// returnPath is where a message that came by mail had its bounces go, which the server wrote down on top of it.
func returnPath(m *message.Message) address.Address {
	from, err := address.Parse(strings.Trim(m.Header.Get("Return-Path"), "<> "))
	if err != nil {
		return address.Address{}
	}
	return from
}

// mustBeAuthor wants every author and the sender in the header to be the owner's own (MAIL-4).
func (y *touched) mustBeAuthor(ctx context.Context, m *message.Message) error {
	from, sender, err := authors(m)
	if err != nil {
		return err
	}
	for _, a := range append(from, sender...) {
		if ok, err := y.Directory.MaySendAs(ctx, y.own.ID, a); err != nil {
			return err
		} else if !ok {
			return reply.New(550, "5.7.1", "%s is not an address of %s, who put the message there", a, y.own.Address)
		}
	}
	return nil
}

// ready makes all that can be made before the transaction: what leaves goes through the scripts of those here who get it, and is
// counted as what the account sends.
func (y *touched) ready(ctx context.Context) (*effect, error) {
	for i := 1; i < len(y.p.plan.accounts); i++ { // it grows by those whom the message is sent on to
		if err := y.sifting.copy(ctx, i); err != nil {
			return nil, err
		}
	}
	if err := y.refuseSome(ctx); err != nil {
		return nil, err
	}
	if len(y.p.plan.external) == 0 && len(y.p.filings) == 0 {
		return &effect{touched: y}, nil
	}
	if n := len(y.p.plan.external); n > 0 {
		y.p.hold = y.Watch.Judge(ctx, outbound.Submission{Account: y.own.ID, Address: y.own.Address.String(), Recipients: n, At: y.Clock.Now()}).Hold
	}
	ready, err := y.seal(ctx, y.p)
	if err != nil {
		return nil, err
	}
	return &effect{touched: y, sealed: ready}, nil
}
