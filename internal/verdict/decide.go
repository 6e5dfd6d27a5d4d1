package verdict

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Score adds up what the checks are worth.
func Score(lists ...[]Check) Points {
	var sum Points
	for _, list := range lists {
		for _, c := range list {
			sum += c.Points
		}
	}
	return sum
}

// Decide is the policy: what is done with a recipient's copy, given what was found about the message and for this
// recipient. It depends on nothing else. The first line that applies decides.
func Decide(message, own []Check, p Policy) Verdict {
	score := Score(message, own)
	is := func(a Action, rule string, args ...any) Verdict {
		return Verdict{Score: score, Action: a, Rule: fmt.Sprintf(rule, args...)}
	}
	if c, ok := find(message, CheckClaim); ok && c.Result == "not proven" {
		return is(Reject, "claim: %s", c.Detail)
	} else if ok && c.Result == "unsure" {
		return is(Greylist, "claim: %s", c.Detail)
	}
	if c, ok := find(message, CheckVirus); ok && c.Result == "infected" {
		action := p.Virus
		if action == "" {
			action = Reject
		}
		return is(action, "virus: %s", c.Detail)
	}
	listed, _ := find(own, CheckSender)
	if listed.Result == "allowed" {
		return is(Inbox, "the recipient's list allows the sender")
	}
	// What hangs on the DNS that does not answer waits for it.
	checked, _ := find(message, CheckDMARC)
	unsure := checked.Result == "temperror"
	if p.DMARC == "reject" && unsure {
		return is(Greylist, "dmarc: %s, and what may prove the author cannot be checked now", p.DMARC)
	}
	if p.DMARC == "reject" {
		return is(Reject, "dmarc: %s", p.dmarcWords())
	}
	if listed.Result == "blocked" {
		return is(Junk, "the recipient's list blocks the sender")
	}
	v := p.byScore(message, own, score, is)
	if p.DMARC == "quarantine" && (v.Action == Inbox || v.Action == Tag) {
		if unsure {
			return is(Greylist, "dmarc: %s, and what may prove the author cannot be checked now", p.DMARC)
		}
		return is(Junk, "dmarc: %s", p.dmarcWords())
	}
	return v
}

// byScore is what the scanner says where there is one that answered, else what the score says.
func (p Policy) byScore(message, own []Check, score Points, is func(Action, string, ...any) Verdict) Verdict {
	if c, ok := find(message, CheckScanner); ok && p.Scanner != "" {
		switch c.Result {
		case "ham":
			return is(Inbox, "%s: ham", p.Scanner)
		case "spam":
			return is(Junk, "%s: spam", p.Scanner)
		case "reject":
			return is(Reject, "%s: reject", p.Scanner)
		case "defer":
			return is(Greylist, "%s: come again", p.Scanner)
		case "greylist":
			// The scanner says so every time; whether the sender has come again is for us to know.
			if g, ok := find(own, CheckGreylist); ok && g.Result == "wait" {
				return is(Greylist, "%s: greylist, and the sender is new", p.Scanner)
			}
			return is(Tag, "%s: greylist, and the sender need not come again", p.Scanner)
		}
		// It did not answer: the mail is taken whatever the built-in engine thinks of it.
		if p.Junk > 0 && score >= p.Junk {
			return is(Junk, "score %s reaches junk %s of %s, %s being unavailable", score, p.Junk, p.Source, p.Scanner)
		}
		return is(Inbox, "score %s, %s being unavailable", score, p.Scanner)
	}
	switch {
	case p.Reject > 0 && score >= p.Reject:
		return is(Reject, "score %s reaches reject %s of %s", score, p.Reject, p.Source)
	case p.Junk > 0 && score >= p.Junk:
		return is(Junk, "score %s reaches junk %s of %s", score, p.Junk, p.Source)
	}
	if c, ok := find(own, CheckGreylist); ok && c.Result == "wait" && p.Greylist > 0 && score >= p.Greylist {
		return is(Greylist, "score %s reaches greylist %s of %s and the sender is new", score, p.Greylist, p.Source)
	}
	if p.Tag > 0 && score >= p.Tag {
		return is(Tag, "score %s reaches tag %s of %s", score, p.Tag, p.Source)
	}
	return is(Inbox, "score %s", score)
}

func (p Policy) dmarcWords() string {
	if p.DMARCSource != "" {
		return p.DMARC + ", " + p.DMARCSource
	}
	return p.DMARC + ", as the author's domain asks"
}

func find(checks []Check, name string) (Check, bool) {
	for _, c := range checks {
		if c.Name == name {
			return c, true
		}
	}
	return Check{}, false
}

// Decide fills in the verdict of every recipient.
func (t *Trace) Decide() {
	for i := range t.Recipients {
		r := &t.Recipients[i]
		r.Verdict = Decide(t.Checks, r.Checks, r.Policy)
	}
}

// Replay decides anew from what the trace holds and reports whether every verdict is, byte for byte, what it was.
func (t *Trace) Replay() (again []Verdict, same bool) {
	same = true
	for _, r := range t.Recipients {
		v := Decide(t.Checks, r.Checks, r.Policy)
		again = append(again, v)
		was, err1 := json.Marshal(r.Verdict)
		is, err2 := json.Marshal(v)
		same = same && err1 == nil && err2 == nil && bytes.Equal(was, is)
	}
	return again, same
}
