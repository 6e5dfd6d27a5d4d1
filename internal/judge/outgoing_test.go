package judge

import (
	"net/netip"
	"testing"

	"postern/antispam/scanner"
	"postern/internal/verdict"
)

func TestWhatUsersSendIsScannedAsWhatComesIn(t *testing.T) {
	const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
	for name, c := range map[string]struct {
		text        string
		spam, virus *fakeScanner
		least, most verdict.Points
		found       string
	}{
		"a letter, by the engine":        {letter, nil, nil, -500, 200, ""},
		"spam, by the engine":            {letter + gtube, nil, nil, 90000, 200000, ""},
		"the scanner's score":            {letter, &fakeScanner{name: "spamd", result: scanner.Result{Kind: scanner.Spam, Score: 777}}, nil, 777, 777, ""},
		"a scanner that is down":         {letter + gtube, &fakeScanner{name: "spamd", err: errBroken}, nil, 90000, 200000, ""},
		"a virus":                        {letter, nil, &fakeScanner{name: "clamd", result: scanner.Result{Kind: scanner.Infected, Virus: "Eicar"}}, -500, 200, "Eicar"},
		"no virus":                       {letter, nil, &fakeScanner{name: "clamd", result: scanner.Result{Kind: scanner.Clean}}, -500, 200, ""},
		"a virus scanner that is down":   {letter, nil, &fakeScanner{name: "clamd", err: errBroken}, -500, 200, ""},
		"both, and the first one's word": {letter, &fakeScanner{name: "rspamd", result: scanner.Result{Kind: scanner.Ham, Score: -10}}, &fakeScanner{name: "clamd", result: scanner.Result{Kind: scanner.Infected, Virus: "Eicar"}}, -10, -10, "Eicar"},
	} {
		b := newBench(t, c.text)
		b.spam, b.virus = c.spam, c.virus
		a := &b.Arrival
		got, err := b.Outgoing(t.Context(), &Departure{ID: "ID-2", Client: netip.MustParseAddr("192.0.2.9"), User: alice, From: parse(t, alice), Parsed: a.Parsed, Content: a.Content, Size: a.Size})
		if err != nil || got.Score < c.least || got.Score > c.most || got.Virus != c.found {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
