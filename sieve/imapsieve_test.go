package sieve

import (
	"context"
	"strings"
	"testing"
)

// changed runs a script for a message that was changed in a mailbox.
func changed(t *testing.T, script string) Outcome {
	t.Helper()
	j := jobFor(t, sample)
	j.Message.Flags = []string{`\Seen`, "$Work"}
	j.Change = &Change{User: "bob", Email: "bob@example.com", Cause: "FLAG", Mailbox: "Notes", Flags: []string{`\Seen`, "$Work"}}
	return compiled(t, script).Run(context.Background(), j)
}

func TestTheEnvironmentTellsWhatWasDoneWithAMessage(t *testing.T) {
	const head = "require [\"imapsieve\", \"environment\", \"imap4flags\"];\n"
	for test, holds := range map[string]bool{
		`environment "imap.user" "bob"`:                      true, // RFC 6785 4.2
		`environment "imap.email" "bob@example.com"`:         true,
		`environment "IMAP.cause" "FLAG"`:                    true, // RFC 6785 4.3
		`environment "imap.mailbox" "Notes"`:                 true, // RFC 6785 4.4
		`environment :contains "imap.changedflags" "\\Seen"`: true, // RFC 6785 4.5
		`environment "imap.changedflags" "\\Seen $Work"`:     true,
		`environment :contains "imap.other" ""`:              false,
		`environment "location" "MS"`:                        true, // RFC 6785 4.1
		`environment "phase" "post"`:                         true,
		`environment "domain" "example.com"`:                 true,
		`hasflag "$work"`:                                    true,
	} {
		if o := changed(t, head+"if "+test+" { discard; }"); o.Err != nil || o.ImplicitKeep == holds {
			t.Errorf("%s: %v, %v", test, !o.ImplicitKeep, o.Err)
		}
	}
	for _, item := range []string{"imap.user", "imap.email", "imap.cause", "imap.mailbox", "imap.changedflags"} {
		if !holdsFor(t, `"imapsieve", "environment"`, `environment "`+item+`" ""`, sample) {
			t.Errorf("%s is not empty for mail that comes in", item)
		}
	}
	if o := changed(t, "require \"environment\";\nif environment :contains \"imap.cause\" \"\" { discard; }"); !o.ImplicitKeep {
		t.Error("a script that does not require imapsieve is told of it")
	}
}

func TestKeepLeavesAMessageWhereItLies(t *testing.T) {
	const head = "require [\"imap4flags\", \"fileinto\", \"copy\"];\n"
	for script, want := range map[string]string{
		``:                              `implicit (\Seen $Work)`,
		`keep;`:                         `keep (\Seen $Work)`,
		`addflag "x";`:                  `implicit (\Seen $Work x)`,
		`keep :flags "x";`:              `keep (x)`,
		`fileinto "Notes"; keep;`:       `fileinto Notes (\Seen $Work), keep (\Seen $Work)`, // RFC 6785 3.3: fileinto makes another message
		`fileinto "INBOX"; keep;`:       `fileinto INBOX (\Seen $Work), keep (\Seen $Work)`,
		`fileinto :copy "INBOX";`:       `fileinto INBOX (\Seen $Work), implicit (\Seen $Work)`,
		`discard;`:                      `discard`,
		`redirect :copy "a@b.example";`: `redirect a@b.example, implicit (\Seen $Work)`,
	} {
		if got := done(changed(t, head+script)); got != want {
			t.Errorf("%s: %s, should be %s", script, got, want)
		}
	}
}

func TestNobodyIsAnsweredForAMessageThatLiesInAMailbox(t *testing.T) {
	for script, want := range map[string]string{
		`require "reject"; keep;`:                                        `the script requires "reject"`, // RFC 6785 3.11
		`require "ereject"; keep;`:                                       `the script requires "ereject"`,
		`require "vacation"; keep;`:                                      `the script requires "vacation"`,
		`require "vacation-seconds"; vacation "x";`:                      `vacation is for mail that comes in`,
		`require "ihave"; if ihave "reject" { reject "x"; }`:             `reject is for mail that comes in`,
		`require "envelope"; if envelope :contains "to" "" { discard; }`: `the envelope test is for mail`, // RFC 6785 4.6
		`require "duplicate"; if duplicate { discard; }`:                 `the duplicate test is for mail`,
	} {
		o := changed(t, script)
		if o.Err == nil || !strings.Contains(o.Err.Error(), want) || done(o) != `implicit (\Seen $Work)` {
			t.Errorf("%s: %v, %s", script, o.Err, done(o))
		}
	}
	for _, script := range []string{`require "enotify"; notify "mailto:a@b.example";`, `require "ihave"; if ihave "reject" { keep; }`} {
		if o := changed(t, script); o.Err != nil || len(o.Actions) != 1 {
			t.Errorf("%s: %v", script, o.Err)
		}
	}
}
