package directory

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"slices"
	"sync"
	"time"

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
	key := sasl.LoginKey(login)
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
		if d.recent.has(p, mark, d.rounds()) {
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
		wanted := d.rounds()
		d.recent.add(d.strengthen(ctx, after, password, wanted), mark, wanted, settings.AuthCacheTTL.Get(d.settings))
		return after.identity(), nil
	}
	return sasl.Identity{}, sasl.ErrBadCredentials
}

// strengthen makes anew, from a correct password, the credentials whose rounds are not those of the settings: a verifier
// that has fewer, and keys for SCRAM that have others or cannot be read. That it fails is no reason to refuse the login.
func (d *Directory) strengthen(ctx context.Context, p *person, password string, wanted rounds) *person {
	next := p.credentials
	if next.verifier.iterations < wanted.verifier {
		next.verifier = makeVerifier(password, wanted.verifier)
	}
	if next.scram.iterations != wanted.scram {
		next.scram = makeScramKeys(password, wanted.scram)
	}
	if next == p.credentials {
		return p
	}
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec(`UPDATE directory_accounts SET verifier = ?, scram = ? WHERE id = ? AND verifier = ?`,
			next.verifier.String(), d.seal.sealScram(p.ID, next.scram), p.ID, p.verifier.String())
		if err == nil && n == 1 {
			d.publish(tx, func(s *snapshot) { s.editPerson(p.ID, func(p *person) { p.credentials = next }) })
		}
		return err
	})
	if err != nil {
		d.log.Warn("a password could not be hashed anew", "account", p.Address.String(), "error", err)
		return p
	}
	if now := d.now.Load().accounts[p.ID]; now != nil && now.verifier == next.verifier {
		return now
	}
	return p
}

func (p *person) identity() sasl.Identity {
	return sasl.Identity{Account: p.ID, Login: p.Address.String()}
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

// hit is one correct password. It counts as long as the account has the verifier with which it was found correct, and
// the settings ask for the rounds that they asked for then.
type hit struct {
	mark     [sha256.Size]byte
	verifier verifier
	rounds   rounds
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
func (s *successes) has(p *person, mark [sha256.Size]byte, wanted rounds) bool {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hits[p.ID] {
		if subtle.ConstantTimeCompare(h.mark[:], mark[:]) == 1 {
			return now.Before(h.until) && h.verifier == p.verifier && h.rounds == wanted
		}
	}
	return false
}

func (s *successes) add(p *person, mark [sha256.Size]byte, wanted rounds, ttl time.Duration) {
	if ttl == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.DeleteFunc(s.hits[p.ID], func(h hit) bool { return h.mark == mark })
	list = append(list, hit{mark, p.verifier, wanted, s.clock.Now().Add(ttl)})
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
