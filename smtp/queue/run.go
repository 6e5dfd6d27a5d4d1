package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
)

// Queue is the queue of one server.
type Queue struct {
	o   Options
	log *slog.Logger

	mu        sync.Mutex
	lastID    ID
	lastStamp int64
	sched     scheduler
}

const (
	selectHighest = `SELECT (SELECT COALESCE(MAX(id), 0) FROM queue_messages), (SELECT COALESCE(MAX(id), 0) FROM queue_recipients)`
	deleteIfDone  = `DELETE FROM queue_messages WHERE id = ? AND NOT EXISTS
		(SELECT 1 FROM queue_recipients WHERE message_id = ?) RETURNING blob_id`
)

// New opens the queue of a database. Nothing is sent before Start.
func New(ctx context.Context, o Options) (*Queue, error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Limits == nil {
		o.Limits = func() Limits { return Limits{} }
	}
	q := &Queue{o: o, log: o.Log}
	q.sched.init(q)
	var a, b int64
	err := o.DB.QueryRow(ctx, selectHighest).Scan(&a, &b)
	if err != nil {
		return nil, err
	}
	q.lastID = ID(max(a, b))
	o.DB.OnUncertain(func() { q.due(0) })
	return q, nil
}

// nextID gives an id that is higher than all before: the time in microseconds, or one more than the last.
func (q *Queue) nextID() ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastID = max(q.lastID+1, ID(q.o.Clock.Now().UnixMicro()))
	return q.lastID
}

// stamp is the time in milliseconds, never earlier than an earlier stamp. Called on the committer it rises
// in the order of commits, which lets the scheduler read each due row once.
func (q *Queue) stamp() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lastStamp = max(q.lastStamp, q.o.Clock.Now().UnixMilli())
	return q.lastStamp
}

func (q *Queue) limits() Limits {
	l := q.o.Limits()
	setDefault(&l.MaxAge, 5*24*time.Hour)
	setDefault(&l.DelayNotice, 4*time.Hour)
	setDefault(&l.RetryMin, 5*time.Minute)
	setDefault(&l.RetryMax, 4*time.Hour)
	setDefault(&l.Concurrency, 100)
	setDefault(&l.PerDomain, 5)
	setDefault(&l.MaxActive, 5000)
	setDefault(&l.ReturnSize, 1<<20)
	return l
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// removeIfDone removes a message without recipients and gives back its blob.
func (q *Queue) removeIfDone(tx *db.Tx, id ID) error {
	var blob int64
	err := tx.QueryRow(deleteIfDone, int64(id), int64(id)).Scan(&blob)
	if errors.Is(err, db.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return q.o.Blobs.ReleaseBlobTx(tx, blob)
}

func noMessage(err error) error {
	if errors.Is(err, db.ErrNoRows) {
		return ErrNoMessage
	}
	return err
}
