package sieve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/internal/message"
)

func TestMailtoAfterTheRules(t *testing.T) {
	for _, c := range []struct{ uri, to, subject, body string }{
		{"mailto:a@b.example", "a@b.example", "", ""},
		{"MAILTO:a@b.example,%22c%2Cd%22@e.example?", `a@b.example "c,d"@e.example`, "", ""}, // RFC 6068 2: a comma in an address is encoded
		{"mailto:?to=a@b.example", "a@b.example", "", ""},
		{"mailto:?to=a@b.example%2Cc@d.example", "a@b.example c@d.example", "", ""},
		{"mailto:a@b.example?cc=c@d.example&bcc=e@f.example", "a@b.example cc:c@d.example bcc:e@f.example", "", ""},
		{"mailto:a@b.example?subject=New%20mail&body=one%0D%0Atwo", "a@b.example", "New mail", "one\ntwo"},
		{"mailto:a@b.example?Subject=x%0D%0ABcc:%20y@z.example", "a@b.example", "x Bcc: y@z.example", ""},
		{"mailto:a+b@c.example?subject=1+1", "a+b@c.example", "1+1", ""}, // a plus is a plus
		{"mailto:a@b.example?X-Kind=k&From=e@f.example&Auto-Submitted=no&Received=x", "a@b.example X-Kind", "", ""},
	} {
		m, err := parseMailto(c.uri)
		if err != nil {
			t.Errorf("%s: %v", c.uri, err)
			continue
		}
		got := m.to
		for _, a := range m.cc {
			got = append(got, "cc:"+a)
		}
		for _, a := range m.bcc {
			got = append(got, "bcc:"+a)
		}
		for _, f := range m.fields {
			got = append(got, f[0])
		}
		if !strings.EqualFold(strings.Join(got, " "), c.to) || m.subject != c.subject || m.body != c.body {
			t.Errorf("%s: %+v", c.uri, m)
		}
	}
}

