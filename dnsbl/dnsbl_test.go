package dnsbl_test

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"postern/dnsbl"
	"postern/internal/clock"
	"postern/internal/resolver"
	"postern/internal/testdns"
	"postern/internal/testenv"
)

type lab struct {
	*dnsbl.Checker
	dns    *testdns.Server
	clock  *clock.Manual
	mu     sync.Mutex
	alerts []dnsbl.Alert
	cfg    dnsbl.Config
}

func start(t *testing.T, zones ...string) *lab {
	t.Helper()
	l := &lab{dns: testdns.Start(t, ""), clock: clock.NewManual(time.Unix(1e9, 0))}
	for _, s := range zones {
		z, err := dnsbl.ParseZone(s)
		if err != nil {
			t.Fatal(err)
		}
		l.cfg.Zones = append(l.cfg.Zones, z)
	}
	l.Checker = dnsbl.New(dnsbl.Options{
		Resolver: resolver.New(resolver.Options{Servers: []string{l.dns.Addr()}, Timeout: time.Second, Attempts: 1, Clock: l.clock}),
		Config:   func() dnsbl.Config { return l.cfg },
		Alert: func(a dnsbl.Alert) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.alerts = append(l.alerts, a)
		},
		Clock: l.clock,
	})
	return l
}

func (l *lab) list(t *testing.T, query string, codes ...string) {
	t.Helper()
	for i, c := range codes {
		codes[i] = fmt.Sprintf("%s. 60 IN A %s\n", query, c)
	}
	l.dns.Set(t, strings.Join(codes, ""))
}

func (l *lab) check(ip string) dnsbl.Verdict {
	return l.Check(context.Background(), netip.MustParseAddr(ip))
}

// Every code of the fact sheet, and the ends of the ranges, under the default policy of MAIL-1: listed iff the answer is
// 127.0.0.2 to 127.0.0.11.
func TestEveryReturnCodeIsReadAsDocumented(t *testing.T) {
	l := start(t, "zen.spamhaus.org")
	alerts := map[string]dnsbl.Problem{
		"127.0.0.1": dnsbl.NotAList, "127.255.255.252": dnsbl.Typo, "127.255.255.254": dnsbl.PublicResolver,
		"127.255.255.255": dnsbl.TooMany, "127.255.255.253": dnsbl.Refused, "127.0.1.255": dnsbl.Refused,
		"192.0.2.1": dnsbl.MadeUp, "126.255.255.255": dnsbl.MadeUp, "128.0.0.2": dnsbl.MadeUp,
	}
	for i, code := range codes(t) {
		ip := fmt.Sprintf("198.51.100.%d", i)
		l.list(t, fmt.Sprintf("%d.100.51.198.zen.spamhaus.org", i), code)
		v := l.check(ip)
		a := netip.MustParseAddr(code)
		want := !a.Less(netip.MustParseAddr("127.0.0.2")) && !netip.MustParseAddr("127.0.0.11").Less(a)
		if v.Listed != want {
			t.Errorf("%s: listed %v, want %v", code, v.Listed, want)
		}
		if want && (v.Zone != "zen.spamhaus.org" || v.Code != code || !strings.Contains(v.Reason, ip) || len(v.Errors) != 0) {
			t.Errorf("%s: %+v", code, v)
		}
		problem, alert := alerts[code]
		if alert && (len(v.Errors) != 1 || v.Errors[0].Problem != problem || v.Errors[0].Code != code) {
			t.Errorf("%s: %+v, want the problem %q", code, v.Errors, problem)
		}
		if !want && !alert && (len(v.Errors) != 1 || v.Errors[0].Problem != dnsbl.Unknown) {
			t.Errorf("%s: %+v, want an unknown code", code, v.Errors)
		}
	}
	told := map[dnsbl.Problem]int{}
	for _, a := range l.alerts {
		told[a.Problem]++
		if len(a.Text) < 80 || a.Zone != "zen.spamhaus.org" {
			t.Errorf("an alert without the fix: %+v", a)
		}
	}
	for _, p := range []dnsbl.Problem{dnsbl.NotAList, dnsbl.Typo, dnsbl.PublicResolver, dnsbl.TooMany, dnsbl.Refused, dnsbl.MadeUp} {
		if told[p] != 1 {
			t.Errorf("%q was told %d times, want once", p, told[p])
		}
	}
	if told[dnsbl.Unknown] != 0 {
		t.Error("an unknown code is no alarm")
	}
}

