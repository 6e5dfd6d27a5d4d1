package directory

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"time"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/sasl"
	"postern/internal/settings"
)

// maxSecret bounds a presented password, in octets; those that can be set are shorter.
const maxSecret = 4096

// Authenticate checks a password (sasl.Authenticator). A wrong password, an unknown login and a disabled account cost
// the same time and get the same answer, sasl.ErrBadCredentials.
func (d *Directory) Authenticate(ctx context.Context, login, password string) (sasl.Identity, error) {
	return d.authenticate(ctx, "", login, password)
}

// Scram gives what proves a password (sasl.Authenticator). For an unknown login it makes up credentials that no one can
// prove, the same each time; a disabled account has its salt, and keys that no one can prove.
func (d *Directory) Scram(_ context.Context, login string) (sasl.ScramCredentials, error) {
	key := loginKey(login)
	p := d.now.Load().person(key)
	v := d.unprovable(key)
	var id sasl.Identity
	switch {
	case p == nil:
	case p.Disabled:
		v.salt, v.iterations = p.verifier.salt, p.verifier.iterations
	default:
		v, id = p.verifier, p.identity()
	}
	return sasl.ScramCredentials{
		Identity:   id,
		Salt:       []byte(v.salt),
		Iterations: v.iterations,
		StoredKey:  []byte(v.storedKey),
		ServerKey:  []byte(v.serverKey),
	}, nil
}

// For gives an authenticator for one service, such as "imap", which also takes the app passwords made for it.
func (d *Directory) For(service string) sasl.Authenticator {
	return &serviceAuthenticator{d, service}
}

type serviceAuthenticator struct {
	*Directory
	service string
}

func (s *serviceAuthenticator) Authenticate(ctx context.Context, login, password string) (sasl.Identity, error) {
	return s.authenticate(ctx, s.service, login, password)
}

func (d *Directory) authenticate(ctx context.Context, service, login, password string) (sasl.Identity, error) {
	if len(password) > maxSecret || len(login) > maxSecret {
		return sasl.Identity{}, sasl.ErrBadCredentials
	}
	key := loginKey(login)
	prepared, err := sasl.Prepare(password)
	if err != nil {
		// It can be no one's password, and is found wrong at the usual price. Comparing it would be worse than useless:
		// HMAC pads its key with NUL, so that a password and the same with NULs behind it give the same hash.
		key, prepared = "?"+key, password
	}
	password = prepared
	p := d.now.Load().person(key)
	var id int64
	if p != nil {
		id = p.ID
	}
	mark := d.recent.mark(id, key, password)
	if p != nil && !p.Disabled {
		if d.recent.has(p, mark) {
			return p.identity(), nil
		}
		if d.apps != nil && d.apps.Verify(ctx, p.ID, service, password) {
			return p.identity(), nil
		}
	}
	// Several connections of one client come at once with the same password: they share one hash. It goes on when the
	// first of them has hung up.
	result := d.checks.DoChan(string(mark[:]), func() (any, error) {
		return d.check(context.WithoutCancel(ctx), key, password, mark)
	})
	select {
	case r := <-result:
		identity, _ := r.Val.(sasl.Identity)
		return identity, r.Err
	case <-ctx.Done():
		return sasl.Identity{}, ctx.Err()
	}
}

// check does the costly comparison. The account may be changed, disabled or removed while it waits and computes, so what
// counts is how the account stands at the end.
func (d *Directory) check(ctx context.Context, key, password string, mark [sha256.Size]byte) (sasl.Identity, error) {
	leave, err := d.hashing.enter(ctx, sasl.Remote(ctx))
	if err != nil {
		return sasl.Identity{}, err
	}
	defer leave()
	for range 3 {
		p := d.now.Load().person(key)
		v := d.unprovable(key)
		if p != nil {
			v = p.verifier
		}
		ok := v.matches(password)
		after := d.now.Load().person(key)
		switch {
		case p == nil || after == nil || after.Disabled:
			return sasl.Identity{}, sasl.ErrBadCredentials
		case after.ID != p.ID || after.verifier != v:
			continue // changed in between: compare with what it is now
		case !ok:
			return sasl.Identity{}, sasl.ErrBadCredentials
		}
		d.recent.add(d.strengthen(ctx, after, password), mark, settings.AuthCacheTTL.Get(d.settings))
		return after.identity(), nil
	}
	return sasl.Identity{}, sasl.ErrBadCredentials
}