func TestWhatIsNoMailtoIsRefused(t *testing.T) {
	for uri, want := range map[string]string{
		"":                                 "there is only",
		"a@b.example":                      "there is only",
		"xmpp:a@b.example":                 "there is only",
		"mailto:":                          "names no address",
		"mailto:?subject=x":                "names no address",
		"mailto:a":                         `"a" in it is no mail address`,
		"mailto:a@b.example,":              "is no mail address",
		"mailto:a b@c.example":             "characters that no URI has",
		"mailto:ü@b.example":               "characters that no URI has",
		"mailto:a@b.example\r\nX: y":       "characters that no URI has",
		"mailto:a%ZZ@b.example":            "two digits",
		"mailto:a@b.example?subject":       "no field with a value",
		"mailto:a@b.example?a%0d%0ab=c":    "no field with a value",
		"mailto:a@b.example?body=x&body=y": "body twice",
		"mailto:" + strings.Repeat("a@b.example,", 8) + "a@b.example": "9 addresses; 8 are the most",
	} {
		if _, err := parseMailto(uri); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

func FuzzMailto(f *testing.F) {
	for _, uri := range []string{"mailto:a@b.example", "mailto:a@b.example,c@d.example?cc=e@f.example&subject=x%20y&body=z&X-A=b", "mailto:?to=%22a%20b%22@c.example"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		m, err := parseMailto(uri)
		if err != nil {
			return
		}
		n := &Notice{Method: uri, To: m.to, Cc: m.cc, Bcc: m.bcc, Subject: m.subject, Text: m.body, Fields: m.fields, From: "bob@example.com", Importance: 2}
		content := n.Message(time.Unix(0, 0), "<n@x>", "bob@example.com")
		header, _, _ := bytes.Cut(content, []byte("\r\n\r\n"))
		for _, field := range message.ParseHeader(append(header, "\r\n\r\n"...)).Fields {
			switch name := strings.ToLower(field.Name); name {
			case "from", "to", "cc", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type", "content-transfer-encoding":
			default:
				if !isFree(name) {
					t.Errorf("%q makes the field %q", uri, field.Name)
				}
			}
		}
		if len(m.to)+len(m.cc)+len(m.bcc) > maxMailto {
			t.Errorf("%q names too many", uri)
		}
	})
}

// noticeOf runs a script that notifies, and gives the notice.
func (a *account) noticeOf(t *testing.T, script, mail string) *Notice {
	t.Helper()
	o := a.runs(t, "require [\"enotify\", \"variables\"];\n"+script, mail)
	if o.Err != nil || len(o.Actions) != 1 || o.Actions[0].Kind != Notify {
		t.Fatalf("%s: %s, %v", script, done(o), o.Err)
	}
	if !o.ImplicitKeep {
		t.Errorf("%s: the message is not kept", script) // RFC 5435 3
	}
	return o.Actions[0].Notice
}

func TestNotifyAfterTheRules(t *testing.T) {
	a := newAccount()
	a.owned = []string{"boss@example.com"}
	mail := "From: Ann <ann@example.org>\r\nTo: bob@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nText.\r\n"
	for _, c := range []struct {
		script string
		right  func(*Notice) bool
	}{
		{`notify "mailto:a@b.example";`, func(n *Notice) bool {
			return n.From == "bob+lists@example.com" && n.Importance == 2 && n.Subject == "Grüße" && strings.Contains(n.Text, "From: Ann <ann@example.org>\nSubject: Grüße\n") &&
				n.To[0] == "a@b.example" && n.Silence == ""
		}},
		{`notify :message "You have mail" "mailto:a@b.example";`, func(n *Notice) bool { return n.Subject == "You have mail" && n.Text == "You have mail" }},
		{`notify :message "m" "mailto:a@b.example?subject=s&body=b";`, func(n *Notice) bool { return n.Subject == "m" && n.Text == "b" }},
		{`notify :importance "1" "mailto:a@b.example";`, func(n *Notice) bool { return n.Importance == 1 }},
		{`set "i" "3"; set "m" "a@b.example"; notify :importance "${i}" "mailto:${m}";`, func(n *Notice) bool { return n.Importance == 3 }},
		{`set :encodeurl "s" "50% off & more"; notify "mailto:a@b.example?subject=${s}";`, func(n *Notice) bool { return n.Subject == "50% off & more" }},
		{`notify :from "The Boss <boss@example.com>" "mailto:a@b.example";`, func(n *Notice) bool { return n.From == "boss@example.com" && n.Name == "The Boss" }},
		{`notify :from "eve@example.org" "mailto:a@b.example";`, func(n *Notice) bool { return n.From == "bob+lists@example.com" }}, // RFC 5435 3.3
		{`notify "mailto:a@b.example?subject=s";`, func(n *Notice) bool { return n.Subject == "s" && strings.HasPrefix(n.Text, "A message has come.") }},
		{`notify :options "a=b" "mailto:a@b.example";`, func(n *Notice) bool { return n.Silence == "" }},
		{`notify "mailto:a@b.example"; notify "mailto:a@b.example";`, func(*Notice) bool { return true }}, // one is enough
	} {
		if n := a.noticeOf(t, c.script, mail); !c.right(n) {
			t.Errorf("%s: %+v", c.script, n)
		}
	}
	for fields, silent := range map[string]bool{"": false, "Auto-Submitted: no (really)\r\n": false, "Auto-Submitted: auto-notified; owner-email=\"x@y\"\r\n": true,
		"Auto-Submitted: auto-generated\r\n": true, "List-Id: <x.example>\r\n": false} {
		if n := a.noticeOf(t, `notify "mailto:a@b.example";`, fields+mail); (n.Silence != "") != silent { // RFC 5436 2.7
			t.Errorf("%q: %q", fields, n.Silence)
		}
	}
}

func TestMistakesWithNotify(t *testing.T) {
	const head = `require ["enotify", "variables"]; `
	for script, want := range map[string]string{
		`notify "xmpp:a@b.example";`:                         "cannot notify by",
		`notify "mailto:";`:                                  "it names no address",
		`notify :importance "4" "mailto:a@b.example";`:       "is no importance",
		`notify :from "x" "mailto:a@b.example";`:             "is no mail address",
		`notify :importance "1" :importance "1" "mailto:a";`: "stands there already",
	} {
		if p := mistakes(t, head+script); len(p) == 0 || !strings.Contains(p[0].Text, want) {
			t.Errorf("%s: %v", script, p)
		}
	}
	for script, want := range map[string]string{
		`set "m" "sms:1"; notify "${m}";`:                                 "cannot notify by",
		`set "i" "high"; notify :importance "${i}" "mailto:a@b.example";`: "is no importance",
	} {
		if o := newAccount().runs(t, head+script, sample); o.Err == nil || !strings.Contains(o.Err.Error(), want) {
			t.Errorf("%s: %v", script, o.Err)
		}
	}
	s := compiled(t, "require \"enotify\";\nnotify \"mailto:a@b.example?from=c@d.example\";")
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0].Text, "'from'") {
		t.Errorf("%v", s.Warnings)
	}
}

