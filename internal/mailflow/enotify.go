package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/internal/address"
	"postern/internal/autoreply"
	"postern/internal/filter"
	"postern/internal/settings"
	"postern/sieve"
)

const (
	// noticedFor is how long it is remembered that somebody was sent a notice; so long the same message is no news, and the notice
	// counts against what the account may send.
	noticedFor = 24 * time.Hour
	// maxNoticed is how many addresses the scripts of all recipients may have told of one message.
	maxNoticed = 100
)

// announce has a notice of the message go out that a script wants (RFC 5435, RFC 5436). why tells that it does not, and err that it must
// be tried again.
func (y *sifted) announce(ctx context.Context, n *sieve.Notice) (why string, err error) {
	if why := y.silence(n); why != "" {
		return "; nobody is told: " + why, nil
	}
	sent, err := y.Filters.Noticed(ctx, y.own.ID)
	if most := settings.SieveMaxNotices.Get(y.Settings); err != nil || sent+y.announced >= most {
		return fmt.Sprintf("; nobody is told: the account sends %d notices a day at most", most), err
	}
	mark := filter.NoticeMark(fmt.Sprintf("%d %s%s", n.Importance, n.Method, y.occasion), y.p.content.SHA256())
	if told, err := y.Filters.Remembers(ctx, y.own.ID, mark); err != nil || told {
		return "; the notice was sent already", err
	}
	from, err := y.noticeFrom(ctx, n)
	if err != nil {
		return "", err
	}
	path := from
	if y.p.envelope.From.IsZero() {
		path = address.Address{} // RFC 5436 2.7: what tells of a notice of failure must not be told of itself
	}
	signed := *n
	if signed.From != from.String() {
		signed.From, signed.Name = from.String(), ""
	}
	now := y.Clock.Now()
	id := fmt.Sprintf("<notify.%d.%d.%d@%s>", now.UnixNano(), y.own.ID, len(y.p.notices), y.Hostname)
	to := readAddresses(slices.Concat(n.To, n.Cc, n.Bcc))
	ready, err := y.letterOf(ctx, from.Domain, path, to, signed.Message(now, id, y.own.Address.String()))
	if err != nil {
		return "; the notice cannot be sent: " + foldedLine(err.Error()), nil
	}
	y.announced++
	y.noticed += len(to)
	y.p.notices = append(y.p.notices, &markedOnce{ready, y.Filters, y.own.ID, mark, noticedFor})
	return " to " + wordsOf(to), nil
}

// onHold is why scripts of an account say nothing to others: whoever has its password may have put them there.
const onHold = "the account is on hold"

// silence is why no notice of the message may be sent, "" if one may: what a machine sent about other mail would go round between
// machines, and junk would reach by us whom it did not reach itself.
func (y *sifted) silence(n *sieve.Notice) string {
	if n.Silence != "" {
		return n.Silence
	}
	if y.Watch.Held(y.own.ID) {
		return onHold
	}
	if kind, why := autoreply.Classify(y.p.parsed, y.p.content); kind.IsNotice() {
		return why
	}
	if y.usual.role != "" {
		return "the message is junk by what it was judged"
	}
	if y.noticed+len(n.To)+len(n.Cc)+len(n.Bcc) > maxNoticed {
		return "too many are told of the message already"
	}
	return ""
}

// noticeFrom is in whose name a notice is: the address that the script says or that the message came for, if the account may send as
// that (MAIL-4), and else its own.
func (y *sifted) noticeFrom(ctx context.Context, n *sieve.Notice) (address.Address, error) {
	from, err := address.Parse(n.From)
	if err != nil || from.IsZero() {
		return y.own.Address, nil
	}
	ok, err := y.Directory.MaySendAs(ctx, y.own.ID, from)
	if err != nil || !ok {
		return y.own.Address, err
	}
	return from, nil
}

// errNobody says that none of the addresses of a letter leads anywhere.
var errNobody = errors.New("there is no address to send to")

// readAddresses are those of a list that are addresses, each once.
func readAddresses(list []string) (out []address.Address) {
	for _, s := range list {
		a, err := address.Parse(s)
		if err == nil && !slices.ContainsFunc(out, func(b address.Address) bool { return a.Key() == b.Key() }) {
			out = append(out, a)
		}
	}
	return out
}

func wordsOf(list []address.Address) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}
