package story_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestANoticeTellsOfAMessageOnce: in the owner's name, signed, and not of what machines and spammers send (RFC 5435, RFC 5436).
func TestANoticeTellsOfAMessageOnce(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.27\n")
	far := listenAsMX(t, "127.0.0.27")
	publish(t, g.Server, g.dns)
	const alice, bob = "alice@example.test", "bob@example.test"
	keepScripts(t, g.Server, alice).use("tell", `require ["enotify", "variables"];`,
		`if header :matches "Subject" "*" { set "what" "${1}"; }`,
		`if not valid_notify_method "mailto:phone@far.example" { stop; }`,
		`notify :importance "1" :from "Alice <alice+phone@example.test>" :message "Mail: ${what}" "mailto:phone@far.example?cc=bob@example.test&X-Tag=home";`)
	s := g.stranger(t, true)
	letter := g.letter(s.author)
	r := verdictOf(t, g.trace(t, g.accept(t, s.ip, s.author, letter, alice)), alice)
	if got := strings.Join(r.Scripts, ""); got != "tell, line 4: notify to phone@far.example, bob@example.test" || r.Mailbox != "INBOX" {
		t.Errorf("the trace has %q, %+v", got, r)
	}
	notice := far.wait(t, 1)
	if notice.from != "alice+phone@example.test" || strings.Join(notice.to, " ") != "phone@far.example" {
		t.Errorf("a notice from <%s> to %v", notice.from, notice.to)
	}
	for _, want := range []string{`From: "Alice" <alice+phone@example.test>`, "To: <phone@far.example>", "Cc: <bob@example.test>", "Subject: Mail: Our meeting on Thursday",
		`Auto-Submitted: auto-notified; owner-email="alice@example.test"`, "Importance: high", "x-tag: home"} {
		if !strings.Contains(string(notice.data), want) {
			t.Errorf("the notice lacks %q:\n%s", want, notice.data)
		}
	}
	verifyWithPython(t, g.dns, notice.data)
	if raw := string(g.Messages(t, bob, "INBOX", 1)[0]); !strings.Contains(raw, "Subject: Mail: Our meeting on Thursday") {
		t.Errorf("bob was told\n%s", raw)
	}

	silent := func(why string, text string, from string) {
		t.Helper()
		r := verdictOf(t, g.trace(t, g.accept(t, s.ip, from, text, alice)), alice)
		if !strings.Contains(strings.Join(r.Scripts, ""), why) {
			t.Errorf("it is not said that %q: %q", why, r.Scripts)
		}
	}
	silent("the notice was sent already", letter, s.author)
	silent("sent by a machine", g.letter(s.author, "Auto-Submitted: auto-notified"), s.author)
	silent("X-Autoreply", g.letter(s.author, "X-Autoreply: yes"), s.author)
	silent("the message is junk", g.spam(s.author), s.author)
	g.set("sieve.max_notices", "1")
	silent("1 notices a day at most", g.letter(s.author), s.author)
	g.set("sieve.max_notices", "2")
	g.accept(t, s.ip, s.author, g.letter(s.author, "Subject: the second"), alice)
	if second := far.wait(t, 2); !strings.Contains(string(second.data), "Subject: Mail: the second") {
		t.Errorf("the second notice is\n%s", second.data)
	}
	// What tells of a message without a reverse-path has none (RFC 5436 2.7).
	g.set("sieve.max_notices", "3")
	g.accept(t, s.ip, "", g.letter(s.author, "Subject: the third"), alice)
	if third := far.wait(t, 3); third.from != "" {
		t.Errorf("the third notice is from <%s>", third.from)
	}
	emptyQueue(t, g.Server)
	far.mu.Lock()
	defer far.mu.Unlock()
	if len(far.mail) != 3 {
		t.Errorf("%d notices went out", len(far.mail))
	}
}

// TestANoticeIsInTheNameOfItsOwnerAlone: whom the account may not speak for is not who sends it.
func TestANoticeIsInTheNameOfItsOwnerAlone(t *testing.T) {
	g := openGate(t, "")
	const alice, bob = "alice@example.test", "bob@example.test"
	keepScripts(t, g.Server, alice).use("forger", `require "enotify";`, `notify :from "bob@example.test" "mailto:bob@example.test?from=bob@example.test";`,
		`notify "mailto:nobody@example.test";`)
	s := g.stranger(t, true)
	r := verdictOf(t, g.trace(t, g.accept(t, s.ip, s.author, g.letter(s.author), alice)), alice)
	raw := string(g.Messages(t, bob, "INBOX", 1)[0])
	if !strings.Contains(raw, "Return-Path: <alice@example.test>") || !strings.Contains(raw, "From: <alice@example.test>") || strings.Contains(raw, "From: <bob") {
		t.Errorf("the notice is\n%s", raw)
	}
	if got := strings.Join(r.Scripts, "\n"); !strings.Contains(got, "notify; the notice cannot be sent: ") || g.Count(t, alice, "INBOX") != 1 {
		t.Errorf("the trace has %q", r.Scripts)
	}
	if got := fmt.Sprint(r.Mailbox); got != "INBOX" {
		t.Errorf("the message is in %s", got)
	}
}
