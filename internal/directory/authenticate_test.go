package directory

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/internal/clock"
	"postern/internal/sasl"
	"postern/internal/settings"
)

// login tries a password and says who it was.
func (h *house) login(login, password string) string {
	h.t.Helper()
	id, err := h.Authenticate(ctx, login, password)
	switch {
	case errors.Is(err, sasl.ErrBadCredentials) && id == (sasl.Identity{}):
		return "refused"
	case err != nil:
		return err.Error()
	}
	return id.Login
}

func TestPasswords(t *testing.T) {
	h := newHouse(t)
	h.must(err1(h.AddUser(ctx, NewUser{Address: addr("\u00fcmit@example.test"), Password: "Pa\u00dfwort-A\u0308\u00d6-1"})))
	const alice = "alice@example.test"
	for range 2 { // the second time from memory
		for _, c := range []struct{ login, password, want string }{
			{alice, password, alice},
			{"ALICE@Example.Test", password, alice},
			{" alice@example.test ", password, alice},
			{alice, password + " ", "refused"},
			{alice, "", "refused"},
			{alice, "secret-garden-7", "refused"},
			{alice, password + "\x00", "refused"},
			{"alice+x@example.test", password, "refused"},
			{"alice", password, "refused"},
			{"nobody@example.test", password, "refused"},
			{"alice@elsewhere.test", password, "refused"},
			{"", password, "refused"},
			{"\xff", password, "refused"},
			{alice, strings.Repeat("x", 100_000), "refused"},
			{"u\u0308mit@example.test", "Pa\u00dfwort-\u00c4O\u0308-1", "\u00fcmit@example.test"},
		} {
			if got := h.login(c.login, c.password); got != c.want {
				t.Errorf("%q with %.30q: %s, want %s", c.login, c.password, got, c.want)
			}
		}
	}
}

func TestAPasswordChangeOrDisablingTakesEffectAtOnce(t *testing.T) {
	h := newHouse(t)
	const alice = "alice@example.test"
	if h.login(alice, password) != alice || len(h.recent.hits) != 1 {
		t.Fatal("no login to remember")
	}
	h.must(h.SetPassword(ctx, addr(alice), "Another-Garden-8"))
	if len(h.recent.hits) != 0 {
		t.Error("the old password is still remembered")
	}
	if got := h.login(alice, password); got != "refused" {
		t.Errorf("the old password: %s", got)
	}
	if got := h.login(alice, "Another-Garden-8"); got != alice {
		t.Errorf("the new password: %s", got)
	}
	h.must(h.ChangeUser(ctx, addr(alice), UserChange{Disabled: new(true)}))
	if got := h.login(alice, "Another-Garden-8"); got != "refused" || len(h.recent.hits) != 0 {
		t.Errorf("disabled: %s", got)
	}
	h.must(h.ChangeUser(ctx, addr(alice), UserChange{Disabled: new(false)}))
	if got := h.login(alice, "Another-Garden-8"); got != alice {
		t.Errorf("enabled again: %s", got)
	}
	h.must(h.RemoveUser(ctx, addr(alice)))
	if got := h.login(alice, "Another-Garden-8"); got != "refused" {
		t.Errorf("removed: %s", got)
	}
	h.add(alice, false)
	if got := h.login(alice, "Another-Garden-8"); got != "refused" {
		t.Errorf("a new account of the old name: %s", got)
	}
}

func TestARepeatedLoginIsNotHashedAgain(t *testing.T) {
	h := newHouse(t)
	c := clock.NewManual(time.Now())
	h.recent.clock = c
	const alice = "alice@example.test"
	// hashed reports whether a login with the verifier swapped for another succeeds: only if nothing was computed.
	known := func() bool {
		p := h.now.Load().person(alice)
		return h.recent.has(p, h.recent.mark(p.ID, alice, password), h.rounds())
	}
	if known() {
		t.Fatal("known before the first login")
	}
	h.login(alice, password)
	if !known() {
		t.Fatal("not remembered")
	}
	c.Advance(10*time.Minute - time.Second)
	if !known() {
		t.Error("forgotten before auth.cache_ttl")
	}
	c.Advance(time.Second)
	if known() {
		t.Error("remembered beyond auth.cache_ttl")
	}
	h.must(h.s.Set(ctx, "auth.cache_ttl", "0s"))
	h.login(alice, password)
	if known() {
		t.Error("remembered with the cache switched off")
	}
}

