package queue

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"postern/internal/db"
	"postern/internal/reply"
)

const (
	// page is how many due rows are read at once.
	page = 500
	// perTask bounds the recipients of one transaction with a server (RFC 5321 4.5.3.1.8).
	perTask = 100
	// perRun is how many tasks a worker takes before others have their turn.
	perRun = 50
	// cooldown is how long a destination that could not be reached is left alone.
	cooldown = time.Minute
)

// scheduler decides what is tried when.
//
// Rows wait in the database, ordered by their next attempt. The horizon is the key of the last row read: every row up to
// it is in memory (active), or has been given a later time, or belongs to a destination that has filled its share of the
// memory and is marked as having more. So each row is read once when it is due, and a row that appears behind the horizon
// (an enqueued or released message whose transaction was slower than its time stamp) pulls the horizon back to itself. A
// destination with more is read on its own, along its own index, as its share empties: much mail for one destination
// neither keeps others out of the memory nor waits longer than that destination makes it.
//
// In memory rows wait in tasks, one for each message and destination, and destinations with tasks take turns: as long as
// there are fewer deliveries than Concurrency, the next destination in line gets a worker, if it has fewer than PerDomain.
type scheduler struct {
	q    *Queue
	wake chan struct{}

	mu       sync.Mutex
	active   map[ID]struct{} // recipients in memory
	dests    map[string]*dest
	resting  map[*dest]struct{}
	hungry   map[*dest]struct{} // those with more
	line     []*dest            // destinations that wait for a worker
	running  int
	at       int64 // the horizon
	id       ID
	nextDue  int64 // no row beyond the horizon is due before
	started  bool
	stopping bool

	ctx     context.Context // ends when deliveries under way are abandoned
	abandon context.CancelFunc
	ended   chan struct{}
	workers sync.WaitGroup
}

// dest is a destination with what waits for it.
type dest struct {
	name     string
	waiting  []*task
	count    int // recipients in waiting
	running  int
	inLine   bool
	more     bool // due rows are left in the database
	resting  bool
	restEnds time.Time
}

func (s *scheduler) init(q *Queue) {
	s.q = q
	s.wake = make(chan struct{}, 1)
	s.active = make(map[ID]struct{})
	s.dests = make(map[string]*dest)
	s.resting = make(map[*dest]struct{})
	s.hungry = make(map[*dest]struct{})
	s.at = math.MinInt64
	s.nextDue = math.MinInt64
	s.ended = make(chan struct{})
	s.ctx, s.abandon = context.WithCancel(context.Background())
}

// Start begins to send.
func (q *Queue) Start() {
	q.sched.mu.Lock()
	defer q.sched.mu.Unlock()
	if !q.sched.started && !q.sched.stopping {
		q.sched.started = true
		go q.sched.run()
	}
}

// Shutdown stops to send: deliveries under way are finished, or abandoned when ctx ends. An abandoned one is tried again
// after the next start.
func (q *Queue) Shutdown(ctx context.Context) error {
	s := &q.sched
	s.mu.Lock()
	s.stopping = true
	started := s.started
	s.mu.Unlock()
	if !started {
		return nil
	}
	s.poke()
	stop := context.AfterFunc(ctx, s.abandon)
	defer stop()
	<-s.ended
	s.workers.Wait()
	s.abandon()
	return ctx.Err()
}

func (q *Queue) isActive(id ID) bool {
	q.sched.mu.Lock()
	defer q.sched.mu.Unlock()
	_, ok := q.sched.active[id]
	return ok
}

// due tells that rows have got the given next attempt. It is called after their transaction is durable and never blocks.
func (q *Queue) due(at int64) {
	q.sched.pullBack(at)
	q.sched.poke()
}

// pullBack makes sure that rows with the given next attempt, and all later ones, are still to be read.
func (s *scheduler) pullBack(at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at <= s.at {
		s.at, s.id = at, 0
	}
	s.nextDue = min(s.nextDue, at)
}

func (s *scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *scheduler) run() {
	defer close(s.ended)
	for {
		stop, wait := s.round()
		if stop {
			return
		}
		timer := s.q.o.Clock.NewTimer(wait)
		select {
		case <-s.wake:
		case <-timer.C():
		}
		timer.Stop()
	}
}

