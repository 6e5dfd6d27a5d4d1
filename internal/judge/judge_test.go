package judge

import (
	"errors"
	"strings"
	"testing"

	"postern/antispam/reputation"
	"postern/antispam/scanner"
	"postern/dkim"
	"postern/internal/mailauth"
	"postern/internal/verdict"
)

func TestEveryCheckIsInTheTraceAndTheTraceAddsUp(t *testing.T) {
	b := newBench(t, letter)
	v := b.judge(t)
	if e := v.Answer(); e != nil {
		t.Fatal(e)
	}
	var names []string
	for _, c := range v.Trace.Checks {
		names = append(names, c.Name)
	}
	for _, c := range v.Trace.Recipients[0].Checks {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "spf dkim arc dmarc dnsbl uribl rules reputation bayes" {
		t.Errorf("checks: %s", got)
	}
	tr := v.Trace
	if tr.ID != "ID-1" || tr.Client != "192.0.2.1" || tr.Helo != "mx.sender.example" || tr.From != "jane@sender.example" || tr.Author != "jane@sender.example" ||
		tr.MessageID != "<1@sender.example>" || tr.Size != b.Arrival.Size || tr.Engine == "" || tr.Version != verdict.TraceVersion || tr.Reply != "250 2.6.0 Accepted as ID-1" {
		t.Errorf("%+v", tr)
	}
	r := tr.Recipients[0]
	if r.Verdict.Score != verdict.Score(tr.Checks, r.Checks) || r.Mailbox != "INBOX" || r.FiledBy != "default" || r.Account != 1 {
		t.Errorf("%+v", r)
	}
}

// TestHelpersThatFailLoseNothing: a database that does not answer is a check that is worth nothing.
func TestHelpersThatFailLoseNothing(t *testing.T) {
	b := newBench(t, letter)
	b.broken = errBroken
	b.spam = &fakeScanner{name: "rspamd", err: errBroken}
	b.virus = &fakeScanner{name: "clamd", err: errBroken}
	b.to(t, alice, bob, "out@far.example")
	v := b.judge(t)
	if e := v.Answer(); e != nil {
		t.Fatal(e)
	}
	for _, r := range v.Trace.Recipients {
		if r.Verdict.Action != verdict.Inbox {
			t.Errorf("%+v", r)
		}
	}
	if c := find(v, verdict.CheckReputation); c.Result != "unavailable" || c.Points != 0 {
		t.Errorf("%+v", c)
	}
	if c := find(v, verdict.CheckScanner); c.Result != "unavailable" {
		t.Errorf("%+v", c)
	}
	if c := find(v, verdict.CheckRules); c.Name == "" {
		t.Error("the built-in engine does not stand in")
	}
}

// TestNobodyReadsAMessageThatIsGone: whoever examines it is done when the judge is, also when it fails.
func TestNobodyReadsAMessageThatIsGone(t *testing.T) {
	b := newBench(t, letter)
	b.unreadable = errBroken
	reading := make(chan struct{})
	b.virus = &fakeScanner{name: "clamd", reads: func() { <-reading }}
	done := make(chan error, 1)
	go func() {
		_, err := b.Judge.Judge(t.Context(), &b.Arrival)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("the judge is done while a scanner reads: %v", err)
	case reading <- struct{}{}:
	}
	if err := <-done; !errors.Is(err, errBroken) {
		t.Errorf("judged: %v", err)
	}
}

// TestWhatAScannerSaysIsAllThatCounts, whatever else was found; it is told all the same.
func TestWhatAScannerSaysIsAllThatCounts(t *testing.T) {
	b := newBench(t, letter)
	b.results.SPF.Status = mailauth.Fail
	b.results.DMARC.Status = mailauth.Fail
	b.known[1] = true
	b.standings["192.0.2.1/32"] = reputation.Standing{Spam: 1000}
	b.spam = &fakeScanner{name: "spamd", result: scanner.Result{Kind: scanner.Spam, Score: 720, Required: 500}}
	v := b.judge(t)
	if r := v.Trace.Recipients[0]; r.Verdict != (verdict.Verdict{Score: 720, Action: verdict.Junk, Rule: "spamd: spam"}) || r.Policy.Scanner != "spamd" {
		t.Errorf("%+v", r)
	}
	for _, name := range []string{verdict.CheckSPF, verdict.CheckReputation, verdict.CheckSender} {
		if c := find(v, name); c.Name == "" || c.Points != 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if c := find(v, verdict.CheckRules); c.Name != "" {
		t.Errorf("the engine judges beside it: %+v", c)
	}
}

func TestWhoIsToComeAgainIsAskedForOnlyWhereItMatters(t *testing.T) {
	greylists := usual
	greylists.Greylist = 200
	for name, c := range map[string]struct {
		score int // percent of points
		spam  *fakeScanner
		asked string
	}{
		"a low score":                        {100, nil, ""},
		"a suspicious score":                 {250, nil, "alice@example.test"},
		"a scanner that likes it":            {250, &fakeScanner{name: "rspamd", result: scanner.Result{Kind: scanner.Ham}}, ""},
		"a scanner that would greylist":      {0, &fakeScanner{name: "rspamd", result: scanner.Result{Kind: scanner.Greylist}}, "alice@example.test"},
		"a scanner that is down":             {250, &fakeScanner{name: "rspamd", err: errBroken}, ""},
		"a scanner that has the sender wait": {0, &fakeScanner{name: "rspamd", result: scanner.Result{Kind: scanner.Defer}}, ""},
	} {
		b := newBench(t, letter)
		b.policies[alice] = greylists
		b.to(t, alice, bob) // bob's policy has no greylist
		b.spam = c.spam
		b.results.SPF.Status = mailauth.None
		// The rest of the score comes from a list of clients.
		b.Arrival.Listed = listing(float64(c.score) / 100 / 4)
		b.judge(t)
		if got := strings.Join(b.greylisted, " "); got != c.asked {
			t.Errorf("%s: asked for %q, not %q", name, got, c.asked)
		}
	}
}

func TestClaimsToBeOursMustBeProven(t *testing.T) {
	for name, c := range map[string]struct {
		results mailauth.Results
		claimed []string
		result  string
		code    int
	}{
		"nothing is claimed":    {mailauth.Results{}, nil, "", 0},
		"SPF proves it":         {mailauth.Results{SPF: mailauth.SPF{Status: mailauth.Pass, Domain: "mail.ours.example"}}, []string{"ours.example"}, "proven", 0},
		"DKIM proves it":        {mailauth.Results{DKIM: []dkim.Verification{{Result: dkim.ResultPass, Domain: "ours.example"}}}, []string{"ours.example"}, "proven", 0},
		"a key in testing mode": {mailauth.Results{DKIM: []dkim.Verification{{Result: dkim.ResultPass, Domain: "ours.example", Testing: true}}}, []string{"ours.example"}, "not proven", 550},
		"another's proof":       {mailauth.Results{SPF: mailauth.SPF{Status: mailauth.Pass, Domain: "other.example"}}, []string{"ours.example"}, "not proven", 550},
		"one of two is proven":  {mailauth.Results{SPF: mailauth.SPF{Status: mailauth.Pass, Domain: "ours.example"}}, []string{"ours.example", "too.example"}, "not proven", 550},
		"the DNS fails":         {mailauth.Results{SPF: mailauth.SPF{Status: mailauth.TempError, Domain: "ours.example"}}, []string{"ours.example"}, "unsure", 451},
	} {
		b := newBench(t, letter)
		b.results = c.results
		b.Arrival.Claimed = c.claimed
		v := b.judge(t)
		code := 0
		if e := v.Spoofed(); e != nil {
			code = e.Code
			if !strings.Contains(e.Text, c.claimed[len(c.claimed)-1]) || !strings.HasSuffix(e.Text, "(ID-1)") || !v.Refused() || !strings.HasPrefix(v.Trace.Reply, map[int]string{550: "550 5.7.1 ", 451: "451 4.7.1 "}[code]) {
				t.Errorf("%s: %q, noted %q", name, e.Text, v.Trace.Reply)
			}
			if again := v.Answer(); again == nil || again.Code != code {
				t.Errorf("%s: answered %v", name, again)
			}
		}
		if got := find(v, verdict.CheckClaim).Result; got != c.result || code != c.code {
			t.Errorf("%s: %q and %d, not %q and %d", name, got, code, c.result, c.code)
		}
	}
}
