package reputation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
)

const (
	// flushEvery is how long what was noted may wait in memory: long enough that rows on the same page are written together.
	flushEvery = 20 * time.Second
	// flushAt is from how many rows on it does not wait so long.
	flushAt = 50_000
	// pendingAtMost bounds what waits when the database does not take it.
	pendingAtMost = 200_000
	// flushRows is how much one transaction takes on, so that mail does not wait for statistics.
	flushRows = 1024
	// inRows is the longest list that a statement is prepared for.
	inRows = 256
	// pruneRows is how much one transaction removes, and pruneSteps how many of them follow each other.
	pruneRows  = 256
	pruneSteps = 40
	// cacheRows is how many rows lie in memory: about 8 MB.
	cacheRows = 1 << 16
)

// row is what a ledger knows under one number. What a and b mean is for the table's owner to say.
type row struct {
	a, b    int64
	at      int64 // Unix seconds
	expires int64 // when the row is worth nothing; 0 in a row that is not there
}

// schema is a table that a ledger writes: its name and its columns a and b.
type schema struct {
	table, a, b string
	// join puts two notes together; merge adds what was noted to what is stored, which may be nothing.
	join  func(earlier, later row) row
	merge func(stored, noted row) row
	// limit is how many rows there may be.
	limit func() int64
}

// ledger reads rows through a cache and writes behind: what is noted is gathered, and merged into the table later. Its
// readers see it at once.
type ledger struct {
	schema
	db    *db.DB
	clock clock.Clock
	log   *slog.Logger

	mu      sync.Mutex
	cache   *cache
	pending map[int64]row
	// flushing is what is being written; it may or may not be in the table yet. written is closed when it is settled.
	flushing map[int64]struct{}
	written  chan struct{}
	begun    uint64 // flushes and removals
	rows     int64  // in the table
	lost     int    // notes that found no room

	once sync.Mutex // one flush at a time
	full chan struct{}
	stop context.CancelFunc
	done chan struct{}
}

func openLedger(ctx context.Context, s schema, o Options) (*ledger, error) {
	l := &ledger{schema: s, db: o.DB, clock: o.Clock, log: o.Log, cache: newCache(o.CacheRows), pending: map[int64]row{},
		full: make(chan struct{}, 1), done: make(chan struct{})}
	if err := o.DB.QueryRow(ctx, `SELECT row_number FROM reputation_tables WHERE name = ?`, s.table).Scan(&l.rows); err != nil {
		return nil, fmt.Errorf("%s: %w", s.table, err)
	}
	o.DB.OnUncertain(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cache.clear()
	})
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.run(run)
	return l, nil
}

// close writes what waits.
func (l *ledger) close() error {
	l.stop()
	<-l.done
	return l.flush(context.Background())
}

func (l *ledger) run(ctx context.Context) {
	defer close(l.done)
	timer := l.clock.NewTimer(flushEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C():
			timer.Reset(flushEvery)
		case <-l.full:
		}
		if err := errors.Join(l.flush(ctx), l.prune(ctx)); err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
			l.log.Warn("what was seen of senders could not be written; it will be tried again", "table", l.table, "error", err)
		}
	}
}

// note gathers a row to be merged.
func (l *ledger) note(id int64, noted row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting, known := l.pending[id]
	if !known && len(l.pending) >= pendingAtMost {
		l.lost++
		return
	}
	if known {
		l.pending[id] = l.join(waiting, noted)
	} else {
		l.pending[id] = noted
	}
	if known := l.cache.peek(id); known != nil {
		*known = l.merge(*known, noted)
	}
	if len(l.pending) == flushAt {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// get fills out, which is as long as ids, from memory and with at most one query for each sixteen that are not there.
func (l *ledger) get(ctx context.Context, ids []int64, out []row) error {
	for {
		wait, begun, missing := l.recall(ids, out)
		switch {
		case wait != nil:
			select {
			case <-wait:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		case missing == 0:
			return nil
		}
		if err := l.read(ctx, ids, out); err != nil {
			return err
		}
		if l.learn(ids, out, begun) {
			return nil
		}
	}
}

// unknown marks a row that memory does not hold.
const unknown = -1

// recall fills out with what lies in memory and counts what does not. If any of that is just being written, wait is
// closed when it is settled.
func (l *ledger) recall(ids []int64, out []row) (wait <-chan struct{}, begun uint64, missing int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, id := range ids {
		if known := l.cache.get(id); known != nil {
			out[i] = *known
			continue
		}
		out[i] = row{expires: unknown}
		missing++
		if _, moving := l.flushing[id]; moving {
			wait = l.written
		}
	}
	return wait, l.begun, missing
}

// learn completes what was read with what waits to be written, and keeps it. It gives false if a flush or a
// removal came in between, for then nobody knows whether what was read has it.
func (l *ledger) learn(ids []int64, out []row, begun uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun != begun {
		return false
	}
	for i, id := range ids {
		if l.cache.peek(id) != nil {
			continue
		}
		if out[i].expires == unknown {
			out[i] = row{}
		}
		if noted, waiting := l.pending[id]; waiting {
			out[i] = l.merge(out[i], noted)
		}
		l.cache.put(id, out[i])
	}
	return true
}

const readAtOnce = 16

// read asks the table for the rows that are unknown.
func (l *ledger) read(ctx context.Context, ids []int64, out []row) error {
	var room [readAtOnce]any
	var places [readAtOnce]int
	n := 0
	for i, id := range ids {
		if out[i].expires == unknown {
			room[n], places[n] = id, i
			n++
		}
		if n == readAtOnce || n > 0 && i == len(ids)-1 {
			if err := l.readSome(ctx, room[:n], places[:n], out); err != nil {
				return err
			}
			n = 0
		}
	}
	return nil
}

func (l *ledger) readSome(ctx context.Context, ids []any, places []int, out []row) error {
	size := readAtOnce
	if len(ids) <= readAtOnce/2 {
		size = readAtOnce / 2
	}
	args := ids[:len(ids):len(ids)]
	for len(args) < size {
		args = append(args, ids[0])
	}
	rows, err := l.db.Query(ctx, l.selecting(size), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", l.table, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var r row
		if err := rows.Scan(&id, &r.a, &r.b, &r.at, &r.expires); err != nil {
			return fmt.Errorf("%s: %w", l.table, err)
		}
		for i := range ids {
			if ids[i] == any(id) {
				out[places[i]] = r
			}
		}
	}
	return rows.Err()
}

func (l *ledger) selecting(n int) string {
	return `SELECT id, ` + l.schema.a + `, ` + l.schema.b + `, at, expires FROM ` + l.table + ` WHERE id IN (` + marks("?", n) + `)`
}

// marks repeats a parameter's mark.
func marks(mark string, n int) string { return strings.Repeat(mark+",", n-1) + mark }

// forget drops rows at once, in memory and in the table.
func (l *ledger) forget(ctx context.Context, ids []int64) error {
	l.once.Lock()
	defer l.once.Unlock()
	l.mu.Lock()
	for _, id := range ids {
		delete(l.pending, id)
	}
	l.mu.Unlock()
	return l.remove(ctx, ids)
}
