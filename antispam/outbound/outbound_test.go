package outbound

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
	"postern/internal/testdb"
	"postern/internal/verdict"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// bench is a watch with what it stands on.
type bench struct {
	*Watch
	url      string
	db       *db.DB
	settings *settings.Settings
	clock    *clock.Manual
	mu       sync.Mutex
	alerts   []Alert
}

func open(t testing.TB, url string) *bench {
	t.Helper()
	b := &bench{url: url, settings: settings.Defaults(), clock: clock.NewManual(monday)}
	b.start(t)
	return b
}

// start opens the database and the watch, again after stop.
func (b *bench) start(t testing.TB) {
	t.Helper()
	var err error
	b.db = testdb.Open(t, b.url)
	b.Watch, err = Open(t.Context(), Options{DB: b.db, Settings: b.settings, Clock: b.clock, Alert: func(a Alert) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.alerts = append(b.alerts, a)
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) stop(t testing.TB) {
	t.Helper()
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) set(t testing.TB, name string, n int64) {
	t.Helper()
	if err := b.settings.Set(t.Context(), name, strconv.FormatInt(n, 10)); err != nil {
		t.Fatal(err)
	}
}

// limits sets every limit; those that are not named are 0.
func (b *bench) limits(t testing.TB, limits map[string]int64) {
	t.Helper()
	for _, name := range []string{"messages_per_hour", "recipients_per_hour", "new_recipients_per_hour", "bounces_per_hour", "networks_per_hour", "score", "junk_per_hour"} {
		b.set(t, "outbound."+name, limits[name])
	}
}

func network(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 32)
}

func TestWhatPeopleSendPassesAndWhatABotSendsDoesNot(t *testing.T) {
	var noNetwork netip.Prefix
	for _, c := range []struct {
		name string
		held bool
		send func(*bench, func(Submission) Judgement) Judgement
	}{
		{"a busy day", false, func(b *bench, judge func(Submission) Judgement) (j Judgement) {
			for i := range 200 {
				j = judge(Submission{Recipients: 3, New: 1, Network: network(i % 4)})
				b.clock.Advance(2 * time.Minute)
			}
			return j
		}},
		{"a newsletter, one message for each of its readers", false, func(_ *bench, judge func(Submission) Judgement) (j Judgement) {
			for range 400 {
				j = judge(Submission{Recipients: 1, New: 1, Network: network(1)})
			}
			return j
		}},
		{"a newsletter to a hundred readers at a time, some of whom are gone", false, func(b *bench, judge func(Submission) Judgement) Judgement {
			for range 4 {
				judge(Submission{Recipients: 100, New: 100, Network: network(1)})
			}
			for range 40 {
				b.Bounced(1)
			}
			b.clock.Advance(time.Hour)
			return judge(Submission{Recipients: 1})
		}},
		{"a program that sends without a network", false, func(_ *bench, judge func(Submission) Judgement) (j Judgement) {
			for range 300 {
				j = judge(Submission{Recipients: 1, Network: noNetwork})
			}
			return j
		}},
		{"one spam that was forwarded", false, func(_ *bench, judge func(Submission) Judgement) Judgement {
			return judge(Submission{Recipients: 1, Score: verdict.P(25)})
		}},
		{"a flood of messages", true, func(_ *bench, judge func(Submission) Judgement) (j Judgement) {
			for range 501 {
				j = judge(Submission{Recipients: 1})
			}
			return j
		}},
		{"a few messages to thousands", true, func(_ *bench, judge func(Submission) Judgement) (j Judgement) {
			for range 11 {
				j = judge(Submission{Recipients: 100})
			}
			return j
		}},
		{"a bought list", true, func(_ *bench, judge func(Submission) Judgement) (j Judgement) {
			for range 6 {
				j = judge(Submission{Recipients: 100, New: 100})
			}
			return j
		}},
		{"a guessed list", true, func(b *bench, judge func(Submission) Judgement) Judgement {
			for range 101 {
				b.Bounced(1)
			}
			return judge(Submission{Recipients: 1})
		}},
		{"a botnet", true, func(_ *bench, judge func(Submission) Judgement) (j Judgement) {
			for i := range 21 {
				j = judge(Submission{Recipients: 1, Network: network(i)})
			}
			return j
		}},
		{"spam", true, func(_ *bench, judge func(Submission) Judgement) (j Judgement) {
			for range 6 {
				j = judge(Submission{Recipients: 1, Score: verdict.P(8)})
			}
			return j
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, testdb.SQLite(t))
			j := c.send(b, func(s Submission) Judgement {
				s.Account, s.Address = 1, "alice@example.test"
				return b.Judge(t.Context(), s)
			})
			if j.Hold != c.held || j.Hold != (j.Reason != "") || len(b.alerts) != map[bool]int{true: 1}[c.held] {
				t.Errorf("%+v, %d alerts", j, len(b.alerts))
			}
			if c.held && !strings.Contains(j.Reason, "outbound.") {
				t.Errorf("the reason %q names no setting", j.Reason)
			}
			if other := b.Judge(t.Context(), Submission{Account: 2, Address: "bob@example.test", Recipients: 1}); other.Hold {
				t.Errorf("another account is held too: %+v", other)
			}
		})
	}
}

