package archive

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/settings"
	"postern/internal/verdict"
)

// People is what policies need to know of who lives here: the directory.
type People interface {
	User(address.Address) (directory.Account, bool)
	Account(id int64) (directory.Account, bool)
	IsLocalDomain(domain string) bool
}

// PolicyOptions are what policies stand on.
type PolicyOptions struct {
	DB       *db.DB
	Settings *settings.Settings
	People   People
	Clock    clock.Clock  // the system's when nil
	Log      *slog.Logger // nil discards
}

// Policies are whose thresholds and sender lists are in force: a user's before their domain's before the server's. They
// are answered from memory, without SQL and without locks; a change replaces what is in memory once it is durable.
type Policies struct {
	db       *db.DB
	settings *settings.Settings
	people   People
	clock    clock.Clock
	log      *slog.Logger

	now       atomic.Pointer[policySnapshot]
	overrides atomic.Pointer[Overrides]
	swap      sync.Mutex // held while one of the two is replaced
	unhook    func()
}

// Scope is whom a policy or a list is for: a user (Account), a domain (Domain), or, when it is zero, the server.
type Scope struct {
	Account int64
	Domain  string // A-labels
}

// policySnapshot is all of it at one moment. It and what it points to are never changed once published.
type policySnapshot struct {
	thresholds map[Scope]Thresholds
	senders    map[Scope]*senders
}

// Thresholds are a scope's own, each nil where the next wider scope's holds.
type Thresholds struct {
	Tag, Junk, Reject, Greylist *verdict.Points
}

// OpenPolicies reads them into memory. Close them before the database.
func OpenPolicies(ctx context.Context, o PolicyOptions) (*Policies, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Policies{db: o.DB, settings: o.Settings, people: o.People, clock: o.Clock, log: o.Log}
	snap, err := p.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("spam policies: %w", err)
	}
	p.now.Store(snap)
	if err := p.dropStrays(ctx, snap); err != nil {
		return nil, fmt.Errorf("spam policies: %w", err)
	}
	p.overrides.Store(readOverrides(o.Settings))
	o.DB.OnUncertain(p.reload)
	p.unhook = o.Settings.OnChange(func(name string) {
		if name == settings.DMARCOverride.String() {
			p.overrides.Store(readOverrides(p.settings))
		}
	})
	return p, nil
}

// Close stops listening for changes of the settings.
func (p *Policies) Close() error {
	p.unhook()
	return nil
}

