package dmarc_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/mailauth/dmarc"
	"postern/internal/resolver"
)

// zone is a DNS of texts and addresses, which counts the questions.
type zone struct {
	texts map[string][]string
	hosts map[string]bool
	asked []string
}

var errBroken = errors.New("server failure")

func (z *zone) TXT(_ context.Context, name string) (resolver.Answer[string], error) {
	z.asked = append(z.asked, name)
	texts := z.texts[name]
	switch {
	case len(texts) == 0:
		return resolver.Answer[string]{}, resolver.ErrNoDomain
	case texts[0] == "SERVFAIL":
		return resolver.Answer[string]{}, errBroken
	}
	return resolver.Answer[string]{Values: texts}, nil
}

func (z *zone) MX(_ context.Context, name string) (resolver.Answer[resolver.MX], error) {
	if z.hosts[name] {
		return resolver.Answer[resolver.MX]{}, resolver.ErrNoData
	}
	return resolver.Answer[resolver.MX]{}, resolver.ErrNoDomain
}

func (z *zone) LookupA(_ context.Context, name string) (resolver.Answer[netip.Addr], error) {
	if strings.HasPrefix(name, "www.") {
		return resolver.Answer[netip.Addr]{Values: []netip.Addr{netip.IPv4Unspecified()}}, nil
	}
	return resolver.Answer[netip.Addr]{}, resolver.ErrNoData
}

func (z *zone) LookupAAAA(_ context.Context, name string) (resolver.Answer[netip.Addr], error) {
	if strings.HasPrefix(name, "six.") {
		return resolver.Answer[netip.Addr]{Values: []netip.Addr{netip.IPv6Loopback()}}, nil
	}
	return resolver.Answer[netip.Addr]{}, resolver.ErrNoData
}

func TestARecordIsReadWithItsDefaults(t *testing.T) {
	base := dmarc.Record{Policy: "none", Percent: 100, PSD: 'u', Interval: 86400, FailureOptions: []string{"0"}}
	with := func(change func(*dmarc.Record)) dmarc.Record {
		r := base
		change(&r)
		return r
	}
	for text, want := range map[string]dmarc.Record{
		"v=DMARC1; p=none": base,
		"v=DMARC1":         base, // RFC 9989 4.7
		"v=DMARC1;":        base,
		" v = DMARC1 ; p = none ; x=y; broken ; =; ; ;;":    base,
		"v=DMARC1; p=Reject":                                with(func(r *dmarc.Record) { r.Policy = "reject" }),
		"v=DMARC1; sp=none; p=reject; np=quarantine":        with(func(r *dmarc.Record) { r.Policy, r.Subdomains, r.Nonexistent = "reject", "none", "quarantine" }),
		"v=DMARC1; p=reject; p=none":                        with(func(r *dmarc.Record) { r.Policy = "reject" }),
		"v=DMARC1; p=none; adkim=s; aspf=S":                 with(func(r *dmarc.Record) { r.StrictDKIM, r.StrictSPF = true, true }),
		"v=DMARC1; p=none; adkim=x; aspf=r; t=x; psd=maybe": base,
		"v=DMARC1; p=none; t=y; psd=y; pct=0":               with(func(r *dmarc.Record) { r.Testing, r.PSD, r.Percent = true, 'y', 0 }),
		"v=DMARC1; p=none; psd=n; pct=50":                   with(func(r *dmarc.Record) { r.PSD, r.Percent = 'n', 50 }),
		"v=DMARC1; p=none; pct=101; ri=x; fo=z":             base,
		"v=DMARC1; p=none; ri=3600; fo=1:d:d:z:s; rf=afrf":  with(func(r *dmarc.Record) { r.Interval, r.FailureOptions = 3600, []string{"1", "d", "s"} }),
		"v=DMARC1; p=bogus; rua=mailto:a@example.com":       with(func(r *dmarc.Record) { r.Aggregate = []dmarc.Destination{{URI: "mailto:a@example.com"}} }),
		"v=DMARC1; p=reject; sp=bogus; rua=mailto:a@b.example!10m , junk, mailto:c@d.example!x,https://e.example/r!5": with(func(r *dmarc.Record) {
			r.Aggregate = []dmarc.Destination{{URI: "mailto:a@b.example", MaxBytes: 10 << 20}, {URI: "https://e.example/r", MaxBytes: 5}}
		}),
		"v=DMARC1; p=none; ruf=mailto:f@example.com!2k": with(func(r *dmarc.Record) {
			r.Failure = []dmarc.Destination{{URI: "mailto:f@example.com", MaxBytes: 2048}}
		}),
	} {
		got, err := dmarc.ParseRecord(text)
		want.Text = text
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	}
	for text, notDMARC := range map[string]bool{
		"": true, "v=spf1 -all": true, "p=none; v=DMARC1": true, "v=DMARC2; p=none": true, "v=dmarc1; p=none": true, "v=DMARC1 p=none": true,
		"v=DMARC1; p=bogus": false, "v=DMARC1; p=reject; np=bogus; rua=junk": false, "v=DMARC1;" + strings.Repeat(" ", 20000): false,
	} {
		if got, err := dmarc.ParseRecord(text); err == nil || errors.Is(err, dmarc.ErrNotDMARC) != notDMARC {
			t.Errorf("%.40q: %+v, %v", text, got, err)
		}
	}
}

