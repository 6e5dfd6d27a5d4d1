package story_test

import (
	"strings"
	"testing"
	"time"

	"postern/internal/testdns"
	"postern/test/lab"
)

// TestNoticesAboutForwardedMailGoToProvenSendersOnly has a group with a member elsewhere whose domain takes no mail: one
// sender's domain vouches for the client, the other sender is made up.
func TestNoticesAboutForwardedMailGoToProvenSendersOnly(t *testing.T) {
	dns := testdns.Start(t, "gone.example. 60 IN MX 0 .\n"+
		"victim.example. 60 IN MX 10 mx.victim.example.\nmx.victim.example. 60 IN A 127.0.0.21\nvictim.example. 60 IN TXT \"v=spf1 -all\"\n"+
		"proven.example. 60 IN MX 10 mx.victim.example.\nproven.example. 60 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n")
	far := listenAsMX(t, "127.0.0.21")
	s := lab.Start(t, "--dns", dns.Addr())
	publish(t, s, dns)
	s.Postern("group", "add", "team@example.test", "out@gone.example")
	send := func(from string) {
		if err := world(t, s).SendMail(from, []string{"team@example.test"}, strings.NewReader(text("From: "+from, "Subject: hello", "", "Hello."))); err != nil {
			t.Fatal(err)
		}
	}
	send("forged@victim.example")
	for deadline := time.Now().Add(30 * time.Second); strings.Contains(s.Postern("queue", "list", "--json"), ".example"); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the queue is not done with it")
		}
	}
	send("someone@proven.example")
	notice := far.wait(t, 1)
	if notice.from != "" || len(notice.to) != 1 || notice.to[0] != "someone@proven.example" {
		t.Errorf("a notice from <%s> to %v", notice.from, notice.to)
	}
	verifyWithPython(t, dns, notice.data)
}

// TestASignedMessageThatIsReplayedTellsNobodyElse has what one author signed sent again by a stranger, under another address of
// the author's domain and then under the author's own.
func TestASignedMessageThatIsReplayedTellsNobodyElse(t *testing.T) {
	g := openGate(t, "gone.example. 60 IN MX 0 .\nprovider.example. 60 IN MX 10 mx.provider.example.\nmx.provider.example. 60 IN A 127.0.0.24\n")
	far := listenAsMX(t, "127.0.0.24")
	publish(t, g.Server, g.dns)
	g.Postern("group", "add", "team@example.test", "out@gone.example")
	s := g.stranger(t, true)
	g.domain(t, "provider.example", "", "")
	signed := sign(t, g.letter("Jane <jane@provider.example>"), "provider.example")
	for _, from := range []string{"victim@provider.example", "jane@provider.example"} {
		g.accept(t, s.ip, from, signed, "team@example.test")
		for deadline := time.Now().Add(30 * time.Second); strings.Contains(g.Postern("queue", "list", "--json"), "gone.example"); <-time.After(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the queue is not done with it")
			}
		}
	}
	if notice := far.wait(t, 1); len(notice.to) != 1 || notice.to[0] != "jane@provider.example" {
		t.Errorf("a notice to %v", notice.to)
	}
}

// TestARewrittenReturnPathTakesNoticesOnly: whoever knows one cannot send other mail through it, and one that stands for
// an address here leads to it.
func TestARewrittenReturnPathTakesNoticesOnly(t *testing.T) {
	dns := testdns.Start(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.22\nsecond.test. 60 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n")
	far := listenAsMX(t, "127.0.0.22")
	s := lab.Start(t, "--dns", dns.Addr())
	s.Postern("domain", "add", "second.test")
	s.Postern("alias", "add", "info@second.test", "bob@example.test")
	s.Postern("group", "add", "team@example.test", "out@far.example")
	forward := func(n int, from string) string {
		if err := world(t, s).SendMail(from, []string{"team@example.test"}, strings.NewReader(text("From: "+from, "Subject: hello", "", "Hello."))); err != nil {
			t.Fatal(err)
		}
		return far.wait(t, n).from
	}
	stranger, local := forward(1, "new@sender.example"), forward(2, "info@second.test")
	c := world(t, s)
	if err := c.Mail("spam@elsewhere.example", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Rcpt(stranger, nil); code(err) != 550 {
		t.Errorf("mail that is no notice passes through %s: %v", stranger, err)
	}
	c = world(t, s)
	if err := c.SendMail("", []string{local}, strings.NewReader(text("From: MAILER-DAEMON@far.example", "Subject: lost", "", "Hello."))); err != nil {
		t.Fatal(err)
	}
	if got := string(s.Messages(t, "bob@example.test", "INBOX", 1)[0]); !strings.Contains(got, "Subject: lost") {
		t.Error(got)
	}
}
