package reputation

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/settings"
)

// Greylist asks clients that nobody knows to come again later, which mail servers do and many senders of spam do not. It
// knows triplets of network, sender and recipient. Its methods may be called from any goroutine.
//
// In a row a is when the triplet first tried, and b how often it was let through.
type Greylist struct {
	ledger   *ledger
	hasher   hasher
	settings *settings.Settings
}

// OpenGreylist reads how much there is, and starts to write in the background; end with Close.
func OpenGreylist(ctx context.Context, o Options) (*Greylist, error) {
	o, err := o.ready()
	if err != nil {
		return nil, err
	}
	later := func(_, later row) row { return later }
	g := &Greylist{hasher: hasher{o.Secret}, settings: o.Settings}
	g.ledger, err = openLedger(ctx, schema{table: "greylist", a: "first", b: "passed", join: later, merge: later,
		limit: func() int64 { return settings.GreylistMax.Get(o.Settings) }}, o)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// Close writes what waits to be written.
func (g *Greylist) Close() error { return g.ledger.close() }

// Ask tells whether a recipient may be accepted now, and otherwise how long the client has to wait. With the setting
// greylist.enabled off, or when the database does not answer, everybody may. A triplet that was let through stays known
// when the process ends, however it ends; what merely tried may be forgotten by a power cut, and then has to wait once more.
func (g *Greylist) Ask(ctx context.Context, client netip.Addr, sender, recipient address.Address) (wait time.Duration, ok bool) {
	if !settings.GreylistEnabled.Get(g.settings) {
		return 0, true
	}
	network := neighbours(client).String()
	ids := [2]int64{
		g.hasher.of(tripletKind, network, stable(sender), recipient.Key()),
		g.hasher.of(knownKind, network),
	}
	var rows [2]row
	if err := g.ledger.get(ctx, ids[:], rows[:]); err != nil {
		g.ledger.log.Warn("the greylist could not be asked; mail is let through", "error", err)
		return 0, true
	}
	now := g.ledger.clock.Now()
	triplet, known := rows[0], rows[1]
	switch {
	case known.expires > now.Unix() && known.b >= settings.GreylistKnownAfter.Get(g.settings):
		g.refresh(ids[1], known, now)
		return 0, true
	case triplet.expires <= now.Unix():
		g.ledger.note(ids[0], row{a: now.Unix(), at: now.Unix(), expires: now.Add(settings.GreylistRetryWindow.Get(g.settings)).Unix()})
		return settings.GreylistDelay.Get(g.settings), false
	case triplet.b > 0:
		g.refresh(ids[0], triplet, now)
		return 0, true
	}
	if wait := time.Unix(triplet.a, 0).Add(settings.GreylistDelay.Get(g.settings)).Sub(now); wait > 0 {
		return wait, false
	}
	g.pass(ctx, ids, rows, now)
	return 0, true
}

// neighbours is the network whose servers may try in turn: an IPv4 /24 or an IPv6 /64.
func neighbours(client netip.Addr) netip.Prefix {
	if client.Unmap().Is4() {
		return prefix(client, 24)
	}
	return prefix(client, 64)
}

// stable is a sender without what changes from message to message: the subaddress, and numbers as mailing lists have them
// in their return paths. The null reverse-path is the same for all.
func stable(sender address.Address) string {
	local, _, _ := strings.Cut(sender.Local, "+")
	var b strings.Builder
	number := false
	for _, c := range []byte(local) {
		digit := c >= '0' && c <= '9'
		switch {
		case !digit:
			b.WriteByte(c)
		case !number:
			b.WriteByte('#')
		}
		number = digit
	}
	return b.String() + "@" + sender.Domain
}

// refresh lengthens the life of a row, written down once a day.
func (g *Greylist) refresh(id int64, r row, now time.Time) {
	if now.Unix()-r.at < int64(day/time.Second) {
		return
	}
	r.at, r.expires, r.b = now.Unix(), now.Add(settings.GreylistKeep.Get(g.settings)).Unix(), r.b+1
	g.ledger.note(id, r)
}

// pass lets a triplet through for the first time, and counts it for its network. It returns when that is durable.
func (g *Greylist) pass(ctx context.Context, ids [2]int64, rows [2]row, now time.Time) {
	expires := now.Add(settings.GreylistKeep.Get(g.settings)).Unix()
	passed := rows[1].b
	if rows[1].expires <= now.Unix() {
		passed = 0
	}
	g.ledger.note(ids[0], row{a: rows[0].a, b: 1, at: now.Unix(), expires: expires})
	g.ledger.note(ids[1], row{a: rows[0].a, b: passed + 1, at: now.Unix(), expires: expires})
	if err := g.ledger.flush(ctx); err != nil && ctx.Err() == nil {
		g.ledger.log.Warn("the greylist could not write down who came back", "error", db.Full(err))
	}
}
