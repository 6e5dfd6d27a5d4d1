package directory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"postern/internal/address"
	"postern/internal/db"
)

// defaultSeparator stands between name and detail of a subaddress (RFC 5233), unless the domain says otherwise.
const defaultSeparator = "+"

// separators are what may be one: none that the syntax of addresses gives another meaning.
const separators = "+-_=#~"

// AddDomain makes a domain ours.
func (d *Directory) AddDomain(ctx context.Context, name string) (domain Domain, err error) {
	err = d.db.Write(ctx, func(tx *db.Tx) error {
		domain, err = d.AddDomainTx(tx, name)
		return err
	})
	return domain, err
}

// AddDomainTx is AddDomain within a transaction.
func (d *Directory) AddDomainTx(tx *db.Tx, name string) (Domain, error) {
	normal, err := address.NormalizeDomain(strings.TrimSuffix(name, "."))
	if err != nil || strings.HasPrefix(normal, "[") || !strings.Contains(normal, ".") {
		return Domain{}, Refuse(ErrInvalid, "%q is not a domain name; write one such as example.org", name)
	}
	domain := Domain{Name: normal, Separator: defaultSeparator, Created: d.second()}
	_, err = tx.Exec(`INSERT INTO directory_domains (name, separator, catch_all, created) VALUES (?, ?, '', ?)`,
		domain.Name, domain.Separator, domain.Created.Unix())
	if errors.Is(err, db.ErrConflict) {
		return Domain{}, Refuse(ErrExists, "the domain %s is here already", normal)
	}
	if err != nil {
		return Domain{}, err
	}
	d.publish(tx, func(s *snapshot) { s.domains[domain.Name] = &domain })
	return domain, nil
}

// RemoveDomain gives a domain up. It must be empty.
func (d *Directory) RemoveDomain(ctx context.Context, name string) error {
	return d.db.Write(ctx, func(tx *db.Tx) error { return d.RemoveDomainTx(tx, name) })
}

// RemoveDomainTx is RemoveDomain within a transaction.
func (d *Directory) RemoveDomainTx(tx *db.Tx, name string) error {
	name, err := d.requireDomain(tx, name)
	if err != nil {
		return err
	}
	rows, err := tx.Query(`SELECT address FROM directory_addresses WHERE domain = ? ORDER BY address_key LIMIT 4`, name)
	if err != nil {
		return err
	}
	left, err := collect(rows, func(scan func(...any) error) (s string, err error) { return s, scan(&s) })
	if err != nil {
		return err
	}
	if len(left) > 0 {
		if len(left) > 3 {
			left[3] = "others"
		}
		return Refuse(ErrInvalid, "the domain %s still has %s; remove its users, aliases and groups first", name, inList(left))
	}
	if _, err := tx.Exec(`DELETE FROM directory_domains WHERE name = ?`, name); err != nil {
		return err
	}
	d.publish(tx, func(s *snapshot) { delete(s.domains, name) })
	return nil
}

