package sieve

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// wildcardOracle fits a pattern to a text by trying everything, the shortest first, and gives what each wildcard met.
func wildcardOracle(pattern, text string, octets bool) (met []string, ok bool) {
	if pattern == "" {
		return nil, text == ""
	}
	switch c := pattern[0]; {
	case c == '*':
		for n := 0; n <= len(text); n++ {
			if !octets && n < len(text) && !utf8.RuneStart(text[n]) {
				continue
			}
			if rest, ok := wildcardOracle(pattern[1:], text[n:], octets); ok {
				return append([]string{text[:n]}, rest...), true
			}
		}
		return nil, false
	case c == '?':
		if text == "" {
			return nil, false
		}
		n := 1
		if !octets {
			_, n = utf8.DecodeRuneInString(text)
		}
		rest, ok := wildcardOracle(pattern[1:], text[n:], octets)
		return append([]string{text[:n]}, rest...), ok
	case c == '\\' && len(pattern) > 1:
		pattern = pattern[1:]
	}
	if text == "" || text[0] != pattern[0] {
		return nil, false
	}
	return wildcardOracle(pattern[1:], text[1:], octets)
}

func TestWildcardsMeetWhatTryingEverythingMeets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string, most int) string {
		var out strings.Builder
		for range random.IntN(most) {
			out.WriteString(from[random.IntN(len(from))])
		}
		return out.String()
	}
	matched := 0
	for range 60_000 {
		octets := random.IntN(2) == 0
		pattern := pick([]string{"a", "b", "ab", "é", "*", "*", "?", `\*`, `\?`, `\\`, `\a`}, 8)
		text := pick([]string{"a", "b", "ab", "é", "*", "?", `\`}, 10)
		m := &matcher{comparator: comparators["i;octet"], kind: "matches"}
		k, err := m.key(pattern)
		if err != nil {
			t.Fatal(err)
		}
		k.pattern.octets = octets
		want, ok := wildcardOracle(pattern, text, octets)
		got, _ := k.pattern.match(text, true, 1<<20)
		if ok != (got != nil) {
			t.Fatalf("%q and %q: matches is %v, should be %v", pattern, text, got != nil, ok)
		}
		if !ok {
			continue
		}
		matched++
		if got[0] != text || !slices.Equal(got[1:], want) {
			t.Fatalf("%q and %q: met %q, should be %q", pattern, text, got[1:], want)
		}
	}
	if matched < 3000 {
		t.Errorf("only %d patterns matched", matched)
	}
}

func TestMatchTypesAfterTheRules(t *testing.T) {
	const numeric = `"relational", "comparator-i;ascii-numeric"`
	for _, c := range []struct {
		require, test string
		holds         bool
	}{
		// RFC 5228 2.7.1, 2.7.3
		{``, `header "subject" "minutes OF the meeting"`, true},
		{``, `header :comparator "i;octet" "subject" "minutes of the meeting"`, false},
		{``, `header :contains "subject" "MEET"`, true},
		{``, `header :contains :comparator "i;octet" "subject" "MEET"`, false},
		{``, `header :contains "x-empty" ""`, true},
		{``, `header :contains "x-absent" ""`, false},
		{``, `header :is "x-empty" ""`, true},
		{``, `header :matches "subject" "M*of*g"`, true},
		{``, `header :matches "subject" "M*of*G?"`, false},
		{``, `header :matches "x-encoded" "Gr??e"`, true},
		{``, `header :matches :comparator "i;octet" "x-encoded" "Gr??e"`, false}, // a character, not an octet, has two
		{``, `header :matches :comparator "i;octet" "x-encoded" "Gr????e"`, true},
		{``, `header ["x-absent", "SUBJECT"] ["no", "minutes of the meeting"]`, true},
		{`"comparator-i;unicode-casemap"`, `header :comparator "i;unicode-casemap" "x-encoded" "GRÜSSE"`, true},
		{``, `header "x-encoded" "GRÜSSE"`, false},
		// RFC 4790 9.1: what is no number is beyond all numbers
		{numeric, `header :comparator "i;ascii-numeric" "x-number" "0017.5"`, true},
		{numeric, `header :value "gt" :comparator "i;ascii-numeric" "x-number" "9"`, true},
		{numeric, `header :value "gt" "x-number" "9"`, false},
		{numeric, `header :value "gt" :comparator "i;ascii-numeric" "subject" "99999999999999999999999999"`, true},
		{numeric, `header :value "lt" :comparator "i;ascii-numeric" "x-number" "18446744073709551616"`, true},
		{numeric, `header :comparator "i;ascii-numeric" "subject" "also no number"`, true},
		// RFC 5231 4.2
		{numeric, `header :count "eq" :comparator "i;ascii-numeric" "received" "3"`, true},
		{numeric, `header :count "ge" :comparator "i;ascii-numeric" ["received", "subject"] "4"`, true},
		{numeric, `address :count "eq" :comparator "i;ascii-numeric" "to" "2"`, true},
		{numeric, `header :count "eq" :comparator "i;ascii-numeric" "x-absent" "0"`, true},
		{numeric, `header :value "ne" "subject" "x"`, true},
		// draft-ietf-sieve-regex
		{`"regex"`, `header :regex "subject" "^minutes .*meet(ing)?$"`, true},
		{`"regex"`, `header :regex :comparator "i;octet" "subject" "^minutes"`, false},
		{`"regex"`, `header :regex "subject" "[[:digit:]]"`, false},
	} {
		if got := holdsFor(t, nonEmpty(c.require), c.test, sample); got != c.holds {
			t.Errorf("%s is %v", c.test, got)
		}
	}
}

// nonEmpty is a list of extensions that has one at least.
func nonEmpty(list string) string {
	if list == "" {
		return `"copy"`
	}
	return list
}

func TestAddressesHavePartsAndEnvelopesToo(t *testing.T) {
	const all = `"envelope", "subaddress"`
	for _, c := range []struct {
		test  string
		holds bool
	}{
		{`address "from" "ann@example.org"`, true},
		{`address :localpart "from" "ANN"`, true},
		{`address :domain ["from", "to"] "example.net"`, true},
		{`address :user "to" "bob"`, true},
		{`address :detail "to" "lists"`, true},
		{`address :detail "from" ""`, false}, // there is no detail, not an empty one (RFC 5233 4)
		{`address :contains "from" "Ann <"`, false},
		{`envelope "from" "ann@example.org"`, true},
		{`envelope :detail "to" "lists"`, true},
		{`envelope "orig_to" "sales@example.com"`, true},
		{`envelope "auth" "ann"`, true},
		{`exists ["from", "to"]`, true},
		{`exists ["from", "x-absent"]`, false},
		{`size :over 200`, true},
		{`size :under 200`, false},
		{`anyof (false, true)`, true},
		{`allof (true, false)`, false},
		{`not false`, true},
	} {
		if got := holdsFor(t, all, c.test, sample); got != c.holds {
			t.Errorf("%s is %v", c.test, got)
		}
	}
}

func TestOneOfTheSeveralFieldsIsPicked(t *testing.T) {
	for _, c := range []struct {
		test  string
		holds bool
	}{
		{`header :index 1 "received" "one"`, true},
		{`header :index 2 "received" "two"`, true},
		{`header :index 1 :last "received" "three"`, true},
		{`header :index 4 :contains "received" ""`, false},
	} {
		if got := holdsFor(t, `"index"`, c.test, sample); got != c.holds {
			t.Errorf("%s is %v", c.test, got)
		}
	}
}

func TestTheFirstMatchLeavesWhatItsWildcardsMet(t *testing.T) {
	for _, c := range []struct{ test, left string }{
		{`header :matches "subject" "*of*"`, "Minutes of the meeting|Minutes | the meeting"},
		{`header :matches "subject" "?inute* the*"`, "Minutes of the meeting|M|s of"},
		{`header :matches ["x-absent", "received"] ["t*", "o*"]`, "one|ne|"},
		{`header :regex "subject" "(of) (x)?(the)"`, "of the|of|"},
		{`header :matches "subject" "zzz*"`, "||"},
	} {
		o := outcomeOf(t, "require [\"variables\", \"regex\", \"fileinto\"];\nif "+c.test+" { fileinto \"x${0}|${1}|${2}\"; } else { fileinto \"x||\"; }")
		if got := done(o); got != "fileinto x"+c.left {
			t.Errorf("%s leaves %q", c.test, got)
		}
	}
}
