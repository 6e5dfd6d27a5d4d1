package archive

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/directory"
)

// Kind is what a list says of a sender.
type Kind string

// The kinds. That an allowed sender must have been authenticated is for the caller to see: anybody can write an address.
const (
	Allow Kind = "allow"
	Block Kind = "block"
)

// senders are a scope's lists, by the form of the pattern.
type senders struct {
	addresses map[string]Kind // user@example.org, by key
	domains   map[string]Kind // @example.org: that domain alone
	suffixes  map[string]Kind // example.org: with its subdomains
}

// Sender tells what the lists say of a sender's address for a copy that an account gets as an address: the kind, whose
// list it stands in and as what; "" for nothing. The user's list counts before their domain's before the server's; within a
// list the narrowest pattern: the address, its domain, the nearest domain above.
func (p *Policies) Sender(account int64, to, sender address.Address) (kind Kind, scope, pattern string) {
	snap := p.now.Load()
	if len(snap.senders) == 0 || sender.Domain == "" {
		return "", "", ""
	}
	key := ""
	for i, s := range [...]Scope{{Account: account}, {Domain: to.Domain}, {}} {
		list := snap.senders[s]
		if list == nil || s == (Scope{}) && i < 2 { // no account, and no domain, are not the server
			continue
		}
		if len(list.addresses) > 0 && key == "" {
			key = sender.Key()
		}
		if kind, pattern := list.find(key, sender.Domain); kind != "" {
			return kind, p.name(s), pattern
		}
	}
	return "", "", ""
}

func (l *senders) find(key, domain string) (Kind, string) {
	if kind := l.addresses[key]; kind != "" {
		return kind, key
	}
	if kind := l.domains[domain]; kind != "" {
		return kind, "@" + domain
	}
	if len(l.suffixes) == 0 {
		return "", ""
	}
	for {
		if kind := l.suffixes[domain]; kind != "" {
			return kind, domain
		}
		_, parent, ok := strings.Cut(domain, ".")
		if !ok {
			return "", ""
		}
		domain = parent
	}
}

// of chooses the map that a pattern belongs into, and its key there.
func (l *senders) of(pattern string) (map[string]Kind, string) {
	local, domain, isAddress := cutLast(pattern)
	switch {
	case !isAddress:
		return l.suffixes, pattern
	case local == "":
		return l.domains, domain
	}
	return l.addresses, pattern
}

func cutLast(pattern string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(pattern, '@')
	if at < 0 {
		return "", pattern, false
	}
	return pattern[:at], pattern[at+1:], true
}

func newSenders() *senders {
	return &senders{addresses: map[string]Kind{}, domains: map[string]Kind{}, suffixes: map[string]Kind{}}
}

func (l *senders) clone() *senders {
	if l == nil {
		return newSenders()
	}
	return &senders{maps.Clone(l.addresses), maps.Clone(l.domains), maps.Clone(l.suffixes)}
}

func (s *policySnapshot) loadSenders(tx *db.ReadTx) error {
	rows, err := tx.Query(`SELECT account, domain, pattern, kind FROM spam_senders`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var of Scope
		var pattern string
		var kind Kind
		if err := rows.Scan(&of.Account, &of.Domain, &pattern, &kind); err != nil {
			return err
		}
		if s.senders[of] == nil {
			s.senders[of] = newSenders()
		}
		list, key := s.senders[of].of(pattern)
		list[key] = kind
	}
	return rows.Err()
}

// Listed is a sender in a list.
type Listed struct {
	Scope   Scope
	Name    string // of the scope, for people
	Pattern string
	Kind    Kind
	Created time.Time
}

// Senders gives the lists of one kind, by scope and then by pattern. A nil scope means all.
func (p *Policies) Senders(ctx context.Context, kind Kind, scope *Scope) ([]Listed, error) {
	query, args := `SELECT account, domain, pattern, created FROM spam_senders WHERE kind = ?`, []any{string(kind)}
	if scope != nil {
		query, args = query+` AND account = ? AND domain = ?`, append(args, scope.Account, scope.Domain)
	}
	rows, err := p.db.Query(ctx, query+` ORDER BY account, domain, pattern`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Listed{}
	for rows.Next() {
		l := Listed{Kind: kind}
		var created int64
		if err := rows.Scan(&l.Scope.Account, &l.Scope.Domain, &l.Pattern, &created); err != nil {
			return nil, err
		}
		l.Name, l.Created = p.name(l.Scope), time.UnixMilli(created).UTC()
		list = append(list, l)
	}
	slices.SortStableFunc(list, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(min(a.Scope.Account, 1), min(b.Scope.Account, 1)), strings.Compare(a.Name, b.Name))
	})
	return list, rows.Err()
}

