package scripts

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"

	"postern/internal/db"
)

// Version is the SHA-256 of a script's content: the same version means the same bytes, whoever owns them, so that what is
// computed from a script can be kept by it.
type Version [32]byte

// VersionOf is the version of a content.
func VersionOf(content []byte) Version { return sha256.Sum256(content) }

// Active is the script to run.
type Active struct {
	Name    string
	Version Version
	Content []byte // shared: read only
}

// head is what memory holds of each active script.
type head struct {
	name    string
	version Version
}

func (r *row) head() *head { return &head{name: r.name, version: Version(r.hash)} }

// actives knows who has an active script. It follows the commits; the contents are in its cache, as far as they fit.
type actives struct {
	mu    sync.RWMutex
	heads map[Owner]head
	stale atomic.Bool // a commit was lost: heads may have parted from the database
	cache cache
}

// Active gives the owner's active script; ok is false if there is none. Only a script that the cache does not hold costs a
// look-up in the database. It fails with [ErrDamaged] rather than give what nobody put.
func (s *Store) Active(ctx context.Context, o Owner) (a Active, ok bool, err error) {
	if s.actives.stale.Load() {
		if err := s.refresh(ctx); err != nil {
			return Active{}, false, err
		}
	}
	s.actives.mu.RLock()
	h, ok := s.actives.heads[o]
	s.actives.mu.RUnlock()
	if !ok {
		return Active{}, false, nil
	}
	if content, cached := s.actives.cache.get(h.version); cached {
		return Active{Name: h.name, Version: h.version, Content: content}, true, nil
	}
	return s.readActive(ctx, o)
}

// HasActive reports, from memory, whether an owner has an active script; where memory may be out of date it says that there is one.
func (s *Store) HasActive(o Owner) bool {
	if s.actives.stale.Load() {
		return true
	}
	s.actives.mu.RLock()
	defer s.actives.mu.RUnlock()
	_, ok := s.actives.heads[o]
	return ok
}

// readActive reads what is active now, which may be newer than what memory knew.
func (s *Store) readActive(ctx context.Context, o Owner) (Active, bool, error) {
	var r row
	var content []byte
	err := r.scan(s.db.QueryRow(ctx, `SELECT `+columns+`, content FROM sieve_scripts WHERE account = ? AND domain = ? AND role = ? AND active = 1`,
		o.Account, o.Domain, int64(o.Role)), &content)
	if errors.Is(err, db.ErrNoRows) {
		return Active{}, false, nil
	}
	if err != nil {
		return Active{}, false, err
	}
	if err := r.checkContent(content); err != nil {
		return Active{}, false, err
	}
	a := Active{Name: r.name, Version: Version(r.hash), Content: content}
	s.actives.cache.put(a.Version, content)
	return a, true, nil
}

// publish has memory follow the transaction once that is durable; nil means that no script is active.
func (s *Store) publish(tx *db.Tx, o Owner, h *head) {
	tx.OnCommit(func() {
		s.actives.mu.Lock()
		defer s.actives.mu.Unlock()
		if h == nil {
			delete(s.actives.heads, o)
			return
		}
		s.actives.heads[o] = *h
	})
}

// refresh reads the heads anew. It does so on the committer, so that no commit slips in between.
func (s *Store) refresh(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if !s.actives.stale.Load() {
			return nil // another was quicker
		}
		heads, err := readHeads(tx)
		if err != nil {
			return err
		}
		tx.OnCommit(func() {
			s.actives.replace(heads)
			s.actives.stale.Store(false)
		})
		return nil
	})
}

func (a *actives) replace(heads map[Owner]head) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heads = heads
}

// readHeads reads all of them.
func readHeads(tx *db.Tx) (map[Owner]head, error) {
	rows, err := tx.Query(`SELECT ` + columns + ` FROM sieve_scripts WHERE active = 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	heads := map[Owner]head{}
	for rows.Next() {
		var r row
		if err := r.scan(rows); err != nil {
			return nil, err
		}
		if len(r.hash) != len(Version{}) {
			r.hash = make([]byte, len(Version{})) // damaged: nothing in the cache has this version, and the look-up says so
		}
		heads[r.owner] = *r.head()
	}
	return heads, rows.Err()
}
