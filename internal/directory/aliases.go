package directory

import (
	"context"
	"slices"

	"postern/internal/address"
	"postern/internal/db"
)

// Alias is another name of one account, or of several.
type Alias struct {
	Address address.Address
	Targets []address.Address
}

// maxTargets bounds an alias. More is a group.
const maxTargets = 100

// AddAlias gives accounts a further address. Each of them gets its mail and may send as it.
func (d *Directory) AddAlias(ctx context.Context, alias address.Address, targets []address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error { return d.AddAliasTx(tx, alias, targets) })
}

// AddAliasTx is AddAlias within a transaction.
func (d *Directory) AddAliasTx(tx *db.Tx, alias address.Address, targets []address.Address) error {
	if err := d.takeAddress(tx, alias, kindAlias, ""); err != nil {
		return err
	}
	ids, err := d.putTargets(tx, alias, targets)
	if err != nil {
		return err
	}
	d.publish(tx, func(s *snapshot) {
		s.addresses[alias.Key()] = &entry{kind: kindAlias, address: alias}
		s.point(alias.Key(), ids)
	})
	return nil
}

// SetAlias makes an alias point to these accounts and no others.
func (d *Directory) SetAlias(ctx context.Context, alias address.Address, targets []address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		alias, err := d.requireKind(tx, alias, kindAlias)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM directory_alias_targets WHERE address_key = ?`, alias.Key()); err != nil {
			return err
		}
		ids, err := d.putTargets(tx, alias, targets)
		if err != nil {
			return err
		}
		d.publish(tx, func(s *snapshot) { s.point(alias.Key(), ids) })
		return nil
	})
}

// putTargets stores an alias's targets and gives their ids in order.
func (d *Directory) putTargets(tx *db.Tx, alias address.Address, targets []address.Address) ([]int64, error) {
	if len(targets) == 0 || len(targets) > maxTargets {
		return nil, Refuse(ErrInvalid, "an alias points to 1 to %d users; for more, or for addresses elsewhere, make a group", maxTargets)
	}
	ids := make([]int64, 0, len(targets))
	for _, target := range targets {
		_, id, err := d.requireUser(tx, target)
		if err != nil {
			return nil, Refuse(ErrInvalid, "%s cannot point to %s: %v; an alias points to users, for others make a group", alias, target, err)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids {
		if _, err := tx.Exec(`INSERT INTO directory_alias_targets (address_key, account_id) VALUES (?, ?)`, alias.Key(), id); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// RemoveAlias removes an alias, and it from groups and grants.
func (d *Directory) RemoveAlias(ctx context.Context, alias address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		alias, err := d.requireKind(tx, alias, kindAlias)
		if err != nil {
			return err
		}
		return d.removeAddress(tx, alias)
	})
}

// leaveAliases takes an account out of all aliases, and removes those that then point to no one.
func (d *Directory) leaveAliases(tx *db.Tx, id int64) error {
	rows, err := tx.Query(`SELECT a.address_key, a.address, (SELECT COUNT(*) FROM directory_alias_targets o WHERE o.address_key = a.address_key)
		FROM directory_alias_targets t JOIN directory_addresses a ON a.address_key = t.address_key WHERE t.account_id = ?`, id)
	if err != nil {
		return err
	}
	type alias struct {
		key, text string
		targets   int64
	}
	aliases, err := collect(rows, func(scan func(...any) error) (a alias, err error) { return a, scan(&a.key, &a.text, &a.targets) })
	if err != nil {
		return err
	}
	for _, a := range aliases {
		if a.targets == 1 {
			parsed, err := address.Parse(a.text)
			if err != nil {
				return err
			}
			if err := d.removeAddress(tx, parsed); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Exec(`DELETE FROM directory_alias_targets WHERE address_key = ? AND account_id = ?`, a.key, id); err != nil {
			return err
		}
		d.publish(tx, func(s *snapshot) {
			left := slices.Clone(s.addresses[a.key].targets)
			s.point(a.key, slices.DeleteFunc(left, func(other int64) bool { return other == id }))
		})
	}
	return nil
}

// Aliases lists the aliases by address.
func (d *Directory) Aliases() []Alias {
	snap := d.now.Load()
	var list []Alias
	for _, e := range snap.addresses {
		if e.kind != kindAlias {
			continue
		}
		a := Alias{Address: e.address}
		for _, id := range e.targets {
			a.Targets = append(a.Targets, snap.accounts[id].Address)
		}
		slices.SortFunc(a.Targets, byKey)
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Alias) int { return byKey(a.Address, b.Address) })
	return list
}

// Addresses lists an account's own address and then the aliases that lead to it, by address; none for an account that is
// not there.
func (d *Directory) Addresses(account int64) []address.Address {
	p := d.now.Load().accounts[account]
	if p == nil {
		return nil
	}
	return append([]address.Address{p.Address}, p.aliases...)
}

// Grant lets an account send as another local address, such as a group's or a colleague's.
func (d *Directory) Grant(ctx context.Context, user, as address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		user, id, err := d.requireUser(tx, user)
		if err != nil {
			return err
		}
		as, _, err := d.requireAddress(tx, as)
		if err != nil {
			return err
		}
		if as.Key() == user.Key() {
			return Refuse(ErrInvalid, "%s may send as itself without a grant", user)
		}
		_, err = tx.Exec(`INSERT INTO directory_grants (account_id, address_key, address) VALUES (?, ?, ?)
			ON CONFLICT (account_id, address_key) DO NOTHING`, id, as.Key(), as.String())
		if err != nil {
			return err
		}
		d.publish(tx, func(s *snapshot) { s.editPerson(id, func(p *person) { p.grants = with(p.grants, as) }) })
		return nil
	})
}

// Revoke takes a grant back.
func (d *Directory) Revoke(ctx context.Context, user, as address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		user, id, err := d.requireUser(tx, user)
		if err != nil {
			return err
		}
		n, err := tx.Exec(`DELETE FROM directory_grants WHERE account_id = ? AND address_key = ?`, id, as.Key())
		if err != nil {
			return err
		}
		if n == 0 {
			return Refuse(ErrNotFound, "%s has no grant to send as %s", user, as)
		}
		d.publish(tx, func(s *snapshot) { s.editPerson(id, func(p *person) { p.grants = without(p.grants, as.Key()) }) })
		return nil
	})
}

// Grants lists the addresses that an account may send as beyond its own.
func (d *Directory) Grants(account int64) []address.Address {
	if p := d.now.Load().accounts[account]; p != nil {
		return slices.Clone(p.grants)
	}
	return nil
}
