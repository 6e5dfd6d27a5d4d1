package verdict

import (
	"bytes"
	"encoding/json"
)

// Score adds up what the checks are worth.
func Score(lists ...[]Check) Points {
	var sum Points
	for _, list := range lists {
		for i := range list {
			sum += list[i].Points
		}
	}
	return sum
}

// Decide is the policy: what is done with a recipient's copy, given what was found about the message and for this
// recipient. It depends on nothing else. The first line that applies decides.
func Decide(message, own []Check, p Policy) Verdict {
	score := Score(message, own)
	is := func(a Action, rule string) Verdict { return Verdict{Score: score, Action: a, Rule: rule} }
	if c := find(message, CheckClaim); c.Result == "not proven" {
		return is(Reject, "claim: "+c.Detail)
	} else if c.Result == "unsure" {
		return is(Greylist, "claim: "+c.Detail)
	}
	if c := find(message, CheckVirus); c.Result == "infected" {
		action := p.Virus
		if action == "" {
			action = Reject
		}
		return is(action, "virus: "+c.Detail)
	}
	listed := find(own, CheckSender)
	if listed.Result == "allowed" {
		return is(Inbox, "the recipient's list allows the sender")
	}
	// What hangs on the DNS that does not answer waits for it.
	unsure := find(message, CheckDMARC).Result == "temperror"
	if p.DMARC == "reject" && unsure {
		return is(Greylist, "dmarc: "+p.DMARC+", and what may prove the author cannot be checked now")
	}
	if p.DMARC == "reject" {
		return is(Reject, "dmarc: "+p.dmarcWords())
	}
	if listed.Result == "blocked" {
		return is(Junk, "the recipient's list blocks the sender")
	}
	v := p.byScore(message, own, score)
	if p.DMARC == "quarantine" && (v.Action == Inbox || v.Action == Tag) {
		if unsure {
			return is(Greylist, "dmarc: "+p.DMARC+", and what may prove the author cannot be checked now")
		}
		return is(Junk, "dmarc: "+p.dmarcWords())
	}
	return v
}

// byScore is what the scanner says where there is one that answered, else what the score says.
func (p *Policy) byScore(message, own []Check, score Points) Verdict {
	is := func(a Action, rule string) Verdict { return Verdict{Score: score, Action: a, Rule: rule} }
	reaches := func(a Action, threshold Points, more string) Verdict {
		return is(a, "score "+score.String()+" reaches "+string(a)+" "+threshold.String()+" of "+p.Source+more)
	}
	if c := find(message, CheckScanner); c.Name != "" && p.Scanner != "" {
		switch c.Result {
		case "ham":
			return is(Inbox, p.Scanner+": ham")
		case "spam":
			return is(Junk, p.Scanner+": spam")
		case "reject":
			return is(Reject, p.Scanner+": reject")
		case "defer":
			return is(Greylist, p.Scanner+": come again")
		case "greylist":
			// The scanner says so every time; whether the sender has come again is for us to know.
			if find(own, CheckGreylist).Result == "wait" {
				return is(Greylist, p.Scanner+": greylist, and the sender is new")
			}
			return is(Tag, p.Scanner+": greylist, and the sender need not come again")
		}
		// It did not answer: the mail is taken whatever the built-in engine thinks of it.
		if p.Junk > 0 && score >= p.Junk {
			return reaches(Junk, p.Junk, ", "+p.Scanner+" being unavailable")
		}
		return is(Inbox, "score "+score.String()+", "+p.Scanner+" being unavailable")
	}
	switch {
	case p.Reject > 0 && score >= p.Reject:
		return reaches(Reject, p.Reject, "")
	case p.Junk > 0 && score >= p.Junk:
		return reaches(Junk, p.Junk, "")
	}
	if find(own, CheckGreylist).Result == "wait" && p.Greylist > 0 && score >= p.Greylist {
		return reaches(Greylist, p.Greylist, " and the sender is new")
	}
	if p.Tag > 0 && score >= p.Tag {
		return reaches(Tag, p.Tag, "")
	}
	return is(Inbox, "score "+score.String())
}

func (p *Policy) dmarcWords() string {
	if p.DMARCSource != "" {
		return p.DMARC + ", " + p.DMARCSource
	}
	return p.DMARC + ", as the author's domain asks"
}

// noCheck stands for the one that is not there. Read-only.
var noCheck Check

// find gives the check of a name, one of no name and result where there is none.
func find(checks []Check, name string) *Check {
	for i := range checks {
		if checks[i].Name == name {
			return &checks[i]
		}
	}
	return &noCheck
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
