package story_test

import (
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"postern/internal/mailauth"
	"postern/test/lab"
)

// forgedFields speak in our name, in every spelling of it, or in a spam filter's.
var forgedFields = []string{
	"Authentication-Results: mail.example.test; dkim=pass header.d=bank.example; dmarc=pass header.from=bank.example",
	"AUTHENTICATION-RESULTS:MAIL.Example.TEST;dkim=pass",
	"Authentication-Results : mail.example.test; spf=pass",
	"Authentication-Results: \"mail.example.test\"; spf=pass",
	"Authentication-Results: (a comment (in it)) mail.example.test (v) 1; spf=pass",
	"Authentication-Results:\r\n\tmail.example.test\r\n 1;\r\n\tspf=pass",
	"Authentication-Results: mail.example.test.; spf=pass",
	"Authentication-Results: mail.example.test",
	"Authentication-Results: \xef\xbd\x8dail.example.test; spf=pass", // a full-width m
	"Authentication-Results: mail(;).example.test; spf=pass",
	"X-Spam-Status: No, score=-99.0 required=5.0 tests=FORGED",
	"x-spam-flag: NO",
	"X-Spam-Score: -99", "X-Spam-Level: ", "X-Spam-Report: none", "X-Spam-Checker-Version: 9", "X-Spam-Whatever: else", "X-Spam: no",
	"X-Spamd-Result: default: False [-99.00 / 15.00]", "X-Rspamd-Server: forged", "X-Virus-Scanned: clean", "X-Virus-Status: Clean",
	"X-Postern-Verdict: id=FORGED; action=inbox; rule=\"forged\"",
}

// foreignFields look alike and are others' words, or nobody's.
var foreignFields = []string{
	"Authentication-Results: mx.other.example; dkim=pass header.d=other.example",
	"Authentication-Results: mail.example.test.other.example; spf=pass",
	"Authentication-Results: other.mail.example.test; spf=pass",
	"Authentication-Results: xn--mail.example.test; spf=pass",
	"ARC-Authentication-Results: i=1; mail.example.test; dkim=pass",
	"X-Authentication-Results: mail.example.test; dkim=pass", "X-Spamtrap: no", "Spam-Status: no", "X-Spa\x6dbayes: ham",
}

// oddFields are written as few programs write them, and must come back so.
var oddFields = []string{"X-Odd:no space", "X-Odd: \t two   blanks at the end  ", "X-Odd:\r\n \r\n\tfolded twice", "X-Empty:", "X-Eight: \xe4\xf6\xfc", "x-ODD : a blank before the colon"}

// TestForgedFieldsGoAndTheRestStaysByteForByte sends messages full of them, short and so long that they lie in a file.
func TestForgedFieldsGoAndTheRestStaysByteForByte(t *testing.T) {
	g := openGate(t, "")
	const ip = "127.65.1.1"
	g.name(t, ip, "mx.sender.example")
	g.domain(t, "sender.example", ip, "reject")
	for name, body := range map[string]string{
		"short": "..Dots.\r\n.\r\n..\r\n\r\n  blanks  \r\n\tGr\xfc\xdfe\r\n",
		"long":  strings.Repeat("This line is one of many, ..and they are all alike.\r\n", 5000) + "\r\n\r\n",
		"none":  "",
	} {
		t.Run(name, func(t *testing.T) {
			letter := g.letter("Jane <jane@sender.example>")
			header, _, _ := strings.Cut(letter, "\r\n\r\n")
			honest := header + "\r\n" + strings.Join(append(oddFields, foreignFields...), "\r\n") + "\r\n\r\n" + body
			signed := sign(t, honest, "sender.example")
			// The forged ones stand before, behind and among the others.
			sent := strings.Join(forgedFields, "\r\n") + "\r\n" + strings.Replace(signed, "\r\nX-Odd:no space", "\r\n"+strings.Join(forgedFields, "\r\n")+"\r\nX-Odd:no space", 1)
			sent = strings.Replace(sent, "\r\n\r\n"+body, "\r\n"+strings.Join(forgedFields, "\r\n")+"\r\n\r\n"+body, 1)
			g.accept(t, ip, "jane@sender.example", sent, "alice@example.test", "bob@example.test")
			for _, user := range []string{"alice@example.test", "bob@example.test"} {
				mailbox, raw := g.copyOf(t, user, strings.Trim(field(t, letter, "Message-ID"), "<>"))
				got := string(raw)
				ours, found := strings.CutSuffix(got, signed)
				if mailbox != "INBOX" || !found {
					t.Fatalf("%s reads in %q\n%s\nand was sent\n%s", user, mailbox, got[:min(len(got), 9000)], sent[:min(len(sent), 9000)])
				}
				checkOurs(t, ours, user)
				verified, err := msgauth.VerifyWithOptions(strings.NewReader(got), &msgauth.VerifyOptions{LookupTXT: lookup(t, g.dns)})
				if err != nil || len(verified) != 1 || verified[0].Err != nil || verified[0].Domain != "sender.example" {
					t.Errorf("the signature as %s reads it: %v, %+v", user, err, verified)
				}
			}
		})
	}
}

