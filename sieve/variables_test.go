package sieve

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestVariablesAfterTheRules(t *testing.T) {
	for _, c := range []struct{ script, value string }{
		{`set "a" "x"; set "r" "${a}${A}";`, "xx"},                // RFC 5229 3: names have no case
		{`set "r" "[${unset}]";`, "[]"},                           // one that was not set is empty
		{`set "a" "1"; set "r" "${a${a}";`, "${a1"},               // what is no variable stays
		{`set "r" "${} ${-} ${a b} $ {";`, "${} ${-} ${a b} $ {"}, //
		{`set "a" "b"; set "b" "no"; set "r" "${${a}}";`, "${b}"}, // what a variable held is not read again
		{`set :lower "r" "ÄBC";`, "äbc"},                          // RFC 5229 4.1.1
		{`set :upperfirst :lower "r" "hELLO";`, "Hello"},          // RFC 5229 4.1: lower comes before upperfirst
		{`set :lowerfirst :upper "r" "hello";`, "hELLO"},          //
		{`set :quotewildcard "r" "a*b?\\";`, `a\*b\?\\`},          // RFC 5229 4.1.3
		{`set :length "r" "äöü";`, "3"},                           // RFC 5229 4.1.4: characters
		{`set :length :quotewildcard "r" "***";`, "6"},            // the length is of what the others left
		{`set :quoteregex "r" "a.b";`, `a\.b`},                    // draft-ietf-sieve-regex
		{`set "r" "${hex:41}${unicode:e9}";`, "Aé"},               // RFC 5228 2.4.2.4
		{`set "a" "x"; if string :matches "abc" "a*" { set "r" "${1}${a}"; }`, "bcx"},
		{`if string :matches "abc" "a*" { } if string :matches "x" "y*" { } set "r" "${1}";`, "bc"}, // a match that is none leaves what there was
		{`if string "${unset}" "" { set "r" "yes"; }`, "yes"},
		{`if string :count "eq" :comparator "i;ascii-numeric" ["a", "", "b"] "2" { set "r" "two"; }`, "two"}, // RFC 5229 5
	} {
		o := outcomeOf(t, `require ["variables", "fileinto", "regex", "encoded-character", "relational", "comparator-i;ascii-numeric"];`+
			"\n"+c.script+` fileinto "=${r}";`)
		if got := done(o); got != "fileinto ="+c.value {
			t.Errorf("%s: %q, %v", c.script, got, o.Err)
		}
	}
}

func TestWithoutVariablesAStringIsItself(t *testing.T) {
	if got := done(outcomeOf(t, "require \"fileinto\";\nfileinto \"${a}\";")); got != "fileinto ${a}" {
		t.Error(got)
	}
}

// TestVariablesThatDoubleEndInALimit: each line makes the value twice as long.
func TestVariablesThatDoubleEndInALimit(t *testing.T) {
	s := compiled(t, "require \"variables\";\nset \"a\" \"0123456789abcdef\";\n"+strings.Repeat("set \"a\" \"${a}${a}\";\n", 40))
	o := s.Run(context.Background(), jobFor(t, sample))
	if o.Err != nil || o.Cost.Memory > 2*maxValue {
		t.Errorf("%v, %+v", o.Err, o.Cost)
	}
	wide := "require \"variables\";\nset \"a\" \"" + strings.Repeat("x", 15<<10) + "\";\n" + "set \"b\" \"" + strings.Repeat("${a}", 50_000) + "\";"
	if o := compiled(t, wide).Run(context.Background(), jobFor(t, sample)); o.Err != nil || o.Cost.Memory > 3*maxValue || o.Cost.Steps > 6000 {
		t.Errorf("%v, %+v", o.Err, o.Cost)
	}
}

func TestTooManyVariablesAreToldBeforeTheScriptRuns(t *testing.T) {
	var script strings.Builder
	script.WriteString("require \"variables\";\n")
	for i := range maxVariables + 5 {
		script.WriteString("set \"v" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26) + "z\" \"\";\n")
	}
	problems := mistakes(t, script.String())
	if len(problems) != 1 || !strings.Contains(problems[0].Text, "more than 256 variables") {
		t.Errorf("%v", problems)
	}
}

func TestTheLengthOfAnythingCountsAgainstTheMemory(t *testing.T) {
	script := "require \"variables\";\nset \"a\" \"" + strings.Repeat("x", 10_000) + "\";\n"
	for _, name := range []string{"b", "c", "d", "e"} {
		script += "set \"" + name + "\" \"${a}\";\n"
	}
	j := jobFor(t, sample)
	j.Budget.Memory = 30_000
	if o := compiled(t, script).Run(context.Background(), j); !errors.Is(o.Err, ErrBudget) || !o.ImplicitKeep {
		t.Errorf("%v", o.Err)
	}
}
