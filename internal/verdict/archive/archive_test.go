package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
	"postern/internal/testdb"
	"postern/internal/verdict"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// fixture is an archive of its own for one test.
type fixture struct {
	*Archive
	t        testing.TB
	db       *db.DB
	url      string
	clock    *clock.Manual
	settings *settings.Settings
}

// onBoth runs a test on SQLite and on PostgreSQL. In the end the archive must verify clean.
func onBoth(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	testdb.OnBoth(t, func(t *testing.T, url string) {
		f := newFixture(t, url)
		fn(t, f)
		if !t.Failed() {
			f.verify(0)
		}
	})
}

func newFixture(t testing.TB, url string) *fixture {
	t.Helper()
	f := &fixture{t: t, url: url, clock: clock.NewManual(epoch)}
	f.open()
	t.Cleanup(f.close)
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	var err error
	if f.db, err = db.Open(f.t.Context(), db.Options{URL: f.url}); err != nil {
		f.t.Fatal(err)
	}
	if f.settings, err = settings.Open(f.t.Context(), f.db); err != nil {
		f.t.Fatal(err)
	}
	if f.Archive, err = Open(f.t.Context(), Options{DB: f.db, Settings: f.settings, Clock: f.clock}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) close() {
	if err := errors.Join(f.Archive.Close(), f.db.Close()); err != nil {
		f.t.Error(err)
	}
}

func (f *fixture) reopen() {
	f.t.Helper()
	f.close()
	f.open()
}

// cutPower closes the database under the archive, which can then write no more.
func (f *fixture) cutPower() {
	f.t.Helper()
	if err := errors.Join(f.db.Close(), f.Archive.Close()); err != nil {
		f.t.Fatal(err)
	}
	f.open()
}

// verify wants so many damages.
func (f *fixture) verify(damages int) Report {
	f.t.Helper()
	report, err := f.Verify(f.t.Context(), nil)
	if err != nil || len(report.Damage) != damages {
		f.t.Fatalf("%v, %d damages, want %d: %q", err, len(report.Damage), damages, report.Damage)
	}
	return report
}

// store stores traces, each in a transaction of its own.
func (f *fixture) store(traces ...*verdict.Trace) {
	f.t.Helper()
	for _, t := range traces {
		encoded, err := f.Encode(t)
		if err != nil {
			f.t.Fatal(err)
		}
		if err := f.db.Write(f.t.Context(), func(tx *db.Tx) error { return f.StoreTx(tx, t, encoded) }); err != nil {
			f.t.Fatal(err)
		}
	}
}

// fill stores n traces, made from their numbers, in few transactions.
func (f *fixture) fill(from, n int) {
	f.t.Helper()
	for end := from + n; from < end; from += 1000 {
		err := f.db.Write(f.t.Context(), func(tx *db.Tx) error { // may be run more than once
			for number := from; number < min(from+1000, end); number++ {
				t := typical(number)
				encoded, err := f.Encode(t)
				if err == nil {
					err = f.StoreTx(tx, t, encoded)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// startAt gives the next trace an id.
func (f *fixture) startAt(id int64) {
	f.t.Helper()
	if err := f.db.Write(f.t.Context(), func(*db.Tx) error { f.next = id; f.end.Store(id); return nil }); err != nil {
		f.t.Fatal(err)
	}
}

// ids are the transactions that a query finds, page by page.
func (f *fixture) ids(q Query) []string {
	f.t.Helper()
	var list []string
	for {
		page, err := f.Find(f.t.Context(), q)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range page.Entries {
			list = append(list, e.Trace.ID)
		}
		if page.Next == 0 {
			return list
		}
		q.Before = page.Next
	}
}

func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	if err := f.db.Write(f.t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(query, args...); return err }); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) count(query string, args ...any) (n int64) {
	f.t.Helper()
	if err := f.db.QueryRow(f.t.Context(), query, args...).Scan(&n); err != nil {
		f.t.Fatal(err)
	}
	return n
}

// to is a small trace for recipients, written address#account.
func to(id string, recipients ...string) *verdict.Trace {
	t := &verdict.Trace{Version: verdict.TraceVersion, ID: id, At: epoch, From: "news@mail.example.net", Author: "news@example.net", MessageID: "<" + id + "@example.net>"}
	for _, r := range recipients {
		address, account, _ := strings.Cut(r, "#")
		var number int64
		fmt.Sscan(account, &number)
		t.Recipients = append(t.Recipients, verdict.Recipient{Address: address, Account: number, Policy: verdict.Policy{Source: "server", Tag: 300, Junk: 500, Reject: 1500}})
	}
	t.Decide()
	return t
}

func scored(t *verdict.Trace, p verdict.Points) *verdict.Trace {
	t.Checks = append(t.Checks, verdict.Check{Name: verdict.CheckRules, Result: "matched", Points: p})
	t.Decide()
	return t
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestAStoredTraceComesBackByteForByteAndDecidesTheSame(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for n := range 20 {
			was := typical(n)
			f.store(was)
			page, err := f.Find(t.Context(), Query{ID: was.ID})
			if err != nil || len(page.Entries) != 1 {
				t.Fatalf("%v, %d entries", err, len(page.Entries))
			}
			is := page.Entries[0].Trace
			before, _ := json.Marshal(was)
			after, _ := json.Marshal(is)
			if string(before) != string(after) {
				t.Fatalf("%s\n%s", before, after)
			}
			if _, same := is.Replay(); !same {
				t.Errorf("decides otherwise")
			}
		}
	})
}

func TestTracesAreFoundByTransactionMessageIDRecipientAndTime(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.store(to("A-1", "alice@example.org#1"))
		f.clock.Advance(time.Hour)
		f.store(to("B-1", "bob@example.org#2", "sales@example.org#1"))
		f.clock.Advance(time.Hour)
		f.store(scored(to("C-1", "Friend@far.example"), 700))
		f.clock.Advance(time.Hour)
		f.store(scored(to("D-1", "alice@example.org#1", "alice+x@example.org#1"), 2000))
		f.clock.Advance(time.Hour)
		f.store(to("E-1")) // judged before there were recipients

		for name, c := range map[string]struct {
			q    Query
			want []string
		}{
			"everything, latest first":    {Query{}, []string{"E-1", "D-1", "C-1", "B-1", "A-1"}},
			"a transaction":               {Query{ID: "B-1"}, []string{"B-1"}},
			"no transaction":              {Query{ID: "B-2"}, nil},
			"a Message-ID":                {Query{MessageID: "<C-1@example.net>"}, []string{"C-1"}},
			"one without its brackets":    {Query{MessageID: "C-1@example.net"}, []string{"C-1"}},
			"an account":                  {Query{Accounts: []int64{1}}, []string{"D-1", "B-1", "A-1"}},
			"two accounts":                {Query{Accounts: []int64{1, 2}}, []string{"D-1", "B-1", "A-1"}},
			"an alias of accounts":        {Query{Accounts: []int64{1, 2}, Address: "Sales@example.org"}, []string{"B-1"}},
			"an address elsewhere":        {Query{Address: "friend@FAR.example"}, []string{"C-1"}},
			"an address no one had":       {Query{Address: "nobody@far.example"}, nil},
			"an account no one has":       {Query{Accounts: []int64{7}}, nil},
			"since":                       {Query{Since: epoch.Add(2 * time.Hour)}, []string{"E-1", "D-1", "C-1"}},
			"since a moment later":        {Query{Since: epoch.Add(2*time.Hour + time.Millisecond)}, []string{"E-1", "D-1"}},
			"until":                       {Query{Until: epoch.Add(2 * time.Hour)}, []string{"B-1", "A-1"}},
			"within":                      {Query{Since: epoch.Add(time.Hour), Until: epoch.Add(3 * time.Hour)}, []string{"C-1", "B-1"}},
			"before all":                  {Query{Until: epoch}, nil},
			"after all":                   {Query{Since: epoch.Add(24 * time.Hour)}, nil},
			"an account within":           {Query{Accounts: []int64{1}, Since: epoch.Add(time.Hour), Until: epoch.Add(3 * time.Hour)}, []string{"B-1"}},
			"an action":                   {Query{Action: verdict.Junk}, []string{"C-1"}},
			"an action with an account":   {Query{Accounts: []int64{1}, Action: verdict.Reject}, []string{"D-1"}},
			"an action of someone else":   {Query{Accounts: []int64{2}, Action: verdict.Reject}, nil},
			"a sender":                    {Query{From: "NEWS@example.net"}, []string{"E-1", "D-1", "C-1", "B-1", "A-1"}},
			"a sender's other address":    {Query{From: "news@mail.example.net", Action: verdict.Junk}, []string{"C-1"}},
			"a domain and its subdomains": {Query{From: "Example.net", ID: "A-1"}, []string{"A-1"}},
			"a domain that only ends so":  {Query{From: "ample.net"}, nil},
			"somebody else":               {Query{From: "olds@example.net"}, nil},
		} {
			same(t, name, f.ids(c.q), c.want)
			c.q.Limit = 1
			same(t, name+", page by page", f.ids(c.q), c.want)
		}
		f.reopen()
		same(t, "after another start", f.ids(Query{}), []string{"E-1", "D-1", "C-1", "B-1", "A-1"})
		f.store(to("F-1", "alice@example.org#1"))
		same(t, "and one more", f.ids(Query{Accounts: []int64{1}, Limit: 2}), []string{"F-1", "D-1", "B-1", "A-1"})
	})
}

func TestManyTracesArePagedWithoutGapOrRepetition(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.startAt(1<<segmentBits - 700) // so that a segment ends among them
		f.fill(0, 1500)
		for _, limit := range []int{7, 100, 1000} {
			all := f.ids(Query{Limit: limit})
			if len(all) != 1500 || len(slices.Compact(slices.Sorted(slices.Values(all)))) != 1500 {
				t.Errorf("pages of %d: %d traces", limit, len(all))
			}
			// User 5's account is 6: messages 5 and 1005.
			same(t, "of an account", f.ids(Query{Accounts: []int64{6}, Limit: limit}), []string{typical(1005).ID, typical(5).ID})
		}
		every := make([]int64, 1000)
		for i := range every {
			every[i] = int64(i) + 1
		}
		if n := len(f.ids(Query{Accounts: every[:300], Limit: 11})); n != 600 {
			t.Errorf("of 300 accounts: %d traces", n)
		}
	})
}

