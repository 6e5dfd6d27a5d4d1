package throttle

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/internal/clock"
	"postern/internal/reply"
	"postern/internal/settings"
)

var (
	owner   = netip.MustParseAddr("192.0.2.1")
	outside = netip.MustParseAddr("198.51.100.7")
)

const alice = "alice@example.test"

// newThrottle stands on a clock that the test moves, with a few settings changed: "name=value".
func newThrottle(t testing.TB, changes ...string) (*Throttle, *clock.Manual) {
	t.Helper()
	c := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	return New(Options{Clock: c, Settings: changed(t, changes...)}), c
}

func changed(t testing.TB, changes ...string) *settings.Settings {
	t.Helper()
	s := settings.Defaults()
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		if err := s.Set(context.Background(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// fail makes failed attempts, moving the clock on as far as the throttle asks, and gives how long it took.
func fail(t *testing.T, th *Throttle, c *clock.Manual, ip netip.Addr, login string, times int) time.Duration {
	t.Helper()
	start := c.Now()
	for range times {
		for th.pause(ip, login) > 0 {
			c.Advance(th.pause(ip, login))
		}
		c.Advance(100 * time.Millisecond)
		if err := th.BeforeAuth(t.Context(), ip, login); err != nil {
			t.Fatal(err)
		}
		th.AuthResult(ip, login, false)
	}
	return c.Now().Sub(start)
}

// pause is how long the pair would have to wait now.
func (t *Throttle) pause(ip netip.Addr, login string) time.Duration {
	p := pair{t.loginHash(login), Network(ip)}
	s := t.pairs.shard(p)
	s.Lock()
	defer s.Unlock()
	if f := s.entries[p]; f != nil {
		return max(0, f.until.Sub(t.clock.Now()))
	}
	return 0
}

// code is the reply that an error carries.
func code(err error) int {
	var e *reply.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestConnectionsPerSecond(t *testing.T) {
	th, c := newThrottle(t, "limits.connections_per_second_per_ip=50", "smtp.max_connections_per_ip=100000")
	// open takes turns until one is refused, and gives how many were at once and how many have to wait.
	open := func() (now, later int) {
		for {
			wait, ok := th.connectTurn(Network(outside), c.Now())
			switch {
			case !ok:
				if _, err := th.Connect(outside); code(err) != 421 {
					t.Errorf("refused with %v", err)
				}
				return now, later
			case wait > connectPatience:
				t.Fatalf("a wait of %v", wait)
			case wait > 0:
				later++
			default:
				now++
			}
		}
	}
	if now, later := open(); now != 50 || later != 250 {
		t.Errorf("%d connections at once and %d after a wait", now, later)
	}
	if _, err := th.Connect(owner); err != nil {
		t.Errorf("another network: %v", err)
	}
	c.Advance(time.Second)
	if now, later := open(); now != 0 || later != 50 {
		t.Errorf("a second later %d at once and %d after a wait", now, later)
	}
	c.Advance(time.Hour)
	if now, later := open(); now != 50 || later != 250 {
		t.Errorf("after an hour's rest %d at once and %d after a wait", now, later)
	}
	if err := th.BeforeAuth(t.Context(), outside, alice); err != nil {
		t.Fatal(err)
	}
	th.AuthResult(outside, alice, true)
	c.Advance(10 * time.Second)
	if now, later := open(); now != 50*trustedFactor || later != 250*trustedFactor {
		t.Errorf("after a login %d at once and %d after a wait", now, later)
	}
}

func TestAConnectionWaitsForItsTurn(t *testing.T) {
	th, c := newThrottle(t, "limits.connections_per_second_per_ip=1", "smtp.max_connections_per_ip=10")
	if _, err := th.Connect(outside); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := th.Connect(outside)
		done <- err
	}()
	for c.Waiting() == 0 {
		runtime.Gosched()
	}
	select {
	case <-done:
		t.Fatal("the second did not wait")
	default:
	}
	c.Advance(time.Second)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestConcurrentConnections(t *testing.T) {
	th, c := newThrottle(t, "smtp.max_connections_per_ip=20", "limits.connections_per_second_per_ip=1000")
	imap := th.WithConnectionLimit(func() int64 { return 3 })
	var releases []func()
	for i := range 20 {
		release, err := th.Connect(owner)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		releases = append(releases, release)
	}
	if _, err := th.Connect(owner); code(err) != 421 || !strings.Contains(err.Error(), "close some") {
		t.Errorf("the 21st: %v", err)
	}
	for range 3 {
		if _, err := imap.Connect(owner); err != nil {
			t.Errorf("another service: %v", err)
		}
	}
	if _, err := imap.Connect(owner); code(err) != 421 {
		t.Errorf("another service's fourth: %v", err)
	}
	releases[0]()
	releases[0]() // counts once
	if _, err := th.Connect(owner); err != nil {
		t.Errorf("after one was closed: %v", err)
	}
	if _, err := th.Connect(owner); code(err) != 421 {
		t.Errorf("after one was closed and one opened: %v", err)
	}
	c.Advance(24 * time.Hour)
	if _, err := th.Connect(owner); code(err) != 421 {
		t.Errorf("open connections were forgotten: %v", err)
	}
}

func TestAnIPv6NetworkIsOneClient(t *testing.T) {
	th, _ := newThrottle(t, "smtp.max_connections_per_ip=2")
	for i := range 2 {
		if _, err := th.Connect(netip.MustParseAddr(fmt.Sprintf("2001:db8:0:1::%d", i+1))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := th.Connect(netip.MustParseAddr("2001:db8:0:1:ffff::9")); code(err) != 421 {
		t.Errorf("another address of the /64: %v", err)
	}
	if _, err := th.Connect(netip.MustParseAddr("2001:db8:0:2::1")); err != nil {
		t.Errorf("another /64: %v", err)
	}
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8::1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := Network(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s is %s", in, got)
		}
	}
	if Network(netip.Addr{}).IsValid() {
		t.Error("no address has a network")
	}
}

func TestLoginAttemptsPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New(Options{Settings: changed(t, "auth.attempts_per_second_per_ip=10", "auth.max_wait=2s")})
		start, passed, refused := time.Now(), 0, 0
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				err := th.BeforeAuth(t.Context(), outside, fmt.Sprintf("user%d@example.test", i))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					passed++
				case code(err) == 454:
					refused++
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if took := time.Since(start); passed < 20 || passed > 30 || passed+refused != 200 || took > 3*time.Second {
			t.Errorf("%d attempts passed in %v, %d were refused", passed, took, refused)
		}
	})
}

func TestCorrectLoginsAreNoFlood(t *testing.T) {
	th, c := newThrottle(t, "auth.attempts_per_second_per_ip=10")
	start := c.Now()
	for range 1000 {
		if err := th.BeforeAuth(t.Context(), owner, alice); err != nil {
			t.Fatal(err)
		}
		th.AuthResult(owner, alice, true)
	}
	if took := c.Now().Sub(start); took != 0 {
		t.Errorf("1000 logins took %v", took)
	}
}

func TestBackOffGrowsAndIsBounded(t *testing.T) {
	th, c := newThrottle(t, "auth.backoff_free=3", "auth.backoff_initial=1s", "auth.backoff_max=1m", "auth.backoff_decay=1h")
	fail(t, th, c, outside, alice, 3)
	if p := th.pause(outside, alice); p != 0 {
		t.Errorf("three typing errors cost %v", p)
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		fail(t, th, c, outside, alice, 1)
		if p := th.pause(outside, alice); p != want*time.Second {
			t.Errorf("after %d failures the pause is %v, want %ds", i+4, p, want)
		}
	}
}

func TestSpellingsOfALoginShareTheirFailures(t *testing.T) {
	th, _ := newThrottle(t)
	for _, login := range []string{"alice@example.test", " Alice@Example.Test", "al\u00adice@example.test", "\uff41lice@example.test", `"alice"@example.test`, `"a\lice"@example.test`, "alice@\uff45xample.test"} {
		if got := th.loginHash(login); got != th.loginHash("alice@example.test") {
			t.Errorf("%q has failures of its own", login)
		}
	}
	if th.loginHash("bob@example.test") == th.loginHash("alice@example.test") {
		t.Error("two people share their failures")
	}
}

func TestBackOffDecays(t *testing.T) {
	th, c := newThrottle(t, "auth.backoff_free=3", "auth.backoff_initial=1s", "auth.backoff_max=1m", "auth.backoff_decay=10m")
	fail(t, th, c, outside, alice, 8)
	if p := th.pause(outside, alice); p != 16*time.Second {
		t.Fatalf("pause %v", p)
	}
	c.Advance(30*time.Minute + time.Second) // forgives three
	fail(t, th, c, outside, alice, 1)
	if p := th.pause(outside, alice); p != 4*time.Second {
		t.Errorf("pause %v after half an hour of quiet", p)
	}
	c.Advance(2 * time.Hour)
	fail(t, th, c, outside, alice, 3)
	if p := th.pause(outside, alice); p != 0 {
		t.Errorf("pause %v after two hours of quiet and three failures", p)
	}
}

func TestAnAttemptWaitsForAShortBackOffAndIsRefusedForALongOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New(Options{Settings: changed(t, "auth.max_wait=10s")})
		try := func() (time.Duration, error) {
			start := time.Now()
			err := th.BeforeAuth(t.Context(), outside, alice)
			return time.Since(start), err
		}
		for range 4 {
			if _, err := try(); err != nil {
				t.Fatal(err)
			}
			th.AuthResult(outside, alice, false)
		}
		for _, want := range []time.Duration{1, 2, 4, 8} {
			took, err := try()
			if err != nil || took != want*time.Second {
				t.Fatalf("waited %v, want %ds; %v", took, want, err)
			}
			th.AuthResult(outside, alice, false)
		}
		took, err := try()
		if code(err) != 454 || took != 0 {
			t.Fatalf("an attempt that would wait 16 s: waited %v, %v", took, err)
		}
		if text := reply.From(err).Text; text != "Too many failed logins from your network, please try again in 16 seconds" {
			t.Errorf("text %q", text)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.Sleep(8 * time.Second)
		time.AfterFunc(time.Second, cancel)
		if err := th.BeforeAuth(ctx, outside, alice); !errors.Is(err, context.Canceled) {
			t.Errorf("a client that hangs up: %v", err)
		}
	})
}

func TestManyGuessesAtOnceAreNotAllTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New(Options{Settings: changed(t, "auth.attempts_per_second_per_ip=1000", "auth.max_wait=10s")})
		var passed int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				if th.BeforeAuth(t.Context(), outside, alice) == nil {
					mu.Lock()
					defer mu.Unlock()
					passed++
				}
			})
		}
		all.Wait()
		if passed > 8 {
			t.Errorf("%d guesses passed within ten seconds", passed)
		}
	})
}

func TestConnectionsOfOneClientAtOnceDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New(Options{Settings: settings.Defaults()})
		start := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := th.BeforeAuth(t.Context(), owner, alice); err != nil {
					t.Error(err)
				}
				time.Sleep(200 * time.Millisecond) // the hash
				th.AuthResult(owner, alice, true)
			})
		}
		all.Wait()
		if took := time.Since(start); took > time.Second {
			t.Errorf("a client with ten connections waited %v", took)
		}
	})
}

func TestAFloodFromOutsideDoesNotDelayTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := New(Options{Settings: changed(t, "auth.max_wait=1s")})
		ctx, stop := context.WithCancel(t.Context())
		var flood sync.WaitGroup
		for i := range 100 {
			ip := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
			flood.Go(func() {
				for ctx.Err() == nil {
					if th.BeforeAuth(ctx, ip, alice) == nil {
						th.AuthResult(ip, alice, false)
					}
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Minute)
		for range 100 {
			start := time.Now()
			if err := th.BeforeAuth(t.Context(), owner, alice); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != 0 {
				t.Fatalf("the owner waited %v", took)
			}
			th.AuthResult(owner, alice, true)
			time.Sleep(100 * time.Millisecond)
		}
		stop()
		flood.Wait()
	})
}

