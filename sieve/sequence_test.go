package sieve

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// inSequence runs scripts one after the other for the sample.
func inSequence(t *testing.T, scripts ...string) Outcome {
	t.Helper()
	var q Sequence
	for _, s := range scripts {
		q = append(q, compiled(t, s))
	}
	return q.Run(context.Background(), jobFor(t, sample))
}

func TestTheNextScriptRunsWhileTheMessageIsKept(t *testing.T) {
	const file = "require [\"fileinto\", \"copy\"];\n"
	for _, c := range []struct {
		scripts []string
		done    string
	}{
		{[]string{"", ""}, "implicit"},
		{[]string{"keep;", ""}, "implicit"},
		{[]string{"keep;", "discard;"}, "discard"},
		{[]string{"keep;", file + "fileinto \"a\";"}, "fileinto a"},
		{[]string{"", file + "fileinto \"a\";", "discard;"}, "fileinto a"},
		{[]string{"discard;", "keep;"}, "discard"},
		{[]string{file + "fileinto :copy \"a\";", file + "fileinto \"b\";"}, "fileinto a, fileinto b"},
		{[]string{file + "fileinto :copy \"a\";", file + "fileinto :copy \"a\";"}, "fileinto a, implicit"},
		{[]string{"redirect \"x@example.net\";", "keep;"}, "redirect x@example.net"},
		{[]string{file + "redirect :copy \"x@example.net\"; stop;", "keep;"}, "redirect x@example.net, keep"},
		{[]string{"stop; discard;", "keep;"}, "keep"},
		{nil, "implicit"},
	} {
		if got := done(inSequence(t, c.scripts...)); got != c.done {
			t.Errorf("%q: %s, should be %s", c.scripts, got, c.done)
		}
	}
}

func TestAScriptThatFailsKeepsAndTheNextOneRuns(t *testing.T) {
	o := inSequence(t, "require [\"ihave\", \"fileinto\"];\nfileinto \"a\"; discard;\nerror \"no more\";", "require \"fileinto\";\nfileinto \"b\";")
	if got := done(o); got != "fileinto a, fileinto b" {
		t.Error(got)
	}
	var e *RunError
	if !errors.As(o.Err, &e) || e.Line != 3 || e.Text != "no more" {
		t.Errorf("%v", o.Err)
	}
}

func TestEachScriptHasVariablesOfItsOwn(t *testing.T) {
	const head = "require [\"variables\", \"fileinto\"];\n"
	o := inSequence(t, head+"set \"a\" \"x\";", head+"fileinto \"=${a}\";")
	if got := done(o); got != "fileinto =" {
		t.Error(got)
	}
}

func TestEachScriptHasStepsOfItsOwn(t *testing.T) {
	busy := compiled(t, strings.Repeat("if not true { }\n", 100))
	j := jobFor(t, sample)
	j.Budget.Steps = 400
	if o := (Sequence{busy, busy, busy}).Run(context.Background(), j); o.Err != nil || o.Cost.Steps < 600 {
		t.Errorf("%v, %d steps", o.Err, o.Cost.Steps)
	}
}

func TestOneMessageInOneMailboxIsThereOnce(t *testing.T) {
	const head = "require [\"fileinto\", \"copy\", \"mailbox\"];\n"
	for _, c := range []struct{ script, done string }{
		{"keep; keep;", "keep"},
		{"fileinto \"a\"; fileinto \"a\";", "fileinto a"},
		{"fileinto \"inbox\"; keep;", "keep"}, // RFC 5228 4.1, 4.3: they are the same
		{"keep; fileinto \"INBOX\";", "keep"},
		{"fileinto :copy \"INBOX\";", "fileinto INBOX"},
		{"redirect \"a@b.example\"; redirect \"A <a@b.example>\";", "redirect a@b.example"},
		{"keep; discard;", "keep, discard"},
		{"fileinto \"a\"; fileinto \"A\";", "fileinto a, fileinto A"},
	} {
		if got := done(outcomeOf(t, head+c.script)); got != c.done {
			t.Errorf("%s: %s", c.script, got)
		}
	}
}

func TestTheImplicitKeepGoesWhereTheRulesSay(t *testing.T) {
	const head = "require [\"fileinto\", \"copy\"];\n"
	for _, c := range []struct{ script, done string }{
		{"", "implicit"},
		{"stop;", "implicit"},
		{"discard;", "discard"},
		{"keep;", "keep"},
		{"fileinto \"a\";", "fileinto a"},
		{"fileinto :copy \"a\";", "fileinto a, implicit"}, // RFC 3894 3
		{"redirect \"a@b.example\";", "redirect a@b.example"},
		{"redirect :copy \"a@b.example\";", "redirect a@b.example, implicit"},
		{"redirect \"BOB+lists@example.com\";", "implicit"}, // it came for that address
		{"redirect \"sales@example.com\";", "implicit"},
	} {
		if got := done(outcomeOf(t, head+c.script)); got != c.done {
			t.Errorf("%s: %s", c.script, got)
		}
	}
}

func TestAddressesThatMailCanBeSentTo(t *testing.T) {
	for _, c := range []struct{ written, sent string }{
		{"a@b.example", "a@b.example"},
		{" a @ b.example ", "a@b.example"},
		{"Ann <a@b.example>", "a@b.example"},
		{`"Ann, B." <a@b.example>`, "a@b.example"},
		{`"a"@b.example`, "a@b.example"},
		{`"a b"@b.example`, `"a b"@b.example`},
		{"a..b.@c.example", `"a..b."@c.example`},
		{"a@bücher.example", "a@xn--bcher-kva.example"},
		{"ü@b.example", ""},
		{"a b@c.example", ""},
		{"a@b.example, c@d.example", ""},
		{"a@", ""}, {"@b", ""}, {"a", ""}, {"", ""}, {"<>", ""}, {"<a@b.example", ""}, {"a@b c.example", ""},
		{"a\r\nBcc: x@y.example", ""},
		{"<@c.example:a@b.example>", ""},
		{"list: a@b.example;", ""},
	} {
		if got := outAddress(c.written); got != c.sent {
			t.Errorf("%q: %q, should be %q", c.written, got, c.sent)
		}
	}
}
