package address

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/testenv"
)

func TestAddressForms(t *testing.T) {
	for _, c := range []struct{ in, local, domain, smtp, unicode, key string }{
		{"Alice@Example.ORG", "Alice", "example.org", "Alice@example.org", "Alice@example.org", "alice@example.org"},
		{`"a b"@example.org`, "a b", "example.org", `"a b"@example.org`, `"a b"@example.org`, "a b@example.org"},
		{`"alice"@example.org`, "alice", "example.org", "alice@example.org", "alice@example.org", "alice@example.org"},
		{`"\a\"\\"@example.org`, `a"\`, "example.org", `"a\"\\"@example.org`, `"a\"\\"@example.org`, `a"\@example.org`},
		{`""@example.org`, "", "example.org", `""@example.org`, `""@example.org`, "@example.org"},
		{"a@Bücher.example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example", "a@bücher.example", "a@xn--bcher-kva.example"},
		{"a@XN--BCHER-KVA.example", "a", "xn--bcher-kva.example", "a@xn--bcher-kva.example", "a@bücher.example", "a@xn--bcher-kva.example"},
		{"Jose\u0301@example.org", "Jos\u00e9", "example.org", "Jos\u00e9@example.org", "Jos\u00e9@example.org", "jos\u00e9@example.org"},
		{"bounce-mc.us12_12345678.1234567-firstname.lastname=department.company.example@mail1.example.net",
			"bounce-mc.us12_12345678.1234567-firstname.lastname=department.company.example", "mail1.example.net",
			"bounce-mc.us12_12345678.1234567-firstname.lastname=department.company.example@mail1.example.net",
			"bounce-mc.us12_12345678.1234567-firstname.lastname=department.company.example@mail1.example.net",
			"bounce-mc.us12_12345678.1234567-firstname.lastname=department.company.example@mail1.example.net"},
		{"a@[192.0.2.1]", "a", "[192.0.2.1]", "a@[192.0.2.1]", "a@[192.0.2.1]", "a@[192.0.2.1]"},
		{"a@[ipv6:2001:DB8:0::1]", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"},
	} {
		a, err := Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if a.Local != c.local || a.Domain != c.domain || a.String() != c.smtp || a.Unicode() != c.unicode || a.Key() != c.key {
			t.Errorf("%s: %#v, SMTP %s, Unicode %s, key %s", c.in, a, a, a.Unicode(), a.Key())
		}
	}
}

func TestRefusedAddresses(t *testing.T) {
	for _, in := range []string{
		"a@b_c.example", "a@example.org.", "a@xn--a.example", "a@xn--.example", "a@\xff.example", "\xff@example.org",
		"a\u0085b@example.org", "a\u2028b@example.org", "a b@example.org", "a@[192.0.2.1]x", "a@[fe80::1]", "a@[IPv6:192.0.2.1]",
		"a@[IPv6:fe80::1%eth0]", "a@[]", "a@[", "a@b@example.org", "<a@example.org>", "a,b@example.org", "a@exa mple.org",
		strings.Repeat("a", 129) + "@example.org", strings.Repeat("a", 100000) + "@example.org", "a@" + strings.Repeat("a.", 100000) + "org",
	} {
		if a, err := Parse(in); err == nil {
			t.Errorf("%.40q gave %#v", in, a)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ in, want, rest string }{
		{"<a@example.org>", "a@example.org", ""},
		{"<a@example.org> SIZE=10 BODY=8BITMIME", "a@example.org", "SIZE=10 BODY=8BITMIME"},
		{" <a@example.org>\t ", "a@example.org", ""},
		{"<>", "", ""},
		{"<> RET=HDRS", "", "RET=HDRS"},
		{"<Postmaster>", "Postmaster", ""},
		{"<@one.example,@two.example:a@example.org>", "a@example.org", ""},
		{`<"a>b\"@c"@example.org> X`, `"a>b\"@c"@example.org`, "X"},
	} {
		a, rest, err := ParsePath(c.in)
		if err != nil || a.String() != c.want || rest != c.rest {
			t.Errorf("%s: %s, rest %q, error %v", c.in, a, rest, err)
		}
	}
	for _, in := range []string{
		"", "a@example.org", "<a@example.org", "<a@example.org>SIZE=1", "<a>", "<<a@example.org>>", "<@a>", "<@a:>",
		"<@a,b:c@example.org>", "<@a@b:c@example.org>", `<"a>`, "< >", "< a@example.org>", "<a@example.org >",
	} {
		if a, _, err := ParsePath(in); err == nil {
			t.Errorf("%q gave %#v", in, a)
		}
	}
	if a, _, err := ParsePath("<>"); err != nil || !a.IsZero() {
		t.Errorf("null path: %#v, %v", a, err)
	}
}

func TestOnlyNonASCIILocalPartsNeedSMTPUTF8(t *testing.T) {
	for in, want := range map[string]bool{"a@bücher.example": false, "é@example.org": true, "a@example.org": false} {
		a, err := Parse(in)
		if err != nil || a.NeedsUTF8() != want {
			t.Errorf("%s: %v, %v", in, a.NeedsUTF8(), err)
		}
	}
}

// The suite of is_email: what it calls deliverable over SMTP is accepted, everything else is not, but for deviations.
func TestIsEmailSuite(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(testenv.Testdata(t, "address-isemail"), "tests.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Tests []struct {
			ID        string `xml:"id,attr"`
			Address   string `xml:"address"`
			Category  string `xml:"category"`
			Diagnosis string `xml:"diagnosis"`
		} `xml:"test"`
	}
	if err := xml.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	if len(suite.Tests) == 0 {
		t.Fatal("no tests found")
	}
	for _, c := range suite.Tests {
		t.Run(c.ID, func(t *testing.T) {
			in := strings.Map(func(r rune) rune {
				if r >= 0x2400 && r < 0x2420 {
					return r - 0x2400 // control pictures stand for the control characters
				}
				return r
			}, c.Address)
			want := c.Category == "ISEMAIL_VALID_CATEGORY" || c.Category == "ISEMAIL_DNSWARN" || c.Category == "ISEMAIL_RFC5321"
			if why, ok := deviations[c.Diagnosis]; ok {
				t.Log(why)
				want = strings.LastIndexByte(in, '@') <= maxLocal
			}
			a, err := Parse(in)
			if (err == nil) != want {
				t.Errorf("%q (%s, %s) gave %v, error %v", in, c.Category, c.Diagnosis, a, err)
			}
			if err == nil {
				roundTrip(t, a)
			}
		})
	}
}

// deviations are the diagnoses of is_email that we do not follow, and why.
var deviations = map[string]string{
	"ISEMAIL_RFC5322_LOCAL_TOOLONG": "lists write the receiver's address into theirs: we take 128 octets, not 64",
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a@b", `"a\"b"@c.example`, "é@bücher.example", "a@[IPv6:::]", "a@[1.2.3.4]", "@", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		roundTrip(t, a)
		if strings.ContainsAny(a.Local+a.Domain, "\r\n\x00") {
			t.Fatalf("control characters in %#v", a)
		}
		if u, err := Parse(a.Unicode()); err != nil || u != a {
			t.Fatalf("%#v written as %s reads %#v, %v", a, a.Unicode(), u, err)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, s := range []string{"<>", "<a@b> X=1", "<@a,@b:c@d>", `<"a>b"@c>`, "<Postmaster>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, rest, err := ParsePath(s)
		if err != nil || a.Domain == "" {
			return
		}
		roundTrip(t, a)
		if !strings.HasSuffix(strings.TrimRight(s, " \t"), rest) {
			t.Fatalf("%q left %q", s, rest)
		}
	})
}

func roundTrip(t *testing.T, a Address) {
	t.Helper()
	again, err := Parse(a.String())
	if err != nil || again != a {
		t.Fatalf("%#v written as %s reads %#v, %v", a, a, again, err)
	}
	if got, _, err := ParsePath("<" + a.String() + ">"); err != nil || got != a {
		t.Fatalf("%#v as a path reads %#v, %v", a, got, err)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Parse("someone@mail.example.org")
	}
}
