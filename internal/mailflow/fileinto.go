package mailflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postern/internal/store"
	"postern/sieve"
)

// place is where a fileinto puts the copy; why tells that it is not where the script wanted it. A mailbox that is not there is
// made if the script says so, and else is INBOX (RFC 5228 4.1).
func (y *sifted) place(ctx context.Context, a *sieve.Action) (place filing, why string, err error) {
	account := y.Store.Account(store.AccountID(y.own.ID))
	place.flags = a.Flags
	if a.Use != "" {
		all, err := account.Mailboxes(ctx)
		if err != nil {
			return place, "", err
		}
		if i := slices.IndexFunc(all, func(m store.Mailbox) bool { return store.HasRole(m.SpecialUse, a.Use) }); i >= 0 {
			place.mailbox = all[i].Name
			return place, "", nil
		}
	}
	m, err := account.Mailbox(ctx, a.Mailbox)
	switch {
	case err == nil && !m.NoSelect:
		place.mailbox = m.Name
		return place, "", nil
	case err != nil && !errors.Is(err, store.ErrNoMailbox):
		return place, "", err
	case a.Create && !errors.Is(err, store.ErrBadName):
		place.mailbox, place.role, place.create = a.Mailbox, a.Use, true
		return place, "", nil
	}
	return place, "; there is no such mailbox, so it went to INBOX", nil
}

// file stores the copy in a place, once, with the header that it has now. why tells that it has another.
func (y *sifted) file(place filing, header []byte, by string) (why string, err error) {
	if strings.EqualFold(place.mailbox, store.Inbox) {
		place.mailbox = ""
	}
	place.flags = slices.DeleteFunc(slices.Clone(place.flags), func(flag string) bool { return !store.IsFlag(flag) })
	own := y.p.filings[y.before:]
	for n := range own {
		if one := &own[n]; one.mailbox == place.mailbox && one.role == place.role {
			one.flags = append(one.flags, place.flags...)
			return "", nil
		}
	}
	if why, err = y.edit(&place, header); err != nil {
		return "", err
	}
	place.copy, place.nth = y.i, len(own)
	y.p.filings = append(y.p.filings, place)
	y.filed(place.name(), by)
	return why, nil
}

// keepAsUsual stores the copy where it would go without a script.
func (y *sifted) keepAsUsual(flags []string, header []byte) (why string, err error) {
	place := y.usual
	place.flags = flags
	return y.file(place, header, place.usualBy())
}

// usualBy says by what a usual place was chosen.
func (place *filing) usualBy() string {
	switch {
	case place.role != "":
		return "spam"
	case place.mailbox != "":
		return "subaddress"
	}
	return "default"
}

// name is the place's for people.
func (place *filing) name() string {
	switch {
	case place.mailbox != "":
		return place.mailbox
	case place.role != "":
		return strings.TrimPrefix(place.role, `\`)
	}
	return store.Inbox
}

// filed tells the judgement's trace where the copy went, and by what.
func (y *sifted) filed(mailbox, by string) {
	r := y.recipient(y.p.plan.accounts[y.i])
	switch {
	case r == nil:
	case r.Mailbox == "":
		r.Mailbox, r.FiledBy = mailbox, by
	default:
		r.Mailbox, r.FiledBy = fmt.Sprintf("%s, %s", r.Mailbox, mailbox), fmt.Sprintf("%s; %s", r.FiledBy, by)
	}
}
