package authres_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	msgauth "github.com/emersion/go-msgauth/authres"

	"postern/internal/mailauth/authres"
)

func TestAFieldIsReadAsTheRFCWritesIt(t *testing.T) {
	prop := func(words ...string) []authres.Property {
		var list []authres.Property
		for i := 0; i < len(words); i += 3 {
			list = append(list, authres.Property{Type: words[i], Name: words[i+1], Value: words[i+2]})
		}
		return list
	}
	for value, want := range map[string]authres.Field{
		"example.org 1; none":             {ID: "example.org", Version: 1},
		"example.org; none":               {ID: "example.org"},
		"(who) \"mail server\" (v) 2 ;; ": {ID: "mail server", Version: 2},
		"example.com; spf=pass smtp.mailfrom=example.net": {ID: "example.com", Results: []authres.Result{
			{Method: "spf", Value: "pass", Props: prop("smtp", "mailfrom", "example.net")},
		}},
		"foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n\tpolicy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) 1362471462": {ID: "foo.example.net", Version: 1, Results: []authres.Result{
			{Method: "dkim", Value: "fail", Props: prop("policy", "expired", "1362471462")},
		}},
		"e.example;dkim=PASS reason=\"good; (signature)\" header.i=@mail-router.example.net header.b=\"oINEO8hg/x=\";dkim=fail header.i=joe@[192.0.2.1]": {ID: "e.example", Results: []authres.Result{
			{Method: "dkim", Value: "pass", Reason: "good; (signature)", Props: prop("header", "i", "@mail-router.example.net", "header", "b", "oINEO8hg/x=")},
			{Method: "dkim", Value: "fail", Props: prop("header", "i", "joe@[192.0.2.1]")},
		}},
		`e.example; auth=pass (cram-md5) smtp.auth="a \"b\""@example.net`: {ID: "e.example", Results: []authres.Result{
			{Method: "auth", Value: "pass", Props: prop("smtp", "auth", `a "b"@example.net`)},
		}},
	} {
		got, err := authres.Parse(value)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", value, err, diff)
		}
	}
}

func TestWhatCannotBeReadOfAFieldLeavesTheRest(t *testing.T) {
	for value, left := range map[string]int{
		"e.example; dkim=pass header.d=a/b; spf=pass": 1,
		"e.example; dkim; spf=pass; x=":               1,
		"e.example; dkim/2=pass; spf=pass":            1,
		"e.example; dkim=pass \"; spf=pass":           0,
		"e.example; dkim=pass header.d=a=b":           0,
		"e.example; dkim=pass header d=a":             0,
		"e.example; dkim=pass (; spf=pass":            1,
		"e.example; none of it":                       0,
		"e.example 1x; spf=pass":                      0,
		"e.example spf=pass":                          0,
		"dkim=pass header.d=example.org":              0,
		"":                                            0,
		";spf=pass":                                   0,
	} {
		f, err := authres.Parse(value)
		unclosed := strings.Contains(value, "(")
		if (err == nil) != unclosed || len(f.Results) != left {
			t.Errorf("%q: %+v, %v", value, f, err)
		}
	}
}

