package scanner_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/antispam/scanner"
	"postern/internal/clock"
)

// fake is a scanner that does what the test says.
type fake func(ctx context.Context) (scanner.Result, error)

func (fake) Name() string { return "fake" }

func (f fake) Scan(ctx context.Context, _ scanner.Message) (scanner.Result, error) { return f(ctx) }

func ham() (scanner.Result, error) {
	return scanner.Result{Name: "fake", Kind: scanner.Ham}, nil
}

func trouble(err error) scanner.Trouble {
	var e *scanner.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Trouble
}

func TestAfterFailuresInARowOneMessageAtATimeTriesAgain(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))
	asked := 0
	var result error = errors.New("broken")
	var inside func()
	var alerts, recoveries int
	g := scanner.NewGuard(fake(func(context.Context) (scanner.Result, error) {
		asked++
		if inside != nil {
			inside()
		}
		if result != nil {
			return scanner.Result{}, result
		}
		return ham()
	}), scanner.Options{Failures: 3, Rest: time.Minute, Clock: now, Alert: func(scanner.Alert) { alerts++ }, Recovered: func(string) { recoveries++ }})
	ask := func() scanner.Trouble {
		_, err := g.Scan(t.Context(), scanner.Message{})
		return trouble(err)
	}
	for i, want := range []scanner.Trouble{"down", "down", "down", "resting", "resting"} {
		if got := ask(); got != want {
			t.Errorf("message %d: %q", i, got)
		}
	}
	if asked != 3 || alerts != 1 {
		t.Fatalf("asked %d times, %d alerts", asked, alerts)
	}
	// While one tries, the others are not kept waiting.
	now.Advance(time.Minute)
	inside = func() {
		inside = nil
		if got := ask(); got != scanner.Resting {
			t.Errorf("beside the one that tries: %q", got)
		}
	}
	if got := ask(); got != scanner.Down || asked != 4 {
		t.Errorf("the one that tries: %q, asked %d times", got, asked)
	}
	if got := ask(); got != scanner.Resting {
		t.Errorf("after it: %q", got)
	}
	now.Advance(time.Minute)
	result = nil
	for range 2 {
		if got := ask(); got != "" {
			t.Errorf("it works again: %q", got)
		}
	}
	if alerts != 1 || recoveries != 1 {
		t.Errorf("%d alerts, %d recoveries", alerts, recoveries)
	}
	// Two failures in a row are not three, and a new trouble is told anew.
	result = errors.New("broken")
	ask()
	ask()
	result = nil
	ask()
	result = errors.New("broken")
	ask()
	ask()
	result = nil
	if got := ask(); got != "" || alerts != 3 || recoveries != 3 {
		t.Errorf("%q, %d alerts, %d recoveries", got, alerts, recoveries)
	}
}

// A client that hangs up while its message is tried neither ends nor prolongs the rest.
func TestAClientThatGoesAwayIsNotTheScannersFault(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))
	var result error
	g := scanner.NewGuard(fake(func(ctx context.Context) (scanner.Result, error) {
		if ctx.Err() != nil {
			return scanner.Result{}, &scanner.Error{Trouble: scanner.Cancelled}
		}
		if result != nil {
			return scanner.Result{}, result
		}
		return ham()
	}), scanner.Options{Failures: 1, Rest: time.Minute, Clock: now, Alert: func(a scanner.Alert) { t.Logf("%+v", a) }})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		if _, err := g.Scan(gone, scanner.Message{}); trouble(err) != scanner.Cancelled {
			t.Fatalf("%v", err)
		}
	}
	if _, err := g.Scan(t.Context(), scanner.Message{}); err != nil {
		t.Fatalf("it rests: %v", err)
	}
	result = errors.New("broken")
	g.Scan(t.Context(), scanner.Message{})
	now.Advance(time.Minute)
	if _, err := g.Scan(gone, scanner.Message{}); trouble(err) != scanner.Cancelled {
		t.Fatalf("%v", err)
	}
	result = nil
	if _, err := g.Scan(t.Context(), scanner.Message{}); err != nil {
		t.Errorf("the next does not try: %v", err)
	}
}

func TestOnlySoManyMessagesAreWithAScannerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var mu sync.Mutex
		inside, most := 0, 0
		var alerts []scanner.Alert
		g := scanner.NewGuard(fake(func(context.Context) (scanner.Result, error) {
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			<-release
			mu.Lock()
			inside--
			mu.Unlock()
			return ham()
		}), scanner.Options{Concurrency: 2, Wait: 5 * time.Second, Timeout: time.Hour, Alert: func(a scanner.Alert) {
			mu.Lock()
			alerts = append(alerts, a)
			mu.Unlock()
		}})
		counts := map[scanner.Trouble]int{}
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				_, err := g.Scan(t.Context(), scanner.Message{})
				mu.Lock()
				counts[trouble(err)]++
				mu.Unlock()
			})
		}
		time.Sleep(6 * time.Second)
		close(release)
		group.Wait()
		if most != 2 || counts[""] != 2 || counts[scanner.Busy] != 8 {
			t.Errorf("%d at once, %v", most, counts)
		}
		if len(alerts) != 1 || alerts[0].Trouble != scanner.Busy || !strings.Contains(alerts[0].Text, "2 messages at once") {
			t.Errorf("%+v", alerts)
		}
		// Places that come free are used, and being busy was no failure.
		if _, err := g.Scan(t.Context(), scanner.Message{}); err != nil {
			t.Errorf("%v", err)
		}
	})
}

func TestEachMessageHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := scanner.NewGuard(fake(func(ctx context.Context) (scanner.Result, error) {
			<-ctx.Done()
			return scanner.Result{}, ctx.Err()
		}), scanner.Options{Timeout: 7 * time.Second})
		began := time.Now()
		_, err := g.Scan(t.Context(), scanner.Message{})
		var e *scanner.Error
		if !errors.As(err, &e) || time.Since(began) != 7*time.Second || e.Took != 7*time.Second || e.Trouble != scanner.Slow {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if c := scanner.CheckOf(scanner.Result{}, err); c.Micros != 7_000_000 {
			t.Errorf("%+v", c)
		}
	})
}

func TestAnAlertNamesTheFix(t *testing.T) {
	for setting, words := range map[string][]string{
		"spamd:127.0.0.1:1":         {"spamd at 127.0.0.1:1", "refused", "`systemctl start spamd`"},
		"spamd:/nowhere/spamd.sock": {"/nowhere/spamd.sock", "no such file", "`systemctl start spamd`"},
		"rspamd:http://127.0.0.1:1": {"rspamd at http://127.0.0.1:1", "refused", "`systemctl start rspamd`"},
		"clamd:127.0.0.1:1":         {"clamd at 127.0.0.1:1", "refused", "`systemctl start clamav-daemon`"},
	} {
		var alerts []scanner.Alert
		g := scanner.NewGuard(parse(t, setting), scanner.Options{Alert: func(a scanner.Alert) { alerts = append(alerts, a) }})
		g.Scan(t.Context(), mail("x", "x"))
		g.Scan(t.Context(), mail("x", "x"))
		if len(alerts) != 1 {
			t.Errorf("%s: %d alerts", setting, len(alerts))
			continue
		}
		for _, word := range append(words, "setting", "accepted") {
			if !strings.Contains(alerts[0].Text, word) {
				t.Errorf("%s: %q does not name %q", setting, alerts[0].Text, word)
			}
		}
	}
}