// maxSleep is how long the scheduler sleeps when it knows of nothing to do.
const maxSleep = time.Hour

// round reads what is due, starts what may run and tells how long nothing more will happen.
func (s *scheduler) round() (stop bool, wait time.Duration) {
	s.mu.Lock()
	stop = s.stopping
	s.mu.Unlock()
	if stop {
		return true, 0
	}
	if err := errors.Join(s.fill(), s.refill()); err != nil && s.ctx.Err() == nil {
		s.q.log.Error("queue: reading what is due", "error", err)
		s.dispatch()
		return false, writeAgain
	}
	return false, s.dispatch()
}

// fill reads due rows while there is room.
func (s *scheduler) fill() error {
	limits := s.q.limits()
	for {
		now := s.q.o.Clock.Now().UnixMilli()
		s.mu.Lock()
		room := limits.MaxActive - len(s.active)
		idle := s.nextDue > now || s.stopping
		at, id := s.at, s.id
		if !idle && room > 0 {
			s.nextDue = math.MaxInt64 // what comes from here on pulls it down
		}
		s.mu.Unlock()
		if idle || room <= 0 {
			return nil
		}
		full, err := s.read(at, id, now, min(page, room), limits)
		switch {
		case err != nil:
			s.pullBack(at)
			return err
		case full:
			s.moreDue()
		default:
			return s.lookAhead()
		}
	}
}

// moreDue: the last page was full, there may be another.
func (s *scheduler) moreDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextDue = min(s.nextDue, s.at)
}

// read takes a page of due rows into memory and moves the horizon behind them. It reports whether the page was full.
func (s *scheduler) read(at int64, id ID, now int64, limit int, limits Limits) (full bool, err error) {
	rows, err := s.q.o.DB.Query(s.ctx, selectDue, at, int64(id), now, int64(limit))
	if err != nil {
		return false, err
	}
	defer rows.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	moved := s.at != at || s.id != id // pulled back meanwhile: it must stay there
	for rows.Next() {
		var r, m ID
		var name string
		var next int64
		if err := rows.Scan(&r, &m, &name, &next); err != nil {
			return false, err
		}
		n++
		if !moved {
			s.at, s.id = next, r
		}
		if _, ok := s.active[r]; ok {
			continue
		}
		d := s.dests[name]
		if d == nil {
			d = &dest{name: name}
			s.dests[name] = d
		}
		if d.count >= share(limits) {
			d.more = true
			s.hungry[d] = struct{}{}
			continue
		}
		s.take(d, m, r)
	}
	return n == limit, rows.Err()
}

// share is how many recipients one destination may have waiting in memory.
func share(limits Limits) int { return max(perTask, limits.MaxActive/20) }

// take puts a row into a task of its destination.
func (s *scheduler) take(d *dest, m, r ID) {
	s.active[r] = struct{}{}
	d.count++
	if n := len(d.waiting); n > 0 && d.waiting[n-1].fits(m, r) {
		d.waiting[n-1].recipients = append(d.waiting[n-1].recipients, r)
		return
	}
	d.waiting = append(d.waiting, &task{message: m, recipients: []ID{r}})
	s.queueUp(d)
}

// fits tells whether a recipient can join a task.
func (t *task) fits(m, r ID) bool {
	return t.message == m && len(t.recipients) < perTask && t.recipients[len(t.recipients)-1] < r
}

// refill reads on for destinations that have more and whose share has run low.
func (s *scheduler) refill() error {
	limits := s.q.limits()
	s.mu.Lock()
	room := limits.MaxActive - len(s.active)
	var low []*dest
	for d := range s.hungry {
		if !d.resting && d.count <= share(limits)/4 {
			low = append(low, d)
		}
	}
	s.mu.Unlock()
	for _, d := range low {
		if room <= 0 {
			return nil
		}
		taken, err := s.readMore(d, min(room, share(limits)))
		if err != nil {
			return err
		}
		room -= taken
	}
	return nil
}

