package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"blitiri.com.ar/go/spf"
	"github.com/miekg/dns"

	"postern/internal/clock"
	"postern/internal/resolver"
	"postern/internal/testdns"
)

const zone = `
example.test.       300 IN MX    20 mx2.example.test.
example.test.       300 IN MX    10 MX1.Example.Test.
example.test.       300 IN TXT   "v=spf1 mx -all"
mx1.example.test.   120 IN A     192.0.2.1
mx1.example.test.   90  IN AAAA  2001:db8::1
mx2.example.test.   120 IN A     192.0.2.2
six.example.test.   60  IN AAAA  2001:db8::6
null.example.test.  60  IN MX    0 .
www.example.test.   30  IN CNAME web.example.test.
web.example.test.   200 IN CNAME mx1.example.test.
dangling.test.      60  IN CNAME nowhere.test.
loop1.test.         60  IN CNAME loop2.test.
loop2.test.         60  IN CNAME loop1.test.
1.2.0.192.in-addr.arpa. 60 IN PTR mx1.example.test.
*.wild.test.        60  IN A     192.0.2.9
_25._tcp.mx1.example.test. 60 IN TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
`

func start(t *testing.T, o resolver.Options) (*resolver.Resolver, *testdns.Server) {
	t.Helper()
	s := testdns.Start(t, zone)
	o.Servers = append(o.Servers, s.Addr())
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	return resolver.New(o), s
}

func TestAnswersComeWithTheirTTLAndInOrder(t *testing.T) {
	r, _ := start(t, resolver.Options{Clock: clock.NewManual(time.Unix(1e9, 0))})
	mx, err := r.MX(t.Context(), "Example.TEST")
	if err != nil {
		t.Fatal(err)
	}
	want := []resolver.MX{{Host: "mx1.example.test", Preference: 10}, {Host: "mx2.example.test", Preference: 20}}
	if !slices.Equal(mx.Values, want) || mx.TTL != 300*time.Second || mx.Authentic {
		t.Errorf("MX: %+v", mx)
	}
	hosts, err := r.LookupHost(t.Context(), "mx1.example.test.")
	if err != nil || len(hosts.Values) != 2 || hosts.TTL != 90*time.Second {
		t.Errorf("addresses: %+v, %v", hosts, err)
	}
	if six, err := r.LookupHost(t.Context(), "six.example.test"); err != nil || len(six.Values) != 1 {
		t.Errorf("a host with IPv6 alone: %+v, %v", six, err)
	}
	ptr, err := r.LookupPTR(t.Context(), netip.MustParseAddr("::ffff:192.0.2.1"))
	if err != nil || !slices.Equal(ptr.Values, []string{"mx1.example.test"}) {
		t.Errorf("PTR: %+v, %v", ptr, err)
	}
	null, err := r.MX(t.Context(), "null.example.test")
	if err != nil || len(null.Values) != 1 || null.Values[0].Host != "." {
		t.Errorf("null MX: %+v, %v", null, err)
	}
	tlsa, err := r.TLSA(t.Context(), "_25._tcp.mx1.example.test")
	if err != nil || len(tlsa.Values) != 1 || tlsa.Values[0].Usage != 3 || len(tlsa.Values[0].Data) != 32 {
		t.Errorf("TLSA: %+v, %v", tlsa, err)
	}
	if a, err := r.LookupA(t.Context(), "any.wild.test"); err != nil || a.Values[0].String() != "192.0.2.9" {
		t.Errorf("wildcard: %+v, %v", a, err)
	}
}

func TestAliasesAreFollowedToTheirEnd(t *testing.T) {
	r, _ := start(t, resolver.Options{Clock: clock.NewManual(time.Unix(1e9, 0))})
	a, err := r.LookupA(t.Context(), "www.example.test")
	if err != nil || len(a.Values) != 1 || a.Values[0].String() != "192.0.2.1" {
		t.Fatalf("%+v, %v", a, err)
	}
	if a.Name != "mx1.example.test." || a.TTL != 30*time.Second {
		t.Errorf("name %q, TTL %v: the alias's TTL is the shortest", a.Name, a.TTL)
	}
	if _, err := r.LookupA(t.Context(), "loop1.test"); !resolver.IsTemporary(err) {
		t.Errorf("a loop of aliases: %v", err)
	}
	if _, err := r.LookupA(t.Context(), "dangling.test"); !errors.Is(err, resolver.ErrNoDomain) {
		t.Errorf("an alias to nothing: %v", err)
	}
}

