package sieve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"postern/internal/message"
	"postern/sieve/grammar"
)

// scriptSeeds are scripts that use every word there is.
var scriptSeeds = []string{
	"keep;", typical(),
	"require [\"fileinto\", \"variables\", \"relational\"];\nif header :matches \"subject\" \"*of*\" { set :upper \"a\" \"${1}\"; fileinto \"x${a}\"; } elsif size :over 1K { discard; } else { stop; }",
	"require [\"body\", \"regex\", \"comparator-i;unicode-casemap\"];\nif anyof (body :raw :contains \"x\", body :content [\"text\", \"multipart\"] :regex \"a(b|c)*\", body :comparator \"i;unicode-casemap\" \"ü\") { redirect \"a@example.org\"; }",
	"require [\"date\", \"index\", \"relational\"];\nif allof (date :value \"ge\" :zone \"+0100\" \"date\" \"iso8601\" \"2026\", currentdate \"weekday\" [\"1\", \"2\"], header :index 2 :last \"received\" \"x\") { keep; }",
	"require [\"editheader\", \"variables\"];\naddheader :last \"X-A\" \"ü\"; deleteheader :matches \"x-a\" [\"*\", \"?\"]; addheader \"Subject\" \"y\r\n z\"; deleteheader :index 1 \"received\";",
	"require [\"mime\", \"foreverypart\", \"extracttext\", \"variables\", \"fileinto\"];\nforeverypart :name \"a\" { if header :mime :param [\"name\"] \"content-type\" \"x\" { foreverypart { break :name \"a\"; } } extracttext :first 10 \"t\"; fileinto \"${t}-\"; }",
	"require [\"ihave\", \"environment\", \"envelope\", \"subaddress\", \"encoded-character\"];\nif ihave \"nothing\" { nothing; } if envelope :detail \"to\" \"${hex:41}\" { error \"x\"; } if environment \"name\" \"x\" { keep; }",
	"require [\"vacation-seconds\", \"imap4flags\", \"reject\", \"mailbox\", \"special-use\"];\nif mailboxexists \"a\" { setflag \"\\\\Seen\"; vacation :seconds 10 :subject \"x\" \"y\"; } else { reject \"no\"; }",
	"require [\"enotify\", \"duplicate\", \"spamtestplus\", \"virustest\", \"include\", \"mboxmetadata\"];\nif duplicate :handle \"x\" { notify :message \"m\" \"mailto:a@example.org\"; } if spamtest :percent \"1\" { return; }",
	"if header :contains [\"a\", \"b\"] text:\nx\n.\n{ keep; }", "if not true {", "require \"nothing\";",
}

