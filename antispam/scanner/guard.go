package scanner

import (
	"context"
	"errors"
	"sync"
	"time"

	"postern/internal/clock"
	"postern/internal/verdict"
)

// Options are the limits of a [Guard] and who is told of trouble. What is 0 or nil has the default.
type Options struct {
	// Timeout bounds each message, 30 s.
	Timeout time.Duration
	// Concurrency is how many messages are with the scanner at once, 8; Wait is how long a further one waits for a free
	// place, 10 s.
	Concurrency int
	Wait        time.Duration
	// Failures in a row, 3, send the scanner to rest: for Rest, 30 s, it is not asked. After that one message at a time goes
	// to it to see whether it works again.
	Failures int
	Rest     time.Duration
	// Alert is told of a trouble once, until Recovered was told that it is over. Neither may block.
	Alert     func(Alert)
	Recovered func(scanner string)
	Clock     clock.Clock
}

// Guard is a [Scanner] that never costs more than its limits, whatever the one behind it does.
type Guard struct {
	scanner Scanner
	peer    peer
	o       Options
	places  chan struct{}

	mu       sync.Mutex
	failures int // in a row
	rest     time.Time
	probing  bool
	told     map[Trouble]time.Time
}

// known is what our own scanners tell of themselves.
type known interface{ peer() peer }

// NewGuard puts limits around a scanner.
func NewGuard(s Scanner, o Options) *Guard {
	o.fill()
	g := &Guard{scanner: s, o: o, places: make(chan struct{}, o.Concurrency), told: map[Trouble]time.Time{}}
	g.peer = peer{name: s.Name(), check: verdict.CheckScanner}
	if k, ok := s.(known); ok {
		g.peer = k.peer()
	}
	return g
}

func (o *Options) fill() {
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 8
	}
	if o.Wait <= 0 {
		o.Wait = 10 * time.Second
	}
	if o.Failures <= 0 {
		o.Failures = 3
	}
	if o.Rest <= 0 {
		o.Rest = 30 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Alert == nil {
		o.Alert = func(Alert) {}
	}
	if o.Recovered == nil {
		o.Recovered = func(string) {}
	}
}

// Name is the scanner's.
func (g *Guard) Name() string { return g.peer.name }

// Scan is [Scanner]. It takes at most Wait and Timeout together, and no time at all while the scanner rests.
func (g *Guard) Scan(ctx context.Context, m Message) (Result, error) {
	began := g.o.Clock.Now()
	r, err := g.scan(ctx, m)
	took := g.o.Clock.Now().Sub(began)
	if err == nil {
		r.Took = took
		return r, nil
	}
	var e *Error
	if !errors.As(err, &e) {
		e = g.peer.failed(ctx, nil, err)
	}
	e.Took = took
	return Result{Name: g.peer.name, Took: took}, e
}

func (g *Guard) scan(ctx context.Context, m Message) (Result, error) {
	if g.resting() {
		return Result{}, g.error(Resting)
	}
	if err := g.enter(ctx); err != nil {
		return Result{}, err
	}
	defer func() { <-g.places }()
	probe, ok := g.begin()
	if !ok {
		return Result{}, g.error(Resting)
	}
	ctx, cancel := context.WithTimeout(ctx, g.o.Timeout)
	defer cancel()
	r, err := g.scanner.Scan(ctx, m)
	g.end(probe, err)
	return r, err
}

func (g *Guard) error(t Trouble) *Error {
	return &Error{Scanner: g.peer.name, Address: g.peer.address, Trouble: t, check: g.peer.check}
}

// enter waits for a free place.
func (g *Guard) enter(ctx context.Context) error {
	select {
	case g.places <- struct{}{}:
		return nil
	default:
	}
	timer := g.o.Clock.NewTimer(g.o.Wait)
	defer timer.Stop()
	select {
	case g.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return g.peer.failed(ctx, nil, ctx.Err())
	case <-timer.C():
		busy := g.error(Busy)
		g.alert(busy)
		return busy
	}
}

// resting reports whether the scanner is not to be asked: it failed, and its time is not over or somebody tries it just now.
func (g *Guard) resting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.isResting()
}

func (g *Guard) isResting() bool {
	return g.failures >= g.o.Failures && (g.probing || g.o.Clock.Now().Before(g.rest))
}

// begin asks whether the scanner may be asked, and whether that is to see if it works again. What begin lets pass ends with
// end.
func (g *Guard) begin() (probe, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isResting() {
		return false, false
	}
	probe = g.failures >= g.o.Failures
	g.probing = g.probing || probe
	return probe, true
}

// end counts how it went.
func (g *Guard) end(probe bool, err error) {
	var e *Error
	if err != nil && !errors.As(err, &e) {
		e = g.error(Down)
		e.Cause = err
	}
	g.mu.Lock()
	if probe {
		g.probing = false
	}
	recovered := false
	switch {
	case e == nil:
		recovered = g.forget()
		g.failures = 0
	case e.Trouble.failure():
		if g.failures++; g.failures >= g.o.Failures {
			g.rest = g.o.Clock.Now().Add(g.o.Rest)
		}
	}
	g.mu.Unlock()
	if recovered {
		g.o.Recovered(g.peer.name)
	}
	if e != nil && (e.Trouble.failure() || e.Trouble == TooLarge) {
		g.alert(e)
	}
}
