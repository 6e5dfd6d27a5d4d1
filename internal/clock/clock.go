// Package clock is the time that the server's parts are given, so that a test can hold it and let days pass at once.
package clock

import (
	"sort"
	"sync"
	"time"
)

// Clock tells the time and waits.
type Clock interface {
	Now() time.Time
	// After sends the time once d has passed.
	After(d time.Duration) <-chan time.Time
	NewTimer(d time.Duration) Timer
}

// Timer is a [time.Timer] of a [Clock].
type Timer interface {
	C() <-chan time.Time
	// Stop reports whether the timer was still running.
	Stop() bool
	// Reset arms the timer again and reports whether it was still running.
	Reset(d time.Duration) bool
}

// System is the machine's clock.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time                         { return time.Now() }
func (system) After(d time.Duration) <-chan time.Time { return time.After(d) }
func (system) NewTimer(d time.Duration) Timer         { return systemTimer{time.NewTimer(d)} }

type systemTimer struct{ *time.Timer }

func (t systemTimer) C() <-chan time.Time { return t.Timer.C }

// Manual is a clock that moves only when it is told to.
type Manual struct {
	mu     sync.Mutex
	now    time.Time
	timers []*manualTimer
}

// NewManual makes a clock that stands at now.
func NewManual(now time.Time) *Manual { return &Manual{now: now} }

// Now is where the clock stands.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// After sends the time once the clock was moved d on.
func (m *Manual) After(d time.Duration) <-chan time.Time { return m.NewTimer(d).C() }

// NewTimer makes a timer that fires once the clock was moved d on.
func (m *Manual) NewTimer(d time.Duration) Timer {
	t := &manualTimer{clock: m, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

// Advance moves the clock on and fires the timers that are due, earliest first.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	m.fire()
}

// Waiting is the number of running timers: a test advances once what it watches has gone to wait.
func (m *Manual) Waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.timers)
}

func (m *Manual) fire() {
	sort.SliceStable(m.timers, func(i, j int) bool { return m.timers[i].at.Before(m.timers[j].at) })
	for len(m.timers) > 0 && !m.timers[0].at.After(m.now) {
		t := m.timers[0]
		m.timers = m.timers[1:]
		select {
		case t.c <- m.now:
		default:
		}
	}
}

type manualTimer struct {
	clock *Manual
	at    time.Time
	c     chan time.Time
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	return t.remove()
}

func (t *manualTimer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	running := t.remove()
	t.at = t.clock.now.Add(d)
	t.clock.timers = append(t.clock.timers, t)
	t.clock.fire()
	return running
}

func (t *manualTimer) remove() bool {
	for i, other := range t.clock.timers {
		if other == t {
			t.clock.timers = append(t.clock.timers[:i], t.clock.timers[i+1:]...)
			return true
		}
	}
	return false
}