// Two people may have the same password. What is remembered of one must not open the other's account.
func TestWhatIsRememberedBelongsToOneAccount(t *testing.T) {
	h := newHouse(t)
	h.must(h.SetPassword(ctx, addr("bob@example.test"), "Another-Garden-8"))
	if h.login("alice@example.test", password) != "alice@example.test" {
		t.Fatal("no login")
	}
	if got := h.login("bob@example.test", password); got != "refused" {
		t.Errorf("bob with alice's password: %s", got)
	}
	a, b := h.recent.mark(1, "x", "y"), h.recent.mark(2, "x", "y")
	if a == b || h.recent.mark(1, "xy", "z") == h.recent.mark(1, "x", "yz") || a == newSuccesses(clock.System).mark(1, "x", "y") {
		t.Error("marks do not tell accounts, logins, passwords or processes apart")
	}
}

func TestALoginHoldsUntilThePasswordChangesToTheInstant(t *testing.T) {
	h := newHouse(t)
	u, _ := h.User(addr("bob@example.test"))
	for range 3 { // more than one of them begins and ends in the same second
		began := clock.System.Now()
		if !h.LoginHolds(u.ID, began) {
			t.Fatal("a login does not hold at all")
		}
		h.must(h.SetPassword(ctx, addr("bob@example.test"), "Another-Garden-8"))
		if h.LoginHolds(u.ID, began) {
			t.Fatal("what the old password let in goes on")
		}
	}
	disabled := true
	h.must(h.ChangeUser(ctx, addr("bob@example.test"), UserChange{Disabled: &disabled}))
	if h.LoginHolds(u.ID, clock.System.Now()) || h.LoginHolds(u.ID+100, clock.System.Now()) {
		t.Error("somebody who is disabled, or nobody, is logged in")
	}
}

func TestAPasswordIsHashedAnewWhenTheRoundsRise(t *testing.T) {
	h := newHouse(t)
	const alice = "alice@example.test"
	h.rounds = func() rounds { return rounds{2000, 500} }
	if got := h.login(alice, "Wrong-Garden-7"); got != "refused" {
		t.Fatal(got)
	}
	if n := h.now.Load().person(alice).verifier.iterations; n != 1000 {
		t.Fatalf("a wrong password changed the rounds to %d", n)
	}
	if got := h.login(alice, password); got != alice {
		t.Fatal(got)
	}
	after := h.now.Load().person(alice).verifier
	if after.iterations != 2000 {
		t.Errorf("%d rounds after the login", after.iterations)
	}
	h.checkMemory()
	if got := h.login(alice, password); got != alice || h.now.Load().person(alice).verifier != after {
		t.Errorf("the next login: %s", got)
	}
	h.recent.drop(h.now.Load().person(alice).ID)
	if got := h.login(alice, password); got != alice {
		t.Errorf("by the new verifier: %s", got)
	}
	if u, _ := h.User(addr(alice)); !u.PasswordChanged.Equal(u.Created) {
		t.Error("hashing anew counts as a change of password")
	}
}