func TestNoLimitHoldsNobody(t *testing.T) {
	b := open(t, testdb.SQLite(t))
	b.limits(t, nil)
	for i := range 5000 {
		b.Bounced(1)
		if j := b.Judge(t.Context(), Submission{Account: 1, Recipients: 1000, New: 1000, Score: verdict.P(100), Network: network(i)}); j.Hold {
			t.Fatalf("%+v", j)
		}
	}
	b.limits(t, map[string]int64{"messages_per_hour": 1})
	if err := b.settings.Set(t.Context(), "outbound.enabled", "false"); err != nil {
		t.Fatal(err)
	}
	if j := b.Judge(t.Context(), Submission{Account: 1}); j.Hold {
		t.Errorf("switched off: %+v", j)
	}
}

// model is the counters as one would write them who had all time and memory: the events themselves.
type model struct {
	events   map[string][]event
	networks []netip.Prefix
}

type event struct {
	at time.Time
	n  float64
}

func (m *model) add(what string, at time.Time, n int) {
	m.events[what] = append(m.events[what], event{at, float64(n)})
}

func (m *model) sum(what string, now time.Time) (sum float64) {
	for _, e := range m.events[what] {
		sum += e.n * math.Exp(-now.Sub(e.at).Hours())
	}
	return sum
}

func (m *model) submit(s Submission, score int64) {
	m.add("messages_per_hour", s.At, 1)
	m.add("recipients_per_hour", s.At, s.Recipients)
	m.add("new_recipients_per_hour", s.At, s.New)
	if s.Score >= verdict.Points(100*score) {
		m.add("junk_per_hour", s.At, 1)
	}
	i := slices.Index(m.networks, s.Network)
	if i < 0 {
		m.add("networks_per_hour", s.At, 1)
	} else {
		m.networks = slices.Delete(m.networks, i, i+1)
	}
	m.networks = slices.Insert(m.networks, 0, s.Network)
	m.networks = m.networks[:min(len(m.networks), 8)]
}

// exceeded reports whether a limit is passed, and whether one is so nearly met that rounding decides.
func (m *model) exceeded(limits map[string]int64, now time.Time) (passed, near bool) {
	for what, limit := range limits {
		if what == "score" || limit == 0 {
			continue
		}
		sum := m.sum(what, now)
		passed = passed || sum > float64(limit)
		near = near || math.Abs(sum-float64(limit)) < 1e-6
	}
	return passed, near
}

func TestTheCountersAreThoseOfANaiveModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	held := 0
	b := open(t, testdb.SQLite(t))
	for round := range 40 {
		limits := map[string]int64{
			"messages_per_hour": rng.Int64N(60), "recipients_per_hour": rng.Int64N(400), "new_recipients_per_hour": rng.Int64N(200),
			"bounces_per_hour": rng.Int64N(30), "networks_per_hour": 5 + rng.Int64N(30), "score": 1 + rng.Int64N(10), "junk_per_hour": rng.Int64N(30),
		}
		b.limits(t, limits)
		models := map[int64]*model{}
		for step := range 300 {
			account := int64(10*round) + rng.Int64N(3)
			m := models[account]
			if m == nil {
				m = &model{events: map[string][]event{}}
				models[account] = m
			}
			b.clock.Advance(time.Duration(rng.ExpFloat64() * float64(3*time.Minute)))
			now := b.clock.Now()
			if rng.IntN(4) == 0 {
				b.Bounced(account)
				m.add("bounces_per_hour", now, 1)
				continue
			}
			s := Submission{Account: account, Address: fmt.Sprintf("u%d@example.test", account), Recipients: rng.IntN(8), New: rng.IntN(4),
				Score: verdict.Points(rng.IntN(1500)), Network: network(rng.IntN(12)), At: now}
			m.submit(s, limits["score"])
			want, near := m.exceeded(limits, now)
			j := b.Judge(t.Context(), s)
			if near {
				want = j.Hold
			}
			if j.Hold != want {
				t.Fatalf("round %d, step %d: %+v, the model says %t; limits %v", round, step, j, want, limits)
			}
			if j.Hold {
				held++
				if err := b.Lift(t.Context(), account); err != nil {
					t.Fatal(err)
				}
				delete(models, account) // the counters start anew
			}
		}
	}
	if held < 40 || held > 4000 {
		t.Errorf("%d holds: the test tests little", held)
	}
}

