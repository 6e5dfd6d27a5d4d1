package scanner_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/antispam/scanner"
	"postern/internal/clock"
	"postern/internal/testscan"
	"postern/internal/verdict"
)

// gtube is the text that every scanner must call spam.
const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

// patience is for a daemon on a slow machine.
const patience = 2 * time.Minute

// mail makes a message of a subject and a body.
func mail(subject, body string) scanner.Message {
	return raw("From: Alice <alice@example.org>\r\nTo: bob@example.test\r\nSubject: " + subject +
		"\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n" + body + "\r\n")
}

func raw(text string) scanner.Message {
	return scanner.Message{
		Content: strings.NewReader(text), Size: int64(len(text)),
		Received: []byte("Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby mail.example.test (Postern) with ESMTP id 3K9;\r\n" +
			"\tMon, 23 Nov 2026 10:00:01 +0000\r\n"),
		Client: netip.MustParseAddr("192.0.2.1"), Helo: "mx.example.org", Hostname: "mx.example.org", ID: "3K9",
		From: "alice@example.org", Recipients: []string{"bob@example.test", "carol@example.test"},
	}
}

func parse(t *testing.T, setting string) scanner.Scanner {
	t.Helper()
	s, err := scanner.Parse(setting)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scan(t *testing.T, s scanner.Scanner, m scanner.Message) scanner.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := s.Scan(ctx, m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hasSymbol(r scanner.Result, name string) bool {
	for _, s := range r.Symbols {
		if s.Name == name {
			return true
		}
	}
	return false
}

func field(r scanner.Result, name string) string {
	for _, f := range r.Headers {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// One spamd serves these, since it takes seconds to start.
func TestSpamdIsUnderstood(t *testing.T) {
	d := testscan.Spamd(t)
	t.Run("it judges", func(t *testing.T) { spamdJudges(t, d) })
	t.Run("fields of the sender are not taken for its own", func(t *testing.T) { spamdIsForged(t, parse(t, d.Setting)) })
	t.Run("it is believed when the header is huge", func(t *testing.T) { spamdRepeatsAHugeHeader(t, parse(t, d.Setting)) })
	t.Run("it is given the beginning of a large message", func(t *testing.T) { spamdIsGivenTheBeginning(t, parse(t, d.Setting)) })
}

func spamdJudges(t *testing.T, d *testscan.Daemon) {
	for _, setting := range []string{d.Setting, d.Socket} {
		s := parse(t, setting)
		r := scan(t, s, mail("test", gtube))
		if r.Kind != scanner.Spam || r.Score < verdict.P(900) || r.Required != verdict.P(5) || !hasSymbol(r, "GTUBE") || hasSymbol(r, "NO_RECEIVED") {
			t.Errorf("%s: GTUBE: %+v", setting, r)
		}
		if field(r, "X-Spam-Flag") != "YES" || !strings.HasPrefix(field(r, "X-Spam-Status"), "Yes, score=") || !strings.Contains(field(r, "X-Spam-Checker-Version"), r.Version) ||
			r.Version == "" || field(r, "X-Spam-Level") == "" {
			t.Errorf("%s: fields: %+v, version %q", setting, r.Headers, r.Version)
		}
		r = scan(t, s, mail("Lunch", "Shall we have lunch on Tuesday?"))
		if r.Kind != scanner.Ham || r.Score >= r.Required || field(r, "X-Spam-Flag") == "YES" || r.Truncated() {
			t.Errorf("%s: lunch: %+v", setting, r)
		}
	}
}

// What the sender wrote as if spamd had is neither taken for spamd's nor a reason to doubt it.
func spamdIsForged(t *testing.T, s scanner.Scanner) {
	forged := "X-Spam-Status : No, score=-99.0 required=5.0 tests=FORGED\r\nX-Spam-Status: No, score=-99.0 required=5.0 tests=FORGED\r\n" +
		"X-Spam-Flag : NO\r\nX-Spam-Flag: NO\r\nX-Spam-Checker-Version: SpamAssassin 9 on nowhere\r\n"
	m := raw(forged + "From: a@example.org\r\nSubject: x\r\n\r\n" + gtube + "\r\n")
	r := scan(t, s, m)
	if r.Kind != scanner.Spam || hasSymbol(r, "FORGED") || field(r, "X-Spam-Flag") != "YES" || !strings.HasPrefix(field(r, "X-Spam-Status"), "Yes") || r.Version == "9" {
		t.Errorf("%+v", r)
	}
}

// A header that is longer than any answer should be comes back in the answer, and is no reason to believe that it is endless.
func spamdRepeatsAHugeHeader(t *testing.T, s scanner.Scanner) {
	r := scan(t, s, raw(strings.Repeat("X-Padding: "+strings.Repeat("x", 900)+"\r\n", 450)+"Subject: x\r\n\r\n"+gtube+"\r\n"))
	if r.Kind != scanner.Spam {
		t.Errorf("%+v", r)
	}
}

func spamdIsGivenTheBeginning(t *testing.T, s scanner.Scanner) {
	s.(*scanner.Spamd).MaxSize = 64 << 10
	r := scan(t, s, mail("large", gtube+"\r\n"+strings.Repeat("And so on.\r\n", 100_000)))
	if r.Kind != scanner.Spam || !r.Truncated() || r.Scanned != 64<<10 || r.Total < 1_200_000 {
		t.Errorf("%s, %d of %d", r.Kind, r.Scanned, r.Total)
	}
	if c := r.Check(); !strings.Contains(c.Detail, "first 65536 of 12") {
		t.Errorf("%+v", c)
	}
}

// With _TESTSSCORES_ in the template the rules' points are in the trace.
func TestSpamdTellsThePointsOfItsRules(t *testing.T) {
	d := testscan.Spamd(t, "clear_headers", "add_header all Status _YESNO_, score=_SCORE_ required=_REQD_ tests=_TESTSSCORES_ autolearn=_AUTOLEARN_ version=_VERSION_")
	r := scan(t, parse(t, d.Setting), mail("test", gtube))
	if len(r.Symbols) == 0 || r.Symbols[0].Name != "GTUBE" || r.Symbols[0].Points != verdict.P(1000) {
		t.Errorf("%+v", r.Symbols)
	}
	if c := r.Check(); c.Name != verdict.CheckScanner || c.Result != "spam" || c.Points != r.Score || len(c.Parts) != len(r.Symbols) {
		t.Errorf("%+v", c)
	}
}

func TestRspamdJudges(t *testing.T) {
	d := testscan.Rspamd(t)
	s := parse(t, d.Setting)
	r := scan(t, s, mail("test", gtube))
	if r.Kind != scanner.Reject || !hasSymbol(r, "GTUBE") || r.Version == "" {
		t.Errorf("GTUBE: %+v", r)
	}
	r = scan(t, s, mail("Buy "+testscan.RspamdSpam, "now"))
	if r.Kind != scanner.Spam || r.Score != verdict.P(7.5) || !hasSymbol(r, "TEST_SPAM") || r.Symbols[0].Points != verdict.P(7.5) || r.Symbols[0].Detail != "sells pills" {
		t.Errorf("pills: %+v", r)
	}
	if field(r, "X-Spam-Status") != "Yes, score=7.50" || !strings.Contains(field(r, "X-Spamd-Result"), "TEST_SPAM(7.50)") {
		t.Errorf("fields: %+v", r.Headers)
	}
	if r := scan(t, s, mail(testscan.RspamdMaybe, "now")); r.Kind != scanner.Greylist {
		t.Errorf("perhaps: %+v", r)
	}
	if r := scan(t, s, mail("Lunch", "Tuesday?")); r.Kind != scanner.Ham || r.Score != 0 {
		t.Errorf("lunch: %+v", r)
	}
	m := mail("Lunch", "Tuesday?")
	m.Recipients = make([]string, 5000)
	for i := range m.Recipients {
		m.Recipients[i] = "someone@example.test"
	}
	m.Helo, m.Hostname, m.From = "evil\r\nPassword: x", strings.Repeat("h", 100_000), "ä\x00@example.org"
	if r := scan(t, s, m); r.Kind != scanner.Ham {
		t.Errorf("many recipients and a hostile envelope: %+v", r)
	}
}

func TestClamdFindsWhatItKnows(t *testing.T) {
	d := testscan.Clamd(t)
	for _, setting := range []string{d.Setting, d.Socket} {
		s := parse(t, setting)
		r := scan(t, s, mail("bill", "See: "+testscan.Virus))
		if r.Kind != scanner.Infected || r.Virus != testscan.VirusName {
			t.Errorf("%s: %+v", setting, r)
		}
		if c := r.Check(); c.Name != verdict.CheckVirus || c.Result != "infected" || !strings.Contains(c.Detail, testscan.VirusName) {
			t.Errorf("%s: %+v", setting, c)
		}
		r = scan(t, s, mail("Lunch", "Tuesday?"))
		if r.Kind != scanner.Clean || r.Check().Result != "clean" {
			t.Errorf("%s: %+v", setting, r)
		}
	}
}

func TestClamdThatTakesNoLargeMessageSaysSo(t *testing.T) {
	s := parse(t, testscan.Clamd(t).Setting)
	m := mail("large", strings.Repeat("And so on.\r\n", 3*testscan.ClamdStream/12))
	_, err := s.Scan(t.Context(), m)
	var e *scanner.Error
	if !errors.As(err, &e) || e.Trouble != scanner.TooLarge || !strings.Contains(err.Error(), "StreamMaxLength") {
		t.Fatalf("%v", err)
	}
	if c := scanner.CheckOf(scanner.Result{}, err); c.Name != verdict.CheckVirus || c.Result != "unavailable" {
		t.Errorf("%+v", c)
	}
	s.(*scanner.Clamd).MaxSize = testscan.ClamdStream
	if r := scan(t, s, m); r.Kind != scanner.Clean || !r.Truncated() {
		t.Errorf("%+v", r)
	}
}

// A scanner that is killed and started again: every message has an answer at once, somebody is told once, and it
// comes back by itself.
func TestAKilledScannerIsToldOfAndComesBackByItself(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *testscan.Daemon{
		"spamd":  func(t testing.TB) *testscan.Daemon { return testscan.Spamd(t) },
		"rspamd": testscan.Rspamd,
		"clamd":  testscan.Clamd,
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t)
			now := clock.NewManual(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))
			var alerts []scanner.Alert
			recovered := 0
			g := scanner.NewGuard(parse(t, d.Setting), scanner.Options{
				Timeout: patience, Clock: now, Rest: time.Minute,
				Alert: func(a scanner.Alert) { alerts = append(alerts, a) }, Recovered: func(string) { recovered++ },
			})
			lunch := mail("Lunch", "Tuesday?")
			scan(t, g, lunch)
			d.Kill()
			var troubles []string
			for range 5 {
				_, err := g.Scan(t.Context(), lunch)
				var e *scanner.Error
				if !errors.As(err, &e) {
					t.Fatalf("a dead scanner answers: %v", err)
				}
				if c := scanner.CheckOf(scanner.Result{}, err); c.Result != "unavailable" {
					t.Errorf("%+v", c)
				}
				troubles = append(troubles, string(e.Trouble))
			}
			if got := strings.Join(troubles, " "); got != "down down down resting resting" {
				t.Errorf("five messages: %s", got)
			}
			if len(alerts) != 1 || alerts[0].Trouble != scanner.Down || !strings.Contains(alerts[0].Text, "systemctl start") {
				t.Errorf("alerts: %+v", alerts)
			}
			now.Advance(time.Minute)
			if _, err := g.Scan(t.Context(), lunch); err == nil || len(alerts) != 1 {
				t.Errorf("still dead: %v, %d alerts", err, len(alerts))
			}
			d.Start(t)
			if _, err := g.Scan(t.Context(), lunch); err == nil || recovered != 0 {
				t.Errorf("it rests still: %v", err)
			}
			now.Advance(time.Minute)
			if r := scan(t, g, lunch); r.Kind != scanner.Ham && r.Kind != scanner.Clean {
				t.Errorf("%+v", r)
			}
			if recovered != 1 {
				t.Errorf("told %d times that it is back", recovered)
			}
		})
	}
}

// A scanner that hangs takes what it is allowed and no more.
func TestAHangingScannerIsGivenUp(t *testing.T) {
	d := testscan.Clamd(t)
	g := scanner.NewGuard(parse(t, d.Setting), scanner.Options{Timeout: 300 * time.Millisecond, Failures: 2})
	d.Stop()
	for range 2 {
		_, err := g.Scan(t.Context(), mail("Lunch", "Tuesday?"))
		var e *scanner.Error
		if !errors.As(err, &e) || e.Trouble != scanner.Slow {
			t.Fatalf("%v", err)
		}
	}
	d.Continue()
}

func TestNoMoreThanTheMessageIsSent(t *testing.T) {
	d := testscan.Clamd(t)
	content := bytes.NewReader([]byte("Subject: x\r\n\r\n" + testscan.Virus + "\r\n"))
	r := scan(t, parse(t, d.Setting), scanner.Message{Content: content, Size: 14})
	if r.Kind != scanner.Clean {
		t.Errorf("%+v", r)
	}
}
