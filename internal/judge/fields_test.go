package judge

import (
	"strings"
	"testing"

	"postern/antispam/scanner"
)

func TestTheScannersFieldsStandInPlaceOfOursOfTheSameName(t *testing.T) {
	b := newBench(t, letter)
	ours := string(b.judge(t).Fields(0))
	b.spam = &fakeScanner{name: "spamd", result: scanner.Result{Kind: scanner.Spam, Score: 720, Required: 500, Headers: []scanner.Field{
		{Name: "X-Spam-Checker-Version", Value: "SpamAssassin 4"}, {Name: "X-Spam-status", Value: "Yes, score=7.2 required=5.0 " + strings.Repeat("tests=A,B ", 20)}, {Name: "X-Spam-Flag", Value: "YES"},
	}}}
	got := string(b.judge(t).Fields(0))
	var names []string
	for line := range strings.Lines(got) {
		if line[0] != ' ' && line[0] != '\t' {
			names = append(names, line[:strings.IndexByte(line, ':')])
		}
		if !strings.HasSuffix(line, "\r\n") || len(line) > 80 || strings.TrimSpace(line) == "" {
			t.Errorf("the line %q", line)
		}
	}
	if want := "X-Spam-Checker-Version X-Spam-status X-Spam-Flag X-Spam-Score X-Spam-Level X-Postern-Verdict"; strings.Join(names, " ") != want {
		t.Errorf("with a scanner\n%s\nwithout\n%s", got, ours)
	}
	if !strings.Contains(got, "X-Spam-Score: 7.2\r\n") || !strings.Contains(got, `rule="spamd: spam"`) {
		t.Errorf("%s", got)
	}
	// One that did not answer has no wishes.
	b.spam.err = errBroken
	b.spam.result = scanner.Result{}
	if got := string(b.judge(t).Fields(0)); !strings.HasPrefix(got, "X-Spam-Flag: NO\r\n") || !strings.Contains(strings.ReplaceAll(got, "\r\n\t", " "), "spamd being unavailable") {
		t.Errorf("%s", got)
	}
}

func TestWhatSpeaksInOurNameIsForged(t *testing.T) {
	for field, forged := range map[string]bool{
		"Authentication-Results: mail.example.test; spf=pass": true, "authentication-results: MAIL.example.test 1; spf=pass": true,
		"Authentication-Results: mx.example.test; spf=pass": false, "ARC-Authentication-Results: i=1; mail.example.test; spf=pass": false,
		"X-Spam: yes": true, "x-spam-flag: NO": true, "X-SPAM-ANYTHING: x": true, "X-Spamd-Bar: /": true, "X-Rspamd-Action: no action": true, "X-Virus-Scanned: yes": true,
		"X-Postern-Verdict: x": true, "x-postern-verdict: x": true, "X-Postern-Other: x": false, "X-Spamtrap: x": false, "X-Virus: x": false, "Subject: X-Spam-Flag": false, "Received: x": false,
	} {
		name, value, _ := strings.Cut(field, ":")
		if forged && !MayBeForged(name) {
			t.Errorf("%s is not looked at", name)
		}
		if got := IsForged(name, value, "mail.example.test"); got != forged {
			t.Errorf("%s: forged %t", field, got)
		}
	}
}

func TestAStrangersTextIsOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "a\r\nb\tc\x00": "a??b?c?", "Jürgen@Größe.example": "Jürgen@Größe.example", "\xff\xfe": "?", "a\u2028b\u200bc\u202ed": "a?b?c?d",
		strings.Repeat("x", 300): strings.Repeat("x", 256), strings.Repeat("x", 255) + "é": strings.Repeat("x", 255) + "?",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}