// codes are those of the fact sheet and some beside them.
func codes(t *testing.T) []string {
	f, err := os.Open(filepath.Join(testenv.Testdata(t, "dnsbl-facts"), "spamhaus-return-codes.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []string
	lines := bufio.NewScanner(f)
	lines.Scan() // the names of the columns
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 4 {
			t.Fatalf("%q", lines.Text())
		}
		list = append(list, strings.Split(fields[1], "-")...)
	}
	if len(list) < 25 {
		t.Fatalf("%d codes", len(list))
	}
	return append(list, "127.0.0.12", "127.0.0.0", "127.1.0.2", "127.255.255.253", "192.0.2.1", "126.255.255.255", "128.0.0.2")
}

func TestIPv6IsAskedByNibbles(t *testing.T) {
	l := start(t, "zen.spamhaus.org")
	l.list(t, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.spamhaus.org", "127.0.0.4")
	if v := l.check("2001:db8::1"); !v.Listed || v.Listings[0].Meaning != "XBL" {
		t.Errorf("%+v", v)
	}
	if v := l.check("2001:db8::2"); v.Listed || len(v.Errors) != 0 {
		t.Errorf("%+v", v)
	}
	l.list(t, "9.2.0.192.zen.spamhaus.org", "127.0.0.2")
	if v := l.check("::ffff:192.0.2.9"); !v.Listed {
		t.Errorf("an IPv4 address in IPv6 clothes: %+v", v)
	}
}

func TestSeveralCodesTogetherAreOneListing(t *testing.T) {
	l := start(t, "zen.spamhaus.org")
	l.list(t, "2.0.0.127.zen.spamhaus.org", "127.0.0.2", "127.0.0.4", "127.0.0.10")
	v := l.check("127.0.0.2")
	if !v.Listed || len(v.Listings) != 3 || v.Score != 1 {
		t.Errorf("%+v", v)
	}
}

func TestOneErrorCodeSpoilsTheWholeAnswer(t *testing.T) {
	l := start(t, "zen.spamhaus.org")
	for i, code := range []string{"127.255.255.254", "203.0.113.5", "127.0.0.1"} {
		l.list(t, fmt.Sprintf("%d.2.0.192.zen.spamhaus.org", i), "127.0.0.2", code)
		if v := l.check(fmt.Sprintf("192.0.2.%d", i)); v.Listed || len(v.Listings) != 0 || len(v.Errors) != 1 {
			t.Errorf("with %s: %+v", code, v)
		}
	}
}

func TestNoAnswerIsNoListingAndIsTold(t *testing.T) {
	for name, f := range map[string]testdns.Failure{"time-out": testdns.Timeout(), "SERVFAIL": testdns.ServFail(), "REFUSED": {Rcode: dns.RcodeRefused}} {
		t.Run(name, func(t *testing.T) {
			l := start(t, "zen.spamhaus.org")
			l.dns.SetFailure("", f)
			for i := range 3 {
				v := l.check(fmt.Sprintf("192.0.2.%d", i))
				if v.Listed || len(v.Errors) != 1 || v.Errors[0].Problem != dnsbl.NoAnswer {
					t.Errorf("%+v", v)
				}
			}
			if len(l.alerts) != 1 || l.alerts[0].Problem != dnsbl.NoAnswer {
				t.Errorf("%+v", l.alerts)
			}
			l.clock.Advance(2 * time.Hour)
			if l.check("192.0.2.77"); len(l.alerts) != 2 {
				t.Errorf("after two hours %d alerts", len(l.alerts))
			}
		})
	}
}

func TestADeadListRestsAndComesBack(t *testing.T) {
	l := start(t, "dead.example.org", "live.example.org")
	failing := func(ip string) bool { return len(l.check(ip).Errors) > 0 }
	name := func(i int) string { return fmt.Sprintf("%d.2.0.192.dead.example.org", i) }
	for i := range 20 {
		l.dns.SetFailure(name(i), testdns.ServFail())
		l.list(t, fmt.Sprintf("%d.2.0.192.live.example.org", i), "127.0.0.2")
	}
	asked := func() (n int) {
		for i := range 20 {
			n += l.dns.Asked(name(i))
		}
		return n
	}
	for i := range 10 {
		if v := l.check(fmt.Sprintf("192.0.2.%d", i)); !v.Listed || len(v.Errors) != 1 {
			t.Errorf("%+v", v)
		}
	}
	if n := asked(); n != 3 {
		t.Errorf("the dead list was asked %d times before its rest, want 3", n)
	}
	l.clock.Advance(61 * time.Second)
	if failing("192.0.2.10"); asked() != 4 {
		t.Errorf("after the rest it is asked once more: %d", asked())
	}
	if failing("192.0.2.11"); asked() != 4 {
		t.Errorf("and rests again: %d", asked())
	}
	l.clock.Advance(61 * time.Second)
	if failing("192.0.2.50") {
		t.Error("the list is well again")
	}
	if failing("192.0.2.51") || l.dns.Asked("51.2.0.192.dead.example.org") != 1 {
		t.Error("a list that is well is asked")
	}
}

func TestAnswersAreKeptForTheirTTL(t *testing.T) {
	l := start(t, "zen.spamhaus.org")
	l.list(t, "1.2.0.192.zen.spamhaus.org", "127.0.0.2")
	for range 5 {
		l.check("192.0.2.1")
		l.check("192.0.2.2")
	}
	if a, b := l.dns.Asked("1.2.0.192.zen.spamhaus.org"), l.dns.Asked("2.2.0.192.zen.spamhaus.org"); a != 1 || b != 1 {
		t.Errorf("asked %d and %d times", a, b)
	}
	l.clock.Advance(61 * time.Second)
	l.check("192.0.2.1")
	if n := l.dns.Asked("1.2.0.192.zen.spamhaus.org"); n != 2 {
		t.Errorf("after the TTL asked %d times", n)
	}
}

func TestTheAllowListIsNotAskedAbout(t *testing.T) {
	l := start(t, "zen.spamhaus.org")
	l.dns.Set(t, "*.zen.spamhaus.org. A 127.0.0.2")
	l.cfg.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	for _, ip := range []string{"192.0.2.200", "2001:db8:1::1", "::ffff:192.0.2.1", "10.0.0.1", "fe80::1", "fd00::1"} {
		if v := l.check(ip); v.Listed || !v.Allowed {
			t.Errorf("%s: %+v", ip, v)
		}
	}
	if n := l.dns.Asked(""); n != 0 {
		t.Errorf("%d questions", n)
	}
	if v := l.check("192.0.3.1"); !v.Listed {
		t.Errorf("%+v", v)
	}
	l.cfg.Disabled = true
	if v := l.check("192.0.3.1"); v.Listed {
		t.Errorf("switched off: %+v", v)
	}
}

func TestZonesCodesAndWeightsAreConfigurable(t *testing.T) {
	l := start(t, "one.example.org=127.0.0.5*0.5", "two.example.org=127.0.0.2-127.0.0.4|127.0.0.20*0.6", "three.example.org*0.3")
	for _, c := range []struct {
		one, two, three string
		listed          bool
		zone            string
	}{
		{"127.0.0.5", "127.0.0.20", "", true, "two.example.org"},
		{"127.0.0.5", "", "127.0.0.2", false, "one.example.org"},
		{"127.0.0.2", "127.0.0.5", "", false, ""},
		{"127.0.0.5", "127.0.0.3", "127.0.0.11", true, "two.example.org"},
	} {
		l.clock.Advance(2 * time.Minute)
		for zone, code := range map[string]string{"one": c.one, "two": c.two, "three": c.three} {
			l.dns.Remove("1.2.0.192." + zone + ".example.org")
			if code != "" {
				l.list(t, "1.2.0.192."+zone+".example.org", code)
			}
		}
		if v := l.check("192.0.2.1"); v.Listed != c.listed || v.Zone != c.zone {
			t.Errorf("%+v: %+v", c, v)
		}
	}
}

func TestZonesThatMakeNoSenseAreRefused(t *testing.T) {
	for _, s := range []string{"", "zen", "a b.org", "zen.example.org=", "zen.example.org=192.0.2.1", "zen.example.org=127.0.0.9-127.0.0.2",
		"zen.example.org*0", "zen.example.org*x", "zen.example.org*-1", "zen.example.org*NaN", "zen.example.org=127.255.255.254", "zen.example.org=127.0.0.1", "..org", "zen..org"} {
		if z, err := dnsbl.ParseZone(s); err == nil {
			t.Errorf("%q passed: %+v", s, z)
		}
	}
}

func TestTheDQSKeyIsAskedWithAndNeverShown(t *testing.T) {
	l := start(t, "zen.spamhaus.org", "bl.example.org")
	l.cfg.DQSKey = "secretkey"
	l.list(t, "1.2.0.192.secretkey.zen.dq.spamhaus.net", "127.0.0.3")
	v := l.check("192.0.2.1")
	if !v.Listed || v.Zone != "zen.spamhaus.org" {
		t.Errorf("%+v", v)
	}
	if l.dns.Asked("1.2.0.192.zen.spamhaus.org") != 0 || l.dns.Asked("1.2.0.192.bl.example.org") != 1 {
		t.Error("the public zone was asked, or the other list under the key")
	}
	l.dns.SetFailure("2.2.0.192.secretkey.zen.dq.spamhaus.net", testdns.Timeout())
	l.list(t, "3.2.0.192.secretkey.zen.dq.spamhaus.net", "127.255.255.255")
	all := fmt.Sprintf("%+v %+v %+v %+v", v, l.check("192.0.2.2"), l.check("192.0.2.3"), l.alerts)
	if strings.Contains(all, "secretkey") {
		t.Errorf("the key shows: %s", all)
	}
}

func TestAClientThatLeavesSaysNothingAboutTheList(t *testing.T) {
	l := start(t, "zen.spamhaus.org")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v := l.Check(ctx, netip.MustParseAddr("192.0.2.1")); v.Listed || len(v.Errors) != 1 || len(l.alerts) != 0 {
		t.Errorf("%+v, %+v", v, l.alerts)
	}
}

func TestProbeTellsWhetherTheListsWorkFromHere(t *testing.T) {
	l := start(t, "zen.spamhaus.org", "dead.example.org", "all.example.org", "public.example.org")
	l.list(t, "2.0.0.127.zen.spamhaus.org", "127.0.0.2", "127.0.0.4", "127.0.0.10")
	l.dns.Set(t, "*.all.example.org. A 127.0.0.2")
	l.dns.Set(t, "*.public.example.org. A 127.255.255.254")
	bad := map[string]dnsbl.Problem{}
	for _, e := range l.Probe(t.Context()) {
		bad[e.Zone] = e.Problem
	}
	if len(bad) != 3 || bad["dead.example.org"] != dnsbl.NotAList || bad["all.example.org"] != dnsbl.NotAList || bad["public.example.org"] != dnsbl.PublicResolver {
		t.Errorf("%v", bad)
	}
}
