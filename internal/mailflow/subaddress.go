package mailflow

import (
	"context"
	"strings"

	"postern/internal/settings"
	"postern/internal/store"
)

// usual is where a copy goes unless a script says otherwise: where its verdict says, or into the folder that its address names.
func (x *sifting) usual(ctx context.Context, i int) (filing, error) {
	place, c := x.p.usual(i), x.p.plan.accounts[i]
	if place.role != "" || c.detail == "" || !settings.SieveSubaddressFolders.Get(x.Settings) {
		return place, nil
	}
	name, err := x.folderOf(ctx, c)
	place.mailbox = name
	return place, err
}

// folderOf finds the mailbox that is named by the detail of an address, in any case of letters; "" is none. What has a special use is not
// for senders to choose: mail in Trash goes unread and is deleted, mail in Sent looks as if the owner wrote it.
func (x *sifting) folderOf(ctx context.Context, c copyFor) (string, error) {
	all, err := x.Store.Account(store.AccountID(c.account)).Mailboxes(ctx)
	if err != nil {
		return "", err
	}
	found := ""
	for _, m := range all {
		if m.NoSelect || m.SpecialUse != "" || !strings.EqualFold(m.Name, c.detail) {
			continue
		}
		if found = m.Name; found == c.detail {
			break
		}
	}
	return found, nil
}
