package verdict

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestTheFieldsTellFiltersClientsAndPeople(t *testing.T) {
	trace := &Trace{ID: "ABCDEFGH12345678-1", Checks: []Check{
		{Name: CheckSPF, Result: "pass", Points: -10}, {Name: CheckDKIM, Result: "none"},
		{Name: CheckRules, Result: "matched", Points: 310, Parts: []Part{{"HTML_ONLY", "", 110}, {"URI_SHORTENER", "", 200}}},
		{Name: CheckBayes, Result: "spam", Points: 225, Parts: []Part{{"v1agra", "", 99}, {"hello", "", -20}}},
	}, Recipients: []Recipient{{Address: "alice@example.org", Policy: usual, Checks: []Check{{Name: CheckSender, Result: "known", Points: -5}}}}}
	trace.Decide()
	want := strings.ReplaceAll(`X-Spam-Flag: YES
X-Spam-Score: 5.2
X-Spam-Level: *****
X-Spam-Status: Yes, score=5.2 required=5.0 tests=SPF_PASS,HTML_ONLY,
	URI_SHORTENER,BAYES_SPAM,SENDER_KNOWN
X-Postern-Verdict: id=ABCDEFGH12345678-1; action=junk; rule="score 5.20
	reaches junk 5.00 of server";
	rules="3.10 matched: URI_SHORTENER 2.00, HTML_ONLY 1.10";
	bayes="2.25 spam: v1agra 0.99, hello -0.20";
	spf="-0.10 pass";
	sender="-0.05 known"
`, "\n", "\r\n")
	if got := string(Fields(trace, &trace.Recipients[0])); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTheFieldsOfEachActionAndScore(t *testing.T) {
	for _, c := range []struct {
		score  Points
		action Action
		policy Policy
		want   []string
	}{
		{0, Inbox, usual, []string{"X-Spam-Flag: NO", "X-Spam-Score: 0.0", "X-Spam-Level:", "X-Spam-Status: No, score=0.0 required=5.0 tests=none"}},
		{-250, Inbox, usual, []string{"X-Spam-Flag: NO", "X-Spam-Score: -2.5", "X-Spam-Level:", "X-Spam-Status: No, score=-2.5 required=5.0 tests=none"}},
		{499, Tag, usual, []string{"X-Spam-Flag: NO", "X-Spam-Score: 4.99", "X-Spam-Level: ****", "X-Spam-Status: No, score=4.99 required=5.0 tests=none"}},
		{500, Junk, usual, []string{"X-Spam-Flag: YES", "X-Spam-Score: 5.0", "X-Spam-Level: *****", "X-Spam-Status: Yes, score=5.0 required=5.0 tests=none"}},
		{0, Junk, usual, []string{"X-Spam-Flag: YES", "X-Spam-Score: 0.0", "X-Spam-Level:"}},
		{100_000_00, Reject, usual, []string{"X-Spam-Flag: YES", "X-Spam-Level: " + strings.Repeat("*", 50)}},
		{700, Inbox, Policy{Reject: 1500}, []string{"X-Spam-Status: No, score=7.0 required=15.0 tests=none"}},
		{700, Inbox, Policy{}, []string{"X-Spam-Status: No, score=7.0 required=1000.0 tests=none"}},
	} {
		got := string(Fields(&Trace{ID: "A-1"}, &Recipient{Policy: c.policy, Verdict: Verdict{c.score, c.action, "because"}}))
		for _, line := range append(c.want, `X-Postern-Verdict: id=A-1; action=`+string(c.action)+`; rule="because"`) {
			if !strings.Contains(got, line+"\r\n") {
				t.Errorf("%s %s: no %q in\n%s", c.score, c.action, line, got)
			}
		}
	}
}

// fieldLine is a field's first line, or one that goes on.
var fieldLine = regexp.MustCompile(`^(X-(Spam-(Flag|Score|Level|Status)|Postern-Verdict):|\t)[ -~]*$`)

// wellFormed reports what is wrong with the fields.
func wellFormed(fields []byte) string {
	text := string(fields)
	if len(text) > fieldsAtMost || !strings.HasSuffix(text, "\r\n") {
		return fmt.Sprintf("%d octets, or no end", len(text))
	}
	names := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if !fieldLine.MatchString(line) || len(line) > foldAt || strings.TrimSpace(line) == "" {
			return fmt.Sprintf("the line %q", line)
		}
		if line[0] != '\t' {
			names++
		}
	}
	if names != 5 {
		return fmt.Sprintf("%d fields", names)
	}
	unfolded := strings.ReplaceAll(text, "\r\n\t", " ")
	_, explained, _ := strings.Cut(unfolded, "X-Postern-Verdict:")
	quotes := strings.Count(strings.NewReplacer(`\\`, "", `\"`, "").Replace(explained), `"`)
	if quotes%2 != 0 {
		return "a quotation that does not end"
	}
	return ""
}

func TestNothingInATraceBreaksTheFields(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		trace := anyTrace(r)
		trace.Decide()
		for i := range trace.Recipients {
			fields := Fields(trace, &trace.Recipients[i])
			if fault := wellFormed(fields); fault != "" {
				t.Fatalf("seed %d: %s in\n%q", seed, fault, fields)
			}
		}
	}
	flood := &Trace{ID: strings.Repeat("I", 5000)}
	for i := range 2000 {
		flood.Checks = append(flood.Checks, Check{Name: strings.Repeat("n", 300), Result: strings.Repeat(`"\`, 300), Points: Points(i)},
			Check{Name: CheckRules, Points: 1, Parts: []Part{{Name: strings.Repeat("r", i%90)}, {Name: "\r\nBcc: x@example.org"}}})
	}
	one := &Recipient{Verdict: Verdict{Rule: strings.Repeat("word ", 5000), Action: Action(strings.Repeat("a", 999))}}
	if fault := wellFormed(Fields(flood, one)); fault != "" {
		t.Errorf("%s in\n%s", fault, Fields(flood, one))
	}
}

func FuzzFields(f *testing.F) {
	f.Add("spam", "line\r\nBcc: x@example.org", `"\`, int64(500))
	f.Add("Grüße\xff", strings.Repeat("x", 2000), strings.Repeat("word ", 900), int64(-1<<62))
	f.Fuzz(func(t *testing.T, name, detail, rule string, points int64) {
		trace := &Trace{ID: name, Checks: []Check{{Name: name, Result: detail, Points: Points(points), Parts: []Part{{Name: rule, Points: Points(points)}}},
			{Name: CheckRules, Points: 1, Parts: []Part{{Name: detail}, {Name: rule}}}}}
		fields := Fields(trace, &Recipient{Verdict: Verdict{Points(points), Action(name), rule}, Policy: Policy{Junk: Points(points)}})
		if fault := wellFormed(fields); fault != "" {
			t.Errorf("%s in\n%q", fault, bytes.ReplaceAll(fields, []byte("\r\n"), []byte("\n")))
		}
	})
}

func BenchmarkFields(b *testing.B) {
	trace := &Trace{ID: "ABCDEFGH12345678-1", Checks: checks(found(CheckSPF, "pass", ""), scored(300), scored(150)), Recipients: []Recipient{{Policy: usual}}}
	trace.Decide()
	b.ReportAllocs()
	for b.Loop() {
		Fields(trace, &trace.Recipients[0])
	}
}