func TestAHoldOutlivesTheProcessAndIsLifted(t *testing.T) {
	testdb.OnBoth(t, func(t *testing.T, url string) {
		b := open(t, url)
		b.limits(t, map[string]int64{"messages_per_hour": 2})
		send := func(account int64, address string) Judgement {
			return b.Judge(t.Context(), Submission{Account: account, Address: address, Recipients: 1})
		}
		for i, want := range []bool{false, false, true, true} {
			if j := send(7, "mallory@example.test"); j.Hold != want {
				t.Fatalf("message %d: %+v", i, j)
			}
		}
		for range 3 {
			send(5, "alice@example.test")
		}
		b.stop(t)
		b.start(t)
		list, err := b.Holds(t.Context())
		if err != nil || len(list) != 2 || list[0].Address != "alice@example.test" || list[1].Account != 7 || !list[1].Since.Equal(monday) ||
			!strings.Contains(list[1].Reason, "messages within about an hour; outbound.messages_per_hour is 2") {
			t.Fatalf("%+v, %v", list, err)
		}
		b.clock.Advance(1000 * time.Hour)
		if j := send(7, "mallory@example.test"); !j.Hold || j.Reason != list[1].Reason {
			t.Errorf("after a restart and a month: %+v", j)
		}
		if len(b.alerts) != 2 {
			t.Errorf("%d alerts for two holds", len(b.alerts))
		}
		if err := b.Lift(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		if err := b.Lift(t.Context(), 7); !errors.Is(err, ErrNotHeld) {
			t.Errorf("a second time: %v", err)
		}
		// The counters start anew.
		for i, want := range []bool{false, false, true} {
			if j := send(7, "mallory@example.test"); j.Hold != want {
				t.Fatalf("message %d after it was lifted: %+v", i, j)
			}
		}
		if err := b.Lift(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		b.stop(t)
		b.start(t)
		if list, err := b.Holds(t.Context()); err != nil || len(list) != 1 || list[0].Account != 5 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestTheAlertNamesTheCommandsThatMendIt(t *testing.T) {
	b := open(t, testdb.SQLite(t))
	b.set(t, "outbound.recipients_per_hour", 10)
	b.Judge(t.Context(), Submission{Account: 1, Address: "alice@example.test", Recipients: 11})
	if len(b.alerts) != 1 || b.alerts[0].Account != 1 || strings.ContainsAny(b.alerts[0].Title, "\r\n") {
		t.Fatalf("%+v", b.alerts)
	}
	for _, words := range []string{
		"11 recipients", "outbound.recipients_per_hour is 10", "`postern user password alice@example.test`", "`postern queue list --held --from alice@example.test`",
		"`postern queue drop --from alice@example.test`", "`postern queue release --from alice@example.test`", "`postern user lift alice@example.test`",
	} {
		if !strings.Contains(b.alerts[0].Text, words) {
			t.Errorf("%q does not say %q", b.alerts[0].Text, words)
		}
	}
}

// Many sessions of one account at once: what passes is within the limit, one alert is told, and lifting wins over whoever
// stores the hold at the same time.
func TestManySessionsAtOnceAreOneAccount(t *testing.T) {
	b := open(t, testdb.SQLite(t))
	b.limits(t, map[string]int64{"messages_per_hour": 50})
	var passed atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 20 {
				if !b.Judge(t.Context(), Submission{Account: 1, Address: "alice@example.test", Recipients: 1}).Hold {
					passed.Add(1)
				}
			}
		})
	}
	group.Wait()
	if passed.Load() != 50 || len(b.alerts) != 1 {
		t.Errorf("%d passed, %d alerts", passed.Load(), len(b.alerts))
	}
	b.limits(t, map[string]int64{"recipients_per_hour": 1})
	for account := int64(100); account < 200; account++ {
		group.Go(func() { b.Judge(t.Context(), Submission{Account: account, Address: "x@example.test", Recipients: 2}) })
		group.Go(func() {
			for errors.Is(b.Lift(t.Context(), account), ErrNotHeld) && t.Context().Err() == nil {
			}
		})
	}
	group.Wait()
	stored, err := readHolds(t.Context(), b.db)
	if err != nil || len(stored) != 1 {
		t.Errorf("%d holds are stored, %v", len(stored), err)
	}
}

// A database that takes nothing lets no flood out.
func TestAHoldThatCannotBeStoredHoldsAllTheSame(t *testing.T) {
	b := open(t, testdb.SQLite(t))
	b.limits(t, map[string]int64{"messages_per_hour": 1})
	b.stop(t)
	for i, want := range []bool{false, true, true} {
		if j := b.Judge(t.Context(), Submission{Account: 1, Address: "alice@example.test"}); j.Hold != want {
			t.Errorf("message %d: %+v", i, j)
		}
	}
	if list, _ := b.Holds(t.Context()); len(list) != 1 || len(b.alerts) != 1 {
		t.Errorf("%+v, %d alerts", list, len(b.alerts))
	}
}

func TestMemoryIsBounded(t *testing.T) {
	b := open(t, testdb.SQLite(t))
	b.limits(t, nil)
	b.known = newLRU(100)
	for account := range int64(1000) {
		b.Judge(t.Context(), Submission{Account: account, Recipients: 1})
		b.Judge(t.Context(), Submission{Account: 0, Recipients: 0})
		if n := len(b.known.entries); n > 100 {
			t.Fatalf("%d accounts are known", n)
		}
	}
	if c := b.known.entries[0]; c == nil || c.messages < 1000 {
		t.Errorf("the most active account was forgotten: %+v", c)
	}
	b.clock.Advance(2 * idle)
	for account := range int64(60) {
		b.Judge(t.Context(), Submission{Account: 5000 + account})
	}
	if n := len(b.known.entries); n > 60 {
		t.Errorf("%d accounts are known, most of them idle", n)
	}
	n := 0
	for e := b.known.ring.next; e != b.known.ring; e = e.next {
		if e.next.previous != e || b.known.entries[e.account] != e {
			t.Fatal("the ring is broken")
		}
		n++
	}
	if n != len(b.known.entries) {
		t.Errorf("%d in the ring, %d in the map", n, len(b.known.entries))
	}
}

// BenchmarkJudge shows that a message costs the same whether a thousand accounts are known or a million. When the million send in
// turn, none of them is in the processor's cache, which is all that is added.
func BenchmarkJudge(b *testing.B) {
	for _, c := range []struct{ known, active int }{{1000, 1000}, {1_000_000, 1000}, {1_000_000, 1_000_000}} {
		b.Run(fmt.Sprintf("known=%d/active=%d", c.known, c.active), func(b *testing.B) {
			w := &Watch{o: Options{Settings: settings.Defaults(), Clock: clock.NewManual(monday)}, seed: maphash.MakeSeed(), known: newLRU(c.known), holds: map[int64]*held{}}
			for account := range c.known {
				w.known.get(int64(account), monday)
			}
			now, i := monday, 0
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Minute)
				i++
				w.Judge(ctx, Submission{Account: int64(i * 7919 % c.active), Recipients: 2, New: 1, Network: network(i % 4), At: now})
			}
		})
	}
}
