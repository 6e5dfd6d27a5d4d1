package directory

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"postern/internal/address"
	"postern/internal/db"
)

// kind is what a local address is.
type kind int64

const (
	kindAccount kind = iota + 1
	kindAlias
	kindGroup
)

func (k kind) String() string {
	return [...]string{"", "account", "alias", "group"}[k]
}

// snapshot is the whole directory at one moment. It and all it points to are never changed once published.
type snapshot struct {
	domains   map[string]*Domain
	addresses map[string]*entry // by address key
	accounts  map[int64]*person
	admins    []int64 // ascending, those not disabled
}

// entry is a local address that was given to somebody.
type entry struct {
	kind    kind
	address address.Address
	title   string
	account int64             // of an account
	targets []int64           // of an alias, ascending
	members []address.Address // of a group, by key
}

// person is an account with what no one outside sees.
type person struct {
	Account
	credentials
	since   time.Time         // PasswordChanged to the instant, if that was in this process's life
	aliases []address.Address // those that lead to it, by key
	grants  []address.Address // by key
}

// clone makes a snapshot that may be changed, as long as what its maps point to is replaced and not written to.
func (s *snapshot) clone() *snapshot {
	return &snapshot{
		domains:   maps.Clone(s.domains),
		addresses: maps.Clone(s.addresses),
		accounts:  maps.Clone(s.accounts),
		admins:    s.admins,
	}
}

func (s *snapshot) person(key string) *person {
	if e := s.addresses[key]; e != nil && e.kind == kindAccount {
		return s.accounts[e.account]
	}
	return nil
}

// putPerson replaces or adds an account.
func (s *snapshot) putPerson(p *person) {
	s.accounts[p.ID] = p
	s.addresses[p.Address.Key()] = &entry{kind: kindAccount, address: p.Address, account: p.ID}
	s.admins = slices.DeleteFunc(slices.Clone(s.admins), func(id int64) bool { return id == p.ID })
	if p.Admin && !p.Disabled {
		at, _ := slices.BinarySearch(s.admins, p.ID)
		s.admins = slices.Insert(s.admins, at, p.ID)
	}
}

// editPerson changes a copy of an account, if it is there.
func (s *snapshot) editPerson(id int64, edit func(*person)) {
	if old := s.accounts[id]; old != nil {
		p := *old
		edit(&p)
		s.putPerson(&p)
	}
}

// editEntry changes a copy of an address, if it is there.
func (s *snapshot) editEntry(key string, edit func(*entry)) {
	if old := s.addresses[key]; old != nil {
		e := *old
		edit(&e)
		s.addresses[key] = &e
	}
}

// point has an alias, if it is there, lead to these accounts and no others.
func (s *snapshot) point(key string, targets []int64) {
	alias := s.addresses[key]
	if alias == nil {
		return
	}
	for _, id := range alias.targets {
		if !slices.Contains(targets, id) {
			s.editPerson(id, func(p *person) { p.aliases = without(p.aliases, key) })
		}
	}
	for _, id := range targets {
		s.editPerson(id, func(p *person) { p.aliases = with(p.aliases, alias.address) })
	}
	s.editEntry(key, func(e *entry) { e.targets = targets })
}

// editDomain changes a copy of a domain, if it is there.
func (s *snapshot) editDomain(name string, edit func(*Domain)) {
	if old := s.domains[name]; old != nil {
		domain := *old
		edit(&domain)
		s.domains[name] = &domain
	}
}

// dropAddress forgets an address and what points to it: memberships, grants, catch-alls. removeAddress does the same in
// the database.
func (s *snapshot) dropAddress(key string) {
	s.point(key, nil)
	delete(s.addresses, key)
	is := func(a address.Address) bool { return a.Key() == key }
	for other, e := range s.addresses {
		if slices.ContainsFunc(e.members, is) {
			s.editEntry(other, func(e *entry) { e.members = without(e.members, key) })
		}
	}
	for id, p := range s.accounts {
		if slices.ContainsFunc(p.grants, is) {
			s.editPerson(id, func(p *person) { p.grants = without(p.grants, key) })
		}
	}
	for name, domain := range s.domains {
		if is(domain.CatchAll) {
			s.editDomain(name, func(domain *Domain) { domain.CatchAll = address.Address{} })
		}
	}
}

// with gives the list, ordered by key, with one more address.
func with(list []address.Address, a address.Address) []address.Address {
	at, found := slices.BinarySearchFunc(list, a, byKey)
	if found {
		return list
	}
	return slices.Insert(slices.Clone(list), at, a)
}

// without gives the list without an address.
func without(list []address.Address, key string) []address.Address {
	return slices.DeleteFunc(slices.Clone(list), func(a address.Address) bool { return a.Key() == key })
}

func byKey(a, b address.Address) int { return strings.Compare(a.Key(), b.Key()) }