// TestThePolicyIsFoundUpTheTree walks with and against the public suffix list: "where" is the record that applies.
func TestThePolicyIsFoundUpTheTree(t *testing.T) {
	for _, c := range []struct {
		name, author string
		texts        map[string]string
		where        string
		asks         dmarc.Policy
	}{
		{"its own", "a.example.com", map[string]string{"a.example.com": "p=reject; sp=none", "example.com": "p=none"}, "a.example.com", "reject"},
		{"the organization's", "a.b.example.com", map[string]string{"example.com": "p=none; sp=reject"}, "example.com", "reject"},
		{"one in between", "a.b.example.com", map[string]string{"b.example.com": "p=reject"}, "b.example.com", "reject"},
		{"the highest of two", "a.b.example.com", map[string]string{"b.example.com": "p=reject", "example.com": "p=quarantine"}, "example.com", "quarantine"},
		{"psd=n in between ends the walk", "a.b.example.com", map[string]string{"b.example.com": "p=reject; psd=n", "example.com": "p=none"}, "b.example.com", "reject"},
		{"psd=y below the registered name", "a.b.example.com", map[string]string{"b.example.com": "p=none", "example.com": "p=reject; psd=y"}, "b.example.com", "none"},
		{"psd=y and no record at the organization", "a.b.example.com", map[string]string{"example.com": "p=reject; sp=quarantine; psd=y"}, "example.com", "quarantine"},
		{"psd=y, the organization without a record, one below", "a.b.c.example.com", map[string]string{"b.c.example.com": "p=none", "example.com": "p=reject; psd=y"}, "example.com", "reject"},
		{"a public suffix that says so", "a.example.co.uk", map[string]string{"co.uk": "p=reject; psd=y"}, "co.uk", "reject"},
		{"a top-level domain that says so", "a.example.co.uk", map[string]string{"uk": "p=reject; psd=y"}, "uk", "reject"},
		{"a public suffix that does not say so", "a.example.co.uk", map[string]string{"co.uk": "p=reject"}, "", "none"},
		{"a public suffix that says it is none", "a.github.io", map[string]string{"github.io": "p=reject; psd=n"}, "", "none"},
		{"a public suffix is behind an organization", "a.example.co.uk", map[string]string{"example.co.uk": "p=none", "co.uk": "p=reject; psd=y"}, "example.co.uk", "none"},
		{"a public suffix as the author", "co.uk", map[string]string{"co.uk": "p=reject"}, "co.uk", "reject"},
		{"two records are none", "a.example.com", map[string]string{"a.example.com": "p=reject|v=DMARC1; p=none", "example.com": "p=quarantine"}, "example.com", "quarantine"},
		{"other texts do not count", "example.com", map[string]string{"example.com": "p=reject|v=spf1 -all"}, "example.com", "reject"},
		{"a malformed one is none", "a.example.com", map[string]string{"a.example.com": "p=bogus", "example.com": "p=quarantine"}, "example.com", "quarantine"},
		{"np", "nowhere.example.com", map[string]string{"example.com": "p=none; sp=quarantine; np=reject"}, "example.com", "reject"},
		{"np, and it is there", "www.example.com", map[string]string{"example.com": "p=none; sp=quarantine; np=reject"}, "example.com", "quarantine"},
		{"np, and it has an IPv6 address only", "six.example.com", map[string]string{"example.com": "p=none; np=reject"}, "example.com", "none"},
		{"U-labels", "bücher.example", map[string]string{"xn--bcher-kva.example": "p=reject"}, "xn--bcher-kva.example", "reject"},
		{"no name", "a..b", nil, "", "none"},
	} {
		z := &zone{texts: map[string][]string{}, hosts: map[string]bool{"www.example.com": true, "six.example.com": true}}
		for name, text := range c.texts {
			z.texts["_dmarc."+name] = strings.Split("v=DMARC1; "+text, "|")
		}
		tree := dmarc.NewTree(z)
		found, err := tree.Policy(t.Context(), c.author)
		exists, doubt := tree.Exists(t.Context(), c.author)
		if err != nil || doubt != nil || found.Domain != c.where || found.Asks(exists) != c.asks {
			t.Errorf("%s: %q asks for %s (%v), want %q, %s", c.name, found.Domain, found.Asks(exists), err, c.where, c.asks)
		}
	}
}