// sendersAtMost bounds the list of one scope, which is held in memory.
const sendersAtMost = 10_000

// ListSender puts a sender into a scope's list; one that is in the other list of the scope moves. The pattern is an
// address, "@" and a domain, or a domain that means its subdomains too; it is given back as it is kept.
func (p *Policies) ListSender(ctx context.Context, s Scope, pattern string, kind Kind) (string, error) {
	pattern, err := Pattern(pattern)
	if err != nil {
		return "", err
	}
	if kind != Allow && kind != Block {
		return "", directory.Refuse(directory.ErrInvalid, "%q is no list; it is allow or block", kind)
	}
	return pattern, p.db.Write(ctx, func(tx *db.Tx) error {
		if !p.exists(s) {
			return directory.Refuse(directory.ErrNotFound, "%s is not here any more; `postern user list` and `postern domain list` show who is", p.name(s))
		}
		var n int64
		if err := tx.QueryRow(`SELECT count(*) FROM spam_senders WHERE account = ? AND domain = ?`, s.Account, s.Domain).Scan(&n); err != nil {
			return err
		}
		if n >= sendersAtMost {
			return directory.Refuse(directory.ErrInvalid, "the lists of %s have %d entries, which is the most; remove some, or list a domain in place of its addresses", p.name(s), n)
		}
		_, err := tx.Exec(`INSERT INTO spam_senders (account, domain, pattern, kind, created) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (account, domain, pattern) DO UPDATE SET kind = excluded.kind`, s.Account, s.Domain, pattern, string(kind), p.clock.Now().UnixMilli())
		p.publishSenders(tx, s, func(list map[string]Kind, key string) { list[key] = kind }, pattern)
		return err
	})
}

// UnlistSender takes a sender out of one of a scope's lists.
func (p *Policies) UnlistSender(ctx context.Context, s Scope, pattern string, kind Kind) (string, error) {
	pattern, err := Pattern(pattern)
	if err != nil {
		return "", err
	}
	return pattern, p.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(`DELETE FROM spam_senders WHERE account = ? AND domain = ? AND pattern = ? AND kind = ?`, s.Account, s.Domain, pattern, string(kind))
		if err == nil && n == 0 {
			return directory.Refuse(directory.ErrNotFound, "%s is not in the %s list of %s; `postern spam %[2]s list` shows what is", pattern, kind, p.name(s))
		}
		p.publishSenders(tx, s, func(list map[string]Kind, key string) { delete(list, key) }, pattern)
		return err
	})
}

func (p *Policies) publishSenders(tx *db.Tx, s Scope, change func(list map[string]Kind, key string), pattern string) {
	p.publish(tx, func(snap *policySnapshot) {
		next := snap.senders[s].clone()
		change(next.of(pattern))
		snap.senders[s] = next
		if len(next.addresses)+len(next.domains)+len(next.suffixes) == 0 {
			delete(snap.senders, s)
		}
	})
}

// Pattern gives a sender's pattern as it is kept, or says why it is none.
func Pattern(text string) (string, error) {
	local, domain, isAddress := cutLast(strings.TrimSpace(text))
	switch {
	case strings.Contains(local, "*"):
		// It could be an address (RFC 5322 3.2.3), but nobody who writes it means that one.
		return "", directory.Refuse(directory.ErrInvalid, "%q would be one address, and no pattern; write @%s for all of the domain, or %[2]s for its subdomains too", text, domain)
	case !isAddress && isClient(domain):
		return "", directory.Refuse(directory.ErrInvalid, "%q is a client and no sender; write alice@example.com, @example.com or example.com, and clients that no block list is to refuse into the setting dnsbl.allow", text)
	}
	if isAddress && local != "" {
		a, err := address.Parse(strings.TrimSpace(text))
		if err != nil {
			return "", directory.Refuse(directory.ErrInvalid, "%q is not an address: %v; write alice@example.com, @example.com for the domain alone, or example.com for its subdomains too", text, err)
		}
		return a.Key(), nil
	}
	domain, err := address.NormalizeDomain(strings.TrimSuffix(domain, "."))
	if err != nil {
		return "", directory.Refuse(directory.ErrInvalid, "%q is no sender; write alice@example.com, @example.com for the domain alone, or example.com for its subdomains too", text)
	}
	if isAddress {
		return "@" + domain, nil
	}
	return domain, nil
}

// isClient tells an address or a network of the IP from a domain.
func isClient(text string) bool {
	_, notAddress := netip.ParseAddr(text)
	_, notNetwork := netip.ParsePrefix(text)
	return notAddress == nil || notNetwork == nil
}
