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
	trusted     time.Time // until then a login succeeded from here lately
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

const (
	// connectPatience is how long a connection may wait for its turn. Sixty clients that start at the same moment are no
	// flood; thousands are, and are refused.
	connectPatience = 5 * time.Second
	// trustedFactor times the rate is for a network from which somebody lately logged in: a webmail opens a connection for
	// each click.
	trustedFactor = 40
	// trustedFor is how long that lasts.
	trustedFor = time.Hour
)

// Connect counts a connection in; release counts it out and may be called more than once. One that comes faster than the
// network's rate waits for its turn, a few seconds at most. The error is a reply 421.
func (t *Throttle) Connect(ip netip.Addr) (release func(), err error) {
	key := Network(ip)
	wait, ok := t.connectTurn(key, t.clock.Now())
	if !ok {
		return nil, refuseConnection("Too many connections a second from your network, please try again later")
	}
	if release, err = t.countIn(key); err != nil || wait <= 0 {
		return release, err
	}
	<-t.clock.After(wait)
	return release, nil
}

// countIn takes one of the network's concurrent connections.
func (t *Throttle) countIn(key netip.Prefix) (release func(), err error) {
	s := t.concurrent.shard(key)
	s.Lock()
	defer s.Unlock()
	n := lookup(t.concurrent, s, key, t.clock.Now())
	if n.connections >= t.perNetwork() {
		return nil, refuseConnection("Too many connections from your network, please close some or try again later")
	}
	n.connections++
	var once sync.Once
	return func() { once.Do(func() { t.disconnect(key) }) }, nil
}

// connectTurn says how long a connection of the network must wait for its turn, or that it must not wait at all.
func (t *Throttle) connectTurn(key netip.Prefix, now time.Time) (wait time.Duration, ok bool) {
	rate := settings.LimitsConnectionsPerSecondPerIP.Get(t.settings)
	s := t.networks.shard(key)
	s.Lock()
	defer s.Unlock()
	n := lookup(t.networks, s, key, now)
	if now.Before(n.trusted) {
		rate *= trustedFactor
	}
	n.connects.fill(now, rate)
	wait = time.Duration(max(0, 1-n.connects.tokens) / float64(rate) * float64(time.Second))
	if wait > connectPatience {
		return 0, false
	}
	n.connects.tokens--
	return wait, true
}

// trust remembers that somebody logged in from the network.
func (t *Throttle) trust(key netip.Prefix) {
	now := t.clock.Now()
	s := t.networks.shard(key)
	s.Lock()
	defer s.Unlock()
	lookup(t.networks, s, key, now).trusted = now.Add(trustedFor)
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
