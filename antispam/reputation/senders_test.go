package reputation

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/address"
)

var (
	good = Key{AuthenticatedDomain, "example.org"}
	bad  = Key{Helo, "mail.example.net"}
)

func TestACountHalvesWithTheHalfLife(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for range 4 {
			f.Note([]Key{good, bad}, false)
		}
		f.Note([]Key{bad}, true)
		steps := []struct {
			wait      time.Duration
			good, bad Standing
		}{
			{0, Standing{Ham: 4}, Standing{4, 1}},
			{30 * 24 * time.Hour, Standing{Ham: 2}, Standing{2, 0.5}},
			{60 * 24 * time.Hour, Standing{Ham: 0.5}, Standing{0.5, 0.125}},
		}
		for _, s := range steps {
			f.clock.Advance(s.wait)
			if diff := cmp.Diff([]Standing{s.good, s.bad}, f.look(good, bad)); diff != "" {
				t.Errorf("after %s: - wanted, + found\n%s", s.wait, diff)
			}
			f.reopen()
			if diff := cmp.Diff([]Standing{s.good, s.bad}, f.look(good, bad)); diff != "" {
				t.Errorf("from the database, after %s: - wanted, + found\n%s", s.wait, diff)
			}
		}
	})
}

func TestWhatIsTakenBackWeighsAsMuchAsIsLeftOfIt(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		noted := f.clock.Now()
		f.Note([]Key{good}, true)
		f.clock.Advance(30 * 24 * time.Hour)
		f.Note([]Key{good}, true)
		f.Unnote([]Key{good}, true, noted)
		f.Note([]Key{good}, false)
		if got := f.look(good)[0]; got != (Standing{1, 1}) {
			t.Errorf("standing %v", got)
		}
		f.reopen()
		for range 3 {
			f.Unnote([]Key{good}, true, f.clock.Now())
		}
		if got := f.look(good)[0]; got != (Standing{1, 0}) {
			t.Errorf("taken back more than there was: %v", got)
		}
	})
}

func TestWhatIsForgottenIsGoneAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.Note([]Key{good, bad}, true)
		f.must(f.Senders.ledger.flush(t.Context()))
		f.Note([]Key{good}, true)
		f.must(f.Forget(t.Context(), []Key{good}))
		want := []Standing{{}, {0, 1}}
		if diff := cmp.Diff(want, f.look(good, bad)); diff != "" {
			t.Error(diff)
		}
		f.reopen()
		if diff := cmp.Diff(want, f.look(good, bad)); diff != "" {
			t.Error(diff)
		}
		f.rows(f.Senders.ledger)
	})
}

// TestCountersAgreeWithASimpleModel takes random steps on few keys with hardly any cache.
func TestCountersAgreeWithASimpleModel(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.options.CacheRows = 3
		f.reopen()
		random := rand.New(rand.NewPCG(1, 2))
		type note struct {
			at   time.Time
			spam bool
		}
		model := map[Key][]note{}
		for step := range 2000 {
			k := Key{Sender, fmt.Sprint(random.IntN(20))}
			switch random.IntN(10) {
			case 0:
				f.clock.Advance(time.Duration(random.IntN(48)) * time.Hour)
			case 1:
				f.must(f.Senders.ledger.flush(t.Context()))
			case 2:
				if random.IntN(20) == 0 {
					f.reopen()
				}
			case 3, 4, 5:
				spam := random.IntN(2) == 0
				f.Note([]Key{k}, spam)
				model[k] = append(model[k], note{f.clock.Now(), spam})
			default:
				var want Standing
				for _, n := range model[k] {
					left := math.Exp2(-f.clock.Now().Sub(n.at).Hours() / (30 * 24))
					if n.spam {
						want.Spam += left
					} else {
						want.Ham += left
					}
				}
				got := f.look(k)[0]
				if math.Abs(got.Ham-want.Ham) > 0.1 || math.Abs(got.Spam-want.Spam) > 0.1 {
					t.Fatalf("step %d: %v has %v, not %v", step, k, got, want)
				}
			}
		}
		f.must(f.Senders.ledger.flush(t.Context()))
		f.rows(f.Senders.ledger)
	})
}

