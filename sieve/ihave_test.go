package sieve

import (
	"strings"
	"testing"
)

func TestIHaveAsksAndBringsIn(t *testing.T) {
	for _, c := range []struct{ script, done string }{
		{"if ihave \"fileinto\" { fileinto \"a\"; }", "fileinto a"},
		{"if ihave [\"fileinto\", \"nonsense\"] { fileinto \"a\"; } else { discard; }", "discard"},
		{"if ihave \"nonsense\" { nonsense \"Frop\" :tag 5; } else { discard; }", "discard"},
		{"if not ihave \"nonsense\" { discard; stop; }\nnonsense;", "discard"},
		{"if allof (ihave \"nonsense\", nonsense \"x\") { keep; } elsif true { discard; }", "discard"},
		{"if ihave \"variables\" { set \"a\" \"x\"; redirect \"${a}@example.net\"; }", "redirect x@example.net"},
		{"if ihave \"comparator-i;ascii-numeric\" { if header :comparator \"i;ascii-numeric\" \"x-number\" \"17\" { discard; } }", "discard"},
	} {
		o := outcomeOf(t, "require \"ihave\";\n"+c.script)
		if got := done(o); got != c.done || o.Err != nil {
			t.Errorf("%s: %s, %v", c.script, got, o.Err)
		}
	}
}

func TestAnUnknownWordBehindIHaveFailsWhenItIsReached(t *testing.T) {
	s := compiled(t, "require \"ihave\";\ndiscard;\nif not ihave \"nonsense\" {\n  nonsense;\n}")
	if len(s.Warnings) != 1 || s.Warnings[0].Line != 4 {
		t.Errorf("warnings: %v", s.Warnings)
	}
	o := s.Run(t.Context(), jobFor(t, sample))
	if o.Err == nil || o.Err.Error() != "line 4: unknown command 'nonsense'" || done(o) != "implicit" {
		t.Errorf("%v; %s", o.Err, done(o))
	}
}

func TestWordsOutsideAreStillChecked(t *testing.T) {
	problems := mistakes(t, "require \"ihave\";\nif ihave \"nonsense\" { keep; }\nnonsense;")
	if len(problems) != 1 || problems[0].Line != 3 {
		t.Errorf("%v", problems)
	}
	if problems := mistakes(t, "if ihave \"x\" { nonsense; }"); len(problems) == 0 {
		t.Error("ihave is there without require")
	}
}

func TestErrorGivesUpWithItsMessage(t *testing.T) {
	o := outcomeOf(t, "require [\"ihave\", \"fileinto\"];\nfileinto \"a\";\ndiscard;\nerror \"that is all\";\nkeep;")
	if o.Err == nil || !strings.Contains(o.Err.Error(), "line 4: that is all") || done(o) != "fileinto a, implicit" {
		t.Errorf("%v; %s", o.Err, done(o))
	}
}

func TestTheEnvironmentIsCompared(t *testing.T) {
	for _, c := range []struct {
		test  string
		holds bool
	}{
		{`environment "location" "MS"`, true},
		{`environment "LOCATION" "ms"`, true},
		{`environment :contains "nonsense" ""`, false},
		{`environment :count "eq" "nonsense" "0"`, false},
		{`environment :count "eq" "location" "1"`, true},
		{`environment :count "eq" "remote-ip" "0"`, true},
		{`environment :matches "domain" "*.com"`, true},
	} {
		if got := holdsFor(t, `"environment", "relational"`, c.test, sample); got != c.holds {
			t.Errorf("%s is %v", c.test, got)
		}
	}
}

func TestOneOfSeveralDelimitersPartsUserAndDetail(t *testing.T) {
	s := compiled(t, "require [\"envelope\", \"subaddress\", \"variables\", \"fileinto\"];\nif envelope :matches :user \"to\" \"*\" { set \"u\" \"${1}\"; }\nif envelope :matches :detail \"to\" \"*\" { fileinto \"${u}|${1}\"; }")
	for _, c := range []struct{ delimiters, to, done string }{
		{"", "a+b+c@example.com", "fileinto a|b+c"},
		{"-+", "a-b+c@example.com", "fileinto a|b+c"},
		{"_", "a+b@example.com", "implicit"},
		{"+", "a+@example.com", "fileinto a|"},
	} {
		j := jobFor(t, sample)
		j.Delimiters, j.Envelope.To = c.delimiters, c.to
		if got := done(s.Run(t.Context(), j)); got != c.done {
			t.Errorf("%q %s: %s", c.delimiters, c.to, got)
		}
	}
}
