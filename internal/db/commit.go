package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	queueLength = 1024
	// A batch ends when nothing waits, or at these bounds, so that the first in it is not kept waiting for long.
	batchWorks = 512
	batchTime  = 50 * time.Millisecond
	// Batches give way before they are closed (see next) as long as it brings something: after aloneAtMost that nobody joined,
	// only each askEvery-th does.
	aloneAtMost = 4
	askEvery    = 16
)

// work is one call of Write on its way through the committer.
type work struct {
	ctx  context.Context
	fn   func(*Tx) error
	done chan error
}

// committer owns the connection that writes. Whoever has the turn is the committer for that long: who finds it free takes it
// for the length of one batch, since handing a work to another thread and the answer back costs as much as the work; what
// comes meanwhile waits in the queue, for that batch or for the goroutine that run is.
type committer struct {
	d     *DB
	queue chan *work
	wake  chan struct{} // tells run that something is in the queue
	pool  sync.Pool
	ended chan struct{}

	turn  sync.Mutex
	conn  *sql.Conn            // under turn
	stmts map[string]*sql.Stmt // under turn
	alone int                  // under turn: batches in a row that nobody joined because they gave way

	mu      sync.RWMutex // held for reading while a work enters the queue, so that none enters after stop
	stopped bool

	uncertainMu sync.Mutex
	uncertain   []func()

	commits, works, failed, retried atomic.Uint64
}

func newCommitter(ctx context.Context, d *DB) (*committer, error) {
	conn, err := d.engine.connect(ctx)
	if err != nil {
		return nil, err
	}
	c := &committer{d: d, queue: make(chan *work, queueLength), wake: make(chan struct{}, 1), conn: conn, stmts: map[string]*sql.Stmt{},
		ended: make(chan struct{})}
	c.pool.New = func() any { return &work{done: make(chan error, 1)} }
	go c.run()
	return c, nil
}

// stop lets the committer finish what is queued and waits for it.
func (c *committer) stop() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	close(c.wake)
	<-c.ended
}

// Write runs fn in a transaction and returns once its effects are durable, or with fn's error once they are undone.
//
// fn runs together with the works of others, one at a time, on the goroutine of any of them or on the committer's own: it
// must be short, do no I/O but SQL through tx, and never call Write; nor may the caller hold a lock that another fn or hook
// wants. It may be run again from its start, so it must set what it returns anew each time. An error of fn rolls back
// only its own work; a commit that fails fails every work of the batch. When ctx ends before fn began, fn is not run; once
// it began its outcome is waited for. A statement that failed fails the work, also if fn returns nil: PostgreSQL does
// nothing more in such a transaction. To live with a conflict, write ON CONFLICT.
func (d *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	c := d.committer
	w := c.pool.Get().(*work)
	w.ctx, w.fn = ctx, fn
	if err := c.take(w); err != nil {
		return err
	}
	err := <-w.done
	w.ctx, w.fn = nil, nil
	c.pool.Put(w)
	var p *panicked
	if errors.As(err, &p) {
		panic(p.value)
	}
	return err
}