// selectMore reads a destination's due rows. Those in memory are among the first of them.
const selectMore = `SELECT id, message_id FROM queue_recipients WHERE destination = ? AND next_attempt <= ? ORDER BY next_attempt, id LIMIT ?`

func (s *scheduler) readMore(d *dest, room int) (taken int, err error) {
	s.mu.Lock()
	limit := room + d.count + perTask*s.q.limits().PerDomain // what is in memory or under way comes first
	s.mu.Unlock()
	rows, err := s.q.o.DB.Query(s.ctx, selectMore, d.name, s.q.o.Clock.Now().UnixMilli(), int64(limit))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for rows.Next() && taken < room {
		var r, m ID
		if err := rows.Scan(&r, &m); err != nil {
			return taken, err
		}
		n++
		if _, ok := s.active[r]; !ok {
			s.take(d, m, r)
			taken++
		}
	}
	if n < limit && taken < room {
		d.more = false
		delete(s.hungry, d)
		s.forgetIfIdle(d)
	}
	return taken, rows.Err()
}

// queueUp puts a destination into the line for a worker, unless it is there or rests.
func (s *scheduler) queueUp(d *dest) {
	if !d.inLine && !d.resting && len(d.waiting) > 0 {
		d.inLine = true
		s.line = append(s.line, d)
	}
}

// selectDue and selectNext read on from the horizon, along the index.
const (
	selectDue = `SELECT id, message_id, destination, next_attempt FROM queue_recipients
		WHERE (next_attempt, id) > (?, ?) AND next_attempt <= ? ORDER BY next_attempt, id LIMIT ?`
	selectNext = `SELECT next_attempt FROM queue_recipients WHERE (next_attempt, id) > (?, ?) ORDER BY next_attempt, id LIMIT 1`
)

// lookAhead finds out when the next row beyond the horizon is due.
func (s *scheduler) lookAhead() error {
	s.mu.Lock()
	at, id := s.at, s.id
	s.mu.Unlock()
	var next int64
	err := s.q.o.DB.QueryRow(s.ctx, selectNext, at, int64(id)).Scan(&next)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, db.ErrNoRows):
		return nil
	case err != nil:
		next = at
	}
	s.nextDue = min(s.nextDue, next)
	return err
}

// dispatch starts workers for the destinations in line and tells how long nothing more can be started.
func (s *scheduler) dispatch() time.Duration {
	limits := s.q.limits()
	now := s.q.o.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := maxSleep
	for d := range s.resting {
		if now.Before(d.restEnds) {
			wait = min(wait, d.restEnds.Sub(now))
			continue
		}
		d.resting = false
		delete(s.resting, d)
		s.queueUp(d)
		if d.more {
			wait = 0 // it is read on in the next round
		}
		s.forgetIfIdle(d)
	}
	for len(s.line) > 0 && s.running < limits.Concurrency {
		d := s.line[0]
		s.line = s.line[1:]
		d.inLine = false
		if d.resting || len(d.waiting) == 0 || d.running >= limits.PerDomain {
			continue
		}
		d.running++
		s.running++
		s.workers.Add(1)
		t := s.pop(d)
		go s.work(d, t)
		s.queueUp(d)
	}
	if len(s.active) < limits.MaxActive && s.nextDue != math.MaxInt64 {
		wait = min(wait, max(0, time.UnixMilli(s.nextDue).Sub(now)))
	}
	return wait
}

func (s *scheduler) pop(d *dest) *task {
	t := d.waiting[0]
	d.waiting[0] = nil
	d.waiting = d.waiting[1:]
	d.count -= len(t.recipients)
	return t
}

// work carries tasks of one destination, one after the other over one line, while there are some.
func (s *scheduler) work(d *dest, t *task) {
	defer s.workers.Done()
	line := s.q.o.Deliverer.Line(d.name)
	for n := 1; t != nil; n++ {
		unreachable := s.attempt(line, d.name, t)
		t = s.done(d, t, n, unreachable)
	}
	line.Close()
	s.mu.Lock()
	d.running--
	s.running--
	s.queueUp(d)
	s.forgetIfIdle(d)
	s.mu.Unlock()
	s.poke()
}

