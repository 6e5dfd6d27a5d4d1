package archive

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/settings"
	"postern/internal/verdict"
)

// Own is a scope with the thresholds that are its own.
type Own struct {
	Scope Scope
	Name  string // for people
	Thresholds
}

// Thresholds lists the server's and those of every domain and user that has some.
func (p *Policies) Thresholds() []Own {
	list := []Own{}
	for scope, t := range p.now.Load().thresholds {
		list = append(list, Own{scope, p.name(scope), t})
	}
	slices.SortFunc(list, func(a, b Own) int {
		return cmp.Or(cmp.Compare(min(a.Scope.Account, 1), min(b.Scope.Account, 1)), strings.Compare(a.Name, b.Name))
	})
	server := p.server()
	return append([]Own{{Scope{}, serverName, Thresholds{&server.Tag, &server.Junk, &server.Reject, &server.Greylist}}}, list...)
}

// InForce gives a scope's own thresholds, and the policy that holds for its mail.
func (p *Policies) InForce(s Scope) (Own, verdict.Policy) {
	snap := p.now.Load()
	own := Own{s, p.name(s), snap.thresholds[s]}
	if s == (Scope{}) {
		own = p.Thresholds()[0]
	}
	return own, p.inForce(snap, p.server(), s)
}

// inForce is the policy for a scope's mail, by a snapshot and what is the server's.
func (p *Policies) inForce(snap *policySnapshot, server verdict.Policy, s Scope) verdict.Policy {
	domain := s.Domain
	if s.Account != 0 {
		domain = p.domainOf(s.Account)
	}
	snap.over(&server, s.Account, domain, p.name)
	return server
}

// domainOf is a user's domain, "" when they are gone.
func (p *Policies) domainOf(account int64) string {
	a, _ := p.people.Account(account)
	return a.Address.Domain
}