func TestANetworkThatKnowsThePasswordIsHardlySlowed(t *testing.T) {
	th, c := newThrottle(t)
	if err := th.BeforeAuth(t.Context(), owner, alice); err != nil {
		t.Fatal(err)
	}
	th.AuthResult(owner, alice, true)
	fail(t, th, c, owner, alice, 30)
	if p := th.pause(owner, alice); p != 0 {
		t.Errorf("thirty typing errors cost %v", p)
	}
	fail(t, th, c, owner, alice, 20)
	if p := th.pause(owner, alice); p != time.Second {
		t.Errorf("pause %v after fifty", p)
	}
	fail(t, th, c, owner, "bob@example.test", 5)
	if p := th.pause(owner, "bob@example.test"); p != 2*time.Second {
		t.Errorf("pause %v for another account", p)
	}
	c.Advance(31 * 24 * time.Hour)
	fail(t, th, c, owner, alice, 5)
	if p := th.pause(owner, alice); p != 2*time.Second {
		t.Errorf("pause %v a month later", p)
	}
}

func TestASuccessForgivesFailures(t *testing.T) {
	th, c := newThrottle(t, "auth.known_network_ttl=0s")
	fail(t, th, c, owner, alice, 6)
	c.Advance(th.pause(owner, alice))
	if err := th.BeforeAuth(t.Context(), owner, "ALICE@example.test "); err != nil { // another spelling
		t.Fatal(err)
	}
	th.AuthResult(owner, alice, true)
	fail(t, th, c, owner, alice, 3)
	if p := th.pause(owner, alice); p != 0 {
		t.Errorf("pause %v", p)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	th, _ := newThrottle(t)
	release, err := th.Connect(owner)
	if err != nil {
		t.Fatal(err)
	}
	if err := th.BeforeAuth(t.Context(), owner, alice); err != nil {
		t.Fatal(err)
	}
	th.AuthResult(owner, alice, true)
	for i := range 400_000 {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		release, err := th.Connect(ip)
		if err != nil {
			t.Fatal(err)
		}
		release()
		if i%2 == 0 {
			if err := th.BeforeAuth(t.Context(), ip, "x"); err != nil {
				t.Fatal(err)
			}
			th.AuthResult(ip, "x", false)
		}
	}
	if n := th.networks.size(); n > shards*networksShard {
		t.Errorf("%d networks", n)
	}
	if n := th.pairs.size(); n > shards*pairsShard {
		t.Errorf("%d pairs", n)
	}
	if !th.isKnown(pair{th.loginHash(alice), Network(owner)}) {
		t.Error("a flood of failures made us forget where alice logs in from")
	}
	release()
}

func TestWaitsAreToldInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 second", time.Second: "1 second", 1500 * time.Millisecond: "2 seconds", 90 * time.Second: "90 seconds",
		91 * time.Second: "2 minutes", 15 * time.Minute: "15 minutes", 2 * time.Hour: "2 hours",
	} {
		if got := inWords(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func BenchmarkAttempt(b *testing.B) {
	th := New(Options{Settings: settings.Defaults()})
	for b.Loop() {
		if err := th.BeforeAuth(b.Context(), owner, alice); err != nil {
			b.Fatal(err)
		}
		th.AuthResult(owner, alice, true)
	}
}

func BenchmarkConnect(b *testing.B) {
	th := New(Options{Settings: changed(b, "limits.connections_per_second_per_ip=100000")})
	for i := 0; b.Loop(); i++ {
		release, err := th.Connect(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}
