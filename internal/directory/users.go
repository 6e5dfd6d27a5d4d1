package directory

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"postern/internal/address"
	"postern/internal/db"
)

// NewUser is what an account is made from.
type NewUser struct {
	Address  address.Address
	Name     string
	Password string
	Admin    bool
	Quota    int64 // bytes; 0 is the setting quota.default, NoQuota no limit
}

// PreparedUser is a NewUser whose password was found good and hashed, which takes too long for a transaction.
type PreparedUser struct {
	user        NewUser
	credentials credentials
}

// PrepareUser does what AddUserTx needs done before the transaction.
func (d *Directory) PrepareUser(ctx context.Context, u NewUser) (PreparedUser, error) {
	if err := checkUser(u.Name, u.Quota); err != nil {
		return PreparedUser{}, err
	}
	if d.now.Load().domains[u.Address.Domain] != nil && d.now.Load().addresses[u.Address.Key()] != nil {
		return PreparedUser{}, Refuse(ErrExists, "%s is taken already", u.Address)
	}
	c, err := d.newCredentials(ctx, u.Password)
	u.Password = ""
	return PreparedUser{u, c}, err
}

// newCredentials is the one way by which a password is set.
func (d *Directory) newCredentials(ctx context.Context, password string) (credentials, error) {
	prepared, err := CheckPassword(password)
	if err != nil {
		return credentials{}, err
	}
	leave, err := d.hashing.enter(ctx, netip.Addr{})
	if err != nil {
		return credentials{}, err
	}
	defer leave()
	return makeCredentials(prepared, d.rounds()), nil
}

func checkUser(name string, quota int64) error {
	if quota < NoQuota {
		return Refuse(ErrInvalid, "the quota must be a number of bytes, 0 for the default or %d for none", NoQuota)
	}
	return checkText("name", name)
}

// AddUser makes an account with its mailboxes.
func (d *Directory) AddUser(ctx context.Context, u NewUser) (account Account, err error) {
	prepared, err := d.PrepareUser(ctx, u)
	if err != nil {
		return Account{}, err
	}
	err = d.db.Write(ctx, func(tx *db.Tx) error {
		account, err = d.AddUserTx(tx, prepared)
		return err
	})
	return account, err
}

// AddUserTx is the part of AddUser that joins a transaction, in which the domain may have been added too.
func (d *Directory) AddUserTx(tx *db.Tx, u PreparedUser) (Account, error) {
	if err := d.takeAddress(tx, u.user.Address, kindAccount, ""); err != nil {
		return Account{}, err
	}
	id, err := nextAccount(tx)
	if err != nil {
		return Account{}, err
	}
	now := d.second()
	p := &person{Account: Account{ID: id, Address: u.user.Address, Name: u.user.Name, Admin: u.user.Admin, Quota: u.user.Quota,
		PasswordChanged: now, Created: now}, credentials: u.credentials}
	_, err = tx.Exec(`INSERT INTO directory_accounts (id, address_key, name, admin, disabled, quota, verifier, scram, password_changed, created)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?)`, id, p.Address.Key(), p.Name, number(p.Admin), p.Quota,
		p.verifier.String(), d.seal.sealScram(id, p.scram), now.Unix(), now.Unix())
	if err != nil {
		return Account{}, err
	}
	if d.mail != nil {
		if err := d.mail.CreateAccountTx(tx, id); err != nil {
			return Account{}, err
		}
		if err := d.mail.SetQuotaTx(tx, id, d.effectiveQuota(p.Quota)); err != nil {
			return Account{}, err
		}
	}
	d.publish(tx, func(s *snapshot) { s.putPerson(p) })
	return p.Account, nil
}

