package weburl

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHostsHaveOneSpelling(t *testing.T) {
	for in, want := range map[string]struct {
		scheme, host string
		tricks       Tricks
	}{
		"http://example.com":                         {"http", "example.com", 0},
		" HTTPS://Example.COM./path?q#f\n":           {"https", "example.com", 0},
		"//example.com/x":                            {"http", "example.com", 0},
		"http://bank.example@evil.example/":          {"http", "evil.example", Userinfo},
		"http://a:b@c@evil.example:80/":              {"http", "evil.example", Userinfo},
		"http://@evil.example":                       {"http", "evil.example", 0},
		"http://evil.example?@bank.example":          {"http", "evil.example", 0},
		`http://evil.example\@bank.example`:          {"http", "evil.example", 0},
		`http:\\evil.example`:                        {"http", "evil.example", Slashes},
		"http:/evil.example":                         {"http", "evil.example", Slashes},
		"http:evil.example":                          {"http", "evil.example", Slashes},
		"http:////evil.example":                      {"http", "evil.example", Slashes},
		"ht\ntp://ev\til.example":                    {"http", "evil.example", SplitURL},
		"http://ev%69l%2eexample":                    {"http", "evil.example", PercentHost},
		"http://evil.example:8080/":                  {"http", "evil.example", OddPort},
		"http://evil.example:443":                    {"http", "evil.example", 0},
		"http://192.0.2.1/":                          {"http", "192.0.2.1", IPHost},
		"http://3221225985/":                         {"http", "192.0.2.1", IPHost | NumericHost},
		"http://0xC0000201":                          {"http", "192.0.2.1", IPHost | NumericHost},
		"http://0300.0.02.1":                         {"http", "192.0.2.1", IPHost | NumericHost},
		"http://0xc0.0.513":                          {"http", "192.0.2.1", IPHost | NumericHost},
		"http://256.1.1.1.1":                         {"http", "256.1.1.1.1", 0},
		"http://4294967296":                          {"http", "4294967296", 0},
		"http://[2001:DB8::1]:80/":                   {"http", "2001:db8::1", IPHost},
		"http://[::ffff:192.0.2.1]":                  {"http", "192.0.2.1", IPHost},
		"http://münchen.example":                     {"http", "xn--mnchen-3ya.example", IDN},
		"http://XN--MNCHEN-3YA.example":              {"http", "xn--mnchen-3ya.example", IDN},
		"http://p\u0430ypal.example":                 {"http", "xn--pypal-4ve.example", IDN | MixedScript},
		"http://ｅｖｉｌ。example":                        {"http", "evil.example", IDN},
		"http://ev\u00adil.example":                  {"http", "evil.example", IDN},
		"hxxps://evil[.]example":                     {"https", "evil.example", Defanged},
		"http://evil(dot)example/":                   {"http", "evil.example", Defanged},
		"http://under_score.example":                 {"http", "under_score.example", 0},
		"http://":                                    {"http", "", InvalidHost},
		"http://a..b":                                {"http", "a..b", InvalidHost},
		"http://a b.example/":                        {"http", "a b.example", InvalidHost},
		"http://" + strings.Repeat("a", 64) + ".com": {"http", strings.Repeat("a", 64) + ".com", InvalidHost},
		"mailto:a@b.example":                         {"mailto", "", 0},
		"JavaScript:alert(1)":                        {"javascript", "", 0},
		"cid:part1":                                  {"cid", "", 0},
	} {
		u, ok := Parse([]byte(in))
		if !ok || u.Scheme != want.scheme || u.Host != want.host || u.Tricks != want.tricks || u.IP.IsValid() != want.tricks.Has(IPHost) {
			t.Errorf("%q: %v, %+v (%b), want %+v", in, ok, u, u.Tricks, want)
		}
	}
	for _, in := range []string{"", "relative/path", "?q", "#f", "a/b:c", "1:2", ":x"} {
		if u, ok := Parse([]byte(in)); ok {
			t.Errorf("%q: %+v", in, u)
		}
	}
}