// load reads a snapshot from the database.
func (d *Directory) load(ctx context.Context) (*snapshot, error) {
	s := &snapshot{domains: map[string]*Domain{}, addresses: map[string]*entry{}, accounts: map[int64]*person{}}
	unread := 0
	err := d.db.View(ctx, func(tx *db.ReadTx) error {
		loadAccounts := func(tx *db.ReadTx) (err error) {
			unread, err = s.loadAccounts(tx, d.seal)
			return err
		}
		for _, read := range []func(*db.ReadTx) error{s.loadDomains, s.loadAddresses, loadAccounts, s.loadTargets, s.loadMembers, s.loadGrants} {
			if err := read(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if unread > 0 {
		d.lostKey.Do(func() {
			d.log.Warn("the secret key is not the one that encrypted what SCRAM logins need: these accounts cannot log in by SCRAM until they log in with the password itself",
				"accounts", unread)
		})
	}
	return s, err
}

func (s *snapshot) loadDomains(tx *db.ReadTx) error {
	return each(tx, `SELECT name, separator, catch_all, created FROM directory_domains`, func(scan func(...any) error) error {
		var domain Domain
		var catchAll string
		var created int64
		if err := scan(&domain.Name, &domain.Separator, &catchAll, &created); err != nil {
			return err
		}
		domain.Created = time.Unix(created, 0).UTC()
		if catchAll != "" {
			var err error
			if domain.CatchAll, err = address.Parse(catchAll); err != nil {
				return err
			}
		}
		s.domains[domain.Name] = &domain
		return nil
	})
}

func (s *snapshot) loadAddresses(tx *db.ReadTx) error {
	return each(tx, `SELECT address_key, address, kind, title FROM directory_addresses`, func(scan func(...any) error) error {
		var key, text string
		var e entry
		if err := scan(&key, &text, &e.kind, &e.title); err != nil {
			return err
		}
		var err error
		e.address, err = address.Parse(text)
		s.addresses[key] = &e
		return err
	})
}

// loadAccounts reads them and counts those whose SCRAM keys were sealed with another key.
func (s *snapshot) loadAccounts(tx *db.ReadTx, seal sealer) (unread int, err error) {
	const query = `SELECT id, address_key, name, admin, disabled, quota, verifier, scram, password_changed, created FROM directory_accounts ORDER BY id`
	err = each(tx, query, func(scan func(...any) error) error {
		var p person
		var key, verifier string
		var sealed []byte
		var changed, created, admin, disabled int64
		if err := scan(&p.ID, &key, &p.Name, &admin, &disabled, &p.Quota, &verifier, &sealed, &changed, &created); err != nil {
			return err
		}
		p.Admin, p.Disabled = admin != 0, disabled != 0
		p.PasswordChanged, p.Created = time.Unix(changed, 0).UTC(), time.Unix(created, 0).UTC()
		var err error
		if p.verifier, err = parseVerifier(verifier); err != nil {
			return err
		}
		if len(sealed) > 0 {
			var ok bool
			if p.scram, ok = seal.openScram(p.ID, sealed); !ok {
				unread++
			}
		}
		p.Address = s.addresses[key].address
		s.putPerson(&p)
		return nil
	})
	return unread, err
}

func (s *snapshot) loadTargets(tx *db.ReadTx) error {
	return each(tx, `SELECT address_key, account_id FROM directory_alias_targets ORDER BY address_key, account_id`, func(scan func(...any) error) error {
		var key string
		var id int64
		if err := scan(&key, &id); err != nil {
			return err
		}
		alias, p := s.addresses[key], s.accounts[id]
		alias.targets, p.aliases = append(alias.targets, id), append(p.aliases, alias.address)
		return nil
	})
}

func (s *snapshot) loadMembers(tx *db.ReadTx) error {
	return each(tx, `SELECT address_key, member FROM directory_group_members ORDER BY address_key, member_key`, func(scan func(...any) error) error {
		var key, text string
		if err := scan(&key, &text); err != nil {
			return err
		}
		member, err := address.Parse(text)
		s.addresses[key].members = append(s.addresses[key].members, member)
		return err
	})
}

func (s *snapshot) loadGrants(tx *db.ReadTx) error {
	return each(tx, `SELECT account_id, address FROM directory_grants ORDER BY account_id, address_key`, func(scan func(...any) error) error {
		var id int64
		var text string
		if err := scan(&id, &text); err != nil {
			return err
		}
		granted, err := address.Parse(text)
		s.accounts[id].grants = append(s.accounts[id].grants, granted)
		return err
	})
}

// each runs fn on the rows of a query.
func each(tx *db.ReadTx, query string, fn func(scan func(...any) error) error) error {
	rows, err := tx.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collect reads all rows, so that the transaction is free for the next statement.
func collect[T any](rows *sql.Rows, read func(scan func(...any) error) (T, error)) ([]T, error) {
	defer rows.Close()
	var list []T
	for rows.Next() {
		item, err := read(rows.Scan)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}