func TestTheIndexLagsBehindAndNobodyNotices(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.startAt(1<<segmentBits - 100) // so that what waits is of two segments
		found := func(what string, n int) {
			t.Helper()
			for _, i := range []int{0, 1, 99, 100, n / 2, n - 1} {
				same(t, what+", by transaction", f.ids(Query{ID: typical(i).ID}), []string{typical(i).ID})
			}
			same(t, what+", by account", f.ids(Query{Accounts: []int64{6}}), []string{typical(5).ID})
		}
		f.fill(0, 150)
		if n := f.count(`SELECT count(*) FROM spam_trace_keys`); n != 0 {
			t.Errorf("%d entries were not kept waiting", n)
		}
		found("while the index waits", 150)
		f.cutPower()
		found("after a crash", 150)
		f.verify(0)
		if n := f.count(`SELECT count(*) FROM spam_trace_keys`); n != 3*150 {
			t.Errorf("%d entries are written, want %d", n, 3*150)
		}
		found("when it is written", 150)
		f.fill(150, 100)
		f.cutPower()
		found("after a crash with a part of it written", 250)
		f.reopen()
		if n := f.count(`SELECT count(*) FROM spam_trace_keys`); n != 3*250 {
			t.Errorf("%d entries after a clean end, want %d", n, 3*250)
		}
		found("after a clean end", 250)
	})
}