func TestNoticesGoToFewAddresses(t *testing.T) {
	script := "require \"enotify\";\n"
	for i := range 9 {
		script += fmt.Sprintf("notify \"mailto:a%d@b.example\";\n", i)
	}
	if o := newAccount().runs(t, script, sample); !errors.Is(o.Err, ErrBudget) || done(o) != "implicit" {
		t.Errorf("%v, %s", o.Err, done(o))
	}
}

func TestWhatIsKnownOfAMethod(t *testing.T) {
	const require = `"enotify", "relational", "comparator-i;ascii-numeric"`
	for test, holds := range map[string]bool{
		`valid_notify_method "mailto:a@b.example"`:                               true,
		`valid_notify_method ["mailto:a@b.example", "xmpp:a@b.example"]`:         false, // RFC 5435 4: all of them
		`valid_notify_method "mailto:a"`:                                         false,
		`notify_method_capability "mailto:a@b.example" "Online" "maybe"`:         true, // RFC 5436 2.2
		`notify_method_capability "mailto:a@b.example" "online" ["yes", "no"]`:   false,
		`notify_method_capability :contains "mailto:a@b.example" "online" "may"`: true,
		`notify_method_capability "mailto:a@b.example" "colour" "maybe"`:         false,
		`notify_method_capability "xmpp:a@b.example" "online" "maybe"`:           false,
	} {
		if holdsFor(t, require, test, sample) != holds {
			t.Errorf("%s: %v", test, !holds)
		}
	}
}

func TestANoticeIsAMessageOfGoodForm(t *testing.T) {
	n := newAccount().noticeOf(t, "notify :importance \"1\" :message \"Grüße\r\nBcc: x@y.example\" "+`"mailto:a@b.example?cc=c@d.example&bcc=e@f.example&x-kind=k";`, sample)
	content := n.Message(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), "<n@example.com>", "bob@example.com")
	m := parsedLetter(t, content)
	h := m.Header
	if m.Has8Bit || h.Get("To") != "<a@b.example>" || h.Get("Cc") != "<c@d.example>" || h.Count("Bcc") != 0 || h.Get("Importance") != "high" || h.Get("x-kind") != "k" ||
		h.Get("Auto-Submitted") != `auto-notified; owner-email="bob@example.com"` || message.DecodeHeader(h.Get("Subject")) != "Grüße Bcc: x@y.example" {
		t.Errorf("%s", content)
	}
	if n.Bcc[0] != "e@f.example" || bytes.Contains(content, []byte("e@f.example")) {
		t.Errorf("it says who else gets it:\n%s", content)
	}
}

func TestAHostThatFailsEndsTheScriptWithTheImplicitKeep(t *testing.T) {
	a := newAccount()
	a.failing = errors.New("the database is gone")
	j := jobFor(t, sample)
	j.Host = a
	o := compiled(t, "require \"mailbox\";\ndiscard; if mailboxexists \"x\" { stop; }").Run(context.Background(), j)
	if !errors.Is(o.Err, a.failing) || done(o) != "implicit" {
		t.Errorf("%v, %s", o.Err, done(o))
	}
}
