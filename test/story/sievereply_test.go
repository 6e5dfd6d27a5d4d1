package story_test

import (
	"strings"
	"testing"
)

// TestAScriptRefusesWhileTheSenderWaits: or by a notice, where others take the message and the sender is proven.
func TestAScriptRefusesWhileTheSenderWaits(t *testing.T) {
	g := openGate(t, "stranger1.example. 60 IN MX 10 mx.stranger1.example.\n")
	const alice, bob = "alice@example.test", "bob@example.test"
	keepScripts(t, g.Server, alice).use("no", `require "reject";`, "reject \"I do not want this,\r\nreally.\";")
	s := g.stranger(t, true)
	_, refused := g.send(t, s.ip, s.author, g.letter(s.author, "Message-ID: <refused@stranger1.example>"), alice)
	if refused == nil || refused.Code != 550 || !strings.Contains(refused.Message, "I do not want this, really. (") {
		t.Fatalf("the answer is %v", refused)
	}
	if r := verdictOf(t, g.trace(t, "refused@stranger1.example"), alice); r.Mailbox != "" || strings.Join(r.Scripts, "") != "no, line 2: refused" {
		t.Errorf("the trace: %+v", r)
	}
	forged := g.stranger(t, false)
	id := g.accept(t, forged.ip, forged.author, g.letter(forged.author), alice, bob)
	if r := verdictOf(t, g.trace(t, id), alice); r.Mailbox != "INBOX" || !strings.Contains(strings.Join(r.Scripts, ""), "the sender is not proven") {
		t.Errorf("what a forged sender wrote: %+v", r)
	}
	id = g.accept(t, s.ip, s.author, g.letter(s.author), alice, bob)
	if r := verdictOf(t, g.trace(t, id), alice); r.Mailbox != "" || !strings.Contains(strings.Join(r.Scripts, ""), "refused by a notice") {
		t.Errorf("what bob takes: %+v", r)
	}
	if a, b := g.Count(t, alice, "INBOX"), g.Count(t, bob, "INBOX"); a != 1 || b != 2 {
		t.Errorf("alice has %d, bob %d", a, b)
	}
	if list := g.Postern("queue", "list", "--json"); !strings.Contains(list, s.author) {
		t.Errorf("no notice is on its way: %s", list)
	}
}

// TestVacationAnswersAPersonOnceAndDuplicatesAreKnown over a restart too.
func TestVacationAnswersAPersonOnceAndDuplicatesAreKnown(t *testing.T) {
	g := openGate(t, "stranger1.example. 60 IN MX 10 far.stranger1.example.\nfar.stranger1.example. 60 IN A 127.0.0.25\n")
	far := listenAsMX(t, "127.0.0.25")
	publish(t, g.Server, g.dns)
	const alice = "alice@example.test"
	keepScripts(t, g.Server, alice).use("away", `require ["vacation", "duplicate"];`, `vacation "I am away.";`, `if duplicate { discard; }`)
	s := g.stranger(t, true)
	send := func(id string) {
		t.Helper()
		g.accept(t, s.ip, s.author, g.letter(s.author, "Message-ID: <"+id+"@stranger1.example>"), alice)
	}
	send("one")
	answer := far.wait(t, 1)
	if answer.from != "" || strings.Join(answer.to, " ") != s.author {
		t.Errorf("an answer from <%s> to %v", answer.from, answer.to)
	}
	for _, want := range []string{"From: <alice@example.test>", "Auto-Submitted: auto-replied", "In-Reply-To: <one@stranger1.example>", "References: <one@stranger1.example>", "I am away."} {
		if !strings.Contains(string(answer.data), want) {
			t.Errorf("the answer lacks %q:\n%s", want, answer.data)
		}
	}
	verifyWithPython(t, g.dns, answer.data)
	send("two")
	send("two")
	g.Server.Stop()
	g.Server.Run()
	clear(g.clients)
	send("one")
	emptyQueue(t, g.Server)
	far.mu.Lock()
	defer far.mu.Unlock()
	if n := g.Count(t, alice, "INBOX"); n != 2 || len(far.mail) != 1 {
		t.Errorf("alice has %d messages, and %d answers went out", n, len(far.mail))
	}
}

func TestVacationDoesNotAnswerJunk(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	keepScripts(t, g.Server, alice).use("away", `require "vacation";`, `vacation "I am away.";`)
	s := g.stranger(t, true)
	g.Postern("spam", "block", "add", s.author, "--for", alice)
	id := g.accept(t, s.ip, s.author, g.letter(s.author), alice)
	if r := verdictOf(t, g.trace(t, id), alice); r.Mailbox != "Junk" || !strings.Contains(strings.Join(r.Scripts, ""), "nobody is answered: the message is junk") {
		t.Errorf("the trace: %+v", r)
	}
	emptyQueue(t, g.Server)
}