// SetThresholds changes the thresholds of a scope that are not nil in change; 0 means never. It refuses an order in which
// the milder would come after the severer, and then nothing is changed. The server's are its settings.
func (p *Policies) SetThresholds(ctx context.Context, s Scope, change Thresholds) error {
	if change.isZero() {
		return directory.Refuse(directory.ErrInvalid, "there is nothing to change; give tag, junk, reject or greylist")
	}
	if s == (Scope{}) {
		return p.setServer(ctx, change)
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		if !p.exists(s) {
			return directory.Refuse(directory.ErrNotFound, "%s is not here any more; `postern spam policy list` shows who is", p.name(s))
		}
		own, err := ownTx(tx, s)
		if err != nil {
			return err
		}
		own = own.changed(change)
		if err := p.check(s, own); err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO spam_policies (account, domain, tag, junk, reject, greylist) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (account, domain) DO UPDATE SET tag = excluded.tag, junk = excluded.junk, reject = excluded.reject, greylist = excluded.greylist`,
			s.Account, s.Domain, nullable(own.Tag), nullable(own.Junk), nullable(own.Reject), nullable(own.Greylist))
		p.publish(tx, func(snap *policySnapshot) { snap.thresholds[s] = own })
		return err
	})
}

// ownTx reads a scope's thresholds as the transaction sees them.
func ownTx(tx *db.Tx, s Scope) (t Thresholds, err error) {
	err = tx.QueryRow(`SELECT tag, junk, reject, greylist FROM spam_policies WHERE account = ? AND domain = ?`, s.Account, s.Domain).
		Scan(&t.Tag, &t.Junk, &t.Reject, &t.Greylist)
	if isNone(err) {
		return Thresholds{}, nil
	}
	return t, err
}

// changed gives new thresholds, sharing nothing with the old.
func (t Thresholds) changed(by Thresholds) Thresholds {
	for _, one := range []struct{ to, from **verdict.Points }{
		{&t.Tag, &by.Tag}, {&t.Junk, &by.Junk}, {&t.Reject, &by.Reject}, {&t.Greylist, &by.Greylist},
	} {
		if *one.from != nil {
			value := **one.from
			*one.to = &value
		}
	}
	return t
}

func nullable(p *verdict.Points) any {
	if p == nil {
		return nil
	}
	return int64(*p)
}

// maxThreshold is the settings' bound.
const maxThreshold = 1000_00

// check refuses thresholds that cannot be meant: out of range, or in a wrong order for the scope or for one within it whose
// order was right.
func (p *Policies) check(s Scope, own Thresholds) error {
	for _, one := range []struct {
		name  string
		value *verdict.Points
	}{{"tag", own.Tag}, {"junk", own.Junk}, {"reject", own.Reject}, {"greylist", own.Greylist}} {
		if one.value != nil && (*one.value < 0 || *one.value > maxThreshold) {
			return directory.Refuse(directory.ErrInvalid, "%s %s is out of range; give a score from 0.00, which is never, to 1000.00", one.name, *one.value)
		}
	}
	return p.keepsOrder(s, own, p.within(s))
}

// keepsOrder refuses thresholds of a scope that would bring disorder to it or, where there was none, to another that is asked about.
func (p *Policies) keepsOrder(s Scope, own Thresholds, about []Scope) error {
	was, is := p.now.Load(), p.now.Load().clone()
	serverWas, serverIs := p.server(), p.server()
	if s == (Scope{}) {
		own.over(&serverIs)
	} else {
		is.thresholds[s] = own
	}
	for _, of := range about {
		fault := disorder(p.inForce(is, serverIs, of))
		if fault == "" || of != s && disorder(p.inForce(was, serverWas, of)) != "" {
			continue
		}
		return directory.Refuse(directory.ErrInvalid, "for %s %s, so that it never came to that; change both, or give 0 for the one that is not wanted", p.name(of), fault)
	}
	return nil
}

// within are a scope, first, and the narrower ones that have thresholds of their own.
func (p *Policies) within(s Scope) []Scope {
	list := []Scope{s}
	for other := range p.now.Load().thresholds {
		if other != s && s.Account == 0 && (s.Domain == "" || other.Account != 0 && p.domainOf(other.Account) == s.Domain) {
			list = append(list, other)
		}
	}
	return list
}

// disorder tells which milder threshold lies above a severer one, "" when none does. One of 0 is never reached.
func disorder(p verdict.Policy) string {
	for _, pair := range []struct {
		mild, severe string
		low, high    verdict.Points
	}{{"tag", "junk", p.Tag, p.Junk}, {"junk", "reject", p.Junk, p.Reject}, {"tag", "reject", p.Tag, p.Reject}} {
		if pair.low > pair.high && pair.high > 0 {
			return pair.mild + " " + pair.low.String() + " would lie above " + pair.severe + " " + pair.high.String()
		}
	}
	return ""
}

// setServer changes the settings, each of which is a transaction of its own, after all were found good.
func (p *Policies) setServer(ctx context.Context, change Thresholds) error {
	if err := p.check(Scope{}, change); err != nil {
		return err
	}
	for _, one := range p.serverKeys() {
		if value := one.of(change); value != nil {
			if err := p.settings.Set(ctx, one.key.String(), value.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// serverKey is where the server's threshold is kept.
type serverKey struct {
	key settings.ScoreKey
	of  func(Thresholds) *verdict.Points
}

func (*Policies) serverKeys() []serverKey {
	return []serverKey{
		{settings.SpamTagScore, func(t Thresholds) *verdict.Points { return t.Tag }},
		{settings.SpamJunkScore, func(t Thresholds) *verdict.Points { return t.Junk }},
		{settings.SpamRejectScore, func(t Thresholds) *verdict.Points { return t.Reject }},
		{settings.SpamGreylistScore, func(t Thresholds) *verdict.Points { return t.Greylist }},
	}
}

// ResetThresholds gives a scope those of the next wider one again, and the server the defaults. It refuses what would bring
// disorder to somebody within; the order of the wider ones is their own matter.
func (p *Policies) ResetThresholds(ctx context.Context, s Scope) error {
	if s == (Scope{}) {
		usual := serverBy(settings.Defaults())
		if err := p.keepsOrder(s, Thresholds{&usual.Tag, &usual.Junk, &usual.Reject, &usual.Greylist}, p.within(s)[1:]); err != nil {
			return err
		}
		for _, one := range p.serverKeys() {
			if err := p.settings.Reset(ctx, one.key.String()); err != nil {
				return err
			}
		}
		return nil
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		if err := p.keepsOrder(s, Thresholds{}, p.within(s)[1:]); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM spam_policies WHERE account = ? AND domain = ?`, s.Account, s.Domain)
		p.publish(tx, func(snap *policySnapshot) { delete(snap.thresholds, s) })
		return err
	})
}
