package judge

import (
	"strings"
	"testing"

	"postern/antispam/bayes"
	"postern/internal/mailauth"
	"postern/internal/verdict"
)

func TestEachCopyHasItsRecipientsPolicy(t *testing.T) {
	b := newBench(t, letter)
	b.Arrival.Listed = listing(0.8) // 3.20 points
	strict := verdict.Policy{Source: bob, Tag: 100, Junk: 200, Reject: 300}
	b.policies[bob] = strict
	b.to(t, alice, bob, "team@example.test")
	v := b.judge(t)
	if a, r := v.Trace.Recipients[0], v.Trace.Recipients[1]; a.Policy != usual || r.Policy != strict || a.Verdict.Score != r.Verdict.Score || r.Verdict.Action == a.Verdict.Action {
		t.Errorf("%+v\n%+v", a, r)
	}
	if r := v.Trace.Recipients[2]; r.Account != 0 || r.Address != "team@example.test" || r.Policy != usual {
		t.Errorf("%+v", r)
	}
}

func TestWhatARecipientsListSaysOfAuthors(t *testing.T) {
	two := strings.Replace(letter, "From: Jane <jane@sender.example>", "From: jane@sender.example, joe@other.example", 1)
	nobody := strings.Replace(letter, "From: Jane <jane@sender.example>", "From: nobody in particular", 1)
	allow, block := [3]string{"allow", "server", "sender.example"}, [3]string{"block", alice, "other.example"}
	jane, joe := alice+" jane@sender.example", alice+" joe@other.example"
	for name, c := range map[string]struct {
		text   string
		lists  map[string][3]string
		forged bool
		known  bool
		result string
		points string
	}{
		"nothing":                         {letter, nil, false, false, "", "0.00"},
		"allowed and proven":              {letter, map[string][3]string{jane: allow}, false, false, "allowed", "0.00"},
		"allowed and forged":              {letter, map[string][3]string{jane: allow}, true, false, "not proven", "0.00"},
		"allowed, with another author":    {two, map[string][3]string{jane: allow}, false, false, "not proven", "0.00"},
		"blocked":                         {letter, map[string][3]string{jane: {"block", "server", "x"}}, false, false, "blocked", "0.00"},
		"blocked and forged":              {letter, map[string][3]string{jane: {"block", "server", "x"}}, true, false, "blocked", "0.00"},
		"the second author is blocked":    {two, map[string][3]string{joe: block}, false, false, "blocked", "0.00"},
		"one allowed, the other blocked":  {two, map[string][3]string{jane: allow, joe: block}, false, false, "blocked", "0.00"},
		"the recipient writes to them":    {letter, nil, false, true, "correspondent", "-3.00"},
		"to whom they are not proven":     {letter, nil, true, true, "correspondent", "-0.50"},
		"a correspondent and another one": {two, nil, false, true, "", "0.00"},
		"no author at all":                {nobody, nil, false, true, "", "0.00"},
	} {
		b := newBench(t, c.text)
		for k, l := range c.lists {
			b.lists[k] = l
		}
		b.known[1] = c.known
		if c.forged {
			b.results.SPF = mailauth.SPF{Status: mailauth.Fail, Domain: "sender.example"}
		}
		if got := find(b.judge(t), verdict.CheckSender); got.Result != c.result || got.Points.String() != c.points {
			t.Errorf("%s: %+v", name, got)
		}
	}
	b := newBench(t, letter)
	b.known[0] = true
	b.to(t, "team@example.test")
	if got := find(b.judge(t), verdict.CheckSender); got.Name != "" {
		t.Errorf("nobody here writes to anybody: %+v", got)
	}
}

func TestWordsAreJudgedByWhatTheAccountTaught(t *testing.T) {
	b := newBench(t, letter)
	b.to(t, alice, bob, "team@example.test")
	b.models[2] = taughtSpam{}
	v := b.judge(t)
	words := func(i int) verdict.Check { return v.Trace.Recipients[i].Checks[0] }
	if words(0).Name != verdict.CheckBayes || words(1).Points <= words(0).Points || words(2).Points != words(0).Points {
		t.Errorf("alice %+v, bob %+v, a group %+v", words(0), words(1), words(2))
	}
}

// taughtSpam has seen every word in spam, and none in ham.
type taughtSpam struct{}

func (taughtSpam) Totals() bayes.Count { return bayes.Count{Ham: 100, Spam: 100} }

func (taughtSpam) Counts(_ []bayes.Token, counts []bayes.Count) {
	for i := range counts {
		counts[i] = bayes.Count{Spam: 90}
	}
}
