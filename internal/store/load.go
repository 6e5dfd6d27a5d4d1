package store

import (
	"context"
	"fmt"
	"slices"

	"postern/internal/db"
)

// loadRounds is how often a reading of a mailbox is tried beside the committer before it is done on the committer.
const loadRounds = 4

// load brings the list of a mailbox into memory.
//
// The list is read from a snapshot, beside the committer, which may take a while; then, on the committer, what arrived
// meanwhile is read behind it. Only arrivals can have happened: everything else needs a view, and so a list. The one
// exception, INBOX renamed, is seen by the version's count of shuffles, and the reading is done again.
func (s *Store) loadList(ctx context.Context, b *box) error {
	b.loading.Lock()
	defer b.loading.Unlock()
	for round := 1; ; round++ {
		seen := b.cur.Load()
		switch {
		case seen.gone:
			return fmt.Errorf("%w: %q", ErrNoMailbox, seen.name)
		case seen.list != nil:
			return nil
		}
		var base *list
		if round < loadRounds {
			err := s.db.View(ctx, func(tx *db.ReadTx) (err error) {
				base, err = readList(tx, seen, 0, nil)
				return err
			})
			if err != nil {
				return err
			}
		}
		done, err := s.installList(ctx, b, base, seen.shuffles)
		if done || err != nil {
			return err
		}
	}
}

// installList completes the list on the committer and makes it part of the newest version. It gives false when the
// mailbox was shuffled since base was read.
func (s *Store) installList(ctx context.Context, b *box, base *list, shuffles int) (done bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		done = false
		g := s.stage(tx)
		sa, err := g.account(b.st.id)
		if err != nil {
			return err
		}
		v := sa.version(b)
		switch {
		case v.gone:
			return fmt.Errorf("%w: %q", ErrNoMailbox, v.name)
		case v.list != nil:
			done = true
			return nil
		case base != nil && v.shuffles != shuffles:
			return nil
		}
		from := uint32(0)
		if base != nil && base.n > 0 {
			last := base.chunks[len(base.chunks)-1]
			from = last.uids[last.len()-1] + 1
		}
		full, err := readList(tx, v, from, base)
		if err != nil {
			return err
		}
		fresh := v.rowIsFresh
		v = sa.edit(b)
		v.list, v.rowIsFresh = full, fresh
		if full.n != int(v.messages) {
			s.log.Error("mailbox counter does not match its messages; run verify", "account", v.account, "mailbox", v.id,
				"counter", v.messages, "messages", full.n)
		}
		tx.OnCommit(func() {
			s.loaded[b] = struct{}{}
			s.evictLists(b)
		})
		done = true
		return nil
	})
	return done, err
}

// evictLists drops lists that no view uses, least recently used first, until the rest fits the budget. It runs on the
// committer, before the commit's versions are published; keep is the one just loaded.
func (s *Store) evictLists(keep *box) {
	var total int64
	var idle []*box
	for b := range s.loaded {
		v := b.cur.Load()
		if v.list == nil {
			if b != keep {
				delete(s.loaded, b)
			}
			continue
		}
		total += v.list.bytes()
		b.mu.Lock()
		if len(b.views) == 0 && b != keep {
			idle = append(idle, b)
		}
		b.mu.Unlock()
	}
	if total <= s.listBudget {
		return
	}
	slices.SortFunc(idle, func(x, y *box) int { return int(x.lastUse.Load() - y.lastUse.Load()) })
	for _, b := range idle {
		if total <= s.listBudget {
			return
		}
		total -= b.cur.Load().list.bytes()
		b.dropList()
		delete(s.loaded, b)
	}
}

// dropList forgets the list unless a view has come.
func (b *box) dropList() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.views) == 0 {
		v := *b.cur.Load()
		v.list = nil
		b.cur.Store(&v)
	}
}
