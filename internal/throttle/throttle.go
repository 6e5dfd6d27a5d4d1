// Package throttle keeps one network from using up the server and from guessing passwords, without letting it lock
// anybody else out.
//
// A network is an IPv4 address or an IPv6 /64. Three things are counted, all in memory of bounded size:
//
//   - connections, new ones per second and concurrent ones (FW-9): [Throttle.Connect], called when a listener accepts;
//   - login attempts per second on all services together (FW-11): [Throttle.BeforeAuth], called when the claimed login is
//     known and before the password is looked at. An attempt that succeeds is given back, so that a webmail's many
//     logins from one address are no flood;
//   - failures, for each pair of account and network: the pair's next attempts wait, each failure twice as long as the
//     last. Another network is never slowed by them, so that a flood from outside is no lock-out, and a network from
//     which the account lately logged in is slowed only after many failures and never for long.
//
// [Throttle.AuthResult] ends every attempt that BeforeAuth let pass. [LogFailure] writes the line that fail2ban reads.
package throttle

import (
	"context"
	"fmt"
	"hash/maphash"
	"net/netip"
	"time"

	"postern/internal/clock"
	"postern/internal/reply"
	"postern/internal/sasl"
	"postern/internal/settings"
)

// Memory is bounded: this many networks and pairs are remembered, the stalest are forgotten first.
const (
	shards        = 64
	networksShard = 2048
	pairsShard    = 2048
	knownShard    = 2048
	// maxWaiting is how many attempts of one network, or on one pair, may wait at the same time.
	maxWaiting = 100
	// knownFactor times the free failures are forgiven to a network that knows the account's password.
	knownFactor = 10
)

// Options are what a throttle stands on.
type Options struct {
	Clock    clock.Clock // the system's when nil
	Settings *settings.Settings
}

// Throttle counts and refuses. It is safe for concurrent use.
type Throttle struct {
	*shared
	concurrent *table[netip.Prefix, *network]
	perNetwork func() int64
}

// shared is what the throttles of all services have in common.
type shared struct {
	clock    clock.Clock
	settings *settings.Settings
	seed     maphash.Seed
	networks *table[netip.Prefix, *network]
	pairs    *table[pair, *failures]
	known    *table[pair, time.Time] // until when
}

// pair is an account's login, hashed, and a network.
type pair struct {
	login   uint64
	network netip.Prefix
}

// New makes a throttle whose Connect allows smtp.max_connections_per_ip at a time.
func New(o Options) *Throttle {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	seed := maphash.MakeSeed()
	s := &shared{
		clock:    o.Clock,
		settings: o.Settings,
		seed:     seed,
		networks: newTable[netip.Prefix, *network](seed, networksShard),
		pairs:    newTable[pair, *failures](seed, pairsShard),
		known:    newTable[pair, time.Time](seed, knownShard),
	}
	t := &Throttle{shared: s}
	return t.WithConnectionLimit(func() int64 { return settings.SMTPMaxConnectionsPerIP.Get(o.Settings) })
}

// WithConnectionLimit makes a throttle for another service: it counts concurrent connections by itself, against its own
// limit, and shares all else with t.
func (t *Throttle) WithConnectionLimit(perNetwork func() int64) *Throttle {
	return &Throttle{shared: t.shared, concurrent: newTable[netip.Prefix, *network](t.seed, networksShard), perNetwork: perNetwork}
}

// Network is what is counted as one client: the IPv4 address, mapped or not, or the IPv6 /64.
func Network(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, _ := ip.Prefix(bits) // the zero Addr gives the zero Prefix
	return p
}

// loginHash makes one key of all spellings of a login that lead to one account: else each would have failures of its own.
func (s *shared) loginHash(login string) uint64 {
	return maphash.String(s.seed, sasl.LoginKey(login))
}

// refuseConnection is polite: the client may come again (RFC 5321 3.8).
func refuseConnection(format string, args ...any) error {
	return reply.New(421, "4.7.0", format, args...)
}

func refuseAttempt(wait time.Duration, why string) error {
	return reply.New(454, "4.7.0", "%s from your network, please try again in %s", why, inWords(wait))
}

// inWords rounds a wait up to what a person would say.
func inWords(d time.Duration) string {
	unit, name := time.Second, "second"
	switch {
	case d > 90*time.Minute:
		unit, name = time.Hour, "hour"
	case d > 90*time.Second:
		unit, name = time.Minute, "minute"
	}
	n := max(1, int64((d+unit-1)/unit))
	if n != 1 {
		name += "s"
	}
	return fmt.Sprintf("%d %s", n, name)
}

// wait sleeps until something changed, d is over or the client has gone. It reports false in the last case.
func (s *shared) wait(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}
