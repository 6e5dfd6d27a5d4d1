package story_test

import (
	"fmt"
	"strings"
	"testing"

	gosmtp "github.com/emersion/go-smtp"

	"postern/internal/verdict"
)

// gtube is the text that every filter of unsolicited mail must know.
const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

// spam is a message with a program under a false name: Junk for anybody, and no more.
func (g *gate) spam(from string, more ...string) string {
	return g.compose(from, append([]string{"Content-Type: multipart/mixed; boundary=b"}, more...),
		"--b", "Content-Type: text/plain", "", "Hello Alice,", "", "here is the form that you asked for. Please send it back to me by Thursday, when we meet.", "", "Jane", "",
		"--b", "Content-Type: application/octet-stream", "Content-Disposition: attachment; filename=\"form.pdf.exe\"",
		"Content-Transfer-Encoding: base64", "", "TVqQAAMAAAAEAAAA", "--b--")
}

// doubtful is a message that may be meant well, and shouts: it is marked, and no more.
func (g *gate) doubtful(from string, more ...string) string {
	return g.compose(from, append([]string{"Subject: YOUR ORDER HAS ARRIVED!!"}, more...),
		"Dear customer,", "", "your order has arrived in our shop, and you can collect it from Monday on. Please bring the number of your order with you.", "", "Your shop")
}

// stranger is a client and a domain that nobody has seen before.
type stranger struct{ ip, domain, author string }

// stranger makes one whose client has a name, and may send for the domain if it is proven.
func (g *gate) stranger(t *testing.T, proven bool) stranger {
	t.Helper()
	g.strangers++
	s := stranger{ip: fmt.Sprintf("127.70.%d.1", g.strangers), domain: fmt.Sprintf("stranger%d.example", g.strangers)}
	s.author = "jane@" + s.domain
	g.name(t, s.ip, "mx."+s.domain)
	if proven {
		g.domain(t, s.domain, s.ip, "")
	}
	return s
}

// arrives sends a stranger's message to one user and gives its judgement and the copy.
func (g *gate) arrives(t *testing.T, s stranger, text, user string) (verdict.Trace, string) {
	t.Helper()
	id := g.accept(t, s.ip, s.author, text, user)
	trace := g.trace(t, id)
	mailbox, raw := g.copyOf(t, user, strings.Trim(trace.MessageID, "<>"))
	if r := verdictOf(t, trace, user); r.Mailbox != mailbox || trace.ID != id {
		t.Errorf("the trace %s says that it is in %q, and it is in %q", id, r.Mailbox, mailbox)
	}
	return trace, string(raw)
}

func TestTheScoreDecidesWhereAMessageGoes(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	for _, c := range []struct {
		name                  string
		write                 func(string, ...string) string
		action                verdict.Action
		mailbox, flag, status string
	}{
		{"an ordinary letter", g.letter, verdict.Inbox, "INBOX", "NO", "No, score="},
		{"a doubtful one", g.doubtful, verdict.Tag, "INBOX", "NO", "No, score="},
		{"a program under a false name", g.spam, verdict.Junk, "Junk", "YES", "Yes, score="},
	} {
		s := g.stranger(t, false)
		trace, raw := g.arrives(t, s, c.write("Jane <"+s.author+">"), alice)
		r := trace.Recipients[0]
		if r.Verdict.Action != c.action || r.Mailbox != c.mailbox || field(t, raw, "X-Spam-Flag") != c.flag || !strings.HasPrefix(field(t, raw, "X-Spam-Status"), c.status) {
			t.Errorf("%s: %+v\n%s", c.name, r.Verdict, raw)
		}
		told := field(t, raw, "X-Postern-Verdict")
		id, _, _ := strings.Cut(strings.TrimPrefix(told, "id="), ";")
		if g.trace(t, id).MessageID != trace.MessageID || !strings.Contains(told, "action="+string(c.action)+";") {
			t.Errorf("%s: the reader is told %q", c.name, told)
		}
	}
	s := g.stranger(t, false)
	test := g.compose(s.author, nil, gtube)
	if _, refused := g.send(t, s.ip, s.author, test, alice); refused == nil || refused.Code != 550 || refused.EnhancedCode != (gosmtp.EnhancedCode{5, 7, 1}) {
		t.Errorf("GTUBE: %v", refused)
	} else if trace := g.trace(t, strings.Trim(field(t, test, "Message-ID"), "<>")); !strings.Contains(refused.Message, trace.ID) || trace.Recipients[0].Verdict.Action != verdict.Reject {
		t.Errorf("told %q, and the judgement is %+v", refused.Message, trace)
	}
	g.set("spam.reject_score", "0")
	if trace, _ := g.arrives(t, s, g.compose(s.author, nil, gtube), alice); trace.Recipients[0].Mailbox != "Junk" {
		t.Errorf("GTUBE where nothing is refused: %+v", trace.Recipients[0])
	}
	g.set("spam.junk_score", "0")
	if trace, raw := g.arrives(t, s, g.compose(s.author, nil, gtube), alice); trace.Recipients[0].Verdict.Action != verdict.Tag || trace.Recipients[0].Mailbox != "INBOX" || len(field(t, raw, "X-Spam-Level")) != 50 {
		t.Errorf("GTUBE where nothing is junk: %+v", trace.Recipients[0])
	}
}

