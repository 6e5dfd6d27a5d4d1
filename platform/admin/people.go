package admin

import (
	"context"
	"slices"

	"postern/internal/address"
	"postern/internal/directory"
)

// parse reads an address of a request.
func parse(s string) (address.Address, error) {
	a, err := address.Parse(s)
	if err != nil {
		return a, invalid("write one such as alice@example.org", "%q is not an address", s)
	}
	return a, nil
}

func parseAll(texts []string) ([]address.Address, error) {
	list := make([]address.Address, len(texts))
	for i, s := range texts {
		a, err := parse(s)
		if err != nil {
			return nil, err
		}
		list[i] = a
	}
	return list, nil
}

func textAll(list []address.Address) []string {
	all := make([]string, len(list))
	for i, a := range list {
		all[i] = a.String()
	}
	return all
}

func userOf(a directory.Account) User {
	return User{ID: a.ID, Address: a.Address.String(), Name: a.Name, Admin: a.Admin, Disabled: a.Disabled, Quota: a.Quota, Created: a.Created}
}

func (b *Backend) user(s string) (directory.Account, error) {
	a, err := parse(s)
	if err != nil {
		return directory.Account{}, err
	}
	account, ok := b.Directory.User(a)
	if !ok {
		return account, &Error{"not_found", "there is no user " + a.String(), "`postern user list` shows all"}
	}
	return account, nil
}

func (b *Backend) listUsers(request) ([]User, error) {
	users := b.Directory.Users()
	list := make([]User, len(users))
	for i, u := range users {
		list[i] = userOf(u)
	}
	return list, nil
}

func (b *Backend) addUser(r request, in NewUser) (User, error) {
	a, err := parse(in.Address)
	if err != nil {
		return User{}, err
	}
	account, err := b.Directory.AddUser(r, directory.NewUser{Address: a, Name: in.Name, Password: in.Password, Admin: in.Admin, Quota: in.Quota})
	return userOf(account), err
}

func (b *Backend) getUser(r request) (UserDetails, error) {
	account, err := b.user(r.path("address"))
	if err != nil {
		return UserDetails{}, err
	}
	details := UserDetails{User: userOf(account), PasswordChanged: account.PasswordChanged, Aliases: []string{}, Groups: []string{}}
	details.Grants = textAll(b.Directory.Grants(account.ID))
	has := func(list []address.Address) bool {
		return slices.ContainsFunc(list, func(a address.Address) bool { return a.Key() == account.Address.Key() })
	}
	for _, alias := range b.Directory.Aliases() {
		if has(alias.Targets) {
			details.Aliases = append(details.Aliases, alias.Address.String())
		}
	}
	for _, group := range b.Directory.Groups() {
		if has(group.Members) {
			details.Groups = append(details.Groups, group.Address.String())
		}
	}
	details.UsedBytes, details.UsedMessages, err = b.Mail.Usage(r, account.ID)
	return details, err
}

func (b *Backend) changeUser(r request, in UserChange) (User, error) {
	account, err := b.user(r.path("address"))
	if err != nil {
		return User{}, err
	}
	if err := b.Directory.ChangeUser(r, account.Address, directory.UserChange(in)); err != nil {
		return User{}, err
	}
	account, err = b.user(r.path("address"))
	return userOf(account), err
}

func (b *Backend) removeUser(r request) (Nothing, error) {
	account, err := b.user(r.path("address"))
	if err != nil {
		return Nothing{}, err
	}
	return Nothing{}, b.Directory.RemoveUser(r, account.Address)
}

func (b *Backend) setPassword(r request, in Password) (Nothing, error) {
	account, err := b.user(r.path("address"))
	if err != nil {
		return Nothing{}, err
	}
	return Nothing{}, b.Directory.SetPassword(r, account.Address, in.Password)
}

func (b *Backend) listAliases(request) ([]Alias, error) {
	aliases := b.Directory.Aliases()
	list := make([]Alias, len(aliases))
	for i, a := range aliases {
		list[i] = Alias{Address: a.Address.String(), Targets: textAll(a.Targets)}
	}
	return list, nil
}