// strengthen hashes a correct password anew when the setting asks for more rounds than its verifier has. That it fails
// is no reason to refuse the login.
func (d *Directory) strengthen(ctx context.Context, p *person, password string) *person {
	wanted := d.rounds()
	if p.verifier.iterations >= wanted {
		return p
	}
	old, stronger := p.verifier, makeVerifier(password, wanted)
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(`UPDATE directory_accounts SET verifier = ? WHERE id = ? AND verifier = ?`, stronger.String(), p.ID, old.String())
		if err == nil && n == 1 {
			d.publish(tx, func(s *snapshot) { s.editPerson(p.ID, func(p *person) { p.verifier = stronger }) })
		}
		return err
	})
	if err != nil {
		d.log.Warn("a password could not be hashed anew", "account", p.Address.String(), "error", err)
		return p
	}
	if now := d.now.Load().accounts[p.ID]; now != nil && now.verifier == stronger {
		return now
	}
	return p
}

func (p *person) identity() sasl.Identity {
	return sasl.Identity{Account: p.ID, Login: p.Address.String()}
}

// loginKey is the address key of a login name. What is no address gives a key that no one has.
func loginKey(login string) string {
	if prepared, err := sasl.Prepare(login); err == nil {
		login = prepared
	}
	a, err := address.Parse(strings.TrimSpace(login))
	if err != nil {
		return "?" + strings.ToLower(login)
	}
	return a.Key()
}

// unprovable makes up the verifier of someone who is not there: it looks like any other, and stays the same, so that
// asking twice tells nothing (RFC 5802 9 warns of salts that give users away).
func (d *Directory) unprovable(key string) verifier {
	h := func(purpose string) string {
		m := hmac.New(sha256.New, d.secret)
		m.Write([]byte(purpose))
		m.Write([]byte(key))
		return string(m.Sum(nil))
	}
	return verifier{iterations: d.rounds(), salt: h("salt ")[:saltSize], storedKey: h("stored "), serverKey: h("server ")}
}

// successes remembers correct passwords for some minutes, so that a client that logs in again does not cost the hash
// again. What is kept is an HMAC under a key that lives as long as the process: the memory's content gives no password.
type successes struct {
	key   []byte
	clock clock.Clock
	mu    sync.Mutex
	hits  map[int64][]hit
}

// hitsOfOne is how many correct passwords of an account are remembered: there is but one, and the one before its change.
const hitsOfOne = 2

// hit is one correct password. It counts as long as the account has the verifier with which it was found correct.
type hit struct {
	mark     [sha256.Size]byte
	verifier verifier
	until    time.Time
}

func newSuccesses(c clock.Clock) *successes {
	key := make([]byte, 32)
	rand.Read(key)
	return &successes{key: key, clock: c, hits: make(map[int64][]hit)}
}

// mark names a password of an account. The account is part of it, so that no one's password opens another's.
func (s *successes) mark(id int64, login, password string) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, s.key)
	var head [16]byte
	binary.BigEndian.PutUint64(head[:8], uint64(id))
	binary.BigEndian.PutUint64(head[8:], uint64(len(login)))
	m.Write(head[:])
	m.Write([]byte(login))
	m.Write([]byte(password))
	m.Sum(sum[:0])
	return sum
}

// has reports whether the password was lately found correct for the account as it is now.
func (s *successes) has(p *person, mark [sha256.Size]byte) bool {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hits[p.ID] {
		if subtle.ConstantTimeCompare(h.mark[:], mark[:]) == 1 {
			return now.Before(h.until) && h.verifier == p.verifier
		}
	}
	return false
}

func (s *successes) add(p *person, mark [sha256.Size]byte, ttl time.Duration) {
	if ttl == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.DeleteFunc(s.hits[p.ID], func(h hit) bool { return h.mark == mark })
	list = append(list, hit{mark, p.verifier, s.clock.Now().Add(ttl)})
	if len(list) > hitsOfOne {
		list = slices.Delete(list, 0, len(list)-hitsOfOne)
	}
	s.hits[p.ID] = list
}

// drop forgets an account's.
func (s *successes) drop(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hits, id)
}