func TestAWalkAsksAtMostEightTimes(t *testing.T) {
	z := &zone{}
	if _, err := dmarc.NewTree(z).Policy(t.Context(), "a.b.c.d.e.f.g.h.i.j.example.com"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"_dmarc.a.b.c.d.e.f.g.h.i.j.example.com", "_dmarc.f.g.h.i.j.example.com", "_dmarc.g.h.i.j.example.com", "_dmarc.h.i.j.example.com",
		"_dmarc.i.j.example.com", "_dmarc.j.example.com", "_dmarc.example.com", "_dmarc.com",
	}
	if diff := cmp.Diff(want, z.asked); diff != "" {
		t.Error(diff)
	}
}

func TestADNSFailureOnTheWayIsNoAnswer(t *testing.T) {
	z := &zone{texts: map[string][]string{"_dmarc.a.example.com": {"SERVFAIL"}, "_dmarc.example.com": {"v=DMARC1; p=reject"}}}
	if found, err := dmarc.NewTree(z).Policy(t.Context(), "a.example.com"); !errors.Is(err, errBroken) {
		t.Errorf("%+v, %v", found, err)
	}
	if aligned, err := dmarc.NewTree(z).Aligned(t.Context(), "a.example.com", "example.com", false); aligned || !errors.Is(err, errBroken) {
		t.Errorf("%v, %v", aligned, err)
	}
}

