package mailauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/dkim"
	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/mailauth"
	"postern/internal/message"
	"postern/internal/resolver"
	"postern/internal/testdns"
)

var (
	now    = time.Unix(1764000000, 0)
	client = netip.MustParseAddr("192.0.2.1")
)

// world is a DNS that the test fills and a checker that asks it.
type world struct {
	*testdns.Server
	*mailauth.Checker
	t testing.TB
}

func newWorld(t testing.TB, zone string) *world {
	t.Helper()
	server := testdns.Start(t, zone)
	r := resolver.New(resolver.Options{Servers: []string{server.Addr()}, Timeout: 5 * time.Second, Attempts: 1})
	return &world{server, &mailauth.Checker{Resolver: r, Timeout: 20 * time.Second, Clock: clock.NewManual(now), Receiver: "mx.example.test"}, t}
}

// key makes a signing key whose record stands in the DNS.
func (w *world) key(a dkim.Algorithm, domain string) *dkim.Key {
	w.t.Helper()
	k, err := dkim.GenerateKey(a, domain, "s", now)
	if err != nil {
		w.t.Fatal(err)
	}
	record, err := k.Record()
	if err != nil {
		w.t.Fatal(err)
	}
	w.SetTXT(k.RecordName(), record)
	return k
}

func letter(from string) string {
	return "From: " + from + "\r\nTo: b@example.test\r\nSubject: Hello\r\nDate: Mon, 24 Nov 2025 16:00:00 +0000\r\n\r\nHello.\r\n"
}

func signed(t testing.TB, content string, keys ...*dkim.Key) string {
	t.Helper()
	fields, err := dkim.Sign(strings.NewReader(content), int64(len(content)), nil, keys, now)
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + content
}