func TestNothingFromOutsideEndsAResultOrAField(t *testing.T) {
	evil := []string{
		"x\r\nX-Evil: 1", "x; dkim=pass header.d=bank.example", "x\" ; spf=pass", `x\`, "a (b) ) c (", "\x00\x7f\u0085\u2028", "\xff\xfe", "", " ", "=?utf-8?q?x?=",
		strings.Repeat("x", 5000), strings.Repeat("\"", 3000), "ü@exämple.org", "a b@c d", "@", "a@b@c", "\t", "x,y", "@example.org; spf=pass",
	}
	for _, text := range evil {
		f := authres.Field{ID: "mx.example.test", Results: []authres.Result{
			{Method: "spf", Value: "fail", Comment: text, Reason: text, Props: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: text}, {Type: "smtp", Name: "helo", Value: text}}},
			{Method: "dkim", Value: "none"},
		}}
		out := string(f.Append([]byte("Authentication-Results: "), 24))
		checkShape(t, out)
		got, err := authres.Parse(strings.TrimPrefix(out, "Authentication-Results: "))
		if err != nil || len(got.Results) != 2 || len(got.Results[0].Props) != 2 || got.Results[1].Method != "dkim" {
			t.Errorf("%.60q: %+v, %v from\n%s", text, got, err, out)
		}
		// An independent reader sees the same results.
		id, results, err := msgauth.Parse(strings.NewReplacer("\r\n", "").Replace(strings.TrimPrefix(out, "Authentication-Results: ")))
		if err == nil && (id != "mx.example.test" || len(results) != 2) {
			t.Errorf("%.60q: go-msgauth reads %q %d results from\n%s", text, id, len(results), out)
		}
	}
}

// checkShape: a field that is one field, of lines that are not too long, in UTF-8.
func checkShape(t *testing.T, field string) {
	t.Helper()
	for i, line := range strings.Split(field, "\r\n") {
		if len(line) > 998 || i > 0 && !strings.HasPrefix(line, "\t") || strings.TrimSpace(line) == "" || strings.ContainsAny(line, "\r\n\x00") || !utf8.ValidString(line) {
			t.Errorf("line %d is %q", i, line)
		}
	}
}

func TestAForgedFieldOfOursIsKnownInAnySpelling(t *testing.T) {
	for _, value := range []string{
		"mx.example.test; dkim=pass", "mx.example.test;dkim=pass", "MX.Example.TEST; none", "mx.example.test", "mx.example.test 1; spf=pass",
		" \r\n\tmx.example.test\r\n ;spf=pass", `"mx.example.test"; spf=pass`, `"mx.ex\ample.test" 1; spf=pass`, "(comment) mx.example.test (another) ; spf=pass",
		"mx.example.test. ; spf=pass", "(a (nested) one)mx.example.test;", "mx.example.test(glued);", "mx.exa\x00mple.test; spf=pass", "mx . example . test; spf=pass",
		"ｍｘ.example.test; spf=pass", "mx。example。test; spf=pass", "mx.exa\u00admple.test; spf=pass", "mx.(x)example.test; spf=pass", "mx.example.test\t1.0; x",
		"mx.example.test garbage without a semicolon", "(" + strings.Repeat("x", 70<<10) + ") mx.example.test; spf=pass",
	} {
		if !authres.Claims(value, "mx.example.test") {
			t.Errorf("%q passes", value)
		}
	}
	for _, value := range []string{
		"", "other.example; spf=pass", "example.test; spf=pass", "amx.example.test; spf=pass", "mx.example.test.evil.example; spf=pass",
		"other.example; x=mx.example.test", "(mx.example.test) other.example; none", "i=1; mx.example.test; spf=pass", ";mx.example.test",
	} {
		if authres.Claims(value, "mx.example.test") {
			t.Errorf("%q is taken for ours", value)
		}
	}
	for _, value := range []string{"mx.bücher.example; spf=pass", "MX.BÜCHER.example; spf=pass", "mx.xn--bcher-kva.example; spf=pass", "mx.XN--BCHER-KVA.example;"} {
		for _, id := range []string{"mx.xn--bcher-kva.example", "mx.bücher.example"} {
			if !authres.Claims(value, id) {
				t.Errorf("%q passes for %q", value, id)
			}
		}
	}
	if authres.Claims("; x", "") || authres.Claims("x", "") {
		t.Error("nobody has no name")
	}
}

func TestALongNameIsNotSpelledOut(t *testing.T) {
	var name []rune
	for i := range 20_000 {
		name = append(name, rune(0x4e00+i*7919%20_000))
	}
	began := time.Now()
	if value := string(name) + "; spf=pass"; !authres.Claims(value, "mx.example.test") || time.Since(began) > time.Second {
		t.Errorf("what may be anybody's passes, after %v", time.Since(began))
	}
	if authres.Claims(strings.Repeat("other", 1000)+".example; spf=pass", "mx.example.test") {
		t.Error("a long name in ASCII is taken for ours")
	}
	if !authres.Claims("mx.example.test"+strings.Repeat("\u00ad", 1000)+"; spf=pass", "mx.example.test") {
		t.Error("what nobody sees behind our name lets it pass")
	}
}

// FuzzParse: what is read is written as one field that reads the same, and whoever a field is of, it claims to be.
func FuzzParse(f *testing.F) {
	for _, value := range []string{
		"example.org 1; none", "a.example; spf=pass (x) smtp.mailfrom=a@b.example; dkim/1=fail reason=\"x y\" header.b=\"a/b\"",
		"\"q\\\"x\"; a=b c.d=@e (((", "x;;;;=", "(\\", "m; a=b \"", "üx; a=b c.d=ü",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		_ = authres.Claims(value, "mx.example.test")
		first, err := authres.Parse(value)
		if err != nil {
			return
		}
		if isPlain(first.ID) && !authres.Claims(value, first.ID) {
			t.Fatalf("%q does not claim to be of %q", value, first.ID)
		}
		out := string(first.Append(nil, 24))
		checkShape(t, "x"+out)
		again, err := authres.Parse(out)
		if err != nil || len(again.Results) != len(first.Results) {
			t.Fatalf("%q is written as %q: %v", value, out, err)
		}
		for i, r := range again.Results {
			if r.Method != first.Results[i].Method || r.Value != first.Results[i].Value || len(r.Props) != len(first.Results[i].Props) {
				t.Fatalf("%+v becomes %+v", first.Results[i], r)
			}
		}
	})
}

func isPlain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	})
}
