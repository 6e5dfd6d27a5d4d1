package story_test

import (
	"strings"
	"testing"

	gosmtp "github.com/emersion/go-smtp"

	"postern/internal/verdict"
)

func TestAnUnknownSuspectComesAgainAndAKnownOneIsNotAsked(t *testing.T) {
	g := openGate(t, "")
	const alice, bob = "alice@example.test", "bob@example.test"
	g.set("greylist.enabled", "true")
	g.set("greylist.delay", "1h")
	s := g.stranger(t, true)
	if trace, _ := g.arrives(t, s, g.letter(s.author), alice); check(trace, verdict.CheckGreylist).Name != "" {
		t.Errorf("an ordinary letter is asked about: %+v", trace)
	}
	mustWait := func(text string, to ...string) {
		t.Helper()
		_, refused := g.send(t, s.ip, s.author, text, to...)
		if refused == nil || refused.Code != 451 || refused.EnhancedCode != (gosmtp.EnhancedCode{4, 7, 1}) {
			t.Fatalf("told %v", refused)
		}
		trace := g.trace(t, strings.Trim(field(t, text, "Message-ID"), "<>"))
		if r := trace.Recipients[0]; r.Verdict.Action != verdict.Greylist || check(trace, verdict.CheckGreylist).Result != "wait" || !strings.Contains(refused.Message, trace.ID) {
			t.Errorf("%+v, told %q", r, refused.Message)
		}
	}
	suspect := g.doubtful(s.author)
	mustWait(suspect, alice)
	mustWait(suspect, alice) // too early
	g.set("greylist.delay", "0s")
	trace, raw := g.arrives(t, s, suspect, alice)
	if c := check(trace, verdict.CheckGreylist); c.Result != "pass" || trace.Recipients[0].Mailbox != "INBOX" || field(t, raw, "X-Spam-Flag") != "NO" {
		t.Errorf("who came again: %+v, %+v", c, trace.Recipients[0])
	}
	g.arrives(t, s, g.doubtful(s.author), alice) // known by now
	// For somebody else the sender is new; where one takes the message, the other gets it too.
	mustWait(g.doubtful(s.author), bob)
	both := g.doubtful(s.author)
	g.set("greylist.delay", "1h")
	trace = g.trace(t, g.accept(t, s.ip, s.author, both, bob, alice))
	if r := verdictOf(t, trace, bob); r.Verdict.Action != verdict.Greylist || r.Mailbox != "INBOX" {
		t.Errorf("bob: %+v", r)
	}
	if mailbox, raw := g.copyOf(t, bob, strings.Trim(trace.MessageID, "<>")); mailbox != "INBOX" || field(t, string(raw), "X-Spam-Flag") != "NO" {
		t.Errorf("bob has it in %q:\n%s", mailbox, raw)
	}
	// What is Junk anyhow, and who is written to, need not come again.
	if trace, _ := g.arrives(t, s, g.spam(s.author), bob); trace.Recipients[0].Mailbox != "Junk" {
		t.Errorf("Junk: %+v", trace.Recipients[0])
	}
	friend := g.stranger(t, true)
	mail := text("From: "+alice, "To: "+friend.author, "Subject: hello", "", "Hello.")
	if err := submit(t, g.Server, alice).SendMail(alice, []string{friend.author}, strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	g.arrives(t, friend, g.doubtful(friend.author), alice)
	// The memory is on the disk.
	g.Server.Stop()
	g.Server.Run()
	clear(g.clients)
	clear(g.readers)
	g.arrives(t, s, g.doubtful(s.author), alice)
}