func TestAlignmentIsByOrganization(t *testing.T) {
	z := &zone{texts: map[string][]string{
		"_dmarc.unit.example.com":    {"v=DMARC1; p=none; psd=n"},
		"_dmarc.hosted.example":      {"v=DMARC1; p=none; psd=y"},
		"_dmarc.uk":                  {"v=DMARC1; p=none; psd=n"},
		"_dmarc.github.io":           {"v=DMARC1; p=none; psd=n"},
		"_dmarc.mail.hosted.example": {"v=DMARC1; p=none"},
	}}
	for _, c := range []struct {
		author, proven  string
		relaxed, strict bool
	}{
		{"example.com", "example.com", true, true},
		{"Example.COM", "example.com.", true, true},
		{"example.com", "mail.example.com", true, false},
		{"mail.example.com", "example.com", true, false},
		{"a.example.com", "b.example.com", true, false},
		{"example.com", "example.net", false, false},
		{"example.com", "ample.com", false, false},
		{"example.co.uk", "other.co.uk", false, false},
		{"a.github.io", "b.github.io", false, false},
		{"a.github.io", "github.io", false, false},
		{"com", "example.com", false, false},
		{"unit.example.com", "example.com", false, false},
		{"a.unit.example.com", "b.unit.example.com", true, false},
		{"a.unit.example.com", "a.example.com", false, false},
		{"a.hosted.example", "b.hosted.example", false, false},
		{"x.a.hosted.example", "a.hosted.example", true, false},
		{"mail.hosted.example", "hosted.example", false, false},
		{"hosted.example", "hosted.example", true, true},
		{"xn--bcher-kva.example", "www.bücher.example", true, false},
		{"", "", false, false},
	} {
		for _, strict := range []bool{false, true} {
			want := c.relaxed && !strict || c.strict && strict
			got, err := dmarc.NewTree(z).Aligned(t.Context(), c.author, c.proven, strict)
			if err != nil || got != want {
				t.Errorf("%q with %q, strict %v: %v, %v", c.author, c.proven, strict, got, err)
			}
		}
	}
}

// FuzzRecord: whatever stands in the DNS, a record that is read has a policy and sensible numbers, and reads the same again.
func FuzzRecord(f *testing.F) {
	f.Add("v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; aspf=r; pct=50; rua=mailto:a@b.example!10m,mailto:c@d.example; ruf=mailto:e@f.example; ri=3600; fo=1:d; rf=afrf; t=y; psd=n")
	f.Add("v=DMARC1;p=bogus;rua=mailto:a@b.example")
	f.Add("v=DMARC1; =;;;p")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := dmarc.ParseRecord(text)
		if err != nil {
			return
		}
		again, err := dmarc.ParseRecord(text)
		if err != nil || !cmp.Equal(r, again) {
			t.Fatalf("%+v and then %+v, %v", r, again, err)
		}
		if r.Policy == "" || r.Percent < 0 || r.Percent > 100 || r.Interval == 0 || len(r.Aggregate) > 20 || len(r.Failure) > 20 {
			t.Fatalf("%+v", r)
		}
		for _, d := range append(r.Aggregate, r.Failure...) {
			if d.MaxBytes < 0 || strings.ContainsAny(d.URI, " ,!\t") {
				t.Fatalf("%+v", d)
			}
		}
	})
}

// FuzzNormalize: a name is in one form, which has an organization that contains it.
func FuzzNormalize(f *testing.F) {
	for _, name := range []string{"Example.COM.", "食狮.公司.cn", "xn--85x722f.com.cn", "a..b", "_x.example", "\xff.example", "www.city.kobe.jp"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n := dmarc.Normalize(name)
		if n == "" {
			return
		}
		if dmarc.Normalize(n) != n {
			t.Fatalf("%q becomes %q and then %q", name, n, dmarc.Normalize(n))
		}
		if org := dmarc.OrganizationalDomain(name); org == "" || n != org && !strings.HasSuffix(n, "."+org) {
			t.Fatalf("%q is of %q", n, org)
		}
	})
}

func TestANameThatNoDNSHoldsIsNotSpelledOut(t *testing.T) {
	var name []rune
	for i := range 50_000 {
		name = append(name, rune(0x4e00+i*7919%20_000))
	}
	began := time.Now()
	if got := dmarc.Normalize("x." + string(name)); got != "" || time.Since(began) > time.Second {
		t.Errorf("%.50q after %v", got, time.Since(began))
	}
	// What nobody sees makes a name long, and no other one.
	if got := dmarc.Normalize("bank" + strings.Repeat("\u00ad\ufe0f", 500) + ".example"); got != "bank.example" {
		t.Errorf("%.50q", got)
	}
	if got := dmarc.Normalize(strings.Repeat("\u00fc", 63) + ".example"); got != "" {
		t.Errorf("%q fits into no label", got)
	}
	if got := dmarc.Normalize(strings.Repeat("\u00fc", 50) + ".example"); !strings.HasPrefix(got, "xn--") {
		t.Errorf("%q", got)
	}
}
