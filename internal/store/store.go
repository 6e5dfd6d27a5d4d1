package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
)

// AccountID names an account; the directory gives it.
type AccountID int64

// Options of [Open].
type Options struct {
	DB *db.DB
	// BlobDir holds the large messages, in folders of its own making.
	BlobDir string
	Clock   clock.Clock
	Log     *slog.Logger
	// CacheBytes bounds what is held in memory: lists of messages and their metas. 0 means 256 MiB.
	CacheBytes int64
	// Tombstones tells how long, and how many for each mailbox, expunged UIDs are remembered. nil: 90 days, 100,000.
	Tombstones func() (keep time.Duration, atMost int64)
}

// Store is the mail of all accounts. Its methods may be called from any goroutine.
type Store struct {
	db         *db.DB
	clock      clock.Clock
	log        *slog.Logger
	tombstones func() (time.Duration, int64)
	files      *blobFiles
	codec      *codec
	metas      *metaCache
	listBudget int64

	mu       sync.RWMutex
	accounts map[AccountID]*state

	// Only the committer uses these.
	nextID int64
	loaded map[*box]struct{} // boxes whose list is in memory

	generation atomic.Uint64 // raised when memory may have parted from the database
	uses       atomic.Int64  // a clock of selections, for the least recently used

	watchMu  sync.Mutex
	watchers map[AccountID]*watchers

	viewMu sync.Mutex
	views  map[AccountID]map[*View]struct{}

	blobUses []string // see CountBlobUse; under mu
	reaper   *reaper
	listener atomic.Pointer[Listener]
	journal  atomic.Pointer[Journal]
}

// Open readies the store and starts its reaper, which removes what nothing names any more.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.DB == nil || o.BlobDir == "" {
		return nil, errors.New("store: needs a database and a folder for blobs")
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 256 << 20
	}
	if o.Tombstones == nil {
		o.Tombstones = func() (time.Duration, int64) { return 90 * 24 * time.Hour, 100_000 }
	}
	files, err := openBlobFiles(o.BlobDir)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{
		db: o.DB, clock: o.Clock, log: o.Log, tombstones: o.Tombstones, files: files, codec: newCodec(),
		metas: newMetaCache(o.CacheBytes / 2), listBudget: o.CacheBytes / 2,
		accounts: map[AccountID]*state{}, loaded: map[*box]struct{}{}, watchers: map[AccountID]*watchers{}, views: map[AccountID]map[*View]struct{}{},
	}
	if err := o.DB.QueryRow(ctx, `SELECT next_id FROM store_state WHERE one = 1`).Scan(&s.nextID); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	o.DB.OnUncertain(func() { s.generation.Add(1) })
	s.reaper = startReaper(s)
	return s, nil
}

// Close stops the reaper. Views become useless; the database stays open.
func (s *Store) Close() error {
	s.reaper.stop()
	return nil
}

// newID numbers a mailbox, an original, a blob or a key. Only within a transaction that is flushed by [staging.flush].
func (s *Store) newID() int64 {
	id := s.nextID
	s.nextID++
	return id
}

func (s *Store) now() time.Time { return s.clock.Now() }

// Account is the door to one account's mail.
func (s *Store) Account(id AccountID) *Account { return &Account{s: s, id: id} }

// Account gives access to the mail of one account, and to nothing else.
type Account struct {
	s  *Store
	id AccountID
}

// ID is the account's number.
func (a *Account) ID() AccountID { return a.id }

// state finds the account in memory, or reads it.
func (a *Account) state(ctx context.Context) (*state, error) {
	a.s.mu.RLock()
	st := a.s.accounts[a.id]
	fresh := st != nil && st.generation == a.s.generation.Load()
	a.s.mu.RUnlock()
	if fresh {
		return st, nil
	}
	err := a.s.db.Write(ctx, func(tx *db.Tx) error {
		sa, err := a.s.stage(tx).account(a.id)
		if err == nil {
			st = sa.st
		}
		return err
	})
	return st, err
}

// do runs fn on the committer with the account staged.
func (a *Account) do(ctx context.Context, fn func(tx *db.Tx, sa *stagedAccount) error) error {
	return a.s.db.Write(ctx, func(tx *db.Tx) error {
		sa, err := a.s.stage(tx).account(a.id)
		if err != nil {
			return err
		}
		return fn(tx, sa)
	})
}
