// Package archive keeps how messages were judged, and knows by whose policy they are.
//
// The road in asks [Policies.For] and [Policies.Sender] for the thresholds and lists of each recipient, which are in
// memory; it decides (package verdict), writes the trace down with [Archive.Encode] while nobody waits, and gives it to
// [Archive.StoreTx] within the transaction that stores the message, so that there is no message without its story. What
// was refused has no such transaction: [Archive.StoreLater] takes its trace without waiting. The road ends where
// somebody asks why: [Archive.Find] gives traces by transaction, Message-ID, recipient and time.
//
// A trace is a row of a table that is only appended to, and a few short rows of an index that stays small where it is
// written (see keys.go) and lags behind a little (unwritten.go); the background takes off the other end what is older than the settings keep. Subject and text
// of messages are not in a trace, beyond the single words that weighed most. What concerns an account goes with it
// (forget.go).
package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
)

// Options are what an archive stands on.
type Options struct {
	DB       *db.DB
	Settings *settings.Settings
	Clock    clock.Clock  // the system's when nil
	Log      *slog.Logger // nil discards
}

// Archive holds the traces. Its methods may be called from any goroutine.
type Archive struct {
	db       *db.DB
	settings *settings.Settings
	clock    clock.Clock
	log      *slog.Logger
	codec    *codec
	insert   inserts

	// Only the committer uses these.
	next   int64 // the id of the next trace
	lastAt int64
	// end is the id behind the last trace that is durable: what was given out beyond it may yet appear.
	end atomic.Int64

	unwritten unwritten
	forgotten atomic.Pointer[map[int64]int64] // removed accounts, and when, in Unix milliseconds
	later     *later
	keeper    *keeper
	stored    atomic.Uint64
	dropped   atomic.Uint64
}

// Open readies the archive and starts what works in its background. Close it before the database.
func Open(ctx context.Context, o Options) (*Archive, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Archive{db: o.DB, settings: o.Settings, clock: o.Clock, log: o.Log, codec: newCodec(), insert: newInserts()}
	if err := a.load(ctx); err != nil {
		return nil, fmt.Errorf("archive of judgements: %w", err)
	}
	o.DB.OnUncertain(func() {
		if err := errors.Join(a.loadForgotten(context.Background()), a.findUnwritten(context.Background())); err != nil {
			a.log.Error("the state of the judgements could not be read again after a lost commit", "error", err)
		}
	})
	a.later = startLater(a)
	a.keeper = startKeeper(a)
	return a, nil
}

// load finds where the ids go on. An id is not given again while the index may still name it.
func (a *Archive) load(ctx context.Context) error {
	var last int64
	err := a.db.QueryRow(ctx, `SELECT id, at FROM spam_traces ORDER BY id DESC LIMIT 1`).Scan(&last, &a.lastAt)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return err
	}
	segment := int64(-1)
	err = a.db.QueryRow(ctx, `SELECT segment FROM spam_trace_keys ORDER BY segment DESC LIMIT 1`).Scan(&segment)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return err
	}
	if segment > segmentOf(last) || last == 0 && segment == 0 {
		last = (segment+1)<<segmentBits - 1
	}
	a.next = last + 1
	a.end.Store(a.next)
	return errors.Join(a.loadForgotten(ctx), a.findUnwritten(ctx))
}

// Close stores what waits and ends the background.
func (a *Archive) Close() error {
	a.keeper.stop()
	a.later.stop()
	if err := a.writeIndex(context.Background()); err != nil && !errors.Is(err, db.ErrClosed) {
		return fmt.Errorf("archive of judgements: its index: %w", err)
	}
	return nil
}

// Stats are counters since the start.
type Stats struct {
	// Stored traces are durable; Dropped ones were not stored since too many waited, or the database refused them.
	Stored, Dropped uint64
	// Waiting is how many StoreLater has yet to store.
	Waiting int
}

// Stats reads the counters.
func (a *Archive) Stats() Stats {
	return Stats{Stored: a.stored.Load(), Dropped: a.dropped.Load(), Waiting: len(a.later.queue)}
}

// firstSince finds the id of the first trace that was stored at or after a time, or the one to come. The times of the rows
// rise with their ids, so it halves the range of the ids, some twenty look-ups by primary key.
func (a *Archive) firstSince(ctx context.Context, since time.Time) (int64, error) {
	if since.IsZero() {
		return 0, nil
	}
	high, low, at := a.end.Load(), int64(0), int64(0)
	err := a.db.QueryRow(ctx, `SELECT id, at FROM spam_traces ORDER BY id LIMIT 1`).Scan(&low, &at)
	if errors.Is(err, db.ErrNoRows) {
		return high, nil
	}
	if err != nil {
		return 0, err
	}
	want := since.UnixMilli()
	for low < high {
		middle, id := low+(high-low)/2, int64(math.MaxInt64)
		err := a.db.QueryRow(ctx, `SELECT id, at FROM spam_traces WHERE id >= ? ORDER BY id LIMIT 1`, middle).Scan(&id, &at)
		switch {
		case errors.Is(err, db.ErrNoRows):
			high = middle
		case err != nil:
			return 0, err
		case at >= want:
			high = middle
		default:
			low = id + 1
		}
	}
	return low, nil
}
