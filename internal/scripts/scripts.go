// Package scripts keeps Sieve scripts: those that users put here by ManageSieve, and those that the administrator has run
// before and after them for a domain or for everybody.
//
// Roads end here from two sides. A ManageSieve session lists, reads and changes the scripts of its account; each change is
// one transaction, durable when the method returns, and refused with words for the user if it breaks a rule ([ErrName] and
// its neighbours) or a limit of the settings. A message on its way in asks [Store.Active] for the script to run, which is
// answered from memory for those who have none and mostly for those who have one, so that its cost does not grow with the
// number of scripts.
//
// What a script means is not known here: its bytes are kept exactly as they were put.
package scripts

import (
	"context"
	"fmt"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
)

// Options are what a store of scripts stands on.
type Options struct {
	DB       *db.DB
	Settings *settings.Settings
	// Exists tells whether an owner is still there; at Open the scripts of those who are not are removed. Nil: all are.
	Exists func(Owner) bool
	// CacheBytes bounds the active scripts that are kept in memory; 0 means 32 MiB.
	CacheBytes int64
	Clock      clock.Clock // the system's when nil
}

// Store holds the scripts. Its methods may be called from any goroutine.
type Store struct {
	db       *db.DB
	settings *settings.Settings
	clock    clock.Clock
	actives  actives

	generations generations
}

// Open reads which scripts are active. The store needs no closing, and is not used after the database was closed.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 32 << 20
	}
	s := &Store{db: o.DB, settings: o.Settings, clock: o.Clock}
	s.actives.cache.budget = o.CacheBytes
	if o.Exists != nil {
		if err := s.dropStrays(ctx, o.Exists); err != nil {
			return nil, fmt.Errorf("sieve scripts: %w", err)
		}
	}
	o.DB.OnUncertain(func() {
		s.actives.stale.Store(true)
		s.generations.epoch.Add(1)
	})
	s.actives.stale.Store(true)
	if err := s.refresh(ctx); err != nil {
		return nil, fmt.Errorf("sieve scripts: %w", err)
	}
	return s, nil
}