func mailFrom(s string) address.Address {
	if s == "" {
		return address.Address{}
	}
	a, err := address.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

func request(from, content string) mailauth.Request {
	return mailauth.Request{
		Client: client, Helo: "mx.sender.example", From: mailFrom(from), Header: message.ParseHeader([]byte(content)),
		Content: strings.NewReader(content), Size: int64(len(content)),
	}
}

func (w *world) examine(q mailauth.Request) mailauth.Results {
	w.t.Helper()
	r, err := w.Examine(context.Background(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestSPFOfTheReversePathAndOfTheHeloName(t *testing.T) {
	w := newWorld(t, `
example.com.    TXT "v=spf1 ip4:192.0.2.1 -all"
mx.example.net. TXT "v=spf1 ip6:2001:db8::1 -all"
mx.example.net. AAAA 2001:db8::1
`)
	w.SetFailure("broken.example", testdns.ServFail())
	for _, test := range []struct {
		client, helo, from string
		want               mailauth.Status
	}{
		{"192.0.2.1", "anything.example", "a@example.com", mailauth.Pass},
		{"192.0.2.2", "anything.example", "a@example.com", mailauth.Fail},
		{"2001:db8::1", "mx.example.net", "", mailauth.Pass},
		{"192.0.2.1", "mx.example.net", "", mailauth.Fail},
		{"192.0.2.1", "[192.0.2.1]", "", mailauth.None},
		{"192.0.2.1", "x.example", "a@nothing.example", mailauth.None},
		{"192.0.2.1", "x.example", "a@broken.example", mailauth.TempError},
	} {
		got := w.CheckSPF(context.Background(), netip.MustParseAddr(test.client), test.helo, mailFrom(test.from))
		if got.Status != test.want {
			t.Errorf("%s for %s: got %s (%v), want %s", test.client, test.from, got.Status, got.Cause, test.want)
		}
	}
}

func TestOnlyAPassOfTheSameOrganizationAligns(t *testing.T) {
	r := mailauth.Results{
		SPF:  mailauth.SPF{Status: mailauth.Pass, Domain: "mail.example.co.uk"},
		DKIM: []dkim.Verification{{Result: dkim.ResultFail, Domain: "example.org"}, {Result: dkim.ResultPass, Domain: "example.net"}},
	}
	for domain, want := range map[string]bool{"example.co.uk": true, "other.co.uk": false, "example.org": false, "sub.Example.NET": true, "co.uk": false, "": false} {
		if r.Aligned(domain) != want {
			t.Errorf("aligned with %q: %v", domain, !want)
		}
	}
}

// TestTheAuthorIsProvenByWhatIsAligned goes through the ways in which DMARC passes and fails.
func TestTheAuthorIsProvenByWhatIsAligned(t *testing.T) {
	w := newWorld(t, `
example.com.           TXT "v=spf1 ip4:192.0.2.1 -all"
bounce.example.com.    TXT "v=spf1 ip4:192.0.2.1 -all"
other.example.         TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com.    TXT "v=DMARC1; p=reject; sp=quarantine; np=reject"
www.example.com.       A   192.0.2.9
_dmarc.strict.example. TXT "v=DMARC1; p=quarantine; aspf=s; adkim=s"
sub.strict.example.    TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.test.example.   TXT "v=DMARC1; p=reject; t=y"
_dmarc.zero.example.   TXT "v=DMARC1; p=quarantine; pct=0"
_dmarc.watch.example.  TXT "v=DMARC1; p=none; rua=mailto:a@watch.example"
`)
	own, sub, foreign := w.key(dkim.Ed25519, "example.com"), w.key(dkim.Ed25519, "news.example.com"), w.key(dkim.Ed25519, "other.example")
	strict := w.key(dkim.Ed25519, "strict.example")
	for _, c := range []struct {
		name, from, author string
		keys               []*dkim.Key
		want               mailauth.Status
		disposition        string
	}{
		{"SPF of the domain", "a@example.com", "a@example.com", nil, "pass", "none"},
		{"SPF of a subdomain", "a@bounce.example.com", "a@example.com", nil, "pass", "none"},
		{"DKIM of the domain", "a@other.example", "a@example.com", []*dkim.Key{own}, "pass", "none"},
		{"DKIM of a subdomain", "", "a@example.com", []*dkim.Key{foreign, sub}, "pass", "none"},
		{"nothing aligned", "a@other.example", "a@example.com", []*dkim.Key{foreign}, "fail", "reject"},
		{"a subdomain that exists", "a@other.example", "a@www.example.com", nil, "fail", "quarantine"},
		{"a subdomain that does not", "a@other.example", "a@nowhere.example.com", nil, "fail", "reject"},
		{"strict and the same", "", "a@strict.example", []*dkim.Key{strict}, "pass", "none"},
		{"strict and below", "a@sub.strict.example", "a@strict.example", nil, "fail", "quarantine"},
		{"strict, of a subdomain", "", "a@sub.strict.example", []*dkim.Key{strict}, "fail", "quarantine"},
		{"testing", "", "a@test.example", nil, "fail", "quarantine"},
		{"no percent", "", "a@zero.example", nil, "fail", "none"},
		{"watching", "", "a@watch.example", nil, "fail", "none"},
		{"no policy", "", "a@nothing.example", nil, "none", "none"},
		{"no author", "", "somebody", nil, "permerror", "none"},
		{"in capitals", "", "A <a@EXAMPLE.com>", []*dkim.Key{own}, "pass", "none"},
		{"one of two authors", "", "a@example.com, b@test.example", []*dkim.Key{own}, "fail", "quarantine"},
		{"the stricter of two", "", "b@zero.example, a@example.com", nil, "fail", "reject"},
		{"nine authors", "", "a@1.example, a@2.example, a@3.example, a@4.example, a@5.example, a@6.example, a@7.example, a@8.example, a@9.example", nil, "permerror", "reject"},
	} {
		content := letter(c.author)
		if c.keys != nil {
			content = signed(t, content, c.keys...)
		}
		r := w.examine(request(c.from, content))
		if r.DMARC.Status != c.want || string(r.DMARC.Effective()) != c.disposition || r.DMARC.Unsure {
			t.Errorf("%s: %+v, want %s and %s", c.name, r.DMARC, c.want, c.disposition)
		}
	}
}

func TestTemporaryTroubleIsNeverADecisionAgainstTheMessage(t *testing.T) {
	w := newWorld(t, `
_dmarc.example.com. TXT "v=DMARC1; p=reject"
_dmarc.watch.example. TXT "v=DMARC1; p=none"
_dmarc.late.example. TXT "v=DMARC1; p=quarantine"
_dmarc.parent.example. TXT "v=DMARC1; p=none; np=reject"
`)
	own := w.key(dkim.Ed25519, "example.com")
	w.SetFailure("example.com", testdns.ServFail())
	w.SetFailure("broken.example", testdns.ServFail())
	w.SetFailure("_dmarc.dark.example", testdns.ServFail())
	w.SetFailure("nowhere.parent.example", testdns.ServFail())
	for _, c := range []struct {
		name, from, author string
		unsign             bool
		want               mailauth.Status
		unsure             bool
	}{
		{"SPF might have passed", "a@example.com", "a@example.com", true, "temperror", true},
		{"DKIM passed all the same", "a@example.com", "a@example.com", false, "pass", false},
		{"what failed is not aligned", "a@broken.example", "a@example.com", true, "fail", false},
		{"nothing is asked for", "a@example.com", "a@watch.example", true, "fail", false},
		{"whether the author's domain exists is not known", "", "a@nowhere.parent.example", true, "temperror", true},
		{"the policy cannot be had", "a@broken.example", "a@dark.example", true, "temperror", false},
	} {
		content := letter(c.author)
		if !c.unsign {
			content = signed(t, content, own)
		}
		r := w.examine(request(c.from, content))
		if r.DMARC.Status != c.want || r.DMARC.Unsure != c.unsure {
			t.Errorf("%s: %+v, want %s, unsure %v", c.name, r.DMARC, c.want, c.unsure)
		}
	}
	content := signed(t, letter("a@late.example"), w.key(dkim.Ed25519, "late.example"))
	w.SetFailure("s._domainkey.late.example", testdns.ServFail())
	if r := w.examine(request("", content)); !r.DMARC.Unsure || !r.Unsure() || r.DKIM[0].Result != dkim.ResultTempError {
		t.Errorf("the key cannot be had: %+v", r)
	}
}

func TestAMessageThatAsksTooMuchIsCutOff(t *testing.T) {
	var zone strings.Builder
	zone.WriteString("_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\nexample.com. TXT \"v=spf1 mx:a.example mx:b.example mx:c.example mx:d.example mx:e.example mx:f.example mx:g.example -all\"\n")
	for _, host := range strings.Split("abcdefg", "") {
		for i := range 10 {
			fmt.Fprintf(&zone, "%s.example. MX 10 m%d.%s.example.\nm%d.%s.example. A 198.51.100.1\n", host, i, host, i, host)
		}
	}
	w := newWorld(t, zone.String())
	w.MaxLookups = 50
	r := w.examine(request("a@example.com", letter("a@example.com")))
	if r.SPF.Status != mailauth.PermError || r.DMARC.Status != mailauth.Fail || r.DMARC.Disposition != "reject" {
		t.Errorf("%+v", r)
	}
	if n := w.Asked(""); n > 50 {
		t.Errorf("%d questions", n)
	}
	if r.Unsure() {
		t.Error("coming again would not help")
	}
}

func TestTheClientsNameMustLeadBack(t *testing.T) {
	w := newWorld(t, `
1.2.0.192.in-addr.arpa. PTR mx.sender.example.
mx.sender.example. A 192.0.2.1
2.2.0.192.in-addr.arpa. PTR mx.sender.example.
3.2.0.192.in-addr.arpa. PTR broken.example.
4.2.0.192.in-addr.arpa. PTR a.example.
4.2.0.192.in-addr.arpa. PTR mx4.sender.example.
mx4.sender.example. A 192.0.2.4
`)
	w.SetFailure("broken.example", testdns.ServFail())
	for addr, want := range map[string]mailauth.Status{
		"192.0.2.1": "pass", "::ffff:192.0.2.1": "pass", "192.0.2.2": "fail", "192.0.2.3": "temperror", "192.0.2.4": "pass", "192.0.2.9": "permerror",
	} {
		q := request("", letter("a@example.com"))
		q.Client, q.IPRev = netip.MustParseAddr(addr), true
		if r := w.examine(q); r.IPRev.Status != want {
			t.Errorf("%s: %+v, want %s", addr, r.IPRev, want)
		}
	}
}

func TestATrustedSealerSpeaksForWhatAListChanged(t *testing.T) {
	w := newWorld(t, `
_dmarc.example.com. TXT "v=DMARC1; p=reject"
lists.example.org.  TXT "v=spf1 ip4:192.0.2.1 -all"
`)
	list, other := w.key(dkim.RSA, "lists.example.org"), w.key(dkim.RSA, "relay.example.net")
	idn := w.key(dkim.RSA, "lists.xn--bcher-kva.example")
	idn.Domain = "lists.b\u00fccher.example"
	seal := func(content string, k *dkim.Key, results string) string {
		chain, err := dkim.VerifyARC(context.Background(), strings.NewReader(content), int64(len(content)), func(ctx context.Context, name string) ([]string, error) {
			a, err := w.Resolver.TXT(ctx, name)
			return a.Values, err
		}, now)
		if err != nil {
			t.Fatal(err)
		}
		set, err := dkim.Seal(strings.NewReader(content), int64(len(content)), dkim.Sealing{Key: k, Arrived: chain, Results: results, Time: now})
		if err != nil {
			t.Fatal(err)
		}
		return string(set) + content
	}
	plain := letter("a@example.com")
	proven := "lists.example.org; dkim=pass header.d=example.com; dmarc=pass header.from=example.com"
	once := seal(plain, list, proven)
	for _, c := range []struct {
		name, content string
		trusted       []string
		want          bool
	}{
		{"trusted and proven", once, []string{"example.org"}, true},
		{"by DKIM only", seal(plain, list, "lists.example.org; dkim=pass header.i=@mail.example.com"), []string{"lists.example.org"}, true},
		{"by SPF only", seal(plain, list, "lists.example.org; spf=pass smtp.mailfrom=bounce@example.com"), []string{"LISTS.example.org."}, true},
		{"not trusted", once, []string{"example.net", ""}, false},
		{"in U-labels", seal(plain, idn, proven), []string{"xn--bcher-kva.example"}, true},
		{"no list", once, nil, false},
		{"nothing was proven", seal(plain, list, "lists.example.org; dkim=fail header.d=example.com; dmarc=fail header.from=example.com"), []string{"example.org"}, false},
		{"another author was", seal(plain, list, "lists.example.org; dmarc=pass header.from=example.net"), []string{"example.org"}, false},
		{"changed after the seal", strings.Replace(once, "Hello.", "Bye.", 1), []string{"example.org"}, false},
		{"sealed again by a stranger", seal(once, other, "relay.example.net; arc=pass"), []string{"example.org"}, false},
		{"sealed again by another trusted one", seal(once, other, "relay.example.net; arc=pass"), []string{"example.org", "example.net"}, true},
	} {
		q := request("list@lists.example.org", c.content)
		q.TrustedSealers = c.trusted
		r := w.examine(q)
		want := "reject"
		if c.want {
			want = "none"
		}
		if r.DMARC.Status != mailauth.Fail || r.DMARC.Disposition != "reject" || string(r.DMARC.Effective()) != want || c.want != (r.DMARC.Override != "") {
			t.Errorf("%s: %+v, arc %s (%s)", c.name, r.DMARC, r.ARC.Result, r.ARC.Reason)
		}
	}
	late := w.key(dkim.Ed25519, "late.example.org")
	q := request("list@lists.example.org", seal(plain, late, proven))
	q.TrustedSealers = []string{"example.org"}
	w.Resolver = resolver.New(resolver.Options{Servers: []string{w.Addr()}, Attempts: 1}) // it forgets the key
	w.SetFailure("s._domainkey.late.example.org", testdns.ServFail())
	if r := w.examine(q); r.ARC.Result != dkim.ResultTempError || r.DMARC.Effective() != "reject" || !r.DMARC.Unsure {
		t.Errorf("a seal whose key cannot be had: %+v, arc %s (%s)", r.DMARC, r.ARC.Result, r.ARC.Reason)
	}
}

func TestAMessageThatCannotBeReadIsAnError(t *testing.T) {
	w := newWorld(t, "")
	q := request("", letter("a@example.com"))
	q.Content = failing{}
	if _, err := w.Examine(context.Background(), q); !errors.Is(err, errRead) {
		t.Errorf("%v", err)
	}
}

var errRead = errors.New("the disk is gone")

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errRead }

func TestADeadlineEndsTheChecks(t *testing.T) {
	w := newWorld(t, "")
	w.SetFailure("", testdns.Timeout())
	w.Timeout = 50 * time.Millisecond
	r := w.examine(request("a@example.com", letter("a@example.com")))
	if r.SPF.Status != mailauth.TempError || r.DMARC.Status != mailauth.TempError || r.DMARC.Effective() != "none" {
		t.Errorf("%+v", r)
	}
}

func TestAnAuthorWhoseDNSIsSlowDoesNotHideThePolicyOfAnother(t *testing.T) {
	w := newWorld(t, "_dmarc.bank.example. TXT \"v=DMARC1; p=reject\"\n")
	w.SetFailure("_dmarc.slow.test", testdns.Timeout())
	w.Timeout = time.Second
	for _, author := range []string{"x@slow.test, ceo@bank.example", "ceo@bank.example, x@slow.test"} {
		r := w.examine(request("a@other.example", letter(author)))
		if r.DMARC.Status != mailauth.Fail || r.DMARC.Effective() != "reject" || r.DMARC.Unsure {
			t.Errorf("%s: %+v", author, r.DMARC)
		}
	}
}

func TestWhatMayBeReadAsTheAuthorIsHeldToItsPolicy(t *testing.T) {
	w := newWorld(t, "_dmarc.bank.example. TXT \"v=DMARC1; p=reject\"\n")
	for _, from := range []string{
		"\"Boss\" <ceo@bank.example", "ceo@bank.example <", "<<ceo@bank.example>>", "\"ceo@bank.example\" <x>", "=?utf-8?q?ceo=40bank.example?=",
		"ceo@evil.example@bank.example", "<ceo@evil.example>@bank.example", "ceo@bank.example/x", "'ceo@bank.example'", "<mailto:ceo@bank.example>",
		"(ceo@bank.example)", "[ceo@bank.example]", "ceo@[bank.example]", "x: ceo@bank.example;", "ceo@\uff42ank.example",
		// An address as the name, which all programs read alike, does not make up for what else is wrong.
		"ceo@bank.example <x@evil.example> <ceo@bank.example>", "\"a@b.example\" <x@evil.example> ceo@bank.example",
		"\"a@b.example\" <x@evil.example@bank.example>", "a@b.example <x@evil.example ceo@bank.example>", "a@b.example <x@evil.example <ceo@bank.example>>",
	} {
		r := w.examine(request("a@other.example", letter(from)))
		if r.DMARC.Effective() != "reject" || r.DMARC.Unsure {
			t.Errorf("%s: %+v", from, r.DMARC)
		}
	}
	for _, from := range []string{
		"ceo@bank.example <list@lists.example>", "\"ceo@bank.example\" <list@lists.example>", "ceo@bank.example <list@a.b.l\u00fcsts.example>",
		"ceo@bank.example <list@lists.example>, ceo@bank.example (by way of) <list@lists.example>", "Smith, J. <js@lists.example>", "somebody",
	} {
		r := w.examine(request("a@other.example", letter(from)))
		if r.DMARC.Effective() != "none" {
			t.Errorf("%s: %+v", from, r.DMARC)
		}
	}
}