func TestAddressesAreFoundInText(t *testing.T) {
	for in, want := range map[string]string{
		"see http://a.example/x, and https://b.example.": "http://a.example/x=a.example https://b.example=b.example",
		"(http://a.example/(x)) <http://b.example/y>":    "http://a.example/(x)=a.example http://b.example/y=b.example",
		"http://r.example/?u=http://b.example/":          "http://r.example/?u=http://b.example/=r.example",
		"HTTP://A.EXAMPLE/X":                             "HTTP://A.EXAMPLE/X=a.example",
		"xhttp://a.example":                              "http://a.example=a.example",
		"www.a.com/x www2.b.org, www.readme":             "www.a.com/x=www.a.com www2.b.org=www2.b.org",
		"hxxp://a[.]example/x hxxps[:]//b(dot)example":   "hxxp://a[.]example/x=a.example hxxps[:]//b(dot)example=b.example",
		"请访问www.a.com谢谢，http://b.com/路。":                 "www.a.com=www.a.com http://b.com/路=b.com",
		"http://b.com谢谢":                                 "http://b.com=b.com",
		"http://münchen.example/ü":                       "http://münchen.example/ü=xn--mnchen-3ya.example",
		"http://[2001:db8::1]/x":                         "http://[2001:db8::1]/x=2001:db8::1",
		"http://user@a.example/":                         "http://user@a.example/=a.example",
		"http:// http://. http://( www. ://":             "",
		"http://(http://a.example)":                      "http://a.example=a.example",
		"a.example@b.com c@www.d.com":                    "",
		"ftp://a.example/f;type=i":                       "ftp://a.example/f;type=i=a.example",
		"“http://a.example/”":                            "http://a.example/=a.example",
		"bare.com is not asked for":                      "",
	} {
		if got := findAll(in, Options{}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestBareDomainsAreFoundWhenAsked(t *testing.T) {
	for in, want := range map[string]string{
		"go to spam.com/x or a.co.uk.":            "spam.com/x=spam.com a.co.uk=a.co.uk",
		"not e.g. this, setup.py, notes.md, v1.2": "",
		"mail a.b@c.com or me@d.org":              "",
		"spam[.]com co.uk x.github.io":            "x.github.io=x.github.io",
		"end.Next sentence.The":                   "",
		"path/to.com x=y.com":                     "",
	} {
		if got := findAll(in, Options{Bare: true}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAParserReadsAsParseDoes(t *testing.T) {
	var p Parser
	hosts := []string{"a.example", "b.example", "A.example", "c.example", "d.example", "e.example", "a.example:80", "a.example:8080", "u@a.example", "a.example.", "",
		"127.1", "127.0.0.1", "0x7f.1", "a.0xb", "xn--mnchen-3ya.example", "münchen.example", "a..example", ".example", "a.%65xample", "[::1]", "a[.]example", "a_b.example", "a b",
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "example"}
	for n := range 2000 {
		host := hosts[n*n*7919%len(hosts)]
		raw := []byte([]string{"http://", "https://", "//", "hxxp://", "ht\ttp:/", "ftp:", ""}[n%7] + host + []string{"", "/x\n", "?q", "#f", "\\y"}[n%5])
		want, wantOK := Parse(raw)
		if got, ok := p.Parse(raw); got != want || ok != wantOK {
			t.Fatalf("%q: %+v, want %+v", raw, got, want)
		}
	}
}

func TestWordsThatBeginNoAddressArePassedOver(t *testing.T) {
	for in, want := range map[string]string{
		"End.http://a.example/ x":               "http://a.example/=a.example",
		"one: two. [three] a:b c.:d e[f":        "",
		".: :.[.] [:] :// .://a.example":        "",
		"http:x http://a.example.b.com...":      "http://a.example.b.com=a.example.b.com",
		"a.com":                                 "a.com=a.com",
		"b.com.":                                "b.com=b.com",
		"x[c.com]":                              "c.com=c.com",
		"x:d.com:e.com":                         "d.com:e.com=d.com",
		"[http://a.example/]":                   "http://a.example/=a.example",
		"http[:]//a.example http[://]b.example": "http[:]//a.example=a.example http[://]b.example=b.example",
	} {
		if got := findAll(in, Options{Bare: true}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func findAll(text string, o Options) string {
	var all []string
	Find([]byte(text), o, func(f Found) bool {
		all = append(all, string(f.Raw)+"="+f.URL.Host)
		return true
	})
	return strings.Join(all, " ")
}

func TestASearchIsBounded(t *testing.T) {
	text := []byte(strings.Repeat("http://a.example/ ", 1000))
	n := 0
	Find(text, Options{}, func(Found) bool { n++; return true })
	if n != 500 {
		t.Errorf("%d found", n)
	}
	n = 0
	Find(text, Options{Count: 1000}, func(Found) bool { n++; return n < 10 })
	if n != 10 {
		t.Errorf("%d found after saying stop", n)
	}
	Find([]byte("http://a.example/"+strings.Repeat("x", 5000)+" http://b.example/"), Options{Length: 100}, func(f Found) bool {
		if n++; len(f.Raw) > 100 {
			t.Errorf("%d bytes", len(f.Raw))
		}
		return true
	})
	if n != 12 {
		t.Errorf("%d found", n)
	}
}

// floods are texts made to hurt.
var floods = map[string]string{
	"a word without end":     strings.Repeat("a", 1<<20),
	"dots":                   strings.Repeat(".", 1<<20),
	"labels":                 strings.Repeat("a.", 1<<19),
	"schemes":                strings.Repeat("http://", 1<<17),
	"brackets":               "http://a.example/" + strings.Repeat(")", 1<<20),
	"addresses and brackets": strings.Repeat("http://a.example/"+strings.Repeat(")", 2000)+" ", 500),
	"www":                    strings.Repeat("www.", 1<<18),
	"bare domains":           strings.Repeat("a.com ", 1<<17),
	"mail addresses":         strings.Repeat("a.com@", 1<<17),
	"ideographs":             "http://a" + strings.Repeat("漢", 1<<18),
	"international hosts":    strings.Repeat("http://"+strings.Repeat("漢字", 50)+" ", 3000),
	"percent signs":          "http://" + strings.Repeat("%41", 1<<18),
	"disguised dots":         "http://a" + strings.Repeat("[.]a", 1<<18),
}

func TestFloodsAllocateLittle(t *testing.T) {
	for name, text := range floods {
		b := []byte(text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Find(b, Options{Bare: true}, func(Found) bool { return true })
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
			t.Errorf("%s: %d bytes for %d", name, got, len(text))
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("see http://a.example/x, hxxp://b[.]example www.c.com d.com e@f.com http://münchen.example 请www.a.com谢")
	f.Fuzz(func(t *testing.T, s string) {
		text := []byte(s)
		last := 0
		Find(text, Options{Bare: true, Length: 100}, func(f Found) bool {
			at := bytes.Index(text[last:], f.Raw)
			if at < 0 || len(f.Raw) == 0 || len(f.Raw) > 100 {
				t.Fatalf("%q: found %q", s, f.Raw)
			}
			last += at + len(f.Raw)
			checkURL(t, s, f.URL)
			return true
		})
	})
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://u@a.example:80/", "http://0x7f.1", "//[::1]", "http://xn--mnchen-3ya.example", "hxxp://a[.]b", `http:\/ａ。b%2e`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, ok := Parse([]byte(s))
		if ok {
			checkURL(t, s, u)
		}
		var p Parser
		p.Parse([]byte(s))
		if again, ok2 := p.Parse([]byte(s)); again != u || ok2 != ok {
			t.Fatalf("%q: %+v, then %+v", s, u, again)
		}
	})
}

// checkURL checks that a host that is not said to be invalid can be looked up, and is its own normal form.
func checkURL(t *testing.T, s string, u URL) {
	if !utf8.ValidString(u.Host) && !u.Tricks.Has(InvalidHost) || len(u.Host) > 4*maxHost {
		t.Fatalf("%q: host %q", s, u.Host)
	}
	if u.Host == "" || u.Tricks.Has(InvalidHost) || u.IP.Is6() {
		return
	}
	again, ok := Parse([]byte("http://" + u.Host))
	if !ok || again.Host != u.Host {
		t.Fatalf("%q: host %q, again %q", s, u.Host, again.Host)
	}
}

func BenchmarkFloods(b *testing.B) {
	for name, text := range floods {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Find([]byte(text), Options{Bare: true}, func(Found) bool { return true })
			}
		})
	}
}

// letters are texts with some addresses, each other than the rest: one alone is soon known to the processor by heart.
func letters(n int) (list [][]byte) {
	words := strings.Fields("here is a line of text as people write them, e.g. about a kiln that was cold: most of the glazes had run. See you (or not) at the fair; 3.5 bags")
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		var b strings.Builder
		for b.Len() < 3000 {
			switch r.IntN(40) {
			case 0:
				fmt.Fprintf(&b, "https://news%d.example/item?id=%d ", r.IntN(3), r.IntN(1000))
			case 1:
				fmt.Fprintf(&b, "shop%d.com, ", r.IntN(10))
			default:
				b.WriteString(words[r.IntN(len(words))] + " ")
			}
		}
		list = append(list, []byte(b.String()))
	}
	return list
}

func BenchmarkFind(b *testing.B) {
	list, n := letters(100), 0
	b.SetBytes(int64(len(list[0])))
	b.ReportAllocs()
	for b.Loop() {
		Find(list[n%len(list)], Options{Bare: true}, func(Found) bool { return true })
		n++
	}
}

// BenchmarkParser reads the addresses of a newsletter, a few hosts in turn.
func BenchmarkParser(b *testing.B) {
	var list [][]byte
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		list = append(list, fmt.Appendf(nil, "https://%s.news.example/%s/%x?id=%d", []string{"click", "cdn", "www"}[r.IntN(3)], strings.Repeat("x", r.IntN(60)), r.Int64(), r.IntN(1e6)))
	}
	var p Parser
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(list[n%len(list)])
		n++
	}
}
