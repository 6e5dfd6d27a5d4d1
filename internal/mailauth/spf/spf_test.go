package spf_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/internal/mailauth/spf"
	"postern/internal/resolver"
	"postern/internal/testdns"
)

func ask(t testing.TB, server *testdns.Server, q spf.Query) spf.Answer {
	t.Helper()
	r := resolver.New(resolver.Options{Servers: []string{server.Addr()}, Timeout: 5 * time.Second, Attempts: 1})
	return spf.Check(context.Background(), r, q)
}

// TestAnAnswerSaysWhatDecided asks a real DNS server.
func TestAnAnswerSaysWhatDecided(t *testing.T) {
	server := testdns.Start(t, `
example.com.      TXT "v=spf1 ip4:198.51.100.0/24 include:_spf.example.net mx ~all"
example.com.      MX 10 mx.example.com.
mx.example.com.   A 192.0.2.7
_spf.example.net. TXT "v=spf1 ip4:192.0.2.1 -all"
plain.example.    TXT "v=spf1 ip4:192.0.2.1"
fail.example.     TXT "v=spf1 exp=why.fail.example -all"
why.fail.example. TXT "%{i} is not one of %{d}'s, says %{r}"
loop.example.     TXT "v=spf1 include:loop.example -all"
nullmx.example.   TXT "v=spf1 mx -all"
nullmx.example.   MX 0 .
void.example.     TXT "v=spf1 a:x1.example a:x2.example a:x3.example ip4:192.0.2.1 -all"
four.example.     TXT "v=spf1 mx ip6:2001:db8::/32 -all"
four.example.     MX 1 mx1.four.example.
four.example.     MX 2 mx2.four.example.
four.example.     MX 3 mx3.four.example.
mx1.four.example. A 192.0.2.1
mx2.four.example. A 192.0.2.2
mx3.four.example. A 192.0.2.3
`)
	server.SetFailure("broken.example", testdns.ServFail())
	for _, c := range []struct {
		domain, client string
		want           spf.Answer
	}{
		{"example.com", "192.0.2.1", spf.Answer{Result: spf.Pass, Mechanism: "include:_spf.example.net", Lookups: 1}},
		{"Example.COM.", "::ffff:192.0.2.7", spf.Answer{Result: spf.Pass, Mechanism: "mx", Lookups: 2}},
		{"example.com", "192.0.2.9", spf.Answer{Result: spf.SoftFail, Mechanism: "~all", Lookups: 2}},
		{"plain.example", "192.0.2.9", spf.Answer{Result: spf.Neutral, Mechanism: "default"}},
		{"fail.example", "2001:db8::1", spf.Answer{Result: spf.Fail, Mechanism: "-all",
			Explanation: "2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1 is not one of fail.example's, says unknown"}},
		{"loop.example", "192.0.2.1", spf.Answer{Result: spf.PermError, Mechanism: "include:loop.example", Lookups: 10}},
		{"nullmx.example", "192.0.2.1", spf.Answer{Result: spf.Fail, Mechanism: "-all", Lookups: 1}},
		{"void.example", "192.0.2.1", spf.Answer{Result: spf.PermError, Mechanism: "a:x3.example", Lookups: 3}},
		{"four.example", "2001:db8::1", spf.Answer{Result: spf.Pass, Mechanism: "ip6:2001:db8::/32", Lookups: 1}},
		{"broken.example", "192.0.2.1", spf.Answer{Result: spf.TempError}},
		{"nothing.example", "192.0.2.1", spf.Answer{Result: spf.None}},
		{"localhost", "192.0.2.1", spf.Answer{Result: spf.None}},
	} {
		got := ask(t, server, spf.Query{Client: netip.MustParseAddr(c.client), Helo: "h.example", Domain: c.domain})
		if (got.Cause != nil) != (c.want.Result == spf.PermError || c.want.Result == spf.TempError) {
			t.Errorf("%s: cause %v", c.domain, got.Cause)
		}
		got.Cause, c.want.Domain = nil, strings.ToLower(strings.TrimSuffix(c.domain, "."))
		if got != c.want {
			t.Errorf("%s for %s: %+v, want %+v", c.client, c.domain, got, c.want)
		}
	}
}

// TestInternationalizedSenders: RFC 8616 4.
func TestInternationalizedSenders(t *testing.T) {
	server := testdns.Start(t, `
xn--bcher-kva.example.            TXT "v=spf1 exists:%{l}.users.example ip4:192.0.2.1 exp=why.example -all"
xn--e1afmkfd.users.example.       A 127.0.0.2
why.example.                      TXT "%{l} may not"
`)
	q := spf.Query{Client: netip.MustParseAddr("192.0.2.1"), Local: "пример", Domain: "BÜCHER.example"}
	if got := ask(t, server, q); got.Result != spf.Pass || got.Mechanism != "ip4:192.0.2.1" || got.Domain != "xn--bcher-kva.example" {
		t.Errorf("%+v", got)
	}
	q.Client = netip.MustParseAddr("192.0.2.2")
	if got := ask(t, server, q); got.Result != spf.Fail || got.Explanation != "" {
		t.Errorf("an explanation that is not ASCII: %+v", got)
	}
}

