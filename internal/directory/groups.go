package directory

import (
	"context"
	"errors"
	"slices"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/settings"
)

// Group is an address for many: accounts, aliases and groups of ours, and addresses elsewhere.
type Group struct {
	Address address.Address
	Title   string
	Members []address.Address
}

// AddGroup makes a group. It may be empty for now, but refuses mail until it has members.
func (d *Directory) AddGroup(ctx context.Context, group address.Address, title string, members []address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error { return d.AddGroupTx(tx, group, title, members) })
}

// AddGroupTx is AddGroup within a transaction.
func (d *Directory) AddGroupTx(tx *db.Tx, group address.Address, title string, members []address.Address) error {
	if err := checkText("title", title); err != nil {
		return err
	}
	if err := d.takeAddress(tx, group, kindGroup, title); err != nil {
		return err
	}
	d.publish(tx, func(s *snapshot) {
		s.addresses[group.Key()] = &entry{kind: kindGroup, address: group, title: title}
	})
	for _, member := range members {
		if err := d.addMember(tx, group, member); err != nil {
			return err
		}
	}
	return nil
}

// AddMember adds a member; one that is in the group already stays.
func (d *Directory) AddMember(ctx context.Context, group, member address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		group, err := d.requireKind(tx, group, kindGroup)
		if err != nil {
			return err
		}
		return d.addMember(tx, group, member)
	})
}

func (d *Directory) addMember(tx *db.Tx, group, member address.Address) error {
	member, err := d.checkMember(tx, group, member)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`INSERT INTO directory_group_members (address_key, member_key, member) VALUES (?, ?, ?)
		ON CONFLICT (address_key, member_key) DO NOTHING`, group.Key(), member.Key(), member.String())
	if err != nil || n == 0 {
		return err
	}
	var count int64
	if err := tx.QueryRow(`SELECT COUNT(*) FROM directory_group_members WHERE address_key = ?`, group.Key()).Scan(&count); err != nil {
		return err
	}
	if most := settings.DirectoryGroupRecipients.Get(d.settings); count > most {
		return Refuse(ErrInvalid, "%s has %d members already; raise the setting %s for more", group, most, settings.DirectoryGroupRecipients)
	}
	d.publish(tx, func(s *snapshot) { s.editEntry(group.Key(), func(e *entry) { e.members = with(e.members, member) }) })
	return nil
}

// checkMember gives a member as it will be stored, if the group may have it: an address elsewhere, or one of ours that
// exists and does not contain the group.
func (d *Directory) checkMember(tx *db.Tx, group, member address.Address) (address.Address, error) {
	if member.Local == "" || member.Domain == "" {
		return member, Refuse(ErrInvalid, "a member is an address, such as bob@example.org")
	}
	if _, err := d.requireDomain(tx, member.Domain); errors.Is(err, ErrNotFound) {
		return member, nil // elsewhere
	} else if err != nil {
		return member, err
	}
	found, k, err := d.requireAddress(tx, member)
	if err != nil {
		return member, err
	}
	if k == kindGroup {
		return found, d.checkLoop(tx, group, found)
	}
	return found, nil
}

// checkLoop follows the groups within member and refuses to come back to group.
func (d *Directory) checkLoop(tx *db.Tx, group, member address.Address) error {
	seen := map[string]bool{}
	for next := []string{member.Key()}; len(next) > 0; {
		key := next[0]
		next = next[1:]
		if key == group.Key() {
			return Refuse(ErrInvalid, "%s cannot be a member of %s, which is itself a member of it", member, group)
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		rows, err := tx.Query(`SELECT m.member_key FROM directory_group_members m JOIN directory_addresses a ON a.address_key = m.member_key
			WHERE m.address_key = ? AND a.kind = ?`, key, int64(kindGroup))
		if err != nil {
			return err
		}
		inner, err := collect(rows, func(scan func(...any) error) (s string, err error) { return s, scan(&s) })
		if err != nil {
			return err
		}
		next = append(next, inner...)
	}
	return nil
}

// RemoveMember takes a member out of a group.
func (d *Directory) RemoveMember(ctx context.Context, group, member address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		group, err := d.requireKind(tx, group, kindGroup)
		if err != nil {
			return err
		}
		n, err := tx.Exec(`DELETE FROM directory_group_members WHERE address_key = ? AND member_key = ?`, group.Key(), member.Key())
		if err != nil {
			return err
		}
		if n == 0 {
			return Refuse(ErrNotFound, "%s is not a member of %s", member, group)
		}
		d.publish(tx, func(s *snapshot) {
			s.editEntry(group.Key(), func(e *entry) { e.members = without(e.members, member.Key()) })
		})
		return nil
	})
}

// RemoveGroup removes a group; its members stay.
func (d *Directory) RemoveGroup(ctx context.Context, group address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error {
		group, err := d.requireKind(tx, group, kindGroup)
		if err != nil {
			return err
		}
		return d.removeAddress(tx, group)
	})
}

// Groups lists the groups by address.
func (d *Directory) Groups() []Group {
	var list []Group
	for _, e := range d.now.Load().addresses {
		if e.kind == kindGroup {
			list = append(list, Group{Address: e.address, Title: e.title, Members: slices.Clone(e.members)})
		}
	}
	slices.SortFunc(list, func(a, b Group) int { return byKey(a.Address, b.Address) })
	return list
}