func TestConnectionsAtOnceAllLogInWhileThePasswordIsHashedAnew(t *testing.T) {
	h := newHouse(t)
	h.rounds = func() rounds { return rounds{3000, 600} }
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			c := sasl.WithRemote(ctx, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
			if _, err := h.Authenticate(c, "alice@example.test", password); err != nil {
				t.Error(err)
			}
			if _, err := h.Authenticate(c, "bob@example.test", fmt.Sprint(i)); !errors.Is(err, sasl.ErrBadCredentials) {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// An unknown user, a disabled account and a wrong password each take one hash, so that the time tells nothing. Hashes
// are counted by the places that they take, not by the clock.
func TestEveryFailureCostsOneHash(t *testing.T) {
	h := newHouse(t)
	h.must(h.ChangeUser(ctx, addr("bob@example.test"), UserChange{Disabled: new(true)}))
	for _, login := range []string{"alice@example.test", "bob@example.test", "nobody@example.test", "nobody", "\xff"} {
		if n := h.hashesOf(func() { h.login(login, "Wrong-Garden-7") }); n != 1 {
			t.Errorf("%q costs %d hashes", login, n)
		}
	}
	if n := h.hashesOf(func() { h.login("alice@example.test", password) }); n != 1 {
		t.Errorf("a first login costs %d hashes", n)
	}
	if n := h.hashesOf(func() { h.login("alice@example.test", password) }); n != 0 {
		t.Errorf("a second login costs %d hashes", n)
	}
}

// hashesOf counts the places that were taken while fn ran.
func (h *house) hashesOf(fn func()) int64 {
	before := h.hashing.entered()
	fn()
	return h.hashing.entered() - before
}

func TestAppPasswordsAreAskedFirst(t *testing.T) {
	h := newHouse(t)
	h.apps = apps{"imap": "abcd-efgh"}
	for service, want := range map[string]error{"imap": nil, "submission": sasl.ErrBadCredentials} {
		if _, err := h.For(service).Authenticate(ctx, "alice@example.test", "abcd-efgh"); !errors.Is(err, want) {
			t.Errorf("%s: %v", service, err)
		}
	}
	h.must(h.ChangeUser(ctx, addr("alice@example.test"), UserChange{Disabled: new(true)}))
	if _, err := h.For("imap").Authenticate(ctx, "alice@example.test", "abcd-efgh"); !errors.Is(err, sasl.ErrBadCredentials) {
		t.Errorf("disabled: %v", err)
	}
}

type apps map[string]string

func (a apps) Verify(_ context.Context, _ int64, service, password string) bool {
	return a[service] == password
}

func newTestHasher(changes ...string) *hasher {
	s := settings.Defaults()
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		if err := s.Set(ctx, name, value); err != nil {
			panic(err)
		}
	}
	return newHasher(s, clock.System)
}

func TestOneNetworkCannotTakeAllPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher("auth.max_concurrent_hashes=4", "auth.max_wait=10s")
		flooder, owner := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.1")
		stop := make(chan struct{})
		var flood sync.WaitGroup
		var busy int
		var mu sync.Mutex
		for range 200 {
			flood.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					leave, err := h.enter(ctx, flooder)
					if err != nil {
						mu.Lock()
						busy++
						mu.Unlock()
						time.Sleep(time.Second)
						continue
					}
					time.Sleep(200 * time.Millisecond) // the hash
					leave()
				}
			})
		}
		time.Sleep(time.Minute)
		for range 20 {
			start := time.Now()
			leave, err := h.enter(ctx, owner)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("waited %v beside a flood from another network", took)
			}
			time.Sleep(200 * time.Millisecond)
			leave()
		}
		close(stop)
		flood.Wait()
		if busy == 0 {
			t.Error("a flood of 200 was never told to come later")
		}
		if len(h.lanes) != 0 || len(h.turns) != 0 || h.running != 0 || h.waiting != 0 {
			t.Errorf("left behind: %d lanes, %d turns, %d running, %d waiting", len(h.lanes), len(h.turns), h.running, h.waiting)
		}
	})
}

func TestNetworksTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher("auth.max_concurrent_hashes=1", "auth.max_wait=1m")
		var mu sync.Mutex
		var order []string
		var all sync.WaitGroup
		ask := func(ip string, times int) {
			for range times {
				all.Go(func() {
					leave, err := h.enter(ctx, netip.MustParseAddr(ip))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					order = append(order, ip)
					mu.Unlock()
					time.Sleep(200 * time.Millisecond)
					leave()
				})
				synctest.Wait()
			}
		}
		ask("198.51.100.7", 6)
		ask("192.0.2.1", 2)
		ask("192.0.2.2", 1)
		all.Wait()
		if got := strings.Join(order[:6], " "); got != "198.51.100.7 198.51.100.7 192.0.2.1 192.0.2.2 198.51.100.7 192.0.2.1" {
			t.Errorf("order: %s", got)
		}
	})
}

func TestWaitingForAPlaceIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHasher("auth.max_concurrent_hashes=1", "auth.max_wait=10s")
		ip := netip.MustParseAddr("192.0.2.1")
		leave, err := h.enter(ctx, ip)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := h.enter(ctx, ip); !errors.Is(err, sasl.ErrBusy) || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		gone, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		if _, err := h.enter(gone, ip); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that gave up: %v", err)
		}
		leave()
		leave()
		if leave, err := h.enter(ctx, ip); err != nil {
			t.Error(err)
		} else {
			leave()
		}
		if len(h.lanes) != 0 || h.running != 0 {
			t.Errorf("left behind: %d lanes, %d running", len(h.lanes), h.running)
		}
	})
}

func TestTheVerifierIsAPHCStringWithASaltOfItsOwn(t *testing.T) {
	a, b := makeVerifier(password, 1000), makeVerifier(password, 1000)
	if a.salt == b.salt || a.hash == b.hash || len(a.salt) < 16 || len(a.hash) != 32 {
		t.Error("salts are not random")
	}
	form := regexp.MustCompile(`^\$pbkdf2-sha256\$i=1000\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`)
	for _, v := range []verifier{a, b} {
		again, err := parseVerifier(v.String())
		if err != nil || again != v || !again.matches(password) || again.matches(password+"x") {
			t.Errorf("%s: %v", v, err)
		}
		if !form.MatchString(v.String()) {
			t.Errorf("%s has another form", v)
		}
		if strings.Contains(v.String(), password) || strings.Contains(v.String(), base64.RawStdEncoding.EncodeToString([]byte(password))) {
			t.Errorf("%s holds the password", v)
		}
	}
	// RFC 7914 11 has these bytes for PBKDF2-HMAC-SHA-256, of which we take the first half.
	if hash := stretch("Password", "NaCl", 80000); hex.EncodeToString(hash) != "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56" {
		t.Errorf("hash %x", hash)
	}
	for _, bad := range []string{"", "$", a.String() + "$", strings.Replace(a.String(), "i=1000", "i=0", 1), strings.Replace(a.String(), "i=1000", "i=99999999999", 1),
		strings.Replace(a.String(), "pbkdf2", "x", 1), a.String()[:len(a.String())-4], "$pbkdf2-sha256$i=1000$$", a.String() + "="} {
		if _, err := parseVerifier(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestNewPasswordsGetTheRoundsOfTheSettings(t *testing.T) {
	h := openHouse(t, databaseURL(t))
	h.must(err1(h.AddDomain(ctx, "example.test")))
	h.rounds = func() rounds {
		return rounds{int(settings.PasswordIterations.Get(h.s)), int(settings.PasswordScramIterations.Get(h.s))}
	}
	h.add("alice@example.test", true)
	if p := h.now.Load().person("alice@example.test"); p.verifier.iterations != 600000 || p.scram.iterations != 65536 {
		t.Errorf("%d and %d rounds", p.verifier.iterations, p.scram.iterations)
	}
	if got := h.login("alice@example.test", password); got != "alice@example.test" {
		t.Error(got)
	}
	h.must(h.scramLogin("alice@example.test", password))
}

func BenchmarkAuthenticateKnownClient(b *testing.B) {
	h := newHouse(b)
	if _, err := h.Authenticate(ctx, "alice@example.test", password); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Authenticate(ctx, "alice@example.test", password); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateFirstTime(b *testing.B) {
	v := makeVerifier(password, 600000)
	for b.Loop() {
		if !v.matches(password) {
			b.Fatal()
		}
	}
}