func FuzzCompile(f *testing.F) {
	for _, s := range scriptSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		s, err := Compile(source, Options{Name: "fuzz", Limits: grammar.Limits{Size: 8 << 10}})
		var problems Problems
		switch {
		case err == nil && s == nil, err != nil && s != nil:
			t.Fatal("neither a script nor problems, or both")
		case err != nil && (!errors.As(err, &problems) || len(problems) == 0):
			t.Fatalf("the error is %T", err)
		}
		for _, p := range problems {
			if p.Text == "" || p.Line < 1 || len(p.Text) > 1000 {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func FuzzRun(f *testing.F) {
	for i, s := range scriptSeeds {
		f.Add(s, []string{sample, enclosed, dated, "", "Subject: x"}[i%5])
	}
	f.Fuzz(func(t *testing.T, script, mail string) {
		s, err := Compile([]byte(script), Options{Limits: grammar.Limits{Size: 8 << 10}})
		if err != nil || len(mail) > 16<<10 {
			return
		}
		j := jobFor(t, mail)
		j.Host = &at{lab: newLab("x")}
		j.Budget = Budget{Steps: 20_000, Memory: 1 << 20}
		o := s.Run(context.Background(), j)
		checkOutcome(t, o)
		j.Host = &at{lab: newLab("x")}
		if again := s.Run(context.Background(), j); fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", o) {
			t.Fatalf("run twice, it is not the same:\n%+v\n%+v", o, again)
		}
	})
}

// checkOutcome holds an outcome to what is true of all of them.
func checkOutcome(t *testing.T, o Outcome) {
	t.Helper()
	var failed *RunError
	switch {
	case o.Err != nil && !errors.As(o.Err, &failed):
		t.Fatalf("the error is %T: %v", o.Err, o.Err)
	case o.Err != nil && !o.ImplicitKeep && !strings.Contains(done(o), string(Keep)) && !strings.Contains(strings.ToUpper(done(o)), inbox):
		t.Fatalf("%v, and the message is not kept", o.Err)
	case !o.ImplicitKeep && len(o.Actions) == 0:
		t.Fatal("the message is lost")
	}
	for _, header := range headersOf(o) {
		if header == nil {
			continue
		}
		m, err := message.Parse(strings.NewReader(string(header)), int64(len(header)), message.DefaultLimits)
		if err != nil || !m.HeaderTooBig && m.Root.BodyStart != int64(len(header)) {
			t.Fatalf("the header %q does not end where it should", header)
		}
	}
}

func headersOf(o Outcome) [][]byte {
	list := [][]byte{o.Header}
	for _, a := range o.Actions {
		list = append(list, a.Header)
	}
	return list
}

func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{{"*", "abc"}, {"a*b?c", "aXXbYc"}, {`\*\?\\`, `*?\`}, {"*é?", "aéü"}, {"**a**", "bab"}, {"?", ""}, {"", ""}, {"A*", "aB"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 12 || len(text) > 24 {
			return
		}
		comparePattern(t, comparators["i;octet"], pattern, text)
		if utf8.ValidString(pattern) && utf8.ValidString(text) {
			comparePattern(t, comparators["i;ascii-casemap"], pattern, text)
		}
		key := lowerASCII(pattern)
		n := newNeedle(key)
		if got, want := n.indexIn(text), strings.Index(lowerASCII(text), key); got != want {
			t.Errorf("%q is found in %q at %d, should be at %d", key, text, got, want)
		}
		if got, want := compareASCII(text, key), strings.Compare(lowerASCII(text), key); sign(got) != want {
			t.Errorf("%q and %q are compared to %d, should be %d", text, key, got, want)
		}
		if got, want := isSameASCII(text, pattern), lowerASCII(text) == key; got != want {
			t.Errorf("%q and %q are the same: %v", text, pattern, got)
		}
	})
}

func sign(n int) int { return min(max(n, -1), 1) }

// comparePattern holds a pattern to what trying everything gives.
func comparePattern(t *testing.T, c *comparator, pattern, text string) {
	t.Helper()
	p, err := c.pattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := p.match(text, true, 1<<20)
	want, ok := wildcardOracle(c.fold(pattern), c.fold(text), p.octets)
	if ok != (got != nil) {
		t.Fatalf("%s, %q and %q: matches is %v", c.name, pattern, text, got != nil)
	}
	if !ok {
		return
	}
	if got[0] != text || len(got) != 1+len(want) {
		t.Fatalf("%s, %q and %q: met %q, should be %q", c.name, pattern, text, got[1:], want)
	}
	for i := range want {
		if c.fold(got[1+i]) != want[i] {
			t.Fatalf("%s, %q and %q: met %q, should be %q", c.name, pattern, text, got[1:], want)
		}
	}
}

func TestTextsAreFoundWithoutRegardToCaseWhereverTheyLie(t *testing.T) {
	for _, key := range []string{"b", "ab", strings.Repeat("a", 600) + "b", strings.Repeat("ab", 300) + "c", "aabaaab"} {
		n := newNeedle(key)
		for _, before := range []int{0, 1, 2, 63, 1000} {
			text := strings.ToUpper(strings.Repeat("a", before) + key + "c")
			if got, want := n.indexIn(text), strings.Index(text, strings.ToUpper(key)); got != want {
				t.Errorf("%d bytes behind %d are found at %d, should be at %d", len(key), before, got, want)
			}
			text = text[:len(text)-2]
			if got := n.indexIn(text); got != strings.Index(text, strings.ToUpper(key)) {
				t.Errorf("%d bytes behind %d are found at %d, where they are not", len(key), before, got)
			}
		}
	}
}
