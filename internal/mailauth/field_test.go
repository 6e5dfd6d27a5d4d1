package mailauth_test

import (
	"context"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/dkim"
	"postern/internal/address"
	"postern/internal/mailauth"
	"postern/internal/mailauth/authres"
	"postern/internal/message"
	"postern/internal/resolver"
	"postern/internal/testdns"
	"postern/internal/verdict"
)

const senderZone = `
example.com.            TXT "v=spf1 ip4:192.0.2.1 -all"
mx.sender.example.      TXT "v=spf1 a -all"
mx.sender.example.      A   192.0.2.1
1.2.0.192.in-addr.arpa. PTR mx.sender.example.
_dmarc.example.com.     TXT "v=DMARC1; p=reject; sp=none"
`

func TestTheFieldTellsWhatWasFound(t *testing.T) {
	w := newWorld(t, senderZone)
	content := signed(t, letter("a@example.com"), w.key(dkim.Ed25519, "example.com"))
	q := request("a@example.com", content)
	q.IPRev = true
	r := w.examine(q)
	prefix := r.DKIM[0].SignaturePrefix
	want := "Authentication-Results: mx.example.test;\r\n" +
		"\tspf=pass (ip4:192.0.2.1) smtp.mailfrom=a@example.com;\r\n" +
		"\tspf=pass (a) smtp.helo=mx.sender.example;\r\n" +
		"\tdkim=pass (256-bit key) header.d=example.com header.s=s\r\n" +
		"\theader.a=ed25519-sha256 header.b=" + quotedIfMust(prefix) + ";\r\n" +
		"\tarc=none;\r\n" +
		"\tdmarc=pass (p=reject sp=none dis=none) header.from=example.com;\r\n" +
		"\tiprev=pass (mx.sender.example) policy.iprev=192.0.2.1\r\n"
	if diff := cmp.Diff(want, string(r.Field("mx.example.test"))); diff != "" {
		t.Error(diff)
	}
	if !mailauth.IsOwnResults(strings.TrimPrefix(string(r.Field("mx.example.test")), "Authentication-Results:"), "MX.example.test") {
		t.Error("it does not claim to be ours")
	}
}

func quotedIfMust(s string) string {
	if strings.ContainsAny(s, "/=") {
		return `"` + s + `"`
	}
	return s
}

func TestTheFieldTellsWhyNothingFits(t *testing.T) {
	w := newWorld(t, senderZone)
	q := request("", letter("a@news.example.com"))
	q.Client = netip.MustParseAddr("2001:db8::1")
	got := string(w.examine(q).Field("mx.example.test"))
	want := "Authentication-Results: mx.example.test;\r\n" +
		"\tspf=fail (-all) smtp.helo=mx.sender.example;\r\n" +
		"\tdkim=none;\r\n" +
		"\tarc=none;\r\n" +
		"\tdmarc=fail (p=reject of example.com sp=none dis=none)\r\n" +
		"\treason=\"nothing that passed is aligned\" header.from=news.example.com\r\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheFieldTellsNoPolicyFromOneThatCannotBeHad(t *testing.T) {
	w := newWorld(t, senderZone)
	w.SetFailure("_dmarc.dark.example", testdns.ServFail())
	for author, want := range map[string]string{
		"a@dark.example":    "\tdmarc=temperror (policy not known)\r\n\treason=\"the policy could not be looked up\" header.from=dark.example\r\n",
		"a@nothing.example": "\tdmarc=none (no policy) header.from=nothing.example\r\n",
	} {
		r := w.examine(request("", letter(author)))
		if got := string(r.Field("mx.example.test")); !strings.HasSuffix(got, want) {
			t.Errorf("%q is not the end of %q", want, got)
		}
	}
}

// TestNoSenderWritesIntoTheField gives everything that a stranger chooses a text that tries.
func TestNoSenderWritesIntoTheField(t *testing.T) {
	w := newWorld(t, senderZone)
	for _, evil := range []string{"x\r\nX-Evil: yes", "x; dkim=pass header.d=bank.example", `a";dkim=pass`, "(", ")", "\\", "\x00", "\xff", strings.Repeat("y", 3000)} {
		content := "DKIM-Signature: v=1; a=" + evil + "; d=" + evil + "; s=" + evil + "; b=" + evil + "; h=from; bh=AA\r\n" +
			"ARC-Seal: i=1; d=" + evil + "\r\nARC-Message-Signature: i=1\r\nARC-Authentication-Results: i=1; x\r\n" + letter("a@"+evil+".example")
		q := request("", content)
		q.Helo, q.From, q.IPRev = evil, address.Address{Local: evil, Domain: evil}, true
		r, err := w.Examine(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		field := string(r.Field("mx.example.test"))
		if h := message.ParseHeader([]byte(field + "\r\n")); len(h.Fields) != 1 {
			t.Errorf("%d fields: %q", len(h.Fields), field)
		}
		f, err := authres.Parse(strings.TrimPrefix(field, "Authentication-Results:"))
		if err != nil || f.ID != "mx.example.test" {
			t.Errorf("%v in %q", err, field)
		}
		for _, result := range f.Results {
			if result.Value == "pass" && result.Method != "iprev" {
				t.Errorf("%+v in %q", result, field)
			}
		}
		for line := range strings.SplitSeq(field, "\r\n") {
			if len(line) > 998 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		for _, c := range r.Checks() {
			if strings.ContainsAny(c.Detail, "\r\n\x00") || len(c.Detail) > 400 {
				t.Errorf("%+v", c)
			}
		}
	}
}

func TestTheChecksAreThoseOfATrace(t *testing.T) {
	w := newWorld(t, senderZone)
	content := signed(t, letter("a@example.com"), w.key(dkim.Ed25519, "example.com"))
	q := request("a@example.com", content)
	q.IPRev = true
	want := []verdict.Check{
		{Name: "spf", Result: "pass", Detail: "example.com: ip4:192.0.2.1; HELO mx.sender.example: pass"},
		{Name: "dkim", Result: "pass", Detail: "example.com", Parts: []verdict.Part{{Name: "example.com", Detail: "pass"}}},
		{Name: "arc", Result: "none"},
		{Name: "dmarc", Result: "pass", Detail: "example.com (p=reject sp=none dis=none) by SPF of example.com and DKIM of example.com"},
		{Name: "iprev", Result: "pass", Detail: "mx.sender.example"},
	}
	if diff := cmp.Diff(want, w.examine(q).Checks()); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkExamine is an ordinary message with one RSA signature whose records are all in the resolver's cache.
func BenchmarkExamine(b *testing.B) {
	server := testdns.Start(b, senderZone)
	w := newWorld(b, "")
	w.Server, w.Resolver = server, resolver.New(resolver.Options{Servers: []string{server.Addr()}})
	content := signed(b, letter("a@example.com")+strings.Repeat("A line of text such as mail is made of, more or less.\r\n", 70), w.key(dkim.RSA, "example.com"))
	q := request("a@example.com", content)
	if r := w.examine(q); r.DMARC.Status != mailauth.Pass || len(content) < 4000 {
		b.Fatalf("%d bytes, %+v", len(content), r)
	}
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		w.examine(q)
	}
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// processorTime is what this process has used, which the load of the machine changes less than the wall clock.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkField(b *testing.B) {
	w := newWorld(b, senderZone)
	r := w.examine(request("a@example.com", signed(b, letter("a@example.com"), w.key(dkim.Ed25519, "example.com"))))
	b.ReportAllocs()
	for b.Loop() {
		r.Field("mx.example.test")
	}
}
