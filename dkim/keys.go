package dkim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
)

// ErrNoKey: there is no key of that domain and selector.
var ErrNoKey = errors.New("no such DKIM key")

// Keys are the keys of all our domains. Reading costs no query: they are held in memory and follow the commits.
type Keys struct {
	db    *db.DB
	clock clock.Clock

	mu     sync.Mutex // held while all is replaced
	all    atomic.Pointer[map[string][]*Key]
	loaded atomic.Bool
}

// OpenKeys reads the keys of a database.
func OpenKeys(ctx context.Context, d *db.DB, c clock.Clock) (*Keys, error) {
	k := &Keys{db: d, clock: c}
	if err := k.load(ctx); err != nil {
		return nil, err
	}
	d.OnUncertain(func() { k.loaded.Store(false) })
	return k, nil
}

func (k *Keys) load(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.loaded.Store(true)
	rows, err := k.db.Query(ctx, `SELECT domain, selector, algorithm, state, private, created, changed FROM dkim_keys ORDER BY domain, created, selector`)
	if err != nil {
		k.loaded.Store(false)
		return err
	}
	defer rows.Close()
	all := make(map[string][]*Key)
	for rows.Next() {
		var key Key
		var der []byte
		var created, changed int64
		if err := rows.Scan(&key.Domain, &key.Selector, &key.Algorithm, &key.State, &der, &created, &changed); err != nil {
			return err
		}
		if err := key.unmarshal(der); err != nil {
			return err
		}
		key.Created, key.Changed = time.Unix(created, 0).UTC(), time.Unix(changed, 0).UTC()
		all[key.Domain] = append(all[key.Domain], &key)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	k.all.Store(&all)
	return nil
}

// Of gives all keys of a domain, oldest first. They are shared: not to be changed.
func (k *Keys) Of(ctx context.Context, domain string) ([]*Key, error) {
	if !k.loaded.Load() {
		if err := k.load(ctx); err != nil {
			return nil, err
		}
	}
	return (*k.all.Load())[strings.ToLower(domain)], nil
}

// Signing gives the keys that sign for a domain now; none when the domain is not ours.
func (k *Keys) Signing(ctx context.Context, domain string) ([]*Key, error) {
	all, err := k.Of(ctx, domain)
	var active []*Key
	for _, key := range all {
		if key.State == Active {
			active = append(active, key)
		}
	}
	return active, err
}

// Generate makes an RSA-2048 and an Ed25519 key for a domain, with selectors of today's date that the domain does not
// use yet. They are stored by InsertTx. A domain's first keys are Active from the start, later ones Pending.
func (k *Keys) Generate(ctx context.Context, domain string) ([]*Key, error) {
	old, err := k.Of(ctx, domain)
	if err != nil {
		return nil, err
	}
	now := k.clock.Now().UTC().Truncate(time.Second)
	var made []*Key
	for _, a := range []Algorithm{RSA, Ed25519} {
		key, err := GenerateKey(a, domain, selector(old, a, now), now)
		if err != nil {
			return nil, err
		}
		if len(old) == 0 {
			key.State = Active
		}
		made = append(made, key)
	}
	return made, nil
}

// selector is a name such as "20261123-rsa", with a number when it is taken.
func selector(old []*Key, a Algorithm, now time.Time) string {
	base := now.Format("20060102") + "-" + string(a)
	name := base
	for n := 2; slices.ContainsFunc(old, func(k *Key) bool { return k.Selector == name }); n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

// InsertTx stores keys; they are seen once tx is durable.
func (k *Keys) InsertTx(tx *db.Tx, keys []*Key) error {
	for _, key := range keys {
		der, err := key.marshal()
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO dkim_keys (domain, selector, algorithm, state, private, created, changed) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			key.Domain, key.Selector, string(key.Algorithm), string(key.State), der, key.Created.Unix(), key.Changed.Unix())
		if err != nil {
			return err
		}
	}
	tx.OnCommit(func() {
		for _, key := range keys {
			k.replace(key.Domain, func(list []*Key) []*Key { return append(list, key) })
		}
	})
	return nil
}

// SetStateTx moves a key on in its rotation; ErrNoKey if there is none.
func (k *Keys) SetStateTx(tx *db.Tx, domain, selector string, state State) error {
	now := k.clock.Now().UTC().Truncate(time.Second)
	domain = strings.ToLower(domain)
	n, err := tx.Exec(`UPDATE dkim_keys SET state = ?, changed = ? WHERE domain = ? AND selector = ?`,
		string(state), now.Unix(), domain, selector)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNoKey
	}
	tx.OnCommit(func() {
		k.replace(domain, func(list []*Key) []*Key {
			for i, key := range list {
				if key.Selector == selector {
					moved := *key
					moved.State, moved.Changed = state, now
					list[i] = &moved
				}
			}
			return list
		})
	})
	return nil
}

// RemoveTx removes a key; ErrNoKey if there is none.
func (k *Keys) RemoveTx(tx *db.Tx, domain, selector string) error {
	domain = strings.ToLower(domain)
	n, err := tx.Exec(`DELETE FROM dkim_keys WHERE domain = ? AND selector = ?`, domain, selector)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNoKey
	}
	tx.OnCommit(func() {
		k.replace(domain, func(list []*Key) []*Key {
			return slices.DeleteFunc(list, func(key *Key) bool { return key.Selector == selector })
		})
	})
	return nil
}

// RemoveDomainTx removes all keys of a domain.
func (k *Keys) RemoveDomainTx(tx *db.Tx, domain string) error {
	domain = strings.ToLower(domain)
	if _, err := tx.Exec(`DELETE FROM dkim_keys WHERE domain = ?`, domain); err != nil {
		return err
	}
	tx.OnCommit(func() { k.replace(domain, func([]*Key) []*Key { return nil }) })
	return nil
}

// replace publishes a changed copy of a domain's list.
func (k *Keys) replace(domain string, change func([]*Key) []*Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := *k.all.Load()
	all := make(map[string][]*Key, len(old)+1)
	for d, list := range old {
		all[d] = list
	}
	if list := change(slices.Clone(all[domain])); len(list) > 0 {
		all[domain] = list
	} else {
		delete(all, domain)
	}
	k.all.Store(&all)
}