// done forgets a task and gives the worker's next, nil when it should end.
func (s *scheduler) done(d *dest, t *task, n int, unreachable *reply.Error) *task {
	if unreachable != nil {
		s.deferWaiting(d, unreachable)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(t)
	if s.stopping || d.resting || n >= perRun || len(d.waiting) == 0 {
		return nil
	}
	return s.pop(d)
}

func (s *scheduler) forgetIfIdle(d *dest) {
	if d.running == 0 && len(d.waiting) == 0 && !d.resting && !d.more && s.dests[d.name] == d {
		delete(s.dests, d.name)
	}
}

func (s *scheduler) forget(t *task) {
	for _, id := range t.recipients {
		delete(s.active, id)
	}
}

// deferWaiting puts off all that waits for a destination which could not be reached, and lets that rest.
func (s *scheduler) deferWaiting(d *dest, cause *reply.Error) {
	s.mu.Lock()
	first := !d.resting
	d.resting, d.restEnds = true, s.q.o.Clock.Now().Add(cooldown)
	s.resting[d] = struct{}{}
	waiting := d.waiting
	d.waiting, d.count = nil, 0
	s.mu.Unlock()
	if first {
		s.q.log.Warn("queue: destination cannot be reached", "destination", d.name, "waiting", len(waiting), "error", cause.Error())
	}
	for _, t := range waiting {
		s.settleAll(d.name, t, Outcome{Err: cause})
		s.mu.Lock()
		s.forget(t)
		s.mu.Unlock()
	}
}

// endRests has destinations that could not be reached tried again at once, because somebody asked for it who may know more.
func (s *scheduler) endRests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.resting {
		d.restEnds = time.Time{}
	}
}

// settleAll gives all recipients of a task one outcome without a try.
func (s *scheduler) settleAll(name string, t *task, o Outcome) {
	l := s.loadTask(name, t)
	if l == nil {
		return
	}
	outcomes := make([]Outcome, len(l.rows))
	for i := range outcomes {
		outcomes[i] = o
	}
	content, err := s.q.o.Blobs.OpenBlob(s.ctx, l.blob)
	if err != nil {
		s.q.settle(s.ctx, l, outcomes, nil)
		return
	}
	defer content.Close()
	s.q.settle(s.ctx, l, outcomes, content)
}

// loadTask reads a task's rows, patiently; nil when there is nothing left of it, or we are to stop.
func (s *scheduler) loadTask(name string, t *task) *loaded {
	for {
		l, err := s.q.load(s.ctx, name, t)
		if err == nil {
			return l
		}
		if s.ctx.Err() != nil {
			return nil
		}
		s.q.log.Error("queue: reading a message's rows", "message", t.message.String(), "error", err)
		select {
		case <-s.ctx.Done():
			return nil
		case <-s.q.o.Clock.After(writeAgain):
		}
	}
}

// attempt delivers one task and writes what came of it. It gives the cause when the destination cannot be reached.
func (s *scheduler) attempt(line Line, name string, t *task) (unreachable *reply.Error) {
	l := s.loadTask(name, t)
	if l == nil {
		return nil
	}
	content, err := s.q.o.Blobs.OpenBlob(s.ctx, l.blob)
	if err != nil {
		if s.ctx.Err() == nil {
			s.q.log.Error("queue: a message's content cannot be opened", "message", l.id.String(), "error", err)
			s.q.settle(s.ctx, l, same(l.job(name, nil), Outcome{Err: ours(err)}), nil)
		}
		return nil
	}
	defer content.Close()
	outcomes := line.Deliver(s.ctx, l.job(name, content))
	// What the other side has taken is written even while we are told to stop.
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	defer cancel()
	stop := context.AfterFunc(s.ctx, func() { time.AfterFunc(settleTime, cancel) })
	defer stop()
	s.q.settle(ctx, l, outcomes, content)
	if o := outcomes[0]; o.Unreachable {
		return o.Err
	}
	return nil
}

// settleTime is how long a result may take to be written once deliveries are abandoned.
const settleTime = 5 * time.Second
