// Package directory knows who lives here: domains, people, aliases, groups, their credentials, and who may send as whom.
//
// Roads end here from three sides. A RCPT command asks [Directory.Resolve] who gets mail for an address; a login asks
// [Directory.Authenticate] or [Directory.Scram] (the directory is a sasl.Authenticator); a submitted message asks
// [Directory.MaySendAs]. All three, and [Directory.IsLocalDomain], are answered from an immutable snapshot in memory
// without SQL. The administrator's commands change the database in one transaction each; once it is durable, a new
// snapshot takes the old one's place. A change that is refused says what is wrong and how to mend it, and changes nothing.
//
// An address stands for, in this order: the account, alias or group of that very name; the one whose name stands before
// the domain's separator (alice+lists is alice); for postmaster and abuse, which every domain must have (RFC 5321 4.5.1,
// RFC 2142), the first administrator; the domain's catch-all.
package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
)

// Mail is what the directory needs of the store: each joins the transaction that changes the account.
type Mail interface {
	CreateAccountTx(tx *db.Tx, account int64) error
	RemoveAccountTx(tx *db.Tx, account int64) error
	// SetQuotaTx limits the account's storage; 0 means no limit.
	SetQuotaTx(tx *db.Tx, account int64, bytes int64) error
}

// AppPasswords verifies further secrets of an account, those made for single clients. They are random, so that checking
// one needs no costly hash.
type AppPasswords interface {
	// Verify reports whether password is one of the account's that may be used for the service, such as "imap".
	Verify(ctx context.Context, account int64, service, password string) bool
}

// Options are what a directory stands on.
type Options struct {
	DB           *db.DB
	Mail         Mail // nil where accounts have no mail, as in some tests
	Settings     *settings.Settings
	AppPasswords AppPasswords // nil when there are none
	// Key encrypts what must not be read out of a copy of the database. KeySize random bytes, kept outside it.
	Key []byte
	// Revoked is told of accounts that were removed, disabled or given another password, so that what their former
	// credentials let in can be ended. It is called on the database's committer and must not wait. May be nil.
	Revoked func(account int64)
	Clock   clock.Clock  // the system's when nil
	Log     *slog.Logger // nil discards
}

// Directory answers and changes. It is safe for concurrent use.
type Directory struct {
	db       *db.DB
	mail     Mail
	settings *settings.Settings
	apps     AppPasswords
	clock    clock.Clock
	log      *slog.Logger

	now     atomic.Pointer[snapshot]
	swap    sync.Mutex // held while now is replaced
	secret  []byte     // salts of unknown users come from it
	seal    sealer
	lostKey sync.Once     // whether it was said that the key does not open what is stored
	rounds  func() rounds // PBKDF2's, for passwords that are set
	hashing *hasher
	recent  *successes
	checks  singleflight.Group

	onRevoked  func(account int64)
	stop       func()
	background sync.WaitGroup
}

// Account is a person, or a machine that has mail.
type Account struct {
	ID              int64 // never used twice
	Address         address.Address
	Name            string
	Admin           bool
	Disabled        bool
	Quota           int64 // bytes; 0 is the setting quota.default, NoQuota no limit
	PasswordChanged time.Time
	Created         time.Time
}

// NoQuota as a quota means that there is no limit, whatever the default is.
const NoQuota = -1

// Domain is a domain whose mail is ours.
type Domain struct {
	Name      string          // lower-case A-labels
	Separator string          // of subaddresses, one character, or "" for none
	CatchAll  address.Address // zero for none
	Created   time.Time
}

// Reasons why a change is refused, to be found with errors.Is; the error's text says more.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrInvalid  = errors.New("not valid")
)

