package directory

import (
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sync"

	"postern/internal/clock"
	"postern/internal/sasl"
	"postern/internal/settings"
	"postern/internal/throttle"
)

// Waiting is bounded: for one network, so that a flood from it is turned away early, and for all together.
const (
	maxWaitingOfOne = 64
	maxWaitingOfAll = 4096
)

// hasher shares the processors among those who want a password hashed, at some 0.2 seconds each: a few run at a time,
// and the networks that wait take turns. A network never has all the places, so that one that floods us delays another
// by no more than it takes until a place is free.
type hasher struct {
	settings *settings.Settings
	clock    clock.Clock

	mu      sync.Mutex
	total   int64 // places given so far
	running int
	waiting int
	lanes   map[netip.Prefix]*lane
	turns   []*lane // those with someone waiting, next first
}

// lane is one network's share.
type lane struct {
	running int
	queue   []*ticket
}

// ticket is one who waits; ready is closed when its turn has come.
type ticket struct {
	ready chan struct{}
}

func newHasher(s *settings.Settings, c clock.Clock) *hasher {
	return &hasher{settings: s, clock: c, lanes: make(map[netip.Prefix]*lane)}
}

// places is how many hash at the same time.
func (h *hasher) places() int {
	if n := int(settings.AuthMaxConcurrentHashes.Get(h.settings)); n > 0 {
		return n
	}
	return max(2, runtime.GOMAXPROCS(0)/2)
}

// enter waits for a place and gives what leaves it. It fails with sasl.ErrBusy when the wait would be or was too long.
func (h *hasher) enter(ctx context.Context, ip netip.Addr) (leave func(), err error) {
	key := throttle.Network(ip)
	h.mu.Lock()
	l := h.lanes[key]
	if l == nil {
		l = &lane{}
		h.lanes[key] = l
	}
	leave = sync.OnceFunc(func() { h.leave(key, l) })
	if len(l.queue) == 0 && h.admits(l) {
		h.place(l)
		h.mu.Unlock()
		return leave, nil
	}
	if len(l.queue) >= maxWaitingOfOne || h.waiting >= maxWaitingOfAll {
		h.mu.Unlock()
		return nil, sasl.ErrBusy
	}
	t := &ticket{ready: make(chan struct{})}
	if len(l.queue) == 0 {
		h.turns = append(h.turns, l)
	}
	l.queue = append(l.queue, t)
	h.waiting++
	h.mu.Unlock()
	return h.await(ctx, key, l, t, leave)
}

func (h *hasher) await(ctx context.Context, key netip.Prefix, l *lane, t *ticket, leave func()) (func(), error) {
	timer := h.clock.NewTimer(settings.AuthMaxWait.Get(h.settings))
	defer timer.Stop()
	var err error
	select {
	case <-t.ready:
		return leave, nil
	case <-timer.C():
		err = sasl.ErrBusy
	case <-ctx.Done():
		err = ctx.Err()
	}
	h.mu.Lock()
	at := slices.Index(l.queue, t)
	if at >= 0 {
		l.queue = slices.Delete(l.queue, at, at+1)
		h.waiting--
		h.tidy(key, l)
	}
	h.mu.Unlock()
	if at < 0 {
		leave() // its turn came at the same moment
	}
	return nil, err
}

// admits reports whether the lane may have one more place now. The lock is held.
func (h *hasher) admits(l *lane) bool {
	places := h.places()
	return h.running < places && l.running < max(1, places-1)
}

// place gives the lane a place. The lock is held.
func (h *hasher) place(l *lane) {
	l.running++
	h.running++
	h.total++
}

// entered is how many places were given so far: one for each password that was hashed.
func (h *hasher) entered() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total
}

// leave frees a place and gives it to those whose turn it is.
func (h *hasher) leave(key netip.Prefix, l *lane) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.running--
	h.running--
	h.dispatch()
	h.tidy(key, l)
}

// dispatch hands out places in turn. The lock is held.
func (h *hasher) dispatch() {
	for i := 0; i < len(h.turns); {
		l := h.turns[i]
		if !h.admits(l) {
			i++
			continue
		}
		t := l.queue[0]
		l.queue = l.queue[1:]
		h.waiting--
		h.place(l)
		close(t.ready)
		h.turns = slices.Delete(h.turns, i, i+1)
		if len(l.queue) > 0 {
			h.turns = append(h.turns, l)
		}
		i = 0
	}
}

// tidy forgets what is empty. The lock is held.
func (h *hasher) tidy(key netip.Prefix, l *lane) {
	if len(l.queue) > 0 {
		return
	}
	if at := slices.Index(h.turns, l); at >= 0 {
		h.turns = slices.Delete(h.turns, at, at+1)
	}
	if l.running == 0 {
		delete(h.lanes, key)
	}
}
