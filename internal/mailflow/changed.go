package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/filter"
	"postern/internal/imapsieve"
	"postern/internal/message"
	"postern/internal/sasl"
	"postern/internal/spool"
	"postern/internal/store"
	"postern/sieve"
	"postern/smtp"
)

var _ imapsieve.Carrier = (*Flow)(nil)

// touched is a message that its owner put into a mailbox, or whose flags they changed, on its way through the scripts that watch
// the mailbox (RFC 6785). What it has of [sifted] is for what the scripts send out.
type touched struct {
	sifted
	imapsieve.Message
	lying    store.Lying
	content  store.MessageContent
	whole    *message.Message // with what the server put before it
	refiling store.Refiling
	kept     bool
	prepared []*store.Prepared
	bytes    int64 // of what is prepared
	closers  []func() error
}

// Carry runs the scripts that watch a mailbox for one message and makes ready what they want done. It is nil where there is nothing
// to run, or no message any more.
func (f *Flow) Carry(ctx context.Context, m imapsieve.Message) (imapsieve.Effect, error) {
	own, ok := f.Directory.Account(int64(m.Account))
	if !ok {
		return nil, nil
	}
	account := f.Store.Account(m.Account)
	name, err := account.ScriptOf(ctx, m.Mailbox)
	if err != nil {
		return nil, unlessGone(err)
	}
	plan, err := f.Filters.ForChange(ctx, own.ID, own.Address.Domain, name)
	if plan == nil || err != nil {
		return nil, err
	}
	lying, err := account.Lying(ctx, m.Mailbox, m.UID)
	if err != nil {
		return nil, unlessGone(err)
	}
	content, err := account.OpenStored(ctx, lying.ID)
	if errors.Is(err, store.ErrDamaged) {
		f.Log.Error("a message is damaged, and no script runs for it", "account", own.ID, "mailbox", lying.Mailbox, "uid", m.UID, "error", err)
		return nil, nil
	}
	if err != nil {
		return nil, unlessGone(err)
	}
	defer content.Close()
	y := f.touch(m, own, lying, content)
	e, err := y.run(ctx, plan)
	if err != nil {
		y.drop()
		return nil, err
	}
	return e, nil
}

// unlessGone is nil if the account, the mailbox or the message is not there any more.
func unlessGone(err error) error {
	if errors.Is(err, store.ErrGone) || errors.Is(err, store.ErrNoAccount) {
		return nil
	}
	return err
}

// touch puts a message into a parcel that has nowhere to go yet.
func (f *Flow) touch(m imapsieve.Message, own directory.Account, lying store.Lying, content store.MessageContent) *touched {
	p := &parcel{
		envelope: &smtp.Envelope{}, plan: &plan{accounts: []copyFor{{account: own.ID, to: own.Address}}}, filings: []filing{}, account: own.ID,
	}
	x := &sifting{Flow: f, session: &smtp.Session{Identity: &sasl.Identity{Account: own.ID, Login: own.Address.String()}}, p: p}
	return &touched{sifted: sifted{sifting: x, own: own, lies: lying.Mailbox}, Message: m, lying: lying, content: content,
		refiling: store.Refiling{Mailbox: m.Mailbox, UID: m.UID}}
}

