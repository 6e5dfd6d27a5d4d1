package archive

import (
	"context"
	"errors"
	"sync"

	"postern/internal/db"
	"postern/internal/verdict"
)

const (
	// laterAtMost traces wait; what comes then is dropped, since a flood of refused mail must not fill the memory.
	laterAtMost = 4096
	// laterBatch of them share a transaction.
	laterBatch = 256
)

// later stores the traces of what was refused, behind the sender's back.
type later struct {
	a     *Archive
	queue chan waits
	done  chan struct{}

	mu     sync.RWMutex // held for reading while something enters the queue
	closed bool
}

// waits is a trace in the queue, or somebody who waits until all before it are stored.
type waits struct {
	trace *verdict.Trace
	told  chan struct{}
}

func startLater(a *Archive) *later {
	l := &later{a: a, queue: make(chan waits, laterAtMost), done: make(chan struct{})}
	go l.run()
	return l
}

// StoreLater stores a trace soon, without waiting: for mail that was refused, which has no transaction. Nobody may change
// the trace any more. When too many wait it is dropped, and counted; a crash loses what waits.
func (a *Archive) StoreLater(t *verdict.Trace) {
	l := a.later
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.closed {
		select {
		case l.queue <- waits{trace: t}:
			return
		default:
		}
	}
	a.dropped.Add(1)
}

// Flush waits until everything that was given to StoreLater before is stored or given up.
func (a *Archive) Flush(ctx context.Context) error {
	l, told := a.later, make(chan struct{})
	if err := l.enter(ctx, waits{told: told}); err != nil {
		return err
	}
	select {
	case <-told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *later) enter(ctx context.Context, w waits) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return db.ErrClosed
	}
	select {
	case l.queue <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop lets no more in, stores what waits, and returns.
func (l *later) stop() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
}

func (l *later) run() {
	defer close(l.done)
	for first := range l.queue {
		batch := append(make([]waits, 0, laterBatch), first)
		for more := true; more && len(batch) < laterBatch; {
			select {
			case w, open := <-l.queue:
				if more = open; open {
					batch = append(batch, w)
				}
			default:
				more = false
			}
		}
		l.store(batch)
	}
}

// store writes a batch in one transaction and tells those who wait behind it.
func (l *later) store(batch []waits) {
	var traces []*verdict.Trace
	var encoded [][]byte
	for _, w := range batch {
		if w.trace == nil {
			continue
		}
		b, err := l.a.Encode(w.trace)
		if err != nil {
			l.lost(1, err)
			continue
		}
		traces, encoded = append(traces, w.trace), append(encoded, b)
	}
	err := l.a.db.Write(context.Background(), func(tx *db.Tx) error {
		for i, t := range traces {
			if err := l.a.StoreTx(tx, t, encoded[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		l.lost(len(traces), err)
	}
	for _, w := range batch {
		if w.told != nil {
			close(w.told)
		}
	}
}

func (l *later) lost(n int, err error) {
	l.a.dropped.Add(uint64(n))
	if !errors.Is(err, db.ErrClosed) {
		l.a.log.Warn("judgements of refused mail could not be stored", "messages", n, "error", err)
	}
}