// nextAccount gives an id that no account ever had.
func nextAccount(tx *db.Tx) (int64, error) {
	var text string
	err := tx.QueryRow(`INSERT INTO directory_state (name, value) VALUES ('next_account', '1')
		ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(directory_state.value AS BIGINT) + 1 AS TEXT) RETURNING value`).Scan(&text)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// RemoveUser removes an account with all its mail, its grants and its memberships, and the aliases that pointed to no one
// else.
func (d *Directory) RemoveUser(ctx context.Context, a address.Address) error {
	return d.db.Write(ctx, func(tx *db.Tx) error { return d.RemoveUserTx(tx, a) })
}

// RemoveUserTx is RemoveUser within a transaction.
func (d *Directory) RemoveUserTx(tx *db.Tx, a address.Address) error {
	a, id, err := d.requireUser(tx, a)
	if err != nil {
		return err
	}
	if err := requireOtherAdmin(tx, id, "remove", a); err != nil {
		return err
	}
	if err := d.leaveAliases(tx, id); err != nil {
		return err
	}
	for _, query := range []string{`DELETE FROM directory_grants WHERE account_id = ?`, `DELETE FROM directory_accounts WHERE id = ?`} {
		if _, err := tx.Exec(query, id); err != nil {
			return err
		}
	}
	if err := d.removeAddress(tx, a); err != nil {
		return err
	}
	if d.mail != nil {
		if err := d.mail.RemoveAccountTx(tx, id); err != nil {
			return err
		}
	}
	d.publish(tx, func(s *snapshot) {
		delete(s.accounts, id)
		s.admins = slices.DeleteFunc(slices.Clone(s.admins), func(other int64) bool { return other == id })
	})
	tx.OnCommit(func() { d.revoked(id) })
	return nil
}

// UserChange says what of an account becomes different; nil leaves it as it is.
type UserChange struct {
	Name     *string
	Admin    *bool
	Disabled *bool
	Quota    *int64
}

// ChangeUser changes an account. A disabled one keeps its mail, gets none, and cannot log in.
func (d *Directory) ChangeUser(ctx context.Context, a address.Address, c UserChange) error {
	return d.db.Write(ctx, func(tx *db.Tx) error { return d.ChangeUserTx(tx, a, c) })
}

// ChangeUserTx is ChangeUser within a transaction.
func (d *Directory) ChangeUserTx(tx *db.Tx, a address.Address, c UserChange) error {
	a, id, err := d.requireUser(tx, a)
	if err != nil {
		return err
	}
	var name string
	var admin, disabled, quota int64
	err = tx.QueryRow(`SELECT name, admin, disabled, quota FROM directory_accounts WHERE id = ?`, id).Scan(&name, &admin, &disabled, &quota)
	if err != nil {
		return err
	}
	set(&name, c.Name)
	set(&quota, c.Quota)
	if c.Admin != nil {
		admin = number(*c.Admin)
	}
	if c.Disabled != nil {
		disabled = number(*c.Disabled)
	}
	if err := checkUser(name, quota); err != nil {
		return err
	}
	if admin == 0 || disabled == 1 {
		if err := requireOtherAdmin(tx, id, "change", a); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(`UPDATE directory_accounts SET name = ?, admin = ?, disabled = ?, quota = ? WHERE id = ?`, name, admin, disabled, quota, id); err != nil {
		return err
	}
	if c.Quota != nil && d.mail != nil {
		if err := d.mail.SetQuotaTx(tx, id, d.effectiveQuota(quota)); err != nil {
			return err
		}
	}
	d.publish(tx, func(s *snapshot) {
		s.editPerson(id, func(p *person) { p.Name, p.Admin, p.Disabled, p.Quota = name, admin == 1, disabled == 1, quota })
		d.recent.drop(id)
		if disabled == 1 {
			d.revoked(id)
		}
	})
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// SetPassword gives an account another password.
func (d *Directory) SetPassword(ctx context.Context, a address.Address, password string) error {
	if d.now.Load().person(a.Key()) == nil {
		return Refuse(ErrNotFound, "there is no user %s", a)
	}
	c, err := d.newCredentials(ctx, password)
	if err != nil {
		return err
	}
	return d.db.Write(ctx, func(tx *db.Tx) error {
		_, id, err := d.requireUser(tx, a)
		if err != nil {
			return err
		}
		now := d.second()
		_, err = tx.Exec(`UPDATE directory_accounts SET verifier = ?, scram = ?, password_changed = ? WHERE id = ?`,
			c.verifier.String(), d.seal.sealScram(id, c.scram), now.Unix(), id)
		if err != nil {
			return err
		}
		d.publish(tx, func(s *snapshot) {
			s.editPerson(id, func(p *person) { p.credentials, p.PasswordChanged, p.since = c, now, d.clock.Now() })
			d.revoked(id)
		})
		return nil
	})
}

// revoked ends what was let in by credentials that no longer hold.
func (d *Directory) revoked(id int64) {
	d.recent.drop(id)
	if d.onRevoked != nil {
		d.onRevoked(id)
	}
}

// Users lists the accounts by address.
func (d *Directory) Users() []Account {
	snap := d.now.Load()
	list := make([]Account, 0, len(snap.accounts))
	for _, p := range snap.accounts {
		list = append(list, p.Account)
	}
	slices.SortFunc(list, func(a, b Account) int { return byKey(a.Address, b.Address) })
	return list
}

// requireUser gives an account's address as it is written, and its id.
func (d *Directory) requireUser(tx *db.Tx, a address.Address) (address.Address, int64, error) {
	found, err := d.requireKind(tx, a, kindAccount)
	if err != nil {
		return a, 0, err
	}
	var id int64
	err = tx.QueryRow(`SELECT id FROM directory_accounts WHERE address_key = ?`, found.Key()).Scan(&id)
	return found, id, err
}

// requireOtherAdmin refuses to lose the last administrator: postmaster's mail would have no one to go to, and nobody
// could undo it.
func requireOtherAdmin(tx *db.Tx, id int64, verb string, a address.Address) error {
	var is, others int64
	err := tx.QueryRow(`SELECT COALESCE(SUM(CASE WHEN id = ? THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN id = ? THEN 0 ELSE 1 END), 0)
		FROM directory_accounts WHERE admin = 1 AND disabled = 0`, id, id).Scan(&is, &others)
	if err != nil {
		return err
	}
	if is > 0 && others == 0 {
		return Refuse(ErrInvalid, "cannot %s %s: it is the last administrator; make another user administrator first", verb, a)
	}
	return nil
}