func TestTheIndexIsWrittenWhenMuchWaits(t *testing.T) {
	f := newFixture(t, testdb.SQLite(t))
	f.store(to("A-1", manyRecipients(unwrittenAtMost-1)...))
	if n := f.count(`SELECT count(*) FROM spam_trace_keys`); n != unwrittenAtMost+1 {
		t.Errorf("%d entries, want %d", n, unwrittenAtMost+1)
	}
	f.store(to("B-1", "alice@example.org#1"))
	same(t, "what came before and after", f.ids(Query{Accounts: []int64{1}}), []string{"B-1", "A-1"})
	f.verify(0)
}

func manyRecipients(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("user%d@example.org#%d", i, i+1))
	}
	return list
}

func TestARolledBackWorkStoresNothingAndLeavesItsNeighboursAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		refused := errors.New("refused")
		hold := make(chan struct{})
		results := make(chan error, 4)
		write := func(id string, err error) {
			go func() {
				results <- f.db.Write(t.Context(), func(tx *db.Tx) error {
					<-hold
					trace := to(id, "alice@example.org#1")
					encoded, e := f.Encode(trace)
					if e != nil {
						return e
					}
					return errors.Join(f.StoreTx(tx, trace, encoded), err)
				})
			}()
		}
		write("A-1", refused)
		write("B-1", nil)
		write("C-1", refused)
		write("D-1", nil)
		close(hold)
		failed := 0
		for range 4 {
			if err := <-results; errors.Is(err, refused) {
				failed++
			} else if err != nil {
				t.Error(err)
			}
		}
		got := f.ids(Query{Accounts: []int64{1}})
		slices.Sort(got)
		same(t, "stored", got, []string{"B-1", "D-1"})
		if failed != 2 || f.Stats().Stored != 2 {
			t.Errorf("%d failed, %d stored", failed, f.Stats().Stored)
		}
	})
}

