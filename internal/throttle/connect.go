package throttle

import (
	"net/netip"
	"sync"
	"time"

	"postern/internal/settings"
)

// network is what is remembered of one.
type network struct {
	connections int64 // open now, in a table of concurrent ones
	connects    bucket
	attempts    bucket
	waiting     int
	changed     chan struct{} // closed when an attempt was given back
	used        time.Time
}

// bucket is a token bucket that holds one second's worth.
type bucket struct {
	tokens float64
	filled time.Time
}

// fill adds what has come since the last time; a new bucket is full.
func (b *bucket) fill(now time.Time, perSecond int64) {
	full := float64(perSecond)
	if b.filled.IsZero() {
		b.tokens = full
	} else if passed := now.Sub(b.filled).Seconds(); passed > 0 {
		b.tokens += passed * full
	}
	b.tokens = min(b.tokens, full)
	b.filled = now
}

// take removes a token if there is one.
func (b *bucket) take(now time.Time, perSecond int64) bool {
	b.fill(now, perSecond)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// lookup finds or makes a network's entry. The shard is locked.
func lookup(t *table[netip.Prefix, *network], s *shard[netip.Prefix, *network], key netip.Prefix, now time.Time) *network {
	n := s.entries[key]
	if n == nil {
		t.room(s, func(n *network) int64 {
			if n.connections > 0 || n.waiting > 0 {
				return -1
			}
			return max(0, int64(now.Sub(n.used)))
		})
		n = &network{}
		s.entries[key] = n
	}
	n.used = now
	return n
}

// Connect counts a connection in; release counts it out and may be called more than once. The error is a reply 421.
func (t *Throttle) Connect(ip netip.Addr) (release func(), err error) {
	key, now := Network(ip), t.clock.Now()
	if !t.connectsNow(key, now) {
		return nil, refuseConnection("Too many connections a second from your network, please try again later")
	}
	s := t.concurrent.shard(key)
	s.Lock()
	defer s.Unlock()
	n := lookup(t.concurrent, s, key, now)
	if n.connections >= t.perNetwork() {
		return nil, refuseConnection("Too many connections from your network, please close some or try again later")
	}
	n.connections++
	var once sync.Once
	return func() { once.Do(func() { t.disconnect(key) }) }, nil
}

func (t *Throttle) connectsNow(key netip.Prefix, now time.Time) bool {
	s := t.networks.shard(key)
	s.Lock()
	defer s.Unlock()
	return lookup(t.networks, s, key, now).connects.take(now, settings.LimitsConnectionsPerSecondPerIP.Get(t.settings))
}

func (t *Throttle) disconnect(key netip.Prefix) {
	s := t.concurrent.shard(key)
	s.Lock()
	defer s.Unlock()
	n := s.entries[key]
	if n.connections--; n.connections == 0 {
		delete(s.entries, key)
	}
}
