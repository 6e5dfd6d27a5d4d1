package verdict

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// usual is the policy of a server whose settings nobody touched.
var usual = Policy{Source: "server", Tag: 300, Junk: 500, Reject: 1500}

// with gives the policy with changes.
func (p Policy) with(change func(*Policy)) Policy {
	change(&p)
	return p
}

func checks(list ...Check) []Check { return list }

func scored(p Points) Check { return Check{Name: CheckRules, Result: "matched", Points: p} }

func found(name, result, detail string) Check {
	return Check{Name: name, Result: result, Detail: detail}
}

var (
	infected = found(CheckVirus, "infected", "Eicar-Signature")
	allowed  = found(CheckSender, "allowed", "bob@example.org")
	blocked  = found(CheckSender, "blocked", "example.org")
	wait     = found(CheckGreylist, "wait", "")
)

func asks(dmarc string) func(*Policy)     { return func(p *Policy) { p.DMARC = dmarc } }
func scans(p *Policy)                     { p.Scanner = "rspamd" }
func greylists(from Points) func(*Policy) { return func(p *Policy) { p.Greylist = from } }

func TestTheFirstLineOfThePolicyThatAppliesDecides(t *testing.T) {
	never := Policy{Source: "example.org"}
	for name, c := range map[string]struct {
		message, own []Check
		policy       Policy
		want         Verdict
	}{
		"nothing was found":             {nil, nil, usual, Verdict{0, Inbox, "score 0.00"}},
		"one below tag":                 {checks(scored(299)), nil, usual, Verdict{299, Inbox, "score 2.99"}},
		"tag is reached exactly":        {checks(scored(300)), nil, usual, Verdict{300, Tag, "score 3.00 reaches tag 3.00 of server"}},
		"one below junk":                {checks(scored(499)), nil, usual, Verdict{499, Tag, "score 4.99 reaches tag 3.00 of server"}},
		"junk is reached exactly":       {checks(scored(500)), nil, usual, Verdict{500, Junk, "score 5.00 reaches junk 5.00 of server"}},
		"one below reject":              {checks(scored(1499)), nil, usual, Verdict{1499, Junk, "score 14.99 reaches junk 5.00 of server"}},
		"reject is reached exactly":     {checks(scored(1500)), nil, usual, Verdict{1500, Reject, "score 15.00 reaches reject 15.00 of server"}},
		"good signs count against it":   {checks(scored(600), scored(-250)), nil, usual, Verdict{350, Tag, "score 3.50 reaches tag 3.00 of server"}},
		"a score below nothing":         {checks(scored(-250)), nil, usual, Verdict{-250, Inbox, "score -2.50"}},
		"the recipient's checks count":  {checks(scored(300)), checks(scored(200)), usual, Verdict{500, Junk, "score 5.00 reaches junk 5.00 of server"}},
		"thresholds of 0 never decide":  {checks(scored(99999)), nil, never, Verdict{99999, Inbox, "score 999.99"}},
		"without reject it is junk":     {checks(scored(99999)), nil, usual.with(func(p *Policy) { p.Reject = 0 }), Verdict{99999, Junk, "score 999.99 reaches junk 5.00 of server"}},
		"without junk it is tagged":     {checks(scored(1499)), nil, usual.with(func(p *Policy) { p.Junk = 0 }), Verdict{1499, Tag, "score 14.99 reaches tag 3.00 of server"}},
		"equal thresholds: the severer": {checks(scored(500)), nil, usual.with(func(p *Policy) { p.Tag, p.Reject = 500, 500 }), Verdict{500, Reject, "score 5.00 reaches reject 5.00 of server"}},
		"the source is named":           {checks(scored(500)), nil, usual.with(func(p *Policy) { p.Source = "alice@example.org" }), Verdict{500, Junk, "score 5.00 reaches junk 5.00 of alice@example.org"}},

		"a virus is refused":                     {checks(infected), nil, usual, Verdict{0, Reject, "virus: Eicar-Signature"}},
		"a virus goes to junk where that is set": {checks(infected), nil, usual.with(func(p *Policy) { p.Virus = Junk }), Verdict{0, Junk, "virus: Eicar-Signature"}},
		"a virus from an allowed sender":         {checks(infected), checks(allowed), usual, Verdict{0, Reject, "virus: Eicar-Signature"}},
		"a virus whatever DMARC asks for":        {checks(infected), nil, usual.with(asks("quarantine")), Verdict{0, Reject, "virus: Eicar-Signature"}},
		"a virus whatever the scanner says":      {checks(infected, found(CheckScanner, "ham", "")), nil, usual.with(scans), Verdict{0, Reject, "virus: Eicar-Signature"}},
		"clean":                                  {checks(found(CheckVirus, "clean", "")), nil, usual, Verdict{0, Inbox, "score 0.00"}},
		"a virus checker that did not answer":    {checks(found(CheckVirus, "unavailable", "")), nil, usual, Verdict{0, Inbox, "score 0.00"}},
		"a recipient's check is no virus":        {nil, checks(infected), usual, Verdict{0, Inbox, "score 0.00"}},

		"an allowed sender with a score to refuse":   {checks(scored(2000)), checks(allowed), usual, Verdict{2000, Inbox, "the recipient's list allows the sender"}},
		"an allowed sender whose DMARC says refuse":  {nil, checks(allowed), usual.with(asks("reject")), Verdict{0, Inbox, "the recipient's list allows the sender"}},
		"an allowed sender whom the scanner refuses": {checks(found(CheckScanner, "reject", "")), checks(allowed), usual.with(scans), Verdict{0, Inbox, "the recipient's list allows the sender"}},
		"an allowed sender among the message's":      {checks(allowed, scored(500)), nil, usual, Verdict{500, Junk, "score 5.00 reaches junk 5.00 of server"}},
		"a blocked sender":                           {nil, checks(blocked), usual, Verdict{0, Junk, "the recipient's list blocks the sender"}},
		"a blocked sender with a score to refuse":    {checks(scored(2000)), checks(blocked), usual, Verdict{2000, Junk, "the recipient's list blocks the sender"}},
		"a blocked sender whose DMARC says refuse":   {nil, checks(blocked), usual.with(asks("reject")), Verdict{0, Reject, "dmarc: reject, as the author's domain asks"}},
		"a known correspondent decides nothing":      {nil, checks(found(CheckSender, "known", "")), usual, Verdict{0, Inbox, "score 0.00"}},

		"a domain of ours, not proven":              {checks(found(CheckClaim, "not proven", "example.org is ours")), checks(allowed), usual, Verdict{0, Reject, "claim: example.org is ours"}},
		"a domain of ours that cannot be checked":   {checks(found(CheckClaim, "unsure", "example.org is ours")), nil, usual.with(scans), Verdict{0, Greylist, "claim: example.org is ours"}},
		"a domain of ours that is proven":           {checks(found(CheckClaim, "proven", ""), scored(500)), nil, usual, Verdict{500, Junk, "score 5.00 reaches junk 5.00 of server"}},
		"DMARC refuses what cannot be checked now":  {checks(found(CheckDMARC, "temperror", "")), nil, usual.with(asks("reject")), Verdict{0, Greylist, "dmarc: reject, and what may prove the author cannot be checked now"}},
		"quarantine of what cannot be checked now":  {checks(found(CheckDMARC, "temperror", "")), nil, usual.with(asks("quarantine")), Verdict{0, Greylist, "dmarc: quarantine, and what may prove the author cannot be checked now"}},
		"junk anyhow, and it cannot be checked now": {checks(found(CheckDMARC, "temperror", ""), scored(500)), nil, usual.with(asks("quarantine")), Verdict{500, Junk, "score 5.00 reaches junk 5.00 of server"}},
		"nothing is asked for, and nothing known":   {checks(found(CheckDMARC, "temperror", "")), nil, usual, Verdict{0, Inbox, "score 0.00"}},

		"DMARC refuses":                         {nil, nil, usual.with(asks("reject")), Verdict{0, Reject, "dmarc: reject, as the author's domain asks"}},
		"DMARC refuses what the scanner likes":  {checks(found(CheckScanner, "ham", "")), nil, usual.with(scans).with(asks("reject")), Verdict{0, Reject, "dmarc: reject, as the author's domain asks"}},
		"DMARC puts into quarantine":            {nil, nil, usual.with(asks("quarantine")), Verdict{0, Junk, "dmarc: quarantine, as the author's domain asks"}},
		"quarantine of what would be tagged":    {checks(scored(300)), nil, usual.with(asks("quarantine")), Verdict{300, Junk, "dmarc: quarantine, as the author's domain asks"}},
		"quarantine of what is junk anyhow":     {checks(scored(500)), nil, usual.with(asks("quarantine")), Verdict{500, Junk, "score 5.00 reaches junk 5.00 of server"}},
		"quarantine of what is refused anyhow":  {checks(scored(1500)), nil, usual.with(asks("quarantine")), Verdict{1500, Reject, "score 15.00 reaches reject 15.00 of server"}},
		"quarantine and greylisting":            {checks(scored(200)), checks(wait), usual.with(asks("quarantine")).with(greylists(200)), Verdict{200, Greylist, "score 2.00 reaches greylist 2.00 of server and the sender is new"}},
		"quarantine of what the scanner likes":  {checks(found(CheckScanner, "ham", "")), nil, usual.with(scans).with(asks("quarantine")), Verdict{0, Junk, "dmarc: quarantine, as the author's domain asks"}},
		"DMARC that asks for nothing":           {nil, nil, usual.with(asks("none")), Verdict{0, Inbox, "score 0.00"}},
		"DMARC by the administrator's override": {nil, nil, usual.with(asks("quarantine")).with(func(p *Policy) { p.DMARCSource = "override for example.org" }), Verdict{0, Junk, "dmarc: quarantine, override for example.org"}},

		"the sender is new":                     {checks(scored(200)), checks(wait), usual.with(greylists(200)), Verdict{200, Greylist, "score 2.00 reaches greylist 2.00 of server and the sender is new"}},
		"new, and one below greylist":           {checks(scored(199)), checks(wait), usual.with(greylists(200)), Verdict{199, Inbox, "score 1.99"}},
		"new, without greylisting":              {checks(scored(200)), checks(wait), usual, Verdict{200, Inbox, "score 2.00"}},
		"the sender came again":                 {checks(scored(200)), checks(found(CheckGreylist, "pass", "")), usual.with(greylists(200)), Verdict{200, Inbox, "score 2.00"}},
		"new, and to be tagged: it must wait":   {checks(scored(300)), checks(wait), usual.with(greylists(300)), Verdict{300, Greylist, "score 3.00 reaches greylist 3.00 of server and the sender is new"}},
		"new, and junk anyhow":                  {checks(scored(500)), checks(wait), usual.with(greylists(200)), Verdict{500, Junk, "score 5.00 reaches junk 5.00 of server"}},
		"the message's check does not greylist": {checks(wait, scored(200)), nil, usual.with(greylists(200)), Verdict{200, Inbox, "score 2.00"}},

		"the scanner says ham":                           {checks(found(CheckScanner, "ham", ""), scored(2000)), nil, usual.with(scans), Verdict{2000, Inbox, "rspamd: ham"}},
		"the scanner says spam":                          {checks(found(CheckScanner, "spam", "")), nil, usual.with(scans), Verdict{0, Junk, "rspamd: spam"}},
		"the scanner refuses":                            {checks(found(CheckScanner, "reject", "")), nil, usual.with(scans), Verdict{0, Reject, "rspamd: reject"}},
		"the scanner greylists a new sender":             {checks(found(CheckScanner, "greylist", "")), checks(wait), usual.with(scans), Verdict{0, Greylist, "rspamd: greylist, and the sender is new"}},
		"the scanner greylists one that came again":      {checks(found(CheckScanner, "greylist", "")), checks(found(CheckGreylist, "pass", "")), usual.with(scans), Verdict{0, Tag, "rspamd: greylist, and the sender need not come again"}},
		"the scanner greylists, and nobody is asked":     {checks(found(CheckScanner, "greylist", "")), nil, usual.with(scans), Verdict{0, Tag, "rspamd: greylist, and the sender need not come again"}},
		"the scanner has the sender come again":          {checks(found(CheckScanner, "defer", "")), nil, usual.with(scans), Verdict{0, Greylist, "rspamd: come again"}},
		"the scanner is down":                            {checks(found(CheckScanner, "unavailable", ""), scored(499)), nil, usual.with(scans), Verdict{499, Inbox, "score 4.99, rspamd being unavailable"}},
		"the scanner is down, the engine says junk":      {checks(found(CheckScanner, "unavailable", ""), scored(500)), nil, usual.with(scans), Verdict{500, Junk, "score 5.00 reaches junk 5.00 of server, rspamd being unavailable"}},
		"the scanner is down, nothing is refused":        {checks(found(CheckScanner, "unavailable", ""), scored(9999)), nil, usual.with(scans), Verdict{9999, Junk, "score 99.99 reaches junk 5.00 of server, rspamd being unavailable"}},
		"the scanner is down, nobody must come again":    {checks(found(CheckScanner, "unavailable", ""), scored(300)), checks(wait), usual.with(scans).with(greylists(100)), Verdict{300, Inbox, "score 3.00, rspamd being unavailable"}},
		"the scanner is down, junk never":                {checks(found(CheckScanner, "unavailable", ""), scored(9999)), nil, usual.with(scans).with(func(p *Policy) { p.Junk = 0 }), Verdict{9999, Inbox, "score 99.99, rspamd being unavailable"}},
		"a scanner whose word does not count":            {checks(found(CheckScanner, "reject", "")), nil, usual, Verdict{0, Inbox, "score 0.00"}},
		"a scanner that was not asked: the engine's own": {checks(scored(1500)), nil, usual.with(scans), Verdict{1500, Reject, "score 15.00 reaches reject 15.00 of server"}},
		"the first of two checks of a name counts":       {checks(found(CheckScanner, "ham", ""), found(CheckScanner, "spam", "")), nil, usual.with(scans), Verdict{0, Inbox, "rspamd: ham"}},
	} {
		if got := Decide(c.message, c.own, c.policy); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}

func TestPointsAreReadAndWrittenAsDecimals(t *testing.T) {
	for text, want := range map[string]Points{"0.00": 0, "4.20": 420, "-0.05": -5, "0.29": 29, "5": 500, "5.5": 550, "1e2": 10000, "123456789012.34": 12345678901234} {
		var p Points
		if err := json.Unmarshal([]byte(text), &p); err != nil || p != want {
			t.Errorf("%s is read as %s, %v", text, p, err)
		}
		var again Points
		if err := json.Unmarshal([]byte(p.String()), &again); err != nil || again != p {
			t.Errorf("%s is written %s and read as %s, %v", text, p, again, err)
		}
	}
	for _, text := range []string{`"5.00"`, `1e10`, `-1e10`, `true`, `{}`} {
		var p Points
		if err := json.Unmarshal([]byte(text), &p); err == nil {
			t.Errorf("%s is read as %s", text, p)
		}
	}
	if P(0.29) != 29 || P(-0.29) != -29 || P(4.2) != 420 || Points(420).Float() != 4.2 {
		t.Error("numbers and points differ")
	}
}

// anyTrace makes traces of every kind, with texts that are no UTF-8 too.
func anyTrace(r *rand.Rand) *Trace {
	texts := []string{"", "pass", "ham", "spam", "reject", "greylist", "infected", "allowed", "blocked", "wait", "unavailable",
		"<&>\u2028 \"quoted\" \\", "\xff\xfe is no UTF-8", "Grüße", strings.Repeat("long ", 200), "line\r\nbreak\x00"}
	names := []string{CheckSPF, CheckVirus, CheckSender, CheckScanner, CheckGreylist, CheckRules, CheckBayes}
	text := func() string { return texts[r.IntN(len(texts))] }
	points := func() Points { return Points(r.IntN(6000) - 2000) }
	list := func() (list []Check) {
		for range r.IntN(6) {
			c := Check{Name: names[r.IntN(len(names))], Result: text(), Detail: text(), Points: points(), Micros: r.Int64()}
			for range r.IntN(4) {
				c.Parts = append(c.Parts, Part{text(), text(), points()})
			}
			list = append(list, c)
		}
		return list
	}
	lines := func() (all []string) {
		for range r.IntN(3) {
			all = append(all, text())
		}
		return all
	}
	t := &Trace{Version: TraceVersion, ID: text(), At: time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).UTC(), Client: text(), Helo: text(), From: text(),
		Author: text(), MessageID: text(), Size: r.Int64(), Engine: text(), Checks: list(), Reply: text(), Micros: r.Int64()}
	for range r.IntN(4) {
		t.Recipients = append(t.Recipients, Recipient{Address: text(), Account: r.Int64(), Checks: list(), Mailbox: text(), FiledBy: text(), Scripts: lines(), Policy: Policy{
			Source: text(), Tag: points(), Junk: points(), Reject: points(), Greylist: points(), Virus: []Action{"", Reject, Junk}[r.IntN(3)],
			DMARC: []string{"", "none", "quarantine", "reject"}[r.IntN(4)], DMARCSource: text(), Scanner: []string{"", "rspamd", "\xff"}[r.IntN(3)]}})
	}
	return t
}

