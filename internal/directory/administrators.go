package directory

// Administrators gives the accounts that administer and are not disabled, the oldest first.
func (d *Directory) Administrators() []Account {
	snap := d.now.Load()
	out := make([]Account, 0, len(snap.admins))
	for _, id := range snap.admins {
		out = append(out, snap.accounts[id].Account)
	}
	return out
}