func TestNoDomainAndNoDataAreToldApart(t *testing.T) {
	r, s := start(t, resolver.Options{})
	_, err := r.LookupTXT(t.Context(), "nowhere.test")
	if !errors.Is(err, resolver.ErrNoDomain) || !resolver.IsNotFound(err) || resolver.IsTemporary(err) {
		t.Errorf("NXDOMAIN: %v", err)
	}
	_, err = r.LookupTXT(t.Context(), "mx1.example.test")
	if !errors.Is(err, resolver.ErrNoData) || errors.Is(err, resolver.ErrNoDomain) {
		t.Errorf("NODATA: %v", err)
	}
	var de *net.DNSError
	if !errors.As(err, &de) || !de.IsNotFound {
		t.Errorf("not a net.DNSError: %#v", err)
	}
	for _, name := range []string{"", "a..b", strings.Repeat("a", 64) + ".test", strings.Repeat("abcdefgh.", 40), "a b.test", "\x00.test", "ä.test", `a\.b`} {
		if _, err := r.LookupTXT(t.Context(), name); !errors.Is(err, resolver.ErrNoDomain) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if n := s.Asked("") - s.Asked("nowhere.test") - s.Asked("mx1.example.test"); n != 0 {
		t.Errorf("%d questions with impossible names left", n)
	}
}

func TestNamesWithUnusualCharactersAreAskedForLikeOthers(t *testing.T) {
	r, _ := start(t, resolver.Options{})
	for _, label := range []string{"o'brien", "a;b", "(a)", `"a"`, "a@b", "a/b", "a+b=c", "a$b", "*", "_"} {
		a, err := r.LookupA(t.Context(), label+".wild.test")
		if err != nil || len(a.Values) != 1 {
			t.Errorf("%s: %v, %v", label, a, err)
		}
		if _, err := r.LookupA(t.Context(), label+".nowhere.test"); !errors.Is(err, resolver.ErrNoDomain) {
			t.Errorf("%s: %v", label, err)
		}
	}
}

func TestFailuresAreTemporary(t *testing.T) {
	r, s := start(t, resolver.Options{Timeout: 50 * time.Millisecond, Attempts: 1})
	for name, f := range map[string]testdns.Failure{
		"servfail.test": testdns.ServFail(), "refused.test": {Rcode: dns.RcodeRefused}, "silent.test": testdns.Timeout(),
	} {
		s.SetFailure(name, f)
		_, err := r.LookupMX(t.Context(), name)
		if !resolver.IsTemporary(err) || resolver.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
		var de *net.DNSError
		if !errors.As(err, &de) || !de.IsTemporary || de.IsTimeout != f.Drop {
			t.Errorf("%s: %#v", name, err)
		}
	}
	// Failures are not kept.
	s.Set(t, "silent.test. MX 1 mx.test.")
	s.SetFailure("silent.test", testdns.Failure{})
	if _, err := r.LookupMX(t.Context(), "silent.test"); err != nil {
		t.Errorf("after the server came back: %v", err)
	}
	// One half of a host's addresses that fails to come makes "there is none" temporary.
	s.SetFailure("half.test", testdns.ServFail())
	if _, err := r.LookupHost(t.Context(), "half.test"); !resolver.IsTemporary(err) {
		t.Errorf("half an answer: %v", err)
	}
}

func TestACutOffAnswerIsFetchedOverTCP(t *testing.T) {
	r, s := start(t, resolver.Options{})
	long := strings.Repeat("0123456789", 300)
	s.SetTXT("long.test", long, "second")
	got, err := r.LookupTXT(t.Context(), "long.test")
	if err != nil || len(got) != 2 || !slices.Contains(got, long) {
		t.Fatalf("%d texts, %v", len(got), err)
	}
	if s.AskedOverTCP() == 0 {
		t.Error("TCP was not used")
	}
	s.SetFailure("cut.test", testdns.Failure{Truncate: true})
	s.Set(t, "cut.test. A 192.0.2.7")
	if a, err := r.LookupA(t.Context(), "cut.test"); err != nil || len(a.Values) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAServerWithoutEDNSIsUnderstood(t *testing.T) {
	r, s := start(t, resolver.Options{})
	s.SetFailure("", testdns.Failure{NoEDNS: true})
	if _, err := r.MX(t.Context(), "example.test"); err != nil {
		t.Error(err)
	}
}

func TestAnAnswerToAnotherQuestionIsPassedOver(t *testing.T) {
	r, s := start(t, resolver.Options{})
	s.SetFailure("mx1.example.test", testdns.Failure{WrongQuestion: true})
	a, err := r.LookupA(t.Context(), "mx1.example.test")
	if err != nil || a.Values[0].String() != "192.0.2.1" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestTheNextServerIsAskedWhenOneIsDead(t *testing.T) {
	dead := testdns.Start(t, "")
	dead.SetFailure("", testdns.Timeout())
	r, s := start(t, resolver.Options{Servers: []string{dead.Addr()}, Timeout: 50 * time.Millisecond})
	for i := range 3 {
		s.Set(t, fmt.Sprintf("n%d.test. A 192.0.2.7", i))
		if _, err := r.LookupA(t.Context(), fmt.Sprintf("n%d.test", i)); err != nil {
			t.Error(err)
		}
	}
	if n := dead.Asked(""); n != 1 {
		t.Errorf("the dead server was asked %d times; after the first it comes last", n)
	}
}

func TestAnswersAndTheirAbsenceAreKeptForTheirTime(t *testing.T) {
	c := clock.NewManual(time.Unix(1e9, 0))
	r, s := start(t, resolver.Options{Clock: c})
	s.SetNegativeTTL(40)
	lookup := func(name string) { _, _ = r.LookupA(t.Context(), name) }
	for _, step := range []struct {
		advance         time.Duration
		found, notFound int
	}{{0, 1, 1}, {39 * time.Second, 1, 1}, {2 * time.Second, 1, 2}, {78 * time.Second, 1, 3}, {2 * time.Second, 2, 3}} {
		c.Advance(step.advance)
		lookup("mx1.example.test")
		lookup("nowhere.test")
		if f, n := s.Asked("mx1.example.test"), s.Asked("nowhere.test"); f != step.found || n != step.notFound {
			t.Errorf("after %v more: asked %d and %d times, want %d and %d", step.advance, f, n, step.found, step.notFound)
		}
	}
	a, _ := r.LookupA(t.Context(), "mx1.example.test")
	c.Advance(50 * time.Second)
	if b, _ := r.LookupA(t.Context(), "mx1.example.test"); a.TTL-b.TTL != 50*time.Second {
		t.Errorf("the TTL went from %v to %v in 50 s", a.TTL, b.TTL)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	r, s := start(t, resolver.Options{CacheSize: 5})
	for round := range 2 {
		for i := range 10 {
			_, _ = r.LookupA(t.Context(), fmt.Sprintf("h%d.wild.test", i))
		}
		if n := s.Asked(""); n != 10*(round+1) {
			t.Errorf("round %d: %d questions", round, n)
		}
	}
	_, _ = r.LookupA(t.Context(), "h9.wild.test")
	if n := s.Asked(""); n != 20 {
		t.Errorf("the latest answer was asked for again: %d", n)
	}
}

func TestTheSameQuestionAtOnceIsAskedOnce(t *testing.T) {
	r, s := start(t, resolver.Options{})
	var all sync.WaitGroup
	gate := make(chan struct{})
	for range 50 {
		all.Go(func() {
			<-gate
			if _, err := r.LookupA(t.Context(), "mx1.example.test"); err != nil {
				t.Error(err)
			}
		})
	}
	close(gate)
	all.Wait()
	if n := s.Asked("mx1.example.test"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestMemoryAnswersWhatWasAskedAndNothingElse(t *testing.T) {
	r, s := start(t, resolver.Options{})
	m := r.Memory()
	ctx := t.Context()
	if _, err := m.LookupA(ctx, "mx1.example.test"); !errors.Is(err, resolver.ErrNotRemembered) {
		t.Errorf("before: %v", err)
	}
	want, err := r.LookupA(ctx, "mx1.example.test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.LookupA(ctx, "nothing.example.test"); !resolver.IsNotFound(err) {
		t.Fatal(err)
	}
	asked := s.Asked("")
	for _, name := range []string{"mx1.example.test", "MX1.Example.TEST."} {
		got, err := m.LookupA(ctx, name)
		if err != nil || !slices.Equal(got.Values, want.Values) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := m.LookupA(ctx, "nothing.example.test"); !errors.Is(err, resolver.ErrNoDomain) {
		t.Errorf("what is not there: %v", err)
	}
	if _, err := m.TXT(ctx, "mx1.example.test"); !errors.Is(err, resolver.ErrNotRemembered) {
		t.Errorf("another type: %v", err)
	}
	if _, err := m.TXT(ctx, "not a name"); !resolver.IsNotFound(err) {
		t.Errorf("no name: %v", err)
	}
	if n := s.Asked(""); n != asked {
		t.Errorf("%d questions", n-asked)
	}
}

func TestOneAskerGivingUpDoesNotFailTheOthers(t *testing.T) {
	r, s := start(t, resolver.Options{Timeout: 150 * time.Millisecond, Attempts: 1})
	s.SetFailure("slow.test", testdns.Timeout())
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { _, err := r.LookupA(ctx, "slow.test"); first <- err }()
	for s.Asked("slow.test") == 0 {
		select {
		case err := <-first:
			t.Fatal(err)
		default:
		}
	}
	second := make(chan error, 1)
	go func() { _, err := r.LookupA(t.Context(), "slow.test"); second <- err }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) || !resolver.IsTemporary(err) {
		t.Errorf("who gave up: %v", err)
	}
	if err := <-second; errors.Is(err, context.Canceled) || !resolver.IsTemporary(err) {
		t.Errorf("who stayed: %v", err)
	}
}

func TestTheADBitIsBelievedOnlyWhereItIsTrusted(t *testing.T) {
	r, s := start(t, resolver.Options{})
	s.SetAuthentic("", true)
	if a, _ := r.MX(t.Context(), "example.test"); !a.Authentic {
		t.Error("a resolver on loopback is trusted")
	}
	s.SetAuthentic("six.example.test", false)
	if a, _ := r.LookupAAAA(t.Context(), "six.example.test"); a.Authentic {
		t.Error("an answer without the AD bit is not authentic")
	}
	if !resolver.Trusted("[::1]:53") || resolver.Trusted("192.0.2.53:53") || !resolver.Trusted("192.0.2.53:53", "192.0.2.53:53") {
		t.Error("trust is for loopback and for servers named")
	}
}

func TestTextsKeepEveryByte(t *testing.T) {
	r, s := start(t, resolver.Options{})
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	s.SetTXT("bytes.test", string(all), `quote " and \ backslash`)
	got, err := r.LookupTXT(t.Context(), "bytes.test")
	if err != nil || !slices.Contains(got, string(all)) || !slices.Contains(got, `quote " and \ backslash`) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTheSystemsServersAreReadFromResolvConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("search example.test\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	servers, err := resolver.ServersOf(path)
	if err != nil || !slices.Equal(servers, []string{"192.0.2.53:53", "[2001:db8::53]:53"}) {
		t.Errorf("%q, %v", servers, err)
	}
	if _, err := resolver.ServersOf(path + ".missing"); err == nil {
		t.Error("a missing file is an error")
	}
}

func TestItServesAsTheResolverOfSPF(t *testing.T) {
	r, s := start(t, resolver.Options{})
	check := func(ip string) spf.Result {
		result, _ := spf.CheckHostWithSender(net.ParseIP(ip), "helo.test", "a@example.test", spf.WithContext(t.Context()), spf.WithResolver(r))
		return result
	}
	if got := check("192.0.2.2"); got != spf.Pass {
		t.Errorf("an MX's address: %v", got)
	}
	if got := check("192.0.2.3"); got != spf.Fail {
		t.Errorf("a stranger's address: %v", got)
	}
	s.SetFailure("other.test", testdns.ServFail())
	result, _ := spf.CheckHostWithSender(net.ParseIP("192.0.2.3"), "helo.test", "a@other.test", spf.WithContext(t.Context()), spf.WithResolver(r))
	if result != spf.TempError {
		t.Errorf("SERVFAIL: %v", result)
	}
}

func TestWithoutServersEveryLookupFailsTemporarily(t *testing.T) {
	if _, err := resolver.New(resolver.Options{}).LookupA(t.Context(), "a.test"); !resolver.IsTemporary(err) {
		t.Error(err)
	}
}
