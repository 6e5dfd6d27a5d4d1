package filter

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/scripts"
	"postern/internal/settings"
	"postern/internal/testdb"
	"postern/internal/verdict"
	"postern/sieve"
)

// newFilters are filters on a database of their own, and the clock that they go by.
func newFilters(t testing.TB, url string) (*Filters, *clock.Manual) {
	t.Helper()
	database := testdb.Open(t, url)
	store, err := scripts.Open(t.Context(), scripts.Options{DB: database, Settings: settings.Defaults()})
	if err != nil {
		t.Fatal(err)
	}
	now := clock.NewManual(time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC))
	return New(Options{Scripts: store, DB: database, Hostname: "mail.example.test", Clock: now,
		Addresses: func(int64) []string { return []string{"alice@example.test"} }, Protected: func() []string { return nil }}), now
}

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

func (f *Filters) put(t testing.TB, o scripts.Owner, name, text string) {
	t.Helper()
	if err := f.Scripts.Put(t.Context(), o, name, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := f.Scripts.SetActive(t.Context(), o, name); err != nil {
		t.Fatal(err)
	}
}

// run runs what there is for account 1 of example.test.
func (f *Filters) run(t testing.TB) Result {
	t.Helper()
	plan, err := f.For(t.Context(), 1, "example.test")
	if err != nil || plan == nil {
		t.Fatal(plan, err)
	}
	content := strings.NewReader("From: a@example.org\r\nSubject: hello\r\n\r\nHello.\r\n")
	parsed, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Run(t.Context(), &Mail{Parsed: parsed, Content: content, Size: content.Size(), Domain: "example.test",
		Envelope: sieve.Envelope{From: "a@example.org", To: "alice@example.test"}})
}

func TestScriptsRunInTheirOrderAndAreNamedInIt(t *testing.T) {
	f, _ := newFilters(t, testdb.SQLite(t))
	if plan, err := f.For(t.Context(), 1, "example.test"); plan != nil || err != nil {
		t.Fatalf("without scripts there is %v, %v", plan, err)
	}
	for _, s := range []struct {
		owner scripts.Owner
		name  string
	}{
		{scripts.Owner{Role: scripts.After}, "e"}, {scripts.Owner{Domain: "example.test", Role: scripts.After}, "d"}, {scripts.Of(1), "c"},
		{scripts.Owner{Domain: "example.test", Role: scripts.Before}, "b"}, {scripts.Owner{Role: scripts.Before}, "a"},
		{scripts.Of(2), "x"}, {scripts.Owner{Domain: "example.org", Role: scripts.Before}, "y"},
	} {
		f.put(t, s.owner, s.name, `require ["fileinto", "copy"]; fileinto :copy "`+s.name+`";`)
	}
	var order, labels []string
	for _, a := range f.run(t).Actions {
		order, labels = append(order, a.Mailbox), append(labels, a.Script)
	}
	if got := strings.Join(order, ""); got != "abcde" {
		t.Errorf("the order is %s", got)
	}
	if got := strings.Join(labels, ", "); got != "a (before mail for everybody), b (before mail for example.test), c, d (after mail for example.test), e (after mail for everybody)" {
		t.Errorf("they are called %s", got)
	}
}

func TestAFailureIsOfTheScriptThatFailed(t *testing.T) {
	f, _ := newFilters(t, testdb.SQLite(t))
	f.put(t, scripts.Owner{Role: scripts.Before}, "first", `require "ihave"; error "first fault";`)
	f.put(t, scripts.Of(1), "own", `require "vnd.example.none"; vacation "away";`)
	f.put(t, scripts.Owner{Role: scripts.After}, "last", `require "fileinto"; fileinto "last";`)
	r := f.run(t)
	if len(r.Failures) != 2 || r.Failures[0].Owner != scripts.Of(1) || !strings.HasPrefix(r.Failures[0].Reason, "line 1: ") ||
		r.Failures[1].Name != "first" || !strings.Contains(r.Failures[1].Reason, "line 1: first fault") {
		t.Errorf("failures: %+v", r.Failures)
	}
	if len(r.Actions) != 1 || r.Actions[0].Mailbox != "last" {
		t.Errorf("actions: %+v", r.Actions)
	}
	before := r.Failures[0].Mark()
	f.put(t, scripts.Of(1), "own", `require "vnd.example.none"; vacation "away again";`)
	if after := f.run(t).Failures[0].Mark(); after == before {
		t.Error("another version has the same mark")
	}
}

func TestWhatIsOfferedCanBeRequired(t *testing.T) {
	for _, name := range (Language{}).Extensions() {
		if _, err := compile("", []byte(`require "`+name+`";`), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := compile("", []byte("keep;\nfoo;\nbar;\n"), nil)
	if err == nil || strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "|") != "line 2: unknown command 'foo'|line 3: unknown command 'bar'" {
		t.Errorf("mistakes are told as %v", err)
	}
}

func TestSpamtestAgreesWithTheVerdict(t *testing.T) {
	policy := verdict.Policy{Junk: verdict.P(5)}
	for _, c := range []struct {
		score   float64
		action  verdict.Action
		want    int
		percent int
	}{
		{-3, verdict.Inbox, 1, 0}, {0, verdict.Inbox, 1, 0}, {2.5, verdict.Inbox, 3, 25}, {4.99, verdict.Tag, 4, 49}, {5, verdict.Junk, 5, 50},
		{10, verdict.Reject, 10, 100}, {400, verdict.Reject, 10, 100}, {9, verdict.Inbox, 4, 49}, {1, verdict.Junk, 5, 50},
	} {
		h := &host{mail: &Mail{Verdict: &verdict.Recipient{Policy: policy, Verdict: verdict.Verdict{Score: verdict.P(c.score), Action: c.action}}}}
		if score, percent, tested := h.Spam(); score != c.want || percent != c.percent || !tested {
			t.Errorf("%v with %s is %d, %d%%, %v", c.score, c.action, score, percent, tested)
		}
	}
	if _, _, tested := (&host{mail: &Mail{}}).Spam(); tested {
		t.Error("what was not judged was tested")
	}
}

func TestAMarkIsFreshOnceUntilItRunsOut(t *testing.T) {
	testdb.OnBoth(t, func(t *testing.T, url string) {
		f, now := newFilters(t, url)
		m := markOf("a", "b")
		remember := func(account int64) (fresh bool) {
			t.Helper()
			if err := f.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
				fresh, err = f.RememberTx(tx, account, m, time.Hour)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return fresh
		}
		if !remember(1) || remember(1) || !remember(2) {
			t.Error("a mark is not fresh once for each account")
		}
		if is, err := f.Remembers(context.Background(), 1, m); !is || err != nil {
			t.Errorf("it is not remembered: %v", err)
		}
		now.Advance(time.Hour)
		if is, err := f.Remembers(context.Background(), 1, m); is || err != nil {
			t.Errorf("it is remembered when it ran out: %v", err)
		}
		if !remember(1) {
			t.Error("it is not fresh when it ran out")
		}
		if err := f.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := f.DB.QueryRow(t.Context(), `SELECT COUNT(*) FROM sieve_marks`).Scan(&n); err != nil || n != 1 {
			t.Errorf("after the sweep there are %d, %v", n, err)
		}
	})
}

func TestHowScriptsWentIsWrittenDown(t *testing.T) {
	f, _ := newFilters(t, testdb.SQLite(t))
	f.keep(t, scripts.Owner{}, "main", "keep;")
	f.keep(t, scripts.Of(1), "part", `require "ihave"; if true { error "no"; }`)
	f.put(t, scripts.Owner{Domain: "example.test", Role: scripts.Before}, "first", "if size :over 1K { discard; }")
	f.put(t, scripts.Of(1), "main", `require "include"; if not header :is "subject" "hello" { stop; } else { include :global "main"; }`+"\n"+`include "part";`)
	story := f.run(t).Story
	var names []string
	for _, s := range story.Scripts {
		names = append(names, strings.TrimSpace(s.Owner+" "+s.Role+" "+s.Name))
	}
	if got := strings.Join(names, ", "); got != "example.test before first, main, server global main, part" {
		t.Errorf("the scripts are %s", got)
	}
	if want := "#0 1:size- #1 1:header+ 1:not- 1:include #2 1:keep #1 2:include #3 1:true+ 1:error"; story.Steps != want || story.Cost == 0 {
		t.Errorf("the steps are %s, want %s", story.Steps, want)
	}
}

func BenchmarkRunWithItsStory(b *testing.B) {
	f, _ := newFilters(b, testdb.SQLite(b))
	f.put(b, scripts.Of(1), "main", strings.Repeat("if header :contains \"list-id\" \"example\" { discard; }\n", 30))
	plan, err := f.For(b.Context(), 1, "example.test")
	if err != nil {
		b.Fatal(err)
	}
	content := strings.NewReader("From: a@example.org\r\nSubject: hello\r\n\r\nHello.\r\n")
	parsed, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		plan.Run(b.Context(), &Mail{Parsed: parsed, Content: content, Size: content.Size(), Domain: "example.test"})
	}
}

func TestNoticesOfADayAreCountedByAccount(t *testing.T) {
	testdb.OnBoth(t, func(t *testing.T, url string) {
		f, now := newFilters(t, url)
		remember := func(account int64, m Mark) {
			t.Helper()
			if err := f.DB.Write(t.Context(), func(tx *db.Tx) error { return f.RememberAnewTx(tx, account, m, time.Hour) }); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			remember(1, NoticeMark("1 mailto:a@example.org", [32]byte{byte(i)}))
			remember(1, markOf("duplicate", string(rune(i))))
		}
		remember(1, NoticeMark("2 mailto:a@example.org", [32]byte{1}))
		remember(2, NoticeMark("2 mailto:a@example.org", [32]byte{1}))
		for account, want := range map[int64]int64{1: 21, 2: 1, 3: 0} {
			if n, err := f.Noticed(t.Context(), account); n != want || err != nil {
				t.Errorf("account %d has %d notices instead of %d, %v", account, n, want, err)
			}
		}
		now.Advance(time.Hour)
		if n, err := f.Noticed(t.Context(), 1); n != 0 || err != nil {
			t.Errorf("when they have run out there are %d, %v", n, err)
		}
	})
}