func TestWhatWasRefusedIsStoredBehindTheSendersBack(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for n := range 600 {
			f.StoreLater(typical(n))
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(f.ids(Query{})); n != 600 {
			t.Errorf("%d stored", n)
		}
		f.StoreLater(to("Z-1", "alice@example.org#1"))
		f.reopen() // closing stores what waits
		same(t, "after another start", f.ids(Query{ID: "Z-1"}), []string{"Z-1"})
		if s := f.Stats(); s.Dropped != 0 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAFloodOfRefusalsIsDroppedAndCounted(t *testing.T) {
	f := newFixture(t, testdb.SQLite(t))
	held, release, wrote := make(chan struct{}), make(chan struct{}), make(chan error)
	hold := sync.OnceFunc(func() { close(held) })
	go func() {
		wrote <- f.db.Write(t.Context(), func(*db.Tx) error { hold(); <-release; return nil })
	}()
	<-held
	const flood = laterAtMost + laterBatch + 1000
	for n := range flood {
		f.StoreLater(to(fmt.Sprint("F-", n)))
	}
	// One batch may have left the queue and wait for the committer.
	if dropped := f.Stats().Dropped; dropped < 1000 || dropped > 1000+laterBatch {
		t.Errorf("%d dropped", dropped)
	}
	close(release)
	if err := errors.Join(<-wrote, f.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	if s := f.Stats(); s.Stored+s.Dropped != flood {
		t.Errorf("%+v of %d", s, flood)
	}
	f.verify(0)
}

func TestOldTracesGoAndTheirIdsDoNotComeBack(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.store(to("A-1", "alice@example.org#1"), to("A-2", "alice@example.org#1"))
		f.clock.Advance(20 * 24 * time.Hour)
		f.store(to("B-1", "alice@example.org#1"))
		f.clock.Advance(9 * 24 * time.Hour)
		prune := func(what string, want ...string) {
			t.Helper()
			if err := f.Prune(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, what, f.ids(Query{}), want)
			same(t, what+", by account", f.ids(Query{Accounts: []int64{1}}), want)
		}
		prune("after 29 days", "B-1", "A-2", "A-1")
		f.clock.Advance(2 * 24 * time.Hour)
		prune("after 31", "B-1")
		if err := f.settings.Set(t.Context(), "spam.trace_keep", "1d"); err != nil {
			t.Fatal(err)
		}
		prune("when only a day is kept")
		last := f.end.Load()
		f.reopen()
		if f.end.Load() < last {
			t.Errorf("id %d after %d", f.end.Load(), last)
		}
		f.store(to("C-1", "alice@example.org#1"))
		prune("a new one", "C-1")
	})
}

func TestNoMoreThanTheSettingsAllowAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.startAt(1<<segmentBits - 900)
		f.fill(0, 1800)
		if err := f.settings.Set(t.Context(), "spam.trace_max", "700"); err != nil {
			t.Fatal(err)
		}
		if err := f.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := f.ids(Query{Limit: 1000})
		if len(all) != 700 || all[0] != typical(1799).ID || all[699] != typical(1100).ID {
			t.Errorf("%d left, from %s to %s", len(all), all[0], all[len(all)-1])
		}
		if n := f.count(`SELECT count(*) FROM spam_trace_keys WHERE segment = 0`); n != 0 {
			t.Errorf("%d entries of a segment that went", n)
		}
		if n := f.count(`SELECT count(*) FROM spam_trace_keys`); n != 3*900 {
			t.Errorf("%d entries of the one that stays", n)
		}
	})
}

