package directory

import (
	"context"
	"strings"

	"postern/internal/address"
	"postern/internal/reply"
	"postern/internal/settings"
)

// Resolution is who gets mail for an address.
type Resolution struct {
	// LocalDomain is false when the domain is not ours; the rest is then empty.
	LocalDomain bool
	// Accounts get the message here, each once.
	Accounts []Account
	// External are members of groups whose mail is elsewhere, each once.
	External []address.Address
	// Detail is what stood behind the separator: "lists" of alice+lists@example.org.
	Detail string
	// Via says what the address is: "account", "alias", "group", "role" (postmaster and abuse) or "catch-all".
	Via string
}

// Resolve finds who gets mail for an address. An address of ours without a recipient gives a *reply.Error: 550 5.1.1 for
// an unknown one, 550 5.2.1 when the accounts behind it are disabled, 550 5.2.4 for a group without members, 451 4.2.4
// for groups that are nested or grown beyond the settings' limits. The bare Postmaster of RFC 5321 4.5.1, an address
// without a domain, is the first administrator.
func (d *Directory) Resolve(_ context.Context, to address.Address) (Resolution, error) {
	snap := d.now.Load()
	if to.Domain == "" && strings.EqualFold(to.Local, "postmaster") {
		return snap.resolveRole(Resolution{LocalDomain: true})
	}
	if snap.domains[to.Domain] == nil {
		return Resolution{}, nil
	}
	found, detail, via := snap.find(to)
	r := Resolution{LocalDomain: true, Detail: detail, Via: via}
	if found == nil {
		if via == viaRole {
			return snap.resolveRole(r)
		}
		return r, reply.New(550, "5.1.1", "No such user here")
	}
	if found.kind == kindAccount { // nearly always
		p := snap.accounts[found.account]
		if p.Disabled {
			return r, errDisabled()
		}
		r.Accounts = []Account{p.Account}
		return r, nil
	}
	u := unfolding{
		snap:  snap,
		depth: settings.DirectoryGroupDepth.Get(d.settings),
		room:  settings.DirectoryGroupRecipients.Get(d.settings),
		seen:  make(map[string]bool),
		out:   &r,
	}
	if err := u.entry(found, 0); err != nil {
		return r, err
	}
	switch {
	case len(r.Accounts) > 0 || len(r.External) > 0:
		return r, nil
	case u.disabled:
		return r, errDisabled()
	}
	return r, reply.New(550, "5.2.4", "This list has no members")
}

func errDisabled() error { return reply.New(550, "5.2.1", "This mailbox is disabled") }

const (
	viaRole     = "role"
	viaCatchAll = "catch-all"
)

// find looks an address of a local domain up, in the order that the package comment gives. A role address that no one
// has gives no entry and "role".
func (s *snapshot) find(to address.Address) (found *entry, detail, via string) {
	if found, detail = s.named(to); found != nil {
		return found, detail, found.kind.String()
	}
	if isRole(s.domains[to.Domain], to.Local) && len(s.admins) > 0 {
		return nil, "", viaRole
	}
	if all := s.domains[to.Domain].CatchAll; !all.IsZero() {
		if found = s.addresses[all.Key()]; found != nil {
			return found, "", viaCatchAll
		}
	}
	return nil, "", ""
}

// named finds the address itself or the one of which it is a subaddress, the longest name first.
func (s *snapshot) named(to address.Address) (found *entry, detail string) {
	key := to.Key()
	if found = s.addresses[key]; found != nil {
		return found, ""
	}
	domain := s.domains[to.Domain]
	if domain == nil || domain.Separator == "" {
		return nil, ""
	}
	rest := to.Local
	for {
		at := strings.LastIndex(rest, domain.Separator)
		if at <= 0 {
			return nil, ""
		}
		rest = rest[:at]
		base := address.Address{Local: rest, Domain: to.Domain}
		if found = s.addresses[base.Key()]; found != nil {
			return found, to.Local[at+len(domain.Separator):]
		}
	}
}

// isRole reports whether a local part is one that every domain must have, perhaps with a subaddress.
func isRole(domain *Domain, local string) bool {
	if domain.Separator != "" {
		local, _, _ = strings.Cut(local, domain.Separator)
	}
	return strings.EqualFold(local, "postmaster") || strings.EqualFold(local, "abuse")
}

func (s *snapshot) resolveRole(r Resolution) (Resolution, error) {
	r.Via = viaRole
	if len(s.admins) == 0 {
		return r, reply.New(550, "5.1.1", "No such user here")
	}
	r.Accounts = []Account{s.accounts[s.admins[0]].Account}
	return r, nil
}

// unfolding gathers the recipients of aliases and groups, each once however the groups are entangled.
type unfolding struct {
	snap     *snapshot
	depth    int64
	room     int64
	seen     map[string]bool
	disabled bool // somebody is, and was left out
	out      *Resolution
}

func (u *unfolding) entry(e *entry, depth int64) error {
	switch e.kind {
	case kindAccount:
		return u.account(e.account)
	case kindAlias:
		for _, id := range e.targets {
			if err := u.account(id); err != nil {
				return err
			}
		}
		return nil
	}
	if !u.first(e.address.Key()) {
		return nil
	}
	if depth > u.depth {
		return reply.New(451, "4.2.4", "The groups behind this address are nested too deeply")
	}
	for _, member := range e.members {
		if err := u.member(member, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (u *unfolding) member(member address.Address, depth int64) error {
	if u.snap.domains[member.Domain] != nil {
		if found, _ := u.snap.named(member); found != nil {
			return u.entry(found, depth)
		}
		return nil // of a domain that became ours after the member had been added
	}
	if !u.first(member.Key()) {
		return nil
	}
	u.out.External = append(u.out.External, member)
	return u.counted()
}

func (u *unfolding) account(id int64) error {
	p := u.snap.accounts[id]
	if p.Disabled {
		u.disabled = true
		return nil
	}
	if !u.first(p.Address.Key()) {
		return nil
	}
	u.out.Accounts = append(u.out.Accounts, p.Account)
	return u.counted()
}

func (u *unfolding) first(key string) bool {
	if u.seen[key] {
		return false
	}
	u.seen[key] = true
	return true
}

func (u *unfolding) counted() error {
	if u.room--; u.room < 0 {
		return reply.New(451, "4.2.4", "This address stands for too many recipients")
	}
	return nil
}

// MaySendAs reports whether the account may put the address into MAIL FROM, From or Sender: it is its own address, an
// alias that points to it, a role address that falls to it, a grant, or a subaddress of these. A group's members may not
// send as the group, nor whoever gets a catch-all's mail as everybody.
func (d *Directory) MaySendAs(_ context.Context, account int64, a address.Address) (bool, error) {
	snap := d.now.Load()
	p := snap.accounts[account]
	if p == nil || p.Disabled || snap.domains[a.Domain] == nil {
		return false, nil
	}
	found, _ := snap.named(a)
	if found == nil {
		return isRole(snap.domains[a.Domain], a.Local) && len(snap.admins) > 0 && snap.admins[0] == account, nil
	}
	switch found.kind {
	case kindAccount:
		if found.account == account {
			return true, nil
		}
	case kindAlias:
		for _, id := range found.targets {
			if id == account {
				return true, nil
			}
		}
	}
	if len(p.grants) == 0 {
		return false, nil
	}
	key := found.address.Key()
	for _, granted := range p.grants {
		if granted.Key() == key {
			return true, nil
		}
	}
	return false, nil
}