// refusal is an error for the administrator; its kind is one of those above.
type refusal struct {
	kind error
	text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

// Refuse makes an error whose text is for the administrator and which errors.Is finds by its kind, such as ErrNotFound.
func Refuse(kind error, format string, args ...any) error {
	return &refusal{kind, fmt.Sprintf(format, args...)}
}

// Open reads the directory into memory. Close it before the database.
func Open(ctx context.Context, o Options) (*Directory, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Directory{db: o.DB, mail: o.Mail, settings: o.Settings, apps: o.AppPasswords, onRevoked: o.Revoked, clock: o.Clock, log: o.Log}
	d.rounds = func() rounds {
		return rounds{int(settings.PasswordIterations.Get(d.settings)), int(settings.PasswordScramIterations.Get(d.settings))}
	}
	d.hashing = newHasher(o.Settings, o.Clock)
	d.recent = newSuccesses(o.Clock)
	var err error
	if d.seal, err = newSealer(o.Key); err != nil {
		return nil, err
	}
	if d.secret, err = secret(ctx, o.DB, "scram_secret"); err != nil {
		return nil, fmt.Errorf("directory: read its secret: %w", err)
	}
	snap, err := d.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("directory: read people and domains: %w", err)
	}
	d.now.Store(snap)
	o.DB.OnUncertain(d.reload)
	d.stop = o.Settings.OnChange(d.settingChanged)
	return d, nil
}

// Close waits for what still runs in the background.
func (d *Directory) Close() error {
	d.stop()
	d.background.Wait()
	return nil
}

// publish has the snapshot follow the transaction once that is durable. Changes come in the order of the commits.
func (d *Directory) publish(tx *db.Tx, change func(*snapshot)) {
	tx.OnCommit(func() {
		d.swap.Lock()
		defer d.swap.Unlock()
		next := d.now.Load().clone()
		change(next)
		d.now.Store(next)
	})
}

// reload reads everything anew, after a commit of which no one knows whether it happened.
func (d *Directory) reload() {
	d.swap.Lock()
	defer d.swap.Unlock()
	snap, err := d.load(context.Background())
	if err != nil {
		d.log.Error("directory could not be read again after a lost commit", "error", err)
		return
	}
	d.now.Store(snap)
}

// settingChanged gives accounts without a quota of their own the new default. It is called on the database's committer
// and so hands the work to a goroutine.
func (d *Directory) settingChanged(name string) {
	if name != settings.QuotaDefault.String() || d.mail == nil {
		return
	}
	d.background.Go(func() {
		if err := d.db.Write(context.Background(), d.applyDefaultQuota); err != nil {
			d.log.Error("the default quota could not be applied", "error", err)
		}
	})
}

func (d *Directory) applyDefaultQuota(tx *db.Tx) error {
	rows, err := tx.Query(`SELECT id FROM directory_accounts WHERE quota = 0`)
	if err != nil {
		return err
	}
	ids, err := collect(rows, func(scan func(...any) error) (id int64, err error) { return id, scan(&id) })
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := d.mail.SetQuotaTx(tx, id, d.effectiveQuota(0)); err != nil {
			return err
		}
	}
	return nil
}

// effectiveQuota is the store's limit for an account's quota.
func (d *Directory) effectiveQuota(quota int64) int64 {
	switch quota {
	case NoQuota:
		return 0
	case 0:
		return settings.QuotaDefault.Get(d.settings)
	}
	return quota
}

// Account gives a person by id.
func (d *Directory) Account(id int64) (Account, bool) {
	p := d.now.Load().accounts[id]
	if p == nil {
		return Account{}, false
	}
	return p.Account, true
}

// LoginHolds reports whether what an account logged in to at some time is still its: the account is there, not disabled,
// and has had no other password since.
func (d *Directory) LoginHolds(account int64, at time.Time) bool {
	p := d.now.Load().accounts[account]
	return p != nil && !p.Disabled && !p.PasswordChanged.After(at) && !p.since.After(at)
}

// User gives the account of exactly this address.
func (d *Directory) User(a address.Address) (Account, bool) {
	p := d.now.Load().person(a.Key())
	if p == nil {
		return Account{}, false
	}
	return p.Account, true
}

// IsLocalDomain reports whether mail for the domain, given in A-labels, is ours.
func (d *Directory) IsLocalDomain(domain string) bool {
	return d.now.Load().domains[strings.ToLower(domain)] != nil
}