func TestTheBackgroundPrunesByItself(t *testing.T) {
	f := newFixture(t, testdb.SQLite(t))
	f.store(to("A-1", "alice@example.org#1"))
	f.clock.Advance(31 * 24 * time.Hour)
	deadline := time.Now().Add(20 * time.Second)
	for len(f.ids(Query{})) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the old trace is still there")
		}
		f.clock.Advance(keepEvery)
	}
}

func TestNothingOfARemovedAccountIsShownAndSoonNothingIsLeft(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.store(to("A-1", "alice@example.org#1"), to("B-1", "alice@example.org#1", "bob@example.org#2"), to("C-1", "bob@example.org#2"))
		f.keeper.pass.Lock() // the background comes later
		if err := f.db.Write(t.Context(), func(tx *db.Tx) error { return f.RemoveAccountTx(tx, 1) }); err != nil {
			t.Fatal(err)
		}
		shown := func(what string) {
			t.Helper()
			same(t, what, f.ids(Query{}), []string{"C-1", "B-1"})
			same(t, what+", by account", f.ids(Query{Accounts: []int64{1}}), nil)
			same(t, what+", by transaction", f.ids(Query{ID: "A-1"}), nil)
			page, err := f.Find(t.Context(), Query{ID: "B-1"})
			if err != nil || len(page.Entries) != 1 || len(page.Entries[0].Trace.Recipients) != 1 || page.Entries[0].Trace.Recipients[0].Account != 2 {
				t.Fatalf("%s: %+v, %v", what, page, err)
			}
			if _, same := page.Entries[0].Trace.Replay(); !same {
				t.Errorf("%s: it decides otherwise", what)
			}
		}
		shown("at once")
		f.keeper.pass.Unlock()
		// One that was on its way comes late.
		f.store(to("D-1", "alice@example.org#1"))
		if err := f.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		shown("when it is erased")
		for _, r := range must(f.read(t.Context(), `SELECT id, at, crc, trace FROM spam_traces`)) {
			trace, err := f.codec.unpack(r.stored)
			if err != nil {
				t.Fatal(err)
			}
			if text := must(trace.AppendJSON(nil)); strings.Contains(string(text), "alice") {
				t.Errorf("still there: %s", text)
			}
		}
		if n := f.count(`SELECT count(*) FROM spam_trace_keys WHERE hash = ?`, hashAccount(1)); n != 0 {
			t.Errorf("%d entries left", n)
		}
		f.verify(0)
		f.reopen()
		shown("after another start")
		f.clock.Advance(31 * 24 * time.Hour)
		if err := f.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := f.count(`SELECT count(*) FROM spam_forgotten`); n != 0 || len(*f.forgotten.Load()) != 0 {
			t.Errorf("%d, and %d in memory, are remembered for ever", n, len(*f.forgotten.Load()))
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestARemovalThatIsRolledBackHidesNothing(t *testing.T) {
	f := newFixture(t, testdb.SQLite(t))
	f.store(to("A-1", "alice@example.org#1"))
	refused := errors.New("the last administrator")
	if err := f.db.Write(t.Context(), func(tx *db.Tx) error { return errors.Join(f.RemoveAccountTx(tx, 1), refused) }); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	same(t, "still there", f.ids(Query{}), []string{"A-1"})
}

// numbered gives a function that puts the number of the third trace, say, in the place of "{3}". They need not begin with 1: a
// transaction that is run again takes new ones.
func (f *fixture) numbered() func(string) string {
	first := f.count(`SELECT min(id) FROM spam_traces`)
	place := regexp.MustCompile(`\{(\d+)\}`)
	return func(text string) string {
		return place.ReplaceAllStringFunc(text, func(s string) string { return fmt.Sprint(must(strconv.Atoi(s[1:len(s)-1])) + int(first) - 1) })
	}
}

func TestVerifyNamesWhatIsDamaged(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.fill(0, 10)
		if report := f.verify(0); report.Checked != 10 {
			t.Errorf("%d read", report.Checked)
		}
		steps := 0
		if _, err := f.Verify(t.Context(), func(done, total int) { steps = done }); err != nil || steps != 10 {
			t.Errorf("%v, told of %d", err, steps)
		}
		for _, c := range []struct{ name, query, want string }{
			{"a row", `UPDATE spam_traces SET at = at + 1 WHERE id = {3}`, "judgement {3}: the stored judgement is damaged: checksum"},
			{"a row's bytes", `UPDATE spam_traces SET trace = (SELECT trace FROM spam_traces WHERE id = {5}) WHERE id = {3}`, "judgement {3}:"},
			{"an entry that lacks", `DELETE FROM spam_trace_keys WHERE trace = {4} AND hash = (SELECT max(hash) FROM spam_trace_keys WHERE trace = {4})`, "judgement {4}: the index lacks it"},
			{"an entry too many", `INSERT INTO spam_trace_keys (segment, hash, trace) VALUES (0, 7, {7})`, "index of judgements {1} to 65535: 1 entries lead nowhere"},
			{"an entry that leads elsewhere", `UPDATE spam_trace_keys SET trace = {9} WHERE trace = {8} AND hash = (SELECT max(hash) FROM spam_trace_keys WHERE trace = {8})`, "judgement {8}: the index lacks it"},
		} {
			f.exec(`DELETE FROM spam_traces`)
			f.exec(`DELETE FROM spam_trace_keys`)
			f.startAt(1)
			f.fill(0, 10)
			f.verify(0)
			named := f.numbered()
			f.exec(named(c.query))
			report, err := f.Verify(t.Context(), nil)
			if err != nil || !slices.ContainsFunc(report.Damage, func(d string) bool { return strings.HasPrefix(d, named(c.want)) }) {
				t.Errorf("%s: %v, %q, want %q", c.name, err, report.Damage, c.want)
			}
		}
		f.exec(f.numbered()(`UPDATE spam_traces SET crc = crc + 1 WHERE id = {10}`))
		page, err := f.Find(t.Context(), Query{})
		if err != nil || page.Damaged != 1 || len(page.Entries) != 9 {
			t.Errorf("%v, %d damaged, %d shown", err, page.Damaged, len(page.Entries))
		}
		f.exec(`DELETE FROM spam_traces`)
		f.exec(`DELETE FROM spam_trace_keys`)
	})
}