func TestNothingIsCountedTwiceOrLostWhileItIsWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.options.CacheRows = 2
		f.reopen()
		ctx, stop := context.WithCancel(t.Context())
		var flushing, workers sync.WaitGroup
		flushing.Go(func() {
			for ctx.Err() == nil {
				if err := f.Senders.ledger.flush(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
		for worker := range 4 {
			workers.Go(func() {
				for i := range 200 {
					k := Key{Sender, fmt.Sprintf("%d/%d", worker, i%5)}
					f.Note([]Key{k}, true)
					out := make([]Standing, 1)
					if err := f.Look(t.Context(), []Key{k}, out); err != nil || out[0].Spam != float64(i/5+1) {
						t.Errorf("%v counted %v, %v instead of %d", k, out[0], err, i/5+1)
						return
					}
				}
			})
		}
		workers.Wait()
		stop()
		flushing.Wait()
	})
}

func TestRowsThatAreWorthNothingLeave(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for i := range 700 {
			f.Note([]Key{{Sender, fmt.Sprint(i)}}, true)
		}
		for range 100 {
			f.Note([]Key{good}, false)
		}
		f.must(f.Senders.ledger.flush(t.Context()))
		f.must(f.Senders.ledger.prune(t.Context()))
		if n := f.rows(f.Senders.ledger); n != 701 {
			t.Fatalf("%d rows", n)
		}
		// 1 decays to a twentieth in 4.3 half-lives, 100 in 11.
		f.clock.Advance(5 * 30 * 24 * time.Hour)
		f.must(f.Senders.ledger.prune(t.Context()))
		if n := f.rows(f.Senders.ledger); n != 1 {
			t.Errorf("%d rows", n)
		}
		if got := f.look(good, Key{Sender, "1"}); got[0].Ham < 3 || got[1] != (Standing{}) {
			t.Errorf("standing %v", got)
		}
	})
}

func TestATableKeepsItsBoundAndWhatIsKnownBest(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.set("spam.reputation_max", "1000")
		for range 10 {
			f.Note([]Key{good}, false)
		}
		for i := range 1500 {
			f.Note([]Key{{Sender, fmt.Sprint(i)}}, true)
		}
		f.must(f.Senders.ledger.flush(t.Context()))
		f.must(f.Senders.ledger.prune(t.Context()))
		if n := f.rows(f.Senders.ledger); n != 1000 {
			t.Errorf("%d rows", n)
		}
		if got := f.look(good)[0]; got.Ham != 10 {
			t.Errorf("the best known went: %v", got)
		}
	})
}

func TestTimeWritesWhatWasNoted(t *testing.T) {
	f := onSQLite(t)
	f.Note([]Key{good}, true)
	for f.clock.Waiting() < 2 {
		runtime.Gosched() // both ledgers arm their timers when they start
	}
	f.clock.Advance(flushEvery)
	written := func() bool {
		f.Senders.ledger.mu.Lock()
		defer f.Senders.ledger.mu.Unlock()
		return f.Senders.ledger.rows == 1
	}
	for !written() {
		runtime.Gosched()
	}
	f.cutPower()
	if got := f.look(good)[0]; got.Spam != 1 {
		t.Errorf("standing %v", got)
	}
}

func TestNamesAreToldApartByKindAndNotByCase(t *testing.T) {
	f := onSQLite(t)
	f.Note([]Key{{FromDomain, "Example.ORG"}}, true)
	got := f.look(Key{FromDomain, "example.org"}, Key{EnvelopeDomain, "example.org"}, Key{FromDomain, "example.orgg"})
	if diff := cmp.Diff([]Standing{{0, 1}, {}, {}}, got); diff != "" {
		t.Error(diff)
	}
	if (hasher{[]byte("1")}).of(Sender, "x") == (hasher{[]byte("2")}).of(Sender, "x") {
		t.Error("the secret does not change the hash")
	}
	if h := (hasher{}); h.of(peerKind, "1", "2x") == h.of(peerKind, "12", "x") {
		t.Error("parts of a name run together")
	}
}

func TestAClientIsCountedUnderTwoNetworks(t *testing.T) {
	for client, want := range map[string][2]string{
		"192.0.2.77":            {"192.0.2.0/24", "192.0.2.77/32"},
		"::ffff:192.0.2.77":     {"192.0.2.0/24", "192.0.2.77/32"},
		"2001:db8:1:2:3:4:5:6":  {"2001:db8:1::/48", "2001:db8:1:2::/64"},
		"fe80::1:2:3:4%eth0":    {"fe80::/48", "fe80::/64"},
		"2001:db8:ffff:8000::1": {"2001:db8:ffff::/48", "2001:db8:ffff:8000::/64"},
	} {
		got := Networks(netip.MustParseAddr(client))
		if got != [2]Key{{Network, want[0]}, {Network, want[1]}} {
			t.Errorf("%s: %v", client, got)
		}
	}
	if got := Networks(netip.Addr{}); got[0].Kind != Network {
		t.Errorf("no address: %v", got)
	}
	a, b := address.Address{Local: "Alice", Domain: "example.org"}, address.Address{Local: "alice", Domain: "example.org"}
	if SenderKey(a) != SenderKey(b) {
		t.Error("an address has two keys")
	}
}

func TestTooManyKeysAreRefused(t *testing.T) {
	f := onSQLite(t)
	if err := f.Look(t.Context(), make([]Key, maxKeys+1), make([]Standing, maxKeys+1)); err == nil {
		t.Error("no error")
	}
	if err := f.Look(t.Context(), make([]Key, 2), make([]Standing, 1)); err == nil {
		t.Error("no error")
	}
	f.look(make([]Key, maxKeys)...)
}
