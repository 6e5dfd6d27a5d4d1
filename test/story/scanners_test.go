package story_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"postern/internal/testscan"
	"postern/internal/verdict"
)

// count is how many fields of a name a message has.
func count(raw, name string) int {
	header, _, _ := strings.Cut("\r\n"+raw, "\r\n\r\n")
	return strings.Count(strings.ToLower(header), "\r\n"+strings.ToLower(name)+":")
}

// untilJudged sends letters until a scanner judges one.
func (g *gate) untilJudged(t *testing.T, s stranger, name string) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		trace, _ := g.arrives(t, s, g.letter(s.author), "alice@example.test")
		if c := check(trace, name); c.Result != "unavailable" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the scanner is not asked again: %+v", trace.Checks)
		}
		<-time.After(500 * time.Millisecond)
	}
}

// mustNotWarn waits until `postern check` tells of no trouble with a scanner.
func (g *gate) mustNotWarn(t *testing.T, scanner string) {
	t.Helper()
	if out, _ := g.Command("check").CombinedOutput(); strings.Contains(string(out), "Scanner "+scanner) {
		t.Errorf("postern check still warns of %s:\n%s", scanner, out)
	}
}

// TestSpamdsVerdictIsTheVerdict goes through the life of a spamd: it judges, it is killed, it rests, it is back.
func TestSpamdsVerdictIsTheVerdict(t *testing.T) {
	d := testscan.Spamd(t)
	g := openGate(t, "")
	g.set("spam.scanner", d.Setting)
	g.set("spam.scan_timeout", "2m") // a slow machine's
	const alice = "alice@example.test"
	s := g.stranger(t, true)
	t.Parallel() // what follows waits for spamd most of the time

	trace, raw := g.arrives(t, s, g.compose(s.author, []string{"X-Spam-Status: No, score=-99.0 tests=FORGED"}, gtube), alice)
	r := trace.Recipients[0]
	if r.Mailbox != "Junk" || r.Verdict.Rule != "spamd: spam" || r.Verdict.Score < verdict.P(900) || check(trace, verdict.CheckScanner).Result != "spam" {
		t.Errorf("GTUBE: %+v", r)
	}
	if !strings.Contains(field(t, raw, "X-Spam-Checker-Version"), "SpamAssassin") || field(t, raw, "X-Spam-Flag") != "YES" || !strings.Contains(field(t, raw, "X-Spam-Status"), "GTUBE") || strings.Contains(raw, "FORGED") {
		t.Errorf("not in spamd's words:\n%s", raw)
	}
	for name, n := range map[string]int{"X-Spam-Status": 1, "X-Spam-Flag": 1, "X-Spam-Level": 1, "X-Spam-Checker-Version": 1, "X-Postern-Verdict": 1} {
		if got := count(raw, name); got != n {
			t.Errorf("%d fields %s in\n%s", got, name, raw)
		}
	}
	for _, c := range trace.Checks {
		if c.Name != verdict.CheckScanner && c.Points != 0 {
			t.Errorf("beside the scanner counts %+v", c)
		}
	}
	trace, raw = g.arrives(t, s, g.spam(s.author), alice)
	if r := trace.Recipients[0]; r.Mailbox != "INBOX" || r.Verdict.Rule != "spamd: ham" || field(t, raw, "X-Spam-Flag") == "YES" || !strings.HasPrefix(field(t, raw, "X-Spam-Status"), "No, ") {
		t.Errorf("what spamd likes: %+v\n%s", r, raw)
	}
	g.domain(t, "refusing.example", "", "reject")
	if _, refused := g.send(t, s.ip, s.author, g.letter("x@refusing.example"), alice); refused == nil || refused.Code != 550 {
		t.Errorf("DMARC is forgotten where a scanner judges: %v", refused)
	}

	d.Kill()
	for i := range 4 {
		trace, raw := g.arrives(t, s, g.letter(s.author), alice)
		trouble := "spamd: down"
		if i == 3 {
			trouble = "spamd: resting"
		}
		if c := check(trace, verdict.CheckScanner); c.Result != "unavailable" || c.Detail != trouble || trace.Recipients[0].Mailbox != "INBOX" {
			t.Errorf("letter %d to a dead spamd: %+v, %+v", i, c, trace.Recipients[0])
		}
		if !strings.Contains(field(t, raw, "X-Postern-Verdict"), "spamd being unavailable") {
			t.Errorf("it is not marked:\n%s", raw)
		}
	}
	if trace, _ := g.arrives(t, s, g.compose(s.author, nil, gtube), alice); trace.Recipients[0].Mailbox != "Junk" {
		t.Errorf("GTUBE to a dead spamd: %+v", trace.Recipients[0])
	}
	g.alert(t, "spamd", "cannot be reached", "systemctl start spamd")
	d.Start(t)
	g.untilJudged(t, s, verdict.CheckScanner)
	g.mustNotWarn(t, "spamd")
}