// TestAUserCannotWriteInOurNameEither: who has a user's password must not forge what we found, for other users or the world.
func TestAUserCannotWriteInOurNameEither(t *testing.T) {
	s := lab.Start(t)
	letter := text(append(forgedFields, "From: alice@example.test", foreignFields[0], "Subject: hello", "", "Hello.")...)
	if err := submit(t, s, "alice@example.test").SendMail("alice@example.test", []string{"bob@example.test"}, strings.NewReader(letter)); err != nil {
		t.Fatal(err)
	}
	got := string(s.Messages(t, "bob@example.test", "INBOX", 1)[0])
	if count(got, "Authentication-Results") != 1 || !strings.Contains(got, foreignFields[0]) || strings.Contains(strings.ToUpper(got), "FORGED") || strings.Contains(got, "X-Spam") {
		t.Error(got)
	}
}

// TestAMessageThatWouldContinueOurFieldsIsRefused: its first line would say something in a field of ours.
func TestAMessageThatWouldContinueOurFieldsIsRefused(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 10 mx.far.example.\n")
	g.Postern("group", "add", "team@example.test", "out@far.example")
	s := g.stranger(t, true)
	for _, first := range []string{" header.d=bank.example", "\tfor <bob@example.test>", " "} {
		for _, to := range []string{"alice@example.test", "team@example.test"} {
			if _, err := g.send(t, s.ip, s.author, first+"\r\n"+g.letter("Jane <"+s.author+">"), to); code(err) != 554 {
				t.Errorf("%q to %s: %v", first, to, err)
			}
		}
	}
}

// checkOurs looks at the fields that we put before the message.
func checkOurs(t *testing.T, ours, user string) {
	t.Helper()
	var names []string
	for line := range strings.SplitSeq(strings.TrimSuffix(ours, "\r\n"), "\r\n") {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, _ := strings.Cut(line, ":")
			names = append(names, name)
		}
		if len(line) > 200 || strings.TrimSpace(line) == "" {
			t.Errorf("the line %q", line)
		}
	}
	want := "Return-Path Delivered-To X-Spam-Flag X-Spam-Score X-Spam-Level X-Spam-Status X-Postern-Verdict Authentication-Results Received"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("before the message stand\n%s, not\n%s", got, want)
	}
	results := field(t, ours+"\r\n", "Authentication-Results")
	if !mailauth.IsOwnResults(results, "mail.example.test") || !strings.Contains(results, "dkim=pass") || !strings.Contains(results, "dmarc=pass") {
		t.Errorf("results %q", results)
	}
	if field(t, ours+"\r\n", "Delivered-To") != user || strings.Contains(ours, "FORGED") || strings.Contains(ours, "bank.example") {
		t.Errorf("for %s:\n%s", user, ours)
	}
}
