package reputation

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"postern/internal/address"
)

// ask gives "pass" or how long to wait.
func (f *fixture) ask(client, from, to string) string {
	f.t.Helper()
	var sender address.Address
	if from != "" {
		sender = addresses(f.t, from)[0]
	}
	wait, ok := f.Ask(context.Background(), netip.MustParseAddr(client), sender, addresses(f.t, to)[0])
	if ok {
		return "pass"
	}
	return wait.String()
}

func TestAStrangerHasToComeAgain(t *testing.T) {
	const to = "alice@example.test"
	steps := []struct {
		wait         time.Duration
		client, from string
		want         string
	}{
		{0, "192.0.2.1", "bob@example.org", "5m0s"},
		{time.Minute, "192.0.2.200", "bob@example.org", "4m0s"},          // another server of the same farm
		{0, "198.51.100.1", "bob@example.org", "5m0s"},                   // another network
		{0, "192.0.2.1", "carol@example.org", "5m0s"},                    // another sender
		{4 * time.Minute, "192.0.2.7", "Bob+tag@example.org", "pass"},    // in time
		{0, "192.0.2.7", "bob@example.org", "pass"},                      // known now
		{23 * time.Hour, "198.51.100.1", "bob@example.org", "pass"},      // late, but in time
		{2 * time.Hour, "192.0.2.1", "carol@example.org", "5m0s"},        // too late: anew
		{0, "2001:db8::1", "list-123-x@example.org", "5m0s"},             //
		{5 * time.Minute, "2001:db8::2", "list-4-x@example.org", "pass"}, // the number does not count
		{0, "2001:db8:0:1::2", "list-4-x@example.org", "5m0s"},           // another /64
		{0, "192.0.2.1", "", "5m0s"},                                     // the null path
		{34 * day, "192.0.2.7", "bob@example.org", "pass"},               // once a month
		{35 * day, "192.0.2.7", "bob@example.org", "pass"},               // counted from the last one
		{37 * day, "192.0.2.7", "bob@example.org", "5m0s"},               // forgotten
	}
	onBoth(t, func(t *testing.T, f *fixture) {
		f.set("greylist.enabled", "true")
		for i, s := range steps {
			f.clock.Advance(s.wait)
			if got := f.ask(s.client, s.from, to); got != s.want {
				t.Errorf("step %d: %s, not %s", i, got, s.want)
			}
			if i%3 == 0 {
				f.reopen()
			}
		}
	})
}

func TestANetworkThatCameAgainOftenIsKnown(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.set("greylist.enabled", "true")
		for i := range 5 {
			from := string(rune('a'+i)) + "@example.org"
			if got := f.ask("192.0.2.1", from, "alice@example.test"); got != "5m0s" {
				t.Fatalf("%s: %s", from, got)
			}
			f.clock.Advance(5 * time.Minute)
			if got := f.ask("192.0.2.1", from, "alice@example.test"); got != "pass" {
				t.Fatalf("%s: %s", from, got)
			}
		}
		if got := f.ask("192.0.2.9", "new@example.com", "bob@example.test"); got != "pass" {
			t.Errorf("a known network: %s", got)
		}
		if got := f.ask("192.0.3.9", "new@example.com", "bob@example.test"); got != "5m0s" {
			t.Errorf("its neighbour: %s", got)
		}
		f.clock.Advance(37 * day)
		if got := f.ask("192.0.2.9", "newer@example.com", "bob@example.test"); got != "5m0s" {
			t.Errorf("a network not seen for long: %s", got)
		}
	})
}

func TestWhoWasLetThroughStaysKnownWhenThePowerFails(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.set("greylist.enabled", "true")
		f.ask("192.0.2.1", "bob@example.org", "alice@example.test")
		f.clock.Advance(5 * time.Minute)
		if got := f.ask("192.0.2.1", "bob@example.org", "alice@example.test"); got != "pass" {
			t.Fatal(got)
		}
		f.cutPower()
		if got := f.ask("192.0.2.1", "bob@example.org", "alice@example.test"); got != "pass" {
			t.Error(got)
		}
	})
}

func TestTheGreylistIsBounded(t *testing.T) {
	f := onSQLite(t)
	f.set("greylist.enabled", "true")
	f.set("greylist.max", "1000")
	f.ask("192.0.2.1", "bob@example.org", "alice@example.test")
	f.clock.Advance(5 * time.Minute)
	f.ask("192.0.2.1", "bob@example.org", "alice@example.test")
	for i := range 1200 {
		f.ask("192.0.2.1", fmt.Sprintf("%c%c@example.com", 'a'+i%26, 0x3b1+i/26), "alice@example.test")
	}
	f.must(f.Greylist.ledger.flush(t.Context()))
	f.must(f.Greylist.ledger.prune(t.Context()))
	if n := f.rows(f.Greylist.ledger); n > 1000 {
		t.Errorf("%d rows", n)
	}
	if got := f.ask("192.0.2.1", "bob@example.org", "alice@example.test"); got != "pass" {
		t.Errorf("who was let through went before those who merely tried: %s", got)
	}
}

func TestWithoutADatabaseEverybodyIsLetThrough(t *testing.T) {
	f := onSQLite(t)
	if got := f.ask("192.0.2.1", "bob@example.org", "alice@example.test"); got != "pass" {
		t.Errorf("switched off: %s", got)
	}
	f.set("greylist.enabled", "true")
	f.must(f.db.Close())
	if got := f.ask("192.0.2.1", "bob@example.org", "alice@example.test"); got != "pass" {
		t.Errorf("without a database: %s", got)
	}
	f.open()
}
