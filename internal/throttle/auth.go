package throttle

import (
	"context"
	"net/netip"
	"time"

	"postern/internal/settings"
)

// failures is what is remembered of a pair of account and network.
type failures struct {
	// count is the failed attempts, and those that are not over: else a thousand guesses at once would all be the first.
	count   int64
	last    time.Time     // of the last attempt or result
	until   time.Time     // the next attempt waits
	waiting int           // attempts that do
	changed chan struct{} // closed at a success
}

// BeforeAuth asks whether an attempt to log in may look at its password. It waits for the network's turn and for the
// pair's back-off, each at most auth.max_wait; what would wait longer is refused with a reply 454 that says when to
// come again. When ctx ends first its error is returned. A nil error obliges the caller to report the outcome to
// [Throttle.AuthResult].
func (t *Throttle) BeforeAuth(ctx context.Context, ip netip.Addr, login string) error {
	key := Network(ip)
	if err := t.takeAttempt(ctx, key); err != nil {
		return err
	}
	return t.backOff(ctx, pair{t.loginHash(login), key})
}

// AuthResult reports how an attempt ended that BeforeAuth let pass. ok means that the password was right.
func (t *Throttle) AuthResult(ip netip.Addr, login string, ok bool) {
	key := Network(ip)
	p := pair{t.loginHash(login), key}
	if !ok {
		t.failed(p)
		return
	}
	t.succeeded(p)
	t.trust(key)
	t.giveBack(key)
}

// takeAttempt takes one of the network's attempts, waiting for it if need be.
func (t *Throttle) takeAttempt(ctx context.Context, key netip.Prefix) error {
	longest := settings.AuthMaxWait.Get(t.settings)
	deadline := t.clock.Now().Add(longest)
	s := t.networks.shard(key)
	for {
		rate := settings.AuthAttemptsPerSecondPerIP.Get(t.settings)
		now := t.clock.Now()
		s.Lock()
		n := lookup(t.networks, s, key, now)
		if n.attempts.take(now, rate) {
			s.Unlock()
			return nil
		}
		pause := max(time.Millisecond, time.Duration((1-n.attempts.tokens)/float64(rate)*float64(time.Second)))
		if n.waiting >= maxWaiting || now.Add(pause).After(deadline) {
			s.Unlock()
			return refuseAttempt(time.Second, "Too many logins")
		}
		if n.changed == nil {
			n.changed = make(chan struct{})
		}
		changed := n.changed
		n.waiting++
		s.Unlock()
		alive := t.wait(ctx, pause, changed)
		s.Lock()
		n.waiting--
		s.Unlock()
		if !alive {
			return ctx.Err()
		}
	}
}

// giveBack returns an attempt that was no guess.
func (t *Throttle) giveBack(key netip.Prefix) {
	s := t.networks.shard(key)
	s.Lock()
	defer s.Unlock()
	n := s.entries[key]
	if n == nil {
		return
	}
	n.attempts.tokens++
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

// backOff waits until the pair may try, and counts the attempt as failed until it is known better.
func (t *Throttle) backOff(ctx context.Context, p pair) error {
	longest := settings.AuthMaxWait.Get(t.settings)
	deadline := t.clock.Now().Add(longest)
	known := t.isKnown(p)
	s := t.pairs.shard(p)
	for {
		now := t.clock.Now()
		s.Lock()
		f := t.pairOf(s, p, now)
		pause := f.until.Sub(now)
		if pause <= 0 {
			f.count++
			f.last = now
			f.until = now.Add(t.delay(f.count, known))
			s.Unlock()
			return nil
		}
		if f.waiting >= maxWaiting || f.until.After(deadline) {
			s.Unlock()
			return refuseAttempt(pause, "Too many failed logins")
		}
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		changed := f.changed
		f.waiting++
		s.Unlock()
		alive := t.wait(ctx, pause, changed)
		s.Lock()
		f.waiting--
		s.Unlock()
		if !alive {
			return ctx.Err()
		}
	}
}

// delay is how long the next attempt waits after so many failures.
func (t *Throttle) delay(count int64, known bool) time.Duration {
	free := settings.AuthBackoffFree.Get(t.settings)
	first := settings.AuthBackoffInitial.Get(t.settings)
	if known {
		if count <= knownFactor*max(free, 1) {
			return 0
		}
		return first
	}
	if count <= free {
		return 0
	}
	most := settings.AuthBackoffMax.Get(t.settings)
	d := first
	for i := free + 1; i < count && d < most; i++ {
		d *= 2
	}
	return min(d, most)
}

// pairOf finds or makes the pair's entry and forgives what time has healed. The shard is locked.
func (t *Throttle) pairOf(s *shard[pair, *failures], p pair, now time.Time) *failures {
	f := s.entries[p]
	if f == nil {
		t.pairs.room(s, func(f *failures) int64 {
			if f.waiting > 0 {
				return -1
			}
			return max(0, int64(now.Sub(f.last)))
		})
		f = &failures{last: now}
		s.entries[p] = f
	}
	if decay := settings.AuthBackoffDecay.Get(t.settings); f.count > 0 {
		if healed := int64(now.Sub(f.last) / decay); healed > 0 {
			f.count = max(0, f.count-healed)
			f.last = f.last.Add(time.Duration(healed) * decay)
		}
	}
	return f
}

// failed starts the back-off anew from the moment the failure is told to the client.
func (t *Throttle) failed(p pair) {
	known := t.isKnown(p)
	now := t.clock.Now()
	s := t.pairs.shard(p)
	s.Lock()
	defer s.Unlock()
	f := t.pairOf(s, p, now)
	f.count = max(f.count, 1)
	f.last = now
	f.until = now.Add(t.delay(f.count, known))
}

// succeeded forgets the pair's failures and remembers that the network knows the password.
func (t *Throttle) succeeded(p pair) {
	s := t.pairs.shard(p)
	s.Lock()
	if f := s.entries[p]; f != nil {
		if f.changed != nil {
			close(f.changed)
		}
		f.count, f.until, f.changed = 0, time.Time{}, nil
		if f.waiting == 0 {
			delete(s.entries, p)
		}
	}
	s.Unlock()

	ttl := settings.AuthKnownNetworkTTL.Get(t.settings)
	if ttl == 0 {
		return
	}
	now := t.clock.Now()
	k := t.known.shard(p)
	k.Lock()
	defer k.Unlock()
	if _, there := k.entries[p]; !there {
		t.known.room(k, func(until time.Time) int64 { return max(0, int64(now.Add(100*365*24*time.Hour).Sub(until))) })
	}
	k.entries[p] = now.Add(ttl)
}

func (t *Throttle) isKnown(p pair) bool {
	k := t.known.shard(p)
	k.Lock()
	defer k.Unlock()
	until, there := k.entries[p]
	if there && !t.clock.Now().Before(until) {
		delete(k.entries, p)
		return false
	}
	return there
}
