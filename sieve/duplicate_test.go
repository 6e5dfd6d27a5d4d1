package sieve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// sees runs a script with a duplicate test for one message after the other, remembers what is to be remembered, and tells which of
// them were duplicates.
func sees(t *testing.T, test string, ids ...string) (list string) {
	t.Helper()
	a := newAccount()
	for _, id := range ids {
		o := a.runs(t, "require [\"duplicate\", \"variables\"];\nif "+test+" { discard; }", strings.Replace("X-Event: e\r\nMessage-ID: "+id+"\r\n\r\nText.\r\n", "Message-ID: -\r\n", "", 1))
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		for _, s := range o.Sightings {
			a.seen[s.Key] = a.Now().Add(s.For)
		}
		if list += "-"; !o.ImplicitKeep {
			list = list[:len(list)-1] + "d"
		}
	}
	return list
}

func TestDuplicateAfterTheRules(t *testing.T) {
	for _, c := range []struct {
		test string
		ids  []string
		want string
	}{
		{`duplicate`, []string{"<1@x>", "<2@x>", "<1@x>", "<1@x>"}, "--dd"},
		{`duplicate`, []string{"-", "-"}, "--"}, // RFC 7352 3.1: what has no id is no duplicate
		{`duplicate :header "X-Event"`, []string{"<1@x>", "<2@x>"}, "-d"},
		{`duplicate :header "X-Other"`, []string{"<1@x>", "<1@x>"}, "--"},
		{`duplicate :uniqueid "u"`, []string{"<1@x>", "<2@x>"}, "-d"},
		{`duplicate :uniqueid "${unset}"`, []string{"<1@x>", "<1@x>"}, "-d"}, // RFC 7352 3.1: any text is an id
		{`duplicate :header "no field"`, []string{"<1@x>", "<1@x>"}, "--"},
		{`anyof (duplicate, duplicate :header "Message-ID", duplicate :uniqueid "<1@x>")`, []string{"<1@x>", "<2@x>", "<1@x>"}, "-dd"}, // whatever it comes from
		{`anyof (duplicate :uniqueid "u", duplicate :seconds 0 :uniqueid "u")`, []string{"<1@x>", "<1@x>"}, "-d"},
		{`anyof (duplicate, duplicate)`, []string{"<1@x>", "<1@x>"}, "-d"}, // RFC 7352 3: the answer stays the same within a run
		{`allof (duplicate :handle "a", duplicate :handle "b")`, []string{"<1@x>", "<1@x>", "<1@x>"}, "--d"},
		{`duplicate :seconds 0`, []string{"<1@x>", "<1@x>"}, "--"},
	} {
		if got := sees(t, c.test, c.ids...); got != c.want {
			t.Errorf("%s: %s, should be %s", c.test, got, c.want)
		}
	}
}

func TestWhatIsRememberedOfASighting(t *testing.T) {
	a := newAccount()
	run := func(test string) []Sighting {
		return a.runs(t, "require \"duplicate\";\nif "+test+" { keep; }", letterTo("")).Sightings
	}
	for test, want := range map[string]time.Duration{`duplicate`: usualMemory, `duplicate :seconds 60`: time.Minute, `duplicate :seconds 99999999999`: longestMemory} {
		if list := run(test); len(list) != 1 || list[0].For != want || list[0].Known || len(list[0].Key) != 64 {
			t.Errorf("%s: %+v", test, list)
		}
	}
	a.seen[run(`duplicate`)[0].Key] = a.Now().Add(time.Hour)
	if list := run(`duplicate`); list != nil { // RFC 7352 3.3: its time goes on from when it came first
		t.Errorf("%+v", list)
	}
	if list := run(`duplicate :last`); len(list) != 1 || !list[0].Known {
		t.Errorf("%+v", list)
	}
}

func TestAScriptThatFailsRemembersNothing(t *testing.T) {
	o := newAccount().runs(t, "require [\"duplicate\", \"ihave\"];\nif duplicate { keep; } error \"x\";", letterTo(""))
	if o.Err == nil || len(o.Sightings) != 0 {
		t.Errorf("%v, %+v", o.Err, o.Sightings)
	}
	j := jobFor(t, letterTo(""))
	first, second := compiled(t, "require \"duplicate\";\nif duplicate { keep; }"), compiled(t, "require [\"duplicate\", \"ihave\"];\nif duplicate :uniqueid \"u\" { keep; } error \"x\";")
	if o := (Sequence{first, second}).Run(context.Background(), j); len(o.Sightings) != 1 {
		t.Errorf("%+v", o.Sightings)
	}
}

func TestAScriptCanAskForFewIDs(t *testing.T) {
	script := "require \"duplicate\";\n"
	for i := range maxSightings + 1 {
		script += fmt.Sprintf("if duplicate :uniqueid \"%d\" { keep; }\n", i)
	}
	if o := newAccount().runs(t, script, letterTo("")); !errors.Is(o.Err, ErrBudget) {
		t.Errorf("%v", o.Err)
	}
}

func TestMistakesWithDuplicate(t *testing.T) {
	for script, want := range map[string]string{
		`if duplicate :header "a" :uniqueid "b" { keep; }`: "stands there already",
		`if duplicate "a" { keep; }`:                       "requires 0 positional",
	} {
		if p := mistakes(t, "require \"duplicate\"; "+script); len(p) == 0 || !strings.Contains(p[0].Text, want) {
			t.Errorf("%s: %v", script, p)
		}
	}
	s := compiled(t, "require \"duplicate\";\nif duplicate :header \"Subject:\" { keep; }") // RFC 7352 3.1: no mistake
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0].Text, "is no name of a header field") {
		t.Errorf("%v", s.Warnings)
	}
}