func (b *Backend) addAlias(r request, in Alias) (Alias, error) {
	a, err := parse(in.Address)
	if err != nil {
		return Alias{}, err
	}
	targets, err := parseAll(in.Targets)
	if err != nil {
		return Alias{}, err
	}
	return Alias{a.String(), textAll(targets)}, b.Directory.AddAlias(r, a, targets)
}

func (b *Backend) removeAlias(r request) (Nothing, error) {
	a, err := parse(r.path("address"))
	if err != nil {
		return Nothing{}, err
	}
	return Nothing{}, b.Directory.RemoveAlias(r, a)
}

func groupOf(g directory.Group) Group {
	return Group{Address: g.Address.String(), Title: g.Title, Members: textAll(g.Members)}
}

func (b *Backend) group(s string) (directory.Group, error) {
	a, err := parse(s)
	if err != nil {
		return directory.Group{}, err
	}
	for _, g := range b.Directory.Groups() {
		if g.Address.Key() == a.Key() {
			return g, nil
		}
	}
	return directory.Group{}, &Error{"not_found", "there is no group " + a.String(), "`postern group list` shows all"}
}

func (b *Backend) listGroups(request) ([]Group, error) {
	groups := b.Directory.Groups()
	list := make([]Group, len(groups))
	for i, g := range groups {
		list[i] = groupOf(g)
	}
	return list, nil
}

func (b *Backend) addGroup(r request, in Group) (Group, error) {
	a, err := parse(in.Address)
	if err != nil {
		return Group{}, err
	}
	members, err := parseAll(in.Members)
	if err != nil {
		return Group{}, err
	}
	if err := b.Directory.AddGroup(r, a, in.Title, members); err != nil {
		return Group{}, err
	}
	g, err := b.group(in.Address)
	return groupOf(g), err
}

func (b *Backend) getGroup(r request) (Group, error) {
	g, err := b.group(r.path("address"))
	return groupOf(g), err
}

func (b *Backend) removeGroup(r request) (Nothing, error) {
	g, err := b.group(r.path("address"))
	if err != nil {
		return Nothing{}, err
	}
	return Nothing{}, b.Directory.RemoveGroup(r, g.Address)
}

func (b *Backend) addMember(r request) (Group, error) {
	return b.changeMember(r, b.Directory.AddMember)
}

func (b *Backend) removeMember(r request) (Group, error) {
	return b.changeMember(r, b.Directory.RemoveMember)
}

func (b *Backend) changeMember(r request, change func(ctx context.Context, group, member address.Address) error) (Group, error) {
	g, err := b.group(r.path("address"))
	if err != nil {
		return Group{}, err
	}
	member, err := parse(r.path("member"))
	if err != nil {
		return Group{}, err
	}
	if err := change(r, g.Address, member); err != nil {
		return Group{}, err
	}
	g, err = b.group(r.path("address"))
	return groupOf(g), err
}

func (b *Backend) listGrants(request) ([]Grant, error) {
	list := []Grant{}
	for _, u := range b.Directory.Users() {
		for _, as := range b.Directory.Grants(u.ID) {
			list = append(list, Grant{User: u.Address.String(), As: as.String()})
		}
	}
	return list, nil
}

func (b *Backend) addGrant(r request, in Grant) (Grant, error) {
	account, err := b.user(in.User)
	if err != nil {
		return Grant{}, err
	}
	as, err := parse(in.As)
	if err != nil {
		return Grant{}, err
	}
	return Grant{account.Address.String(), as.String()}, b.Directory.Grant(r, account.Address, as)
}

func (b *Backend) removeGrant(r request) (Nothing, error) {
	account, err := b.user(r.path("user"))
	if err != nil {
		return Nothing{}, err
	}
	as, err := parse(r.path("as"))
	if err != nil {
		return Nothing{}, err
	}
	return Nothing{}, b.Directory.Revoke(r, account.Address, as)
}
