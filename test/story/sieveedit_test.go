package story_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// subjectsOf gives the subjects of a mailbox's messages as IMAP's envelope has them.
func (g *gate) subjectsOf(t *testing.T, user, mailbox string) (subjects []string) {
	t.Helper()
	c := g.IMAP(t, user)
	defer c.Close()
	if _, err := c.Select(mailbox, &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	list, err := c.Fetch(imap.SeqSet{imap.SeqRange{Start: 1}}, &imap.FetchOptions{Envelope: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		subjects = append(subjects, m.Envelope.Subject)
	}
	return subjects
}

// TestEachCopyHasTheHeaderOfItsMoment: what was filed before an edit is as it came, and each edit makes another (RFC 5293).
func TestEachCopyHasTheHeaderOfItsMoment(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.26\n")
	far := listenAsMX(t, "127.0.0.26")
	publish(t, g.Server, g.dns)
	const alice, bob = "alice@example.test", "bob@example.test"
	keepScripts(t, g.Server, alice).use("edits", `require ["editheader", "fileinto", "mailbox", "copy"];`,
		`fileinto :create :copy "AsItCame";`,
		`addheader "X-First" "one"; addheader :last "X-Last" "zwölf";`,
		`fileinto :create :copy "Added";`,
		`deleteheader "Subject"; addheader "Subject" "[project] Thursday";`,
		`fileinto :create :copy "Renamed"; redirect :copy "out@far.example"; redirect :copy "bob@example.test";`,
		`deleteheader "X-First"; addheader "X-Front" "alone";`)
	s := g.stranger(t, true)
	letter := sign(t, g.letter(s.author, "X-Big: "+strings.Repeat("b", 500))+strings.Repeat("A line of a long letter.\r\n", 8000), s.domain)
	g.publishKey(t, s.domain)
	id := g.accept(t, s.ip, s.author, letter, alice)
	copyIn := func(user, mailbox string) string { return string(g.Messages(t, user, mailbox, 1)[0]) }
	body := letter[strings.Index(letter, "\r\n\r\n"):]
	for _, c := range []struct {
		user, mailbox, subject string
		first, last, front     bool
	}{
		{alice, "AsItCame", "Our meeting on Thursday", false, false, false},
		{alice, "Added", "Our meeting on Thursday", true, true, false},
		{alice, "Renamed", "[project] Thursday", true, true, false},
		{alice, "INBOX", "[project] Thursday", false, true, true},
		{bob, "INBOX", "[project] Thursday", true, true, false},
	} {
		where := c.user + " " + c.mailbox
		raw := copyIn(c.user, c.mailbox)
		if !strings.HasSuffix(raw, body) {
			t.Errorf("%s: the body is not as it came", where)
		}
		if got := g.subjectsOf(t, c.user, c.mailbox); len(got) != 1 || got[0] != c.subject || strings.Count(raw, "\nSubject: ") != 1 {
			t.Errorf("%s: the subject is %q:\n%.2000s", where, got, raw)
		}
		for name, want := range map[string]bool{"X-First: one": c.first, "X-Last: =?utf-8?": c.last, "X-Front: alone": c.front} {
			if strings.Contains(raw, name) != want {
				t.Errorf("%s: %q is there: %v\n%.2000s", where, name, !want, raw)
			}
		}
		for _, ours := range []string{"Return-Path: <" + s.author + ">", "Delivered-To: " + c.user, "Authentication-Results: mail.example.test", "dkim=pass", "X-Postern-Verdict: "} {
			if strings.Count(raw, ours) != 1 {
				t.Errorf("%s: %q is there %d times\n%.2000s", where, ours, strings.Count(raw, ours), raw)
			}
		}
	}
	if raw := copyIn(alice, "AsItCame"); !strings.HasSuffix(raw, letter) {
		t.Error("what was filed before the edits is not as it came")
	}
	out := far.wait(t, 1)
	if data := string(out.data); strings.Contains(data, "Our meeting on Thursday") || !strings.Contains(data, "Subject: [project] Thursday") ||
		!strings.Contains(data, "X-First: one") || strings.Contains(data, "Return-Path: ") || !strings.HasSuffix(data, body) {
		t.Errorf("what was sent on is\n%.3000s", data)
	}
	signature, _, _ := strings.Cut(letter, "From: ") // the sender's, which was true of what came
	verifyWithPython(t, g.dns, []byte(strings.Replace(string(out.data), signature, "", 1)))
	if said := g.arcVerify(t, out.data); said != "pass [(1, 'none', 'example.test')]" {
		t.Errorf("dkimpy says %s of the seal", said)
	}
	if r := verdictOf(t, g.trace(t, id), alice); r.Mailbox != "AsItCame, Added, Renamed, INBOX" {
		t.Errorf("the trace has %q", r.Mailbox)
	}
}

// TestAScriptCannotForgeWhatTheServerSays: fields about the sender, the way and the verdict are neither added nor taken out.
func TestAScriptCannotForgeWhatTheServerSays(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	g.set("sieve.protected_fields", "X-Company*")
	var lines []string
	for _, name := range []string{"Return-Path", "Delivered-To", "Received", "Auto-Submitted", "From", "Sender", "Authentication-Results", "ARC-Seal",
		"DKIM-Signature", "X-Spam-Flag", "X-Spam", "X-Postern-Verdict", "Content-Type", "MIME-Version", "X-Company-Class"} {
		lines = append(lines, fmt.Sprintf(`deleteheader "%s"; addheader "%s" "forged";`, name, name))
	}
	k := keepScripts(t, g.Server, alice)
	script := append([]string{`require "editheader";`}, lines...)
	if answer := k.put("forger", script...); !strings.HasPrefix(answer, "OK (WARNINGS)") || !strings.Contains(answer, "X-Company-Class") {
		t.Errorf("the answer is %s", answer)
	}
	k.must(k.say(`SETACTIVE "forger"`))
	s := g.stranger(t, true)
	letter := g.letter(s.author, "X-Company-Class: open", "Auto-Submitted: no")
	_, raw := g.arrives(t, s, letter, alice)
	if strings.Contains(raw, "forged") || !strings.HasSuffix(raw, letter) {
		t.Errorf("the copy is\n%s", raw)
	}
}

// TestAScriptThatFailsLeavesTheHeaderAsItCame. RFC 5293 5
func TestAScriptThatFailsLeavesTheHeaderAsItCame(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	keepScripts(t, g.Server, alice).use("broken", `require ["editheader", "ihave", "fileinto"];`, `addheader "X-Filed" "yes"; fileinto "Archive";`,
		`deleteheader "Subject"; error "too bad";`)
	s := g.stranger(t, true)
	letter := g.letter(s.author)
	g.accept(t, s.ip, s.author, letter, alice)
	if raw := string(g.Messages(t, alice, "Archive", 1)[0]); !strings.Contains(raw, "X-Filed: yes") {
		t.Errorf("what was filed before is\n%s", raw)
	}
	asItCame := 0
	for _, raw := range g.Messages(t, alice, "INBOX", 2) {
		if strings.HasSuffix(string(raw), letter) && !strings.Contains(string(raw), "X-Filed") {
			asItCame++
		}
	}
	if asItCame != 1 {
		t.Errorf("%d messages in INBOX are as they came", asItCame)
	}
}

// TestFormsOfAMessageAreBounded: a script that files a large message with ever another header gets as many of them as there is room
// for; the others are as it came.
func TestFormsOfAMessageAreBounded(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	script := []string{`require ["editheader", "fileinto", "mailbox", "copy"];`}
	for i := range 20 {
		script = append(script, fmt.Sprintf(`addheader :last "X-Form" "%d"; fileinto :create :copy "Form%d";`, i, i))
	}
	keepScripts(t, g.Server, alice).use("forms", append(script, "discard;")...)
	s := g.stranger(t, true)
	letter := g.letter(s.author) + strings.Repeat(strings.Repeat("x", 998)+"\r\n", 12<<10)
	trace := g.trace(t, g.accept(t, s.ip, s.author, letter, alice))
	forms := 0
	for i := range 20 {
		raw := string(g.Messages(t, alice, fmt.Sprint("Form", i), 1)[0])
		if strings.Contains(raw, fmt.Sprintf("X-Form: %d\r\n", i)) {
			forms++
		} else if !strings.HasSuffix(raw, letter) {
			t.Errorf("form %d is neither changed nor as it came", i)
		}
	}
	if forms != 10 || !strings.Contains(strings.Join(verdictOf(t, trace, alice).Scripts, "\n"), "too many forms") {
		t.Errorf("there are %d forms; the trace has %q", forms, verdictOf(t, trace, alice).Scripts)
	}
}