func TestATraceComesBackByteForByteAndDecidesTheSame(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		was := anyTrace(r)
		was.Decide()
		first, err := json.Marshal(was)
		if err != nil {
			t.Fatal(err)
		}
		is := new(Trace)
		if err := json.Unmarshal(first, is); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, first)
		}
		// Bytes that are no UTF-8 are mended when they are written, and the mark of that is then a letter like others.
		if second, err := json.Marshal(is); err != nil || string(second) != strings.ReplaceAll(string(first), `\ufffd`, "\ufffd") {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, first, second)
		}
		before, same := was.Replay()
		if !same {
			t.Fatalf("seed %d: it decides otherwise at once\n%s", seed, first)
		}
		after, same := is.Replay()
		if !same {
			t.Fatalf("seed %d: what was stored decides otherwise\n%s", seed, first)
		}
		one, _ := json.Marshal(before)
		other, _ := json.Marshal(after)
		if strings.ReplaceAll(string(one), `\ufffd`, "\ufffd") != string(other) {
			t.Fatalf("seed %d: %s and then %s", seed, one, other)
		}
	}
}

// fill gives every field below v a value, so that a field which is not written is noticed.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if at, ok := v.Addr().Interface().(*time.Time); ok {
			*at = time.Unix(int64(*n), 5)
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	default:
		v.SetInt(int64(*n))
	}
}