func TestRspamdsVerdictIsTheVerdict(t *testing.T) {
	d := testscan.Rspamd(t)
	g := openGate(t, "")
	g.set("spam.scanner", d.Setting)
	const alice = "alice@example.test"
	s := g.stranger(t, true)
	if _, refused := g.send(t, s.ip, s.author, g.compose(s.author, nil, gtube), alice); refused == nil || refused.Code != 550 {
		t.Errorf("GTUBE: %v", refused)
	}
	trace, raw := g.arrives(t, s, g.letter(s.author, "Subject: Buy "+testscan.RspamdSpam), alice)
	if r := trace.Recipients[0]; r.Mailbox != "Junk" || r.Verdict.Rule != "rspamd: spam" || r.Verdict.Score != verdict.P(7.5) || !strings.Contains(field(t, raw, "X-Spamd-Result"), "TEST_SPAM") {
		t.Errorf("pills: %+v\n%s", r, raw)
	}
	if trace, _ := g.arrives(t, s, g.spam(s.author), alice); trace.Recipients[0].Mailbox != "INBOX" || trace.Recipients[0].Verdict.Rule != "rspamd: ham" {
		t.Errorf("what rspamd likes: %+v", trace.Recipients[0])
	}
	// It has no memory of who came again and says "greylist" each time: we know, where we are to ask at all.
	maybe := func() string { return g.letter(s.author, "Subject: "+testscan.RspamdMaybe) }
	if trace, _ := g.arrives(t, s, maybe(), alice); trace.Recipients[0].Verdict.Action != verdict.Tag || trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("greylisting is off: %+v", trace.Recipients[0])
	}
	g.set("greylist.enabled", "true")
	g.set("greylist.delay", "0s")
	if _, refused := g.send(t, s.ip, s.author, maybe(), alice); refused == nil || refused.Code != 451 {
		t.Errorf("greylisting is on: %v", refused)
	}
	if trace, _ := g.arrives(t, s, maybe(), alice); trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("who came again: %+v", trace.Recipients[0])
	}
	g.set("spam.scan_timeout", "1s")
	d.Stop()
	if trace, _ := g.arrives(t, s, g.letter(s.author), alice); check(trace, verdict.CheckScanner).Detail != "rspamd: slow" || trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("an rspamd that hangs: %+v", trace)
	}
	d.Continue()
	g.alert(t, "rspamd", "gave no answer within 1s")
	g.untilJudged(t, s, verdict.CheckScanner)
	g.mustNotWarn(t, "rspamd")
	d.Kill()
	if trace, _ := g.arrives(t, s, maybe(), alice); check(trace, verdict.CheckScanner).Result != "unavailable" || trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("a dead rspamd: %+v", trace)
	}
	g.alert(t, "rspamd", "cannot be reached", "systemctl start rspamd")
	d.Start(t)
	g.untilJudged(t, s, verdict.CheckScanner)
	g.mustNotWarn(t, "rspamd")
}