// run runs the scripts and does what they want, as far as it can be done without a transaction.
func (y *touched) run(ctx context.Context, plan *filter.Plan) (*effect, error) {
	parsed, err := message.Parse(y.content, y.content.Size(), message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	y.whole, y.p.parsed = parsed, parsed
	login := y.own.Address.String()
	result := plan.Run(ctx, &filter.Mail{
		Parsed: parsed, Content: y.content, Size: y.content.Size(), Domain: y.own.Address.Domain, Flags: y.lying.Flags, Delimiters: y.delimiters(),
		Change: &sieve.Change{User: login, Email: login, Cause: y.Cause.String(), Mailbox: y.lying.Mailbox, Flags: y.Message.Flags},
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	lost := false
	for _, a := range result.Actions {
		if err := y.do(ctx, &a, &lost); err != nil {
			return nil, err
		}
	}
	if result.ImplicitKeep {
		y.keep(result.Flags)
	}
	if !y.kept && !lost {
		y.refiling.Add = append(y.refiling.Add, `\Deleted`) // RFC 6785 3.3, 3.5
	}
	for _, failed := range result.Failures {
		if err := y.tell(ctx, &failed); err != nil {
			return nil, err
		}
	}
	return y.ready(ctx)
}

func (y *touched) delimiters() string {
	domain, _ := y.Directory.Domain(y.own.Address.Domain)
	return domain.Separator
}

// do makes one action ready. lost says that it could not be, so the message is kept.
func (y *touched) do(ctx context.Context, a *sieve.Action, lost *bool) error {
	by := fmt.Sprintf("%s, line %d", a.Script, a.Line)
	y.Log.Debug("a Sieve script acts on a message in a mailbox", "account", y.own.ID, "mailbox", y.lying.Mailbox, "uid", y.UID, "cause", y.Cause.String(),
		"script", by, "action", string(a.Kind))
	switch a.Kind {
	case sieve.Keep:
		y.keep(a.Flags)
	case sieve.FileInto:
		return y.copyTo(ctx, a)
	case sieve.Discard:
	case sieve.Redirect:
		why, sent, err := y.redirect(ctx, a)
		*lost = *lost || !sent
		if why != "" {
			y.Log.Warn("a Sieve script sends a message on from a mailbox, and not all of it is done"+why, "account", y.own.ID, "script", by, "to", a.Address)
		}
		return err
	case sieve.Notify: // once a day of the same change
		y.occasion = fmt.Sprintf(" of %s %v of %d in %d", y.Cause, y.Message.Flags, y.UID, y.Message.Mailbox)
		if err := y.load(); err != nil {
			return err
		}
		return y.act(ctx, a, lost)
	default:
		return y.act(ctx, a, lost)
	}
	return nil
}

// keep leaves the message where it lies. What the script changed of its flags is changed; what somebody changed meanwhile stays.
func (y *touched) keep(flags []string) {
	y.kept = true
	has := func(list []string) func(string) bool {
		return func(flag string) bool {
			return slices.ContainsFunc(list, func(one string) bool { return strings.EqualFold(one, flag) })
		}
	}
	y.refiling.Add = append(y.refiling.Add, slices.DeleteFunc(slices.Clone(flags), has(y.lying.Flags))...)
	y.refiling.Remove = append(y.refiling.Remove, slices.DeleteFunc(slices.Clone(y.lying.Flags), has(flags))...)
}

// copyTo is fileinto, which makes another message (RFC 6785 3.3), with the header that the script made (RFC 6785 3.7).
func (y *touched) copyTo(ctx context.Context, a *sieve.Action) error {
	place, _, err := y.place(ctx, a)
	if err != nil {
		return err
	}
	one := store.Copy{Mailbox: place.mailbox, Role: place.role, Create: place.create, Flags: place.flags}
	switch size := y.content.Size() + int64(len(a.Header)); {
	case a.Header == nil:
	case y.bytes+size > maxEditedBytes:
		y.Log.Warn("a Sieve script files a message from a mailbox"+tooManyEdits, "account", y.own.ID, "mailbox", y.lying.Mailbox, "to", a.Mailbox)
	default:
		if one.Prepared, err = y.rewritten(ctx, a.Header); err != nil {
			return err
		}
		y.prepared = append(y.prepared, one.Prepared)
		y.bytes += size
	}
	y.refiling.Copies = append(y.refiling.Copies, one)
	return nil
}

// effect is what scripts want done with a message in a mailbox; it is [imapsieve.Effect].
type effect struct {
	*touched
	sealed *sealed // what leaves; nil for nothing
}

// Tx does it. Where the message is gone, nothing is done.
func (e *effect) Tx(tx *db.Tx) error {
	whole, err := e.Store.Account(e.Account).RefileTx(tx, e.refiling)
	if errors.Is(err, store.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	if !whole {
		tx.OnCommit(func() {
			e.Log.Warn("a Sieve script files a message for which the account has no room; it stays where it is", "account", e.own.ID, "mailbox", e.lying.Mailbox)
		})
	}
	if e.sealed != nil {
		return e.sealed.Tx(tx)
	}
	for _, n := range e.p.notices {
		if err := n.Tx(tx); err != nil {
			return err
		}
	}
	return nil
}

// Discard gives back what no transaction came to name.
func (e *effect) Discard() {
	if e.sealed != nil {
		e.sealed.Discard()
	}
	e.drop()
}

// drop gives back what was made ready.
func (y *touched) drop() {
	for _, p := range y.prepared {
		p.Discard()
	}
	y.p.drop()
	for _, close := range y.closers {
		if err := close(); err != nil {
			y.Log.Warn("a message from a mailbox could not be put away", "error", err)
		}
	}
}

// rewritten stores the message with another header.
func (y *touched) rewritten(ctx context.Context, header []byte) (*store.Prepared, error) {
	old := int64(0)
	for _, field := range y.whole.Header.Fields {
		old += int64(len(field.Raw))
	}
	content, err := y.spooled(header, old)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	return y.Store.Prepare(ctx, content, m.Meta())
}

// spooled puts a header and the message from an offset on where the road wants its bytes.
func (y *touched) spooled(header []byte, from int64) (*spool.Content, error) {
	w := y.Spool.NewWriter()
	defer w.Abort()
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	if err := copyFrom(w, y.content, from); err != nil {
		return nil, err
	}
	return w.Finish()
}
