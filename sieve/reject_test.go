package sieve

import (
	"strings"
	"testing"
)

func TestARefusalStandsAlone(t *testing.T) {
	const head = "require [\"reject\", \"ereject\", \"fileinto\", \"copy\", \"vacation\"];\n"
	for _, c := range []struct{ script, done, why string }{
		{`reject "no";`, "reject no", ""},
		{`ereject "no";`, "ereject no", ""},
		{`reject "no"; stop; keep;`, "reject no", ""},
		{`reject "no"; discard;`, "reject no, discard", ""},
		{`reject "no"; keep;`, "implicit", "keep cannot be used with reject"}, // RFC 5429 2.4
		{`keep; ereject "no";`, "keep", "ereject cannot be used with keep"},
		{`fileinto "x"; reject "no";`, "fileinto x, implicit", "reject cannot be used with fileinto"},
		{`fileinto :copy "x"; reject "no";`, "fileinto x, implicit", "reject cannot be used with fileinto"},
		{`redirect "a@b.example"; reject "no";`, "redirect a@b.example, implicit", "reject cannot be used with redirect"},
		{`reject "a"; reject "b";`, "implicit", "reject cannot be used with reject"},
		{`reject "a"; ereject "a";`, "implicit", "ereject cannot be used with reject"},
		{`vacation "x"; reject "no";`, "implicit", "reject cannot be used with vacation"}, // RFC 5230 4.7
		{`reject "no"; vacation "x";`, "implicit", "vacation cannot be used with reject"},
	} {
		o := outcomeOf(t, head+c.script)
		if done(o) != c.done || (o.Err == nil) != (c.why == "") || o.Err != nil && !strings.Contains(o.Err.Error(), c.why) {
			t.Errorf("%s: %s, %v", c.script, done(o), o.Err)
		}
	}
}

func TestOneScriptRefusesWhatAnotherRefusedOnce(t *testing.T) {
	if got := done(inSequence(t, "require \"reject\";\nreject \"a\";", "keep;")); got != "reject a" {
		t.Error(got)
	}
	o := inSequence(t, "require [\"fileinto\", \"copy\"];\nfileinto :copy \"x\";", "require \"reject\";\nreject \"a\";")
	if got := done(o); got != "fileinto x, reject a" || o.Err != nil {
		t.Errorf("%s, %v", got, o.Err)
	}
}

func TestTheReasonOfARefusalIsPlainText(t *testing.T) {
	o := outcomeOf(t, "require [\"reject\", \"encoded-character\"];\nreject \"one\r\ntwo${hex:00 07}\tthree${hex:ff}\";")
	if got := o.Actions[0].Reason; got != "one\ntwo\tthree\uFFFD" {
		t.Errorf("%q", got)
	}
}