// take sees to it that a work gets its answer: at once where nobody has the turn, otherwise by way of the queue.
func (c *committer) take(w *work) error {
	c.mu.RLock()
	if c.stopped {
		c.mu.RUnlock()
		return ErrClosed
	}
	if c.turn.TryLock() {
		c.mu.RUnlock() // stop waits for the turn
		ended := false
		defer func() {
			if !ended {
				c.fall(recover())
			}
			c.turn.Unlock()
		}()
		c.serve(w)
		ended = true
		return nil
	}
	defer c.mu.RUnlock()
	select {
	case c.queue <- w:
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

// fall ends the process because a hook panicked, or ended its goroutine: others have no answer, and what is held in memory may
// have parted from the database, while whoever called Write might recover and go on. A work's own panic does not come here.
func (c *committer) fall(v any) {
	c.d.log.Error("panic in the committer", "panic", v, "stack", string(debug.Stack()))
	go func() { panic(fmt.Sprintf("in the committer: %v", v)) }() // on a goroutine where nobody recovers
	select {}
}

// OnUncertain registers a function that the committer calls when a COMMIT failed in a way that leaves open whether the
// engine kept it (a connection lost to PostgreSQL). Whoever mirrors the database in memory must then read it anew.
func (d *DB) OnUncertain(fn func()) {
	d.committer.uncertainMu.Lock()
	defer d.committer.uncertainMu.Unlock()
	d.committer.uncertain = append(d.committer.uncertain, fn)
}

// run serves what waits in the queue, and keeps the turn while there is more.
func (c *committer) run() {
	defer close(c.ended)
	for range c.wake {
		c.drain()
	}
	c.drain()
	c.turn.Lock() // whoever had it last has been answered then
	defer c.turn.Unlock()
	for _, s := range c.stmts {
		_ = s.Close()
	}
	if c.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c.d.engine.release(ctx, c.conn)
		_ = c.conn.Close()
	}
}

func (c *committer) drain() {
	c.turn.Lock()
	defer c.turn.Unlock()
	for {
		select {
		case first := <-c.queue:
			c.serve(first)
		default:
			return
		}
	}
}

// serve carries the first work, and all that wait behind it, to their answers.
//
// Most batches go through at once. When the engine gives up a whole transaction because of one work, that work gets its
// error and the others are run again without it, so each round answers at least one work. When there is no room for
// all of a batch, each of its works is tried alone: what only reads, or writes little, may well succeed.
func (c *committer) serve(first *work) {
	b := &batch{c: c}
	again := b.run([]*work{first})
	if b.split {
		for _, w := range again {
			c.settle([]*work{w})
		}
		return
	}
	c.settle(again)
}

// settle runs works again until each has its answer.
func (c *committer) settle(works []*work) {
	for round := 0; len(works) > 0; round++ {
		if round >= batchWorks+retriesAtMost {
			for _, w := range works {
				c.answer(w, errors.New("the database could not settle a batch of works"))
			}
			return
		}
		c.retried.Add(uint64(len(works)))
		b := &batch{c: c, rerun: true, round: round}
		works = b.run(works)
	}
}

func (c *committer) answer(w *work, err error) {
	c.works.Add(1)
	if err != nil {
		c.failed.Add(1)
	}
	w.done <- err
}

// batch is one transaction.
type batch struct {
	c     *committer
	rerun bool // takes no more works from the queue
	round int
	tx    Tx
	ran   []*work // ran well and wait for the commit
	split bool    // the works to be run again are to be run one by one
	// gaveWay: others were let run, that they might join; joined: one did.
	gaveWay, joined bool
}

// run takes the given works and, the first time, as many as wait in the queue; it answers them and returns those that
// must be run again.
func (b *batch) run(works []*work) (again []*work) {
	b.tx = Tx{c: b.c}
	start := time.Now()
	for i := 0; ; i++ {
		var w *work
		switch {
		case i < len(works):
			w = works[i]
		case b.rerun || i >= batchWorks || (i&15 == 15 && time.Since(start) > batchTime):
			return b.commit()
		default:
			if w = b.next(); w == nil {
				b.closes()
				return b.commit()
			}
		}
		outcome, err := b.try(w)
		switch {
		case err == nil:
			b.ran = append(b.ran, w)
		case outcome == fateWork:
			b.c.answer(w, err)
		default:
			return b.abandon(w, err, outcome, works[min(i+1, len(works)):])
		}
	}
}

// next takes a work from the queue, nil if none waits. Before a batch is closed, whoever is ready to run may do so once: where
// the processors are busy, many are about to bring a work, and would each have to pay for a flush of their own. Where
// nobody is about to, it costs waking a thread for nothing; so it is done rarely once it has brought nobody some times.
func (b *batch) next() *work {
	select {
	case w := <-b.c.queue:
		b.joined = b.gaveWay
		return w
	default:
	}
	if b.gaveWay || !b.c.expectsOthers() {
		return nil
	}
	b.gaveWay = true
	runtime.Gosched()
	return b.next()
}

func (c *committer) expectsOthers() bool {
	return c.alone < aloneAtMost || c.alone%askEvery == 0
}

// closes remembers, when a batch takes nobody more, whether giving way brought anybody.
func (b *batch) closes() {
	if b.joined {
		b.c.alone = 0
	} else {
		b.c.alone++
	}
}

// abandon rolls the transaction back because of w. The others are run again.
func (b *batch) abandon(w *work, err error, outcome fate, rest []*work) (again []*work) {
	b.rollback()
	again = append(b.ran, rest...)
	if outcome == fateSevered {
		b.c.reconnect()
	}
	if outcome == fateRetry && b.round < retriesAtMost {
		return append(again, w)
	}
	b.c.answer(w, err)
	return again
}

// try runs one work behind its savepoint.
func (b *batch) try(w *work) (outcome fate, err error) {
	if err := w.ctx.Err(); err != nil {
		return fateWork, err
	}
	t := &b.tx
	t.enterWork(len(b.ran) > 0)
	err = t.call(w.fn)
	if err == nil && t.broken == nil {
		if err := t.leaveWork(); err != nil {
			return max(fateOf(err), fateBatch), translate(err) // what it wrote is still there
		}
		return fateWork, nil
	}
	if t.broken != nil && fateOf(t.broken) != fateWork {
		return fateOf(t.broken), translate(errors.Join(err, t.broken))
	}
	if err == nil {
		err = translate(t.broken)
	}
	if undo := t.undoWork(); undo != nil {
		return fateBatch, errors.Join(err, undo)
	}
	return fateWork, err
}

// commit makes the transaction durable and answers its works.
func (b *batch) commit() (again []*work) {
	t := &b.tx
	if err := t.beforeCommit(); err != nil {
		return b.commitFailed(err, fateOf(err))
	}
	if t.begun {
		if err := t.raw("COMMIT"); err != nil {
			return b.commitFailed(err, commitFateOf(err, b.c.d.dialect))
		}
		b.c.commits.Add(1)
	}
	for _, hook := range t.hooks {
		hook()
	}
	for _, w := range b.ran {
		b.c.answer(w, nil)
	}
	if t.begun {
		b.c.d.engine.committed(context.Background(), b.c.conn)
	}
	return nil
}

func (b *batch) commitFailed(err error, outcome fate) (again []*work) {
	b.rollback()
	err = translate(fmt.Errorf("commit: %w", err))
	switch {
	case outcome == fateRetry && b.round < retriesAtMost:
		return b.ran
	case outcome == fateSevered:
		b.c.reconnect()
		b.c.tellUncertain()
	case errors.Is(err, ErrFull) && !b.rerun && len(b.ran) > 1:
		b.split = true
		return b.ran
	}
	for _, w := range b.ran {
		b.c.answer(w, err)
	}
	return nil
}

func (b *batch) rollback() {
	if b.tx.begun {
		// The engine may have rolled back already; then it says so, and there is nothing left to do.
		_ = b.tx.raw("ROLLBACK")
	}
	b.tx.undoAll()
}

func (c *committer) tellUncertain() {
	c.uncertainMu.Lock()
	defer c.uncertainMu.Unlock()
	for _, fn := range c.uncertain {
		fn()
	}
}

// reconnect replaces a lost connection. If that fails, the next batch tries again.
func (c *committer) reconnect() {
	for _, s := range c.stmts {
		_ = s.Close()
	}
	c.stmts = map[string]*sql.Stmt{}
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := c.d.engine.connect(ctx)
	if err != nil {
		c.d.log.Error("database connection lost", "error", err)
		return
	}
	c.conn = conn
}