func TestAnExplanationIsOneLineOfASCII(t *testing.T) {
	server := testdns.Start(t, "")
	server.SetTXT("fail.example", "v=spf1 exp=why.example -all")
	server.SetTXT("why.example", strings.Repeat("%{h}", 150))
	q := spf.Query{Client: netip.MustParseAddr("192.0.2.1"), Helo: "a\r\nb\x00c" + strings.Repeat("x", 100), Domain: "fail.example"}
	got := ask(t, server, q)
	if len(got.Explanation) != 500 || strings.ContainsFunc(got.Explanation, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("%q", got.Explanation)
	}
}

// TestARecordMadeToHurtEndsEarly: the worst that a record can ask for is bounded, whatever the client.
func TestARecordMadeToHurtEndsEarly(t *testing.T) {
	var zone strings.Builder
	zone.WriteString("bad.example. TXT \"v=spf1")
	for i := range 10 {
		fmt.Fprintf(&zone, " mx:m%d.example", i)
	}
	zone.WriteString(" -all\"\n")
	for i := range 10 {
		for j := range 10 {
			fmt.Fprintf(&zone, "m%d.example. MX 10 h%d.m%d.example.\nh%d.m%d.example. A 198.51.100.1\n", i, j, i, j, i)
		}
	}
	server := testdns.Start(t, zone.String())
	if got := ask(t, server, spf.Query{Client: netip.MustParseAddr("192.0.2.1"), Domain: "bad.example"}); got.Result != spf.Fail || got.Lookups != 10 {
		t.Errorf("%+v", got)
	}
	if n := server.Asked(""); n > 1+10+100 {
		t.Errorf("%d questions", n)
	}
}

// everything answers every question with the same record, and counts.
type everything struct {
	record string
	asked  *int
}

func (e everything) count() error {
	if *e.asked++; *e.asked > 1000 {
		panic("no end of questions")
	}
	return nil
}

func (e everything) TXT(context.Context, string) (resolver.Answer[string], error) {
	return resolver.Answer[string]{Values: []string{e.record}}, e.count()
}

func (e everything) MX(context.Context, string) (resolver.Answer[resolver.MX], error) {
	return resolver.Answer[resolver.MX]{Values: []resolver.MX{{Host: "mx.example"}}}, e.count()
}

func (e everything) LookupA(context.Context, string) (resolver.Answer[netip.Addr], error) {
	return resolver.Answer[netip.Addr]{Values: []netip.Addr{netip.MustParseAddr("198.51.100.1")}}, e.count()
}

func (e everything) LookupAAAA(context.Context, string) (resolver.Answer[netip.Addr], error) {
	return resolver.Answer[netip.Addr]{}, resolver.ErrNoData
}

func (e everything) LookupPTR(context.Context, netip.Addr) (resolver.Answer[string], error) {
	return resolver.Answer[string]{Values: []string{"a.example", "b.example"}}, e.count()
}

// FuzzRecord: no record makes the evaluation panic, go on for ever or answer with something that is no result.
func FuzzRecord(f *testing.F) {
	for _, record := range []string{
		"a mx ptr:%{d} include:%{ir}.%{v}.example exists:%{l1r-}.x.example ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
		"redirect=%{o} exp=%{S}.example x=%%%_%-", "a/24//64 mx:e.example//0 ?all", "exp=%{c} a:%{p}.example", "~include:%{h}",
	} {
		f.Add("v=spf1 "+record, "user+x", "mx.example", true)
	}
	f.Fuzz(func(t *testing.T, record, local, helo string, v6 bool) {
		client := netip.MustParseAddr("192.0.2.1")
		if v6 {
			client = netip.MustParseAddr("2001:db8::1")
		}
		asked := 0
		a := spf.Check(t.Context(), everything{record, &asked}, spf.Query{Client: client, Helo: helo, Local: local, Domain: "example.com", Now: time.Unix(0, 0)})
		switch a.Result {
		case spf.None, spf.Neutral, spf.Pass, spf.Fail, spf.SoftFail, spf.PermError:
		default:
			t.Fatalf("%+v", a)
		}
		if len(a.Explanation) > 500 || strings.ContainsFunc(a.Explanation, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("%q", a.Explanation)
		}
		if asked > 1+10+100+20 {
			t.Fatalf("%d questions", asked)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	server := testdns.Start(b, `
example.com.      TXT "v=spf1 include:_spf.example.net ip4:198.51.100.0/24 -all"
_spf.example.net. TXT "v=spf1 ip4:203.0.113.0/24 ip4:192.0.2.0/25 ip6:2001:db8::/32 ~all"
`)
	r := resolver.New(resolver.Options{Servers: []string{server.Addr()}})
	q := spf.Query{Client: netip.MustParseAddr("192.0.2.1"), Local: "a", Domain: "example.com"}
	b.ReportAllocs()
	for b.Loop() {
		if a := spf.Check(context.Background(), r, q); a.Result != spf.Pass {
			b.Fatal(a)
		}
	}
}