func TestClamdFindsVirusesOnBothRoads(t *testing.T) {
	d := testscan.Clamd(t)
	g := openGate(t, "")
	g.set("virus.scanner", d.Setting)
	const alice = "alice@example.test"
	s := g.stranger(t, true)
	g.Postern("spam", "allow", "add", s.author)
	infected := g.compose(s.author, nil, "See:", testscan.Virus)
	if _, refused := g.send(t, s.ip, s.author, infected, alice); refused == nil || refused.Code != 550 || !strings.Contains(refused.Message, "virus") {
		t.Errorf("a virus: %v", refused)
	} else if trace := g.trace(t, strings.Trim(field(t, infected, "Message-ID"), "<>")); !strings.Contains(trace.Recipients[0].Verdict.Rule, testscan.VirusName) {
		t.Errorf("%+v", trace.Recipients[0])
	}
	own := text("From: "+alice, "To: far@far.example", "Subject: see", "", testscan.Virus)
	if err := submit(t, g.Server, alice).SendMail(alice, []string{"far@far.example"}, strings.NewReader(own)); code(err) != 550 {
		t.Errorf("a user's virus: %v", err)
	}
	if trace, _ := g.arrives(t, s, g.letter(s.author), alice); check(trace, verdict.CheckVirus).Result != "clean" {
		t.Errorf("a clean letter: %+v", trace.Checks)
	}
	g.set("spam.virus_action", "junk")
	if trace, raw := g.arrives(t, s, g.compose(s.author, nil, testscan.Virus), alice); trace.Recipients[0].Mailbox != "Junk" || field(t, raw, "X-Spam-Flag") != "YES" {
		t.Errorf("a virus that goes to Junk: %+v", trace.Recipients[0])
	}
	d.Kill()
	if trace, _ := g.arrives(t, s, g.letter(s.author), alice); check(trace, verdict.CheckVirus).Result != "unavailable" || trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("a dead clamd: %+v", trace)
	}
	g.alert(t, "clamd", "cannot be reached", "systemctl start clamav-daemon")
	d.Start(t)
	g.untilJudged(t, s, verdict.CheckVirus)
	g.mustNotWarn(t, "clamd")
}

// liar is a scanner that answers every message of spamd's clients with the same bytes.
func liar(t *testing.T, answer string) (setting string) {
	t.Helper()
	return "spamd:" + testscan.Liar(t, func(conn net.Conn) {
		testscan.HearSpamc(conn)
		io.WriteString(conn, answer)
	})
}

func TestAScannerThatLiesIsNotBelievedAndToldOf(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	s := g.stranger(t, true)
	for _, answer := range []string{
		"SPAMD/1.1 0 EX_OK\r\nContent-length: 0\r\nSpam: True ; 1.0 / 5.0\r\n\r\n",
		"SPAMD/1.1 0 EX_OK\r\nContent-length: 33\r\nSpam: True ; 9.0 / 5.0\r\n\r\nX-Spam-Flag: YES\rBcc: x@y.example\r\n",
		"220 mail.example ESMTP\r\n",
	} {
		g.set("spam.scanner", liar(t, answer))
		trace, raw := g.arrives(t, s, g.letter(s.author), alice)
		if c := check(trace, verdict.CheckScanner); c.Result != "unavailable" || c.Detail != "spamd: lying" || trace.Recipients[0].Mailbox != "INBOX" {
			t.Errorf("%q: %+v, %+v", answer, c, trace.Recipients[0])
		}
		if strings.Contains(raw, "Bcc") || !strings.Contains(field(t, raw, "X-Postern-Verdict"), "spamd being unavailable") {
			t.Errorf("%q:\n%s", answer, raw)
		}
	}
	g.alert(t, "spamd", "cannot be right", "names the right port")
	g.set("spam.scanner", "")
	g.mustNotWarn(t, "spamd") // and no message has to come first
	g.arrives(t, s, g.letter(s.author), alice)
	for setting, value := range map[string]string{"spam.scanner": "clamd:127.0.0.1:3310", "virus.scanner": "spamd:127.0.0.1:783"} {
		if err := g.Command("settings", "set", setting, value).Run(); err == nil {
			t.Errorf("%s may be %s", setting, value)
		}
	}
}