func TestEachRecipientHasTheirOwnThresholds(t *testing.T) {
	g := openGate(t, "")
	const alice, bob, admin = "alice@example.test", "bob@example.test", "admin@example.test"
	g.Postern("spam", "policy", "set", alice, "--tag", "50", "--junk", "60", "--reject", "70")
	g.Postern("spam", "policy", "set", "example.test", "--tag", "1", "--junk", "2")
	g.Postern("spam", "policy", "set", bob, "--tag", "0.5", "--junk", "0", "--reject", "0")
	s := g.stranger(t, false)
	to := func(text string, want map[string]string, users ...string) {
		t.Helper()
		trace := g.trace(t, g.accept(t, s.ip, s.author, text, users...))
		for user, is := range want {
			mailbox, _ := g.copyOf(t, user, strings.Trim(trace.MessageID, "<>"))
			r := verdictOf(t, trace, user)
			if got := fmt.Sprintf("%s %s %s", r.Verdict.Action, mailbox, r.Policy.Source); got != is || r.Mailbox != mailbox {
				t.Errorf("%s: %s, not %s (%+v)", user, got, is, r)
			}
		}
	}
	to(g.doubtful(s.author), map[string]string{alice: "inbox INBOX " + alice, bob: "tag INBOX " + bob, admin: "junk Junk example.test"}, alice, bob, admin)
	// Who would refuse it has it in Junk where others take it.
	g.Postern("spam", "policy", "set", bob, "--reject", "1")
	to(g.doubtful(s.author), map[string]string{alice: "inbox INBOX " + alice, bob: "reject Junk " + bob}, bob, alice)
	if _, refused := g.send(t, s.ip, s.author, g.doubtful(s.author), bob); refused == nil || refused.Code != 550 {
		t.Errorf("bob alone would refuse it: %v", refused)
	}
	g.Postern("spam", "policy", "reset", bob)
	to(g.doubtful(s.author), map[string]string{bob: "junk Junk example.test"}, bob)
}

func TestListsOfSendersCountForWhoIsProven(t *testing.T) {
	g := openGate(t, "")
	const alice, bob = "alice@example.test", "bob@example.test"
	friend, other := g.stranger(t, true), g.stranger(t, false)
	g.Postern("spam", "allow", "add", friend.author, "--for", alice)
	if trace, _ := g.arrives(t, friend, g.spam(friend.author), alice); trace.Recipients[0].Mailbox != "INBOX" || trace.Recipients[0].Verdict.Rule != "the recipient's list allows the sender" {
		t.Errorf("an allowed sender: %+v", trace.Recipients[0])
	}
	if trace, _ := g.arrives(t, friend, g.spam(friend.author), bob); trace.Recipients[0].Mailbox != "Junk" {
		t.Errorf("one that somebody else allows: %+v", trace.Recipients[0])
	}
	forged := stranger{ip: other.ip, author: friend.author}
	if trace, _ := g.arrives(t, forged, g.spam(friend.author), alice); trace.Recipients[0].Mailbox != "Junk" || check(trace, verdict.CheckSender).Result != "not proven" {
		t.Errorf("a forged allowed sender: %+v", trace.Recipients[0])
	}
	if trace, _ := g.arrives(t, friend, g.spam(friend.author+", "+other.author), alice); trace.Recipients[0].Mailbox != "Junk" {
		t.Errorf("an allowed sender among others: %+v", trace.Recipients[0])
	}

	bad := g.stranger(t, true)
	g.Postern("spam", "block", "add", bad.domain, "--for", alice)
	if trace, _ := g.arrives(t, bad, g.letter(bad.author), alice); trace.Recipients[0].Mailbox != "Junk" || trace.Recipients[0].Verdict.Rule != "the recipient's list blocks the sender" {
		t.Errorf("a blocked sender: %+v", trace.Recipients[0])
	}
	if trace, _ := g.arrives(t, other, g.letter(other.author+", x@sub."+bad.domain), alice); trace.Recipients[0].Mailbox != "Junk" {
		t.Errorf("a blocked sender behind another: %+v", trace.Recipients[0])
	}
	if trace, _ := g.arrives(t, bad, g.letter(bad.author), bob); trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("one that somebody else blocks: %+v", trace.Recipients[0])
	}
	// A user's own list goes before the server's.
	g.Postern("spam", "block", "add", friend.domain)
	if trace, _ := g.arrives(t, friend, g.letter(friend.author), alice); trace.Recipients[0].Mailbox != "INBOX" {
		t.Errorf("blocked for all and allowed by alice: %+v", trace.Recipients[0])
	}
	if trace, _ := g.arrives(t, friend, g.letter(friend.author), bob); trace.Recipients[0].Mailbox != "Junk" {
		t.Errorf("blocked for all: %+v", trace.Recipients[0])
	}
}

func TestWhoARecipientWritesToIsExpected(t *testing.T) {
	g := openGate(t, "")
	const alice, bob = "alice@example.test", "bob@example.test"
	friend, forger := g.stranger(t, true), g.stranger(t, false)
	g.dns.Set(t, friend.domain+". 60 IN MX 0 .\n")
	mail := text("From: "+alice, "To: "+friend.author, "Subject: hello", "", "Hello.")
	if err := submit(t, g.Server, alice).SendMail(alice, []string{friend.author}, strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	points := func(s stranger, user string, want string) {
		t.Helper()
		trace, _ := g.arrives(t, s, g.doubtful(friend.author), user)
		if c := check(trace, verdict.CheckSender); c.Points.String() != want || want != "0.00" && c.Result != "correspondent" {
			t.Errorf("%s to %s: %+v", s.ip, user, c)
		}
	}
	points(friend, alice, "-3.00")
	points(friend, bob, "0.00")
	points(stranger{ip: forger.ip, author: forger.author}, alice, "-0.50")
}
