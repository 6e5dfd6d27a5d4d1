package archive

import (
	"context"
	"errors"
	"sync"
	"time"

	"postern/internal/db"
	"postern/internal/settings"
)

const (
	// keepEvery is when the background looks for what has become old.
	keepEvery = 10 * time.Minute
	// keepRows is how much it removes in one work, so that deliveries do not wait for it long.
	keepRows = 500
)

// keeper removes what is older than the settings keep, or too much, from the old end: ranges of primary keys, never a
// search. It also erases what is left of removed accounts.
type keeper struct {
	a      *Archive
	signal chan struct{}
	unhook func()
	cancel context.CancelFunc
	done   chan struct{}
	pass   sync.Mutex // one at a time
}

func startKeeper(a *Archive) *keeper {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keeper{a: a, signal: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	k.unhook = a.settings.OnChange(func(name string) {
		if name == settings.SpamTraceKeep.String() || name == settings.SpamTraceMax.String() {
			k.wake()
		}
	})
	go k.run(ctx)
	return k
}

func (k *keeper) stop() {
	k.unhook()
	k.cancel()
	<-k.done
}

// wake asks for a pass soon. It never blocks.
func (k *keeper) wake() {
	select {
	case k.signal <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	timer := k.a.clock.NewTimer(keepEvery)
	defer timer.Stop()
	for {
		if err := k.all(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
			k.a.log.Warn("removing old judgements", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-k.signal:
		case <-timer.C():
			timer.Reset(keepEvery)
		}
	}
}

// keep is how long traces are kept.
func (a *Archive) keep() time.Duration { return settings.SpamTraceKeep.Get(a.settings) }

// Prune removes what is too old or too much, or of a removed account. The background does it by itself every ten minutes,
// and when a setting changes or an account goes.
func (a *Archive) Prune(ctx context.Context) error { return a.keeper.all(ctx) }

func (k *keeper) all(ctx context.Context) error {
	k.pass.Lock()
	defer k.pass.Unlock()
	if err := k.a.writeIndex(ctx); err != nil {
		return err
	}
	if err := k.prune(ctx); err != nil {
		return err
	}
	return k.forget(ctx)
}

func (k *keeper) prune(ctx context.Context) error {
	floor, err := k.a.firstSince(ctx, k.a.clock.Now().Add(-k.a.keep()))
	if err != nil {
		return err
	}
	floor = max(floor, k.a.end.Load()-settings.SpamTraceMax.Get(k.a.settings))
	for {
		oldest, err := k.oldest(ctx)
		if err != nil {
			return err
		}
		if oldest >= floor {
			return k.pruneKeys(ctx, segmentOf(oldest))
		}
		err = k.a.db.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(`DELETE FROM spam_traces WHERE id >= ? AND id < ?`, oldest, min(floor, oldest+keepRows))
			return err
		})
		if err != nil {
			return err
		}
	}
}

// oldest is the id of the oldest trace, or of the one to come.
func (k *keeper) oldest(ctx context.Context) (int64, error) {
	end := k.a.end.Load() // read first: what comes meanwhile is younger
	var id int64
	err := k.a.db.QueryRow(ctx, `SELECT id FROM spam_traces ORDER BY id LIMIT 1`).Scan(&id)
	if isNone(err) {
		return end, nil
	}
	return id, err
}

func (k *keeper) oldestSegment(ctx context.Context) (int64, error) {
	var segment int64
	err := k.a.db.QueryRow(ctx, `SELECT segment FROM spam_trace_keys ORDER BY segment LIMIT 1`).Scan(&segment)
	if isNone(err) {
		return segmentOf(k.a.end.Load()), nil
	}
	return segment, err
}

// pruneKeys removes the index of segments that have no trace any more.
func (k *keeper) pruneKeys(ctx context.Context, below int64) error {
	for {
		last := key{segment: below}
		err := k.a.db.QueryRow(ctx, `SELECT segment, hash, trace FROM spam_trace_keys WHERE segment < ?
			ORDER BY segment, hash, trace LIMIT 1 OFFSET 2000`, below).Scan(&last.segment, &last.hash, &last.trace)
		enough := isNone(err)
		if err != nil && !enough {
			return err
		}
		err = k.a.db.Write(ctx, func(tx *db.Tx) error {
			if enough {
				_, err := tx.Exec(`DELETE FROM spam_trace_keys WHERE segment < ?`, below)
				return err
			}
			_, err := tx.Exec(`DELETE FROM spam_trace_keys WHERE (segment, hash, trace) < (?, ?, ?)`, last.segment, last.hash, last.trace)
			return err
		})
		if err != nil || enough {
			return err
		}
	}
}

func isNone(err error) bool { return errors.Is(err, db.ErrNoRows) }