func TestAppendJSONWritesWhatEncodingJSONWrites(t *testing.T) {
	full := new(Trace)
	n := 0
	fill(reflect.ValueOf(full).Elem(), &n)
	traces := []*Trace{new(Trace), full, {Checks: []Check{}, Recipients: []Recipient{{Checks: []Check{}}}}}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		traces = append(traces, anyTrace(r))
	}
	for _, trace := range traces {
		want, err := json.Marshal(trace)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := trace.AppendJSON([]byte("before")); err != nil || string(got) != "before"+string(want) {
			t.Fatalf("seed %d: %v\n got %s\nwant %s", seed, err, got, want)
		}
	}
	if _, err := (&Trace{At: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}).AppendJSON(nil); err == nil {
		t.Error("a year of five digits is written")
	}
}

func TestReplayNoticesWhatDiffers(t *testing.T) {
	fresh := func() *Trace {
		trace := &Trace{Checks: checks(scored(500)), Recipients: []Recipient{{Address: "alice@example.org", Policy: usual}, {Address: "bob@example.org", Policy: usual}}}
		trace.Decide()
		return trace
	}
	for name, change := range map[string]func(*Trace){
		"the score":     func(t *Trace) { t.Recipients[1].Verdict.Score++ },
		"the action":    func(t *Trace) { t.Recipients[1].Verdict.Action = Inbox },
		"the rule":      func(t *Trace) { t.Recipients[1].Verdict.Rule += " " },
		"a check":       func(t *Trace) { t.Checks[0].Points++ },
		"a threshold":   func(t *Trace) { t.Recipients[0].Policy.Junk++ },
		"an own check":  func(t *Trace) { t.Recipients[0].Checks = checks(allowed) },
		"the virus":     func(t *Trace) { t.Checks = checks(infected, scored(500)) },
		"DMARC's words": func(t *Trace) { t.Recipients[0].Policy.DMARC = "reject" },
	} {
		trace := fresh()
		if again, same := trace.Replay(); !same || len(again) != 2 || again[1] != trace.Recipients[1].Verdict {
			t.Fatalf("nothing changed, and yet: %v %v", again, same)
		}
		change(trace)
		if _, same := trace.Replay(); same {
			t.Errorf("%s differs unnoticed", name)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	message := []Check{found(CheckSPF, "pass", ""), found(CheckDKIM, "pass", ""), found(CheckDMARC, "pass", ""), scored(300), scored(150)}
	for b.Loop() {
		if Decide(message, nil, usual).Action != Tag {
			b.Fatal()
		}
	}
}