// dropStrays removes what is of nobody any more, should one have gone by another way than RemoveAccountTx and RemoveDomainTx.
func (p *Policies) dropStrays(ctx context.Context, snap *policySnapshot) error {
	var strays []Scope
	for s := range snap.thresholds {
		if !p.exists(s) {
			strays = append(strays, s)
		}
	}
	for s := range snap.senders {
		if !p.exists(s) {
			strays = append(strays, s)
		}
	}
	if len(strays) == 0 {
		return nil
	}
	return p.db.Write(ctx, func(tx *db.Tx) error {
		for _, s := range strays {
			if err := p.removeTx(tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// For is the policy for a copy that an account gets as an address; account 0 is nobody here, whose mail is forwarded. Each
// threshold is the user's own, else their domain's, else the server's; Source names the narrowest of these that has any
// of its own. DMARC and Scanner are the caller's to fill in: they depend on the message.
func (p *Policies) For(account int64, to address.Address) verdict.Policy {
	policy := p.server()
	p.now.Load().over(&policy, account, to.Domain, p.name)
	return policy
}

// over puts what a user and their domain have of their own over the server's policy.
func (s *policySnapshot) over(policy *verdict.Policy, account int64, domain string, name func(Scope) string) {
	if len(s.thresholds) == 0 {
		return
	}
	if own, ok := s.thresholds[Scope{Domain: domain}]; ok && domain != "" {
		own.over(policy)
		policy.Source = domain
	}
	if own, ok := s.thresholds[Scope{Account: account}]; ok && account != 0 {
		own.over(policy)
		policy.Source = name(Scope{Account: account})
	}
}

// server is what the settings say.
func (p *Policies) server() verdict.Policy { return serverBy(p.settings) }

func serverBy(s *settings.Settings) verdict.Policy {
	return verdict.Policy{
		Source:   serverName,
		Tag:      verdict.Points(settings.SpamTagScore.Get(s)),
		Junk:     verdict.Points(settings.SpamJunkScore.Get(s)),
		Reject:   verdict.Points(settings.SpamRejectScore.Get(s)),
		Greylist: verdict.Points(settings.SpamGreylistScore.Get(s)),
		Virus:    verdict.Action(settings.SpamVirusAction.Get(s)),
	}
}

func (t Thresholds) over(policy *verdict.Policy) {
	for _, own := range []struct{ from, to *verdict.Points }{
		{t.Tag, &policy.Tag}, {t.Junk, &policy.Junk}, {t.Reject, &policy.Reject}, {t.Greylist, &policy.Greylist},
	} {
		if own.from != nil {
			*own.to = *own.from
		}
	}
}

func (t Thresholds) isZero() bool { return t == Thresholds{} }

// serverName stands for the scope of everybody.
const serverName = "server"

// name is a scope for people: "server", a domain, or the address of a user.
func (p *Policies) name(s Scope) string {
	if s.Account == 0 {
		if s.Domain == "" {
			return serverName
		}
		return s.Domain
	}
	if account, ok := p.people.Account(s.Account); ok {
		return account.Address.String()
	}
	return fmt.Sprintf("account %d", s.Account)
}

// Scope finds a scope by its name, or says that there is none.
func (p *Policies) Scope(name string) (Scope, error) {
	if name == "" || name == serverName {
		return Scope{}, nil
	}
	if strings.Contains(name, "@") {
		a, err := address.Parse(name)
		if err != nil {
			return Scope{}, directory.Refuse(directory.ErrInvalid, "%q is not an address: %v; write one such as alice@example.org", name, err)
		}
		account, ok := p.people.User(a)
		if !ok {
			return Scope{}, directory.Refuse(directory.ErrNotFound, "there is no user %s; `postern user list` shows all, and an alias has the policy of its users", a)
		}
		return Scope{Account: account.ID}, nil
	}
	domain, err := address.NormalizeDomain(strings.TrimSuffix(name, "."))
	if err != nil {
		return Scope{}, directory.Refuse(directory.ErrInvalid, "%q is neither an address nor a domain; write one such as alice@example.org or example.org, or server", name)
	}
	if !p.people.IsLocalDomain(domain) {
		return Scope{}, directory.Refuse(directory.ErrNotFound, "the domain %s is not served here; `postern domain list` shows those that are", domain)
	}
	return Scope{Domain: domain}, nil
}

// exists reports whether a scope's user or domain is still there.
func (p *Policies) exists(s Scope) bool {
	if s.Account != 0 {
		_, ok := p.people.Account(s.Account)
		return ok
	}
	return s.Domain == "" || p.people.IsLocalDomain(s.Domain)
}

// publish has the snapshot follow the transaction once that is durable.
func (p *Policies) publish(tx *db.Tx, change func(*policySnapshot)) {
	tx.OnCommit(func() {
		p.swap.Lock()
		defer p.swap.Unlock()
		next := p.now.Load().clone()
		change(next)
		p.now.Store(next)
	})
}

// clone makes a snapshot that may be changed, as long as what its maps point to is replaced and not written to.
func (s *policySnapshot) clone() *policySnapshot {
	return &policySnapshot{thresholds: maps.Clone(s.thresholds), senders: maps.Clone(s.senders)}
}

// reload reads everything anew, after a commit of which no one knows whether it happened.
func (p *Policies) reload() {
	p.swap.Lock()
	defer p.swap.Unlock()
	snap, err := p.load(context.Background())
	if err != nil {
		p.log.Error("spam policies could not be read again after a lost commit", "error", err)
		return
	}
	p.now.Store(snap)
}

func (p *Policies) load(ctx context.Context) (*policySnapshot, error) {
	snap := &policySnapshot{thresholds: map[Scope]Thresholds{}, senders: map[Scope]*senders{}}
	err := p.db.View(ctx, func(tx *db.ReadTx) error {
		if err := snap.loadThresholds(tx); err != nil {
			return err
		}
		return snap.loadSenders(tx)
	})
	return snap, err
}

func (s *policySnapshot) loadThresholds(tx *db.ReadTx) error {
	rows, err := tx.Query(`SELECT account, domain, tag, junk, reject, greylist FROM spam_policies`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var of Scope
		var t Thresholds
		if err := rows.Scan(&of.Account, &of.Domain, &t.Tag, &t.Junk, &t.Reject, &t.Greylist); err != nil {
			return err
		}
		s.thresholds[of] = t
	}
	return rows.Err()
}

// RemoveAccountTx removes what is a user's own, in the transaction that removes the user.
func (p *Policies) RemoveAccountTx(tx *db.Tx, account int64) error {
	return p.removeTx(tx, Scope{Account: account})
}

// RemoveDomainTx removes what is a domain's own, in the transaction that removes the domain.
func (p *Policies) RemoveDomainTx(tx *db.Tx, domain string) error {
	return p.removeTx(tx, Scope{Domain: domain})
}

func (p *Policies) removeTx(tx *db.Tx, s Scope) error {
	for _, query := range []string{`DELETE FROM spam_policies WHERE account = ? AND domain = ?`, `DELETE FROM spam_senders WHERE account = ? AND domain = ?`} {
		if _, err := tx.Exec(query, s.Account, s.Domain); err != nil {
			return err
		}
	}
	p.publish(tx, func(snap *policySnapshot) {
		delete(snap.thresholds, s)
		delete(snap.senders, s)
	})
	return nil
}