// SetSeparator says what stands between name and detail in the domain's subaddresses; "" is nothing, and there are none.
func (d *Directory) SetSeparator(ctx context.Context, name, separator string) error {
	if len(separator) > 1 || !strings.Contains(separators, separator) {
		return Refuse(ErrInvalid, "%q cannot separate subaddresses; use one of %s, or nothing for no subaddresses", separator, separators)
	}
	return d.db.Write(ctx, func(tx *db.Tx) error {
		name, err := d.requireDomain(tx, name)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE directory_domains SET separator = ? WHERE name = ?`, separator, name); err != nil {
			return err
		}
		d.publish(tx, func(s *snapshot) { s.editDomain(name, func(domain *Domain) { domain.Separator = separator }) })
		return nil
	})
}

// SetCatchAll says who gets the domain's mail for addresses that no one has: a local account, alias or group, or no one
// for the zero address.
func (d *Directory) SetCatchAll(ctx context.Context, name string, to address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		name, err := d.requireDomain(tx, name)
		if err != nil {
			return err
		}
		text := ""
		if !to.IsZero() {
			if to, _, err = d.requireAddress(tx, to); err != nil {
				return err
			}
			text = to.String()
		}
		if _, err := tx.Exec(`UPDATE directory_domains SET catch_all = ? WHERE name = ?`, text, name); err != nil {
			return err
		}
		d.publish(tx, func(s *snapshot) { s.editDomain(name, func(domain *Domain) { domain.CatchAll = to }) })
		return nil
	})
}

// Domains lists the domains by name.
func (d *Directory) Domains() []Domain {
	snap := d.now.Load()
	list := make([]Domain, 0, len(snap.domains))
	for _, domain := range snap.domains {
		list = append(list, *domain)
	}
	slices.SortFunc(list, func(a, b Domain) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Domain gives a domain by its name in any spelling.
func (d *Directory) Domain(name string) (Domain, bool) {
	if normal, err := address.NormalizeDomain(name); err == nil {
		name = normal
	}
	if domain := d.now.Load().domains[name]; domain != nil {
		return *domain, true
	}
	return Domain{}, false
}

// second is the time as the database keeps it.
func (d *Directory) second() time.Time { return d.clock.Now().UTC().Truncate(time.Second) }

// requireDomain gives the normal form of the name of a domain of ours.
func (d *Directory) requireDomain(tx *db.Tx, name string) (string, error) {
	if normal, err := address.NormalizeDomain(name); err == nil {
		name = normal
	}
	var one int64
	err := tx.QueryRow(`SELECT 1 FROM directory_domains WHERE name = ?`, name).Scan(&one)
	if errors.Is(err, db.ErrNoRows) {
		return "", Refuse(ErrNotFound, "the domain %s is not served here; `postern domain list` shows those that are, `postern domain add` adds one", name)
	}
	return name, err
}

// requireAddress gives an account's, alias's or group's address as it is written, and which of them it is.
func (d *Directory) requireAddress(tx *db.Tx, a address.Address) (address.Address, kind, error) {
	var text string
	var k kind
	err := tx.QueryRow(`SELECT address, kind FROM directory_addresses WHERE address_key = ?`, a.Key()).Scan(&text, &k)
	if errors.Is(err, db.ErrNoRows) {
		return a, 0, Refuse(ErrNotFound, "there is no user, alias or group %s", a)
	}
	if err != nil {
		return a, 0, err
	}
	a, err = address.Parse(text)
	return a, k, err
}

// requireKind is requireAddress for one kind.
func (d *Directory) requireKind(tx *db.Tx, a address.Address, wanted kind) (address.Address, error) {
	name := wanted.String()
	if wanted == kindAccount {
		name = "user"
	}
	found, k, err := d.requireAddress(tx, a)
	switch {
	case errors.Is(err, ErrNotFound):
		return a, Refuse(ErrNotFound, "there is no %s %s", name, a)
	case err != nil:
		return a, err
	case k != wanted:
		return a, Refuse(ErrNotFound, "%s is not %s %s but %s %s", found, article(name), name, article(k.String()), k)
	}
	return found, nil
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeio") {
		return "an"
	}
	return "a"
}

// maxLocal is RFC 5321 4.5.3.1.1's: others need not take longer ones.
const maxLocal = 64

// takeAddress gives an address of one of our domains to a new account, alias or group.
func (d *Directory) takeAddress(tx *db.Tx, a address.Address, k kind, title string) error {
	if a.Local == "" {
		return Refuse(ErrInvalid, "an address is needed, such as alice@example.org")
	}
	if len(a.Local) > maxLocal {
		return Refuse(ErrInvalid, "what stands before the @ has %d bytes; many servers take at most %d", len(a.Local), maxLocal)
	}
	if _, err := d.requireDomain(tx, a.Domain); err != nil {
		return err
	}
	if found, taken, err := d.requireAddress(tx, a); err == nil {
		return Refuse(ErrExists, "%s is %s %s already", found, article(taken.String()), taken)
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	_, err := tx.Exec(`INSERT INTO directory_addresses (address_key, address, domain, kind, title) VALUES (?, ?, ?, ?, ?)`,
		a.Key(), a.String(), a.Domain, int64(k), title)
	return err
}

// removeAddress takes an address from whoever had it, and from all that points to it. snapshot.dropAddress does the same
// in memory.
func (d *Directory) removeAddress(tx *db.Tx, a address.Address) error {
	key := a.Key()
	for _, step := range []struct{ query, arg string }{
		{`DELETE FROM directory_group_members WHERE member_key = ?`, key},
		{`DELETE FROM directory_group_members WHERE address_key = ?`, key},
		{`DELETE FROM directory_alias_targets WHERE address_key = ?`, key},
		{`DELETE FROM directory_grants WHERE address_key = ?`, key},
		{`UPDATE directory_domains SET catch_all = '' WHERE catch_all = ?`, a.String()},
		{`DELETE FROM directory_addresses WHERE address_key = ?`, key},
	} {
		if _, err := tx.Exec(step.query, step.arg); err != nil {
			return err
		}
	}
	d.publish(tx, func(s *snapshot) { s.dropAddress(key) })
	return nil
}

// checkText refuses names and titles that would break a line or a header.
func checkText(what, s string) error {
	if len(s) > 200 || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }) {
		return Refuse(ErrInvalid, "the %s must be one line of at most 200 characters", what)
	}
	return nil
}
