package sieve

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"postern/internal/message"
)

// sample is a message that scripts of tests look at.
const sample = "From: Ann <ann@example.org>\r\nTo: Bob <bob+lists@example.com>, team@example.net\r\nSubject: Minutes of the meeting\r\n" +
	"X-Number: 17\r\nX-Empty:\r\nX-Encoded: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nReceived: one\r\nReceived: two\r\nReceived: three\r\n\r\nText.\r\n"

// compiled compiles a script that has no mistake. Its first line is the second, so that what is required stands in the first.
func compiled(t testing.TB, script string) *Script {
	t.Helper()
	s, err := Compile([]byte(script), Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, script)
	}
	return s
}

// jobFor is a job for a message, on a host that knows little.
func jobFor(t testing.TB, mail string) Job {
	t.Helper()
	content := bytes.NewReader([]byte(mail))
	parsed, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return Job{Message: Message{Parsed: parsed, Content: content, Size: content.Size()}, Host: newLab("x"),
		Envelope: Envelope{From: "ann@example.org", To: "bob+lists@example.com", OriginalTo: "sales@example.com", Auth: "ann"}}
}

// outcomeOf runs a script for the sample.
func outcomeOf(t testing.TB, script string) Outcome {
	t.Helper()
	return compiled(t, script).Run(context.Background(), jobFor(t, sample))
}

// holdsFor reports whether a test holds for a message; what it requires is required.
func holdsFor(t testing.TB, require, test, mail string) bool {
	t.Helper()
	s := compiled(t, "require ["+require+"];\nif "+test+" { discard; }")
	o := s.Run(context.Background(), jobFor(t, mail))
	if o.Err != nil {
		t.Fatalf("%s: %v", test, o.Err)
	}
	return !o.ImplicitKeep
}

// done writes the actions of an outcome in one line.
func done(o Outcome) string {
	var list []string
	for _, a := range o.Actions {
		word := strings.TrimSpace(string(a.Kind) + " " + a.Mailbox + a.Address + a.Reason)
		if len(a.Flags) > 0 {
			word += " (" + strings.Join(a.Flags, " ") + ")"
		}
		list = append(list, word)
	}
	if o.ImplicitKeep {
		word := "implicit"
		if len(o.Flags) > 0 {
			word += " (" + strings.Join(o.Flags, " ") + ")"
		}
		list = append(list, word)
	}
	return strings.Join(list, ", ")
}

// mistakes compiles a script and gives what is wrong with it.
func mistakes(t testing.TB, script string) Problems {
	t.Helper()
	_, err := Compile([]byte(script), Options{})
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatalf("the error is %T", err)
	}
	return problems
}
