package verdict

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestWhatWouldHaveChangedTheDecision(t *testing.T) {
	for name, c := range map[string]struct {
		message, own []Check
		policy       Policy
		want         []Turn
	}{
		"short of junk": {checks(scored(420)), nil, usual, []Turn{
			{"0.80 points more", Junk}, {"1.21 points less", Inbox}, {"without rules (matched, 4.20 points)", Inbox}}},
		"nothing was found": {checks(found(CheckSPF, "pass", "")), nil, usual, []Turn{{"3.00 points more", Tag}}},
		"two that are both needed": {checks(scored(250), found(CheckSPF, "pass", ""), scored(250)), nil, usual, []Turn{
			{"10.00 points more", Reject}, {"0.01 points less", Tag},
			{"without rules (matched, 2.50 points)", Inbox}, {"without rules (matched, 2.50 points)", Inbox}}},
		"a virus":             {checks(infected, scored(100)), nil, usual, []Turn{{"without virus (infected)", Inbox}}},
		"an allowed sender":   {checks(scored(700)), checks(allowed), usual, []Turn{{"without sender (allowed)", Junk}}},
		"DMARC":               {checks(scored(100)), nil, usual.with(asks("reject")), []Turn{{"if nothing asked for reject by DMARC", Inbox}}},
		"the scanner":         {checks(found(CheckScanner, "reject", ""), scored(300)), nil, usual.with(scans), []Turn{{"without scanner (reject)", Tag}}},
		"nothing ever counts": {checks(scored(700)), nil, Policy{}, nil},
		"greylisting": {checks(scored(200)), checks(wait), usual.with(greylists(200)), []Turn{
			{"3.00 points more", Junk}, {"0.01 points less", Inbox}, {"without rules (matched, 2.00 points)", Inbox}, {"without greylist (wait)", Inbox}}},
	} {
		if got := Turns(c.message, c.own, c.policy); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, c.want)
		}
	}
}

// Whatever the trace, the points that are told to lack turn the decision, and one hundredth less does not.
func TestThePointsToldAreTheFewestThatTurnTheDecision(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	told := 0
	for range 3000 {
		trace := anyTrace(r)
		for _, to := range trace.Recipients {
			is := Decide(trace.Checks, to.Checks, to.Policy)
			for _, turn := range Turns(trace.Checks, to.Checks, to.Policy) {
				var whole, cents Points
				var word string
				if n, _ := fmt.Sscanf(turn.If, "%d.%d points %s", &whole, &cents, &word); n != 3 {
					continue
				}
				told++
				delta, back := whole*100+cents, Points(-1)
				if word == "less" {
					delta, back = -delta, 1
				}
				if got := Decide(trace.Checks, with(to.Checks, Check{Points: delta}), to.Policy).Action; got != turn.Action {
					t.Fatalf("seed %d: %v, and it is %s", seed, turn, got)
				}
				if got := Decide(trace.Checks, with(to.Checks, Check{Points: delta + back}), to.Policy).Action; got != is.Action {
					t.Fatalf("seed %d: %v, and a hundredth nearer it is %s already", seed, turn, got)
				}
			}
		}
	}
	if told == 0 {
		t.Error("nothing was told")
	}
}
