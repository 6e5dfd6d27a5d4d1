package main

import (
	"strings"
	"testing"

	"postern/internal/verdict"
)

// A message has one reply for all its recipients, so a copy can lie in Junk though its recipient would refuse it.
func TestACopyThatIsKeptIsNotSaidToBeRefused(t *testing.T) {
	for action, want := range map[verdict.Action]string{
		verdict.Reject: "for a@example.org: not refused, since others take the message, into Junk by spam\n",
		verdict.Junk:   "for a@example.org: junk, into Junk by spam\n",
	} {
		var out strings.Builder
		c := &command{out: &out}
		c.showDecision(verdict.Trace{}, verdict.Recipient{Address: "a@example.org", Mailbox: "Junk", FiledBy: "spam", Verdict: verdict.Verdict{Action: action}})
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: %s", action, out.String())
		}
	}
}
