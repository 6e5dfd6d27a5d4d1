package sieve

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"postern/internal/message"
)

// letterTo is a message to Bob with more fields in its header.
func letterTo(fields string) string {
	return "From: Ann <ann@example.org>\r\nTo: bob@example.com\r\nSubject: Tulips\r\nMessage-ID: <1@example.org>\r\n" + fields + "\r\nText.\r\n"
}

// replyTo runs a script that answers, and gives the answer.
func (a *account) replyTo(t *testing.T, script, mail string) *Reply {
	t.Helper()
	o := a.runs(t, "require [\"vacation\", \"vacation-seconds\", \"variables\", \"encoded-character\"];\n"+script, mail)
	if o.Err != nil || len(o.Actions) != 1 || o.Actions[0].Kind != Vacation {
		t.Fatalf("%s: %s, %v", script, done(o), o.Err)
	}
	if !o.ImplicitKeep {
		t.Errorf("%s: the message is not kept", script) // RFC 5230 4.7
	}
	return o.Actions[0].Reply
}

func TestWhoIsAnsweredAndWhoIsNot(t *testing.T) {
	for _, c := range []struct{ name, from, mail, script, silence string }{
		{"a person", "ann@example.org", letterTo(""), `vacation "x";`, ""},
		{"the null reverse-path", "", letterTo(""), `vacation "x";`, "reverse-path is null"},
		{"a list", "ann@example.org", letterTo("List-Id: <x.example.org>\r\n"), `vacation "x";`, "List-Id"},
		{"a machine", "ann@example.org", letterTo("Auto-Submitted: auto-generated\r\n"), `vacation "x";`, "Auto-Submitted"},
		{"one who says that it was no machine", "ann@example.org", letterTo("Auto-Submitted: no\r\n"), `vacation "x";`, ""},
		{"bulk", "ann@example.org", letterTo("Precedence: bulk\r\n"), `vacation "x";`, "Precedence"},
		{"the owner of a list", "tulips-request@example.org", letterTo(""), `vacation "x";`, "reverse-path is tulips-request"},
		{"the postmaster", "MAILER-DAEMON@example.org", letterTo(""), `vacation "x";`, "MAILER-DAEMON"},
		{"oneself", "Bob@example.com", letterTo(""), `vacation "x";`, "of the account itself"},
		{"oneself by another address", "rob@example.net", letterTo(""), `vacation :addresses "rob@example.net" "x";`, "of the account itself"},
		{"what is no address", "a b", letterTo(""), `vacation "x";`, "no address that can be answered"},
		{"mail to others", "ann@example.org", strings.Replace(letterTo(""), "bob@example.com", "all@example.com", 1), `vacation "x";`, "not addressed"},
		{"mail to another address of one's own", "ann@example.org", strings.Replace(letterTo(""), "bob@example.com", "Rob <ROB@example.net>", 1),
			`vacation :addresses ["x@example.net", "rob@example.net"] "x";`, ""},
		{"a copy", "ann@example.org", strings.Replace(letterTo(""), "To: bob@example.com", "To: x@example.org\r\nCC: y@example.org, bob@example.com", 1), `vacation "x";`, ""},
		{"mail that somebody sent again", "ann@example.org", strings.Replace(letterTo(""), "To: bob@", "To: x@example.org\r\nResent-To: bob@", 1), `vacation "x";`, ""},
		{"mail to the address that it came for", "ann@example.org", strings.Replace(letterTo(""), "bob@", "bob+lists@", 1), `vacation "x";`, ""},
	} {
		j := jobFor(t, c.mail)
		j.Host, j.Envelope.From = newAccount(), c.from
		o := compiled(t, "require \"vacation\";\n"+c.script).Run(context.Background(), j)
		if o.Err != nil || len(o.Actions) != 1 {
			t.Errorf("%s: %s, %v", c.name, done(o), o.Err)
			continue
		}
		if got := o.Actions[0].Reply.Silence; (got == "") != (c.silence == "") || !strings.Contains(got, c.silence) {
			t.Errorf("%s: %q, should be %q", c.name, got, c.silence)
		}
	}
}

func TestTheHeaderThatAMessageCameWithDecidesWhetherItIsAnswered(t *testing.T) {
	j := jobFor(t, letterTo("List-Id: <x.example.org>\r\n"))
	j.Host = newAccount()
	j.Message.Header = []byte("From: ann@example.org\r\nTo: bob@example.com\r\n") // as if a script had taken the field out
	j.Message.Parsed.Header.Fields = nil                                          // as of a message that was parsed long ago
	o := compiled(t, "require \"vacation\";\nvacation \"x\";").Run(context.Background(), j)
	if len(o.Actions) != 1 || !strings.Contains(o.Actions[0].Reply.Silence, "List-Id") {
		t.Errorf("%+v", o.Actions)
	}
}

func TestVacationAfterTheRules(t *testing.T) {
	a := newAccount()
	a.owned = []string{"boss@example.com"}
	mail := letterTo("References: <r1@x>\r\n <r2@x>\r\n")
	r := a.replyTo(t, `vacation "I am away.";`, mail)
	if r.To != "ann@example.org" || r.From != "bob@example.com" || r.Name != "" || r.Subject != "Auto: Tulips" || r.Text != "I am away." || r.Every != 7*24*time.Hour ||
		r.MIME || r.InReplyTo != "<1@example.org>" || strings.Join(r.References, " ") != "<r1@x> <r2@x> <1@example.org>" {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		script string
		right  func(*Reply) bool
	}{
		{`vacation :days 3 "x";`, func(r *Reply) bool { return r.Every == 72*time.Hour }},
		{`vacation :days 0 "x";`, func(r *Reply) bool { return r.Every == 24*time.Hour }}, // RFC 5230 4.1: the nearest that can be had
		{`vacation :days 9999999999 "x";`, func(r *Reply) bool { return r.Every == 365*24*time.Hour }},
		{`vacation :seconds 1800 "x";`, func(r *Reply) bool { return r.Every == 30*time.Minute }}, // RFC 6131 2
		{`vacation :seconds 0 "x";`, func(r *Reply) bool { return r.Every == time.Minute }},
		{`vacation :subject "Gone" "x";`, func(r *Reply) bool { return r.Subject == "Gone" }},
		{`vacation :subject "a${hex:0d 0a}Bcc: x@y.example" "x";`, func(r *Reply) bool { return r.Subject == "a Bcc: x@y.example" }},
		{`set "s" "Hi"; vacation :subject "${s}!" "${s} ${s}";`, func(r *Reply) bool { return r.Subject == "Hi!" && r.Text == "Hi Hi" }},
		{`vacation :from "The Boss <boss@example.com>" "x";`, func(r *Reply) bool { return r.From == "boss@example.com" && r.Name == "The Boss" }},
		{`vacation :from "eve@example.org" "x";`, func(r *Reply) bool { return r.From == "bob@example.com" && r.Name == "" }}, // not hers to give
		{"vacation :mime \"Content-Type: text/html\n\n<p>x\";", func(r *Reply) bool { return r.MIME }},
	} {
		if r := a.replyTo(t, c.script, mail); !c.right(r) {
			t.Errorf("%s: %+v", c.script, r)
		}
	}
}

func TestAReplyToMailWithoutSubjectOrMessageIDRefersToNothing(t *testing.T) {
	r := newAccount().replyTo(t, `vacation "x";`, "From: ann@example.org\r\nTo: bob@example.com\r\nMessage-ID: nonsense\r\n\r\n")
	if r.Subject != "Automated reply" || r.InReplyTo != "" || r.References != nil {
		t.Errorf("%+v", r)
	}
}

func TestTheHandleTellsWhatAnAnswerHasInCommon(t *testing.T) {
	handle := func(script, mail string) string { return newAccount().replyTo(t, script, mail).Handle }
	one := handle(`vacation "x";`, letterTo(""))
	for _, script := range []string{`vacation "y";`, `vacation :subject "x" "x";`, `vacation :from "bob@example.com" "x";`, `vacation :handle "h" "x";`,
		"vacation :mime \"Content-Type: text/plain\n\nx\";"} {
		if handle(script, letterTo("")) == one {
			t.Errorf("%s has the handle of another", script) // RFC 5230 4.2
		}
	}
	for _, script := range []string{`vacation :days 3 "x";`, `vacation :addresses "rob@example.net" "x";`} {
		if handle(script, letterTo("")) != one {
			t.Errorf("%s has another handle", script)
		}
	}
	if handle(`vacation :handle "h" "x";`, letterTo("")) != handle(`vacation :handle "h" :subject "y" "y";`, letterTo("")) {
		t.Error("the same :handle is another handle")
	}
	const variable = `if header :matches "subject" "*" { set "s" "${1}"; } vacation :subject "Re: ${s}" "x";`
	if handle(variable, letterTo("")) != handle(variable, strings.Replace(letterTo(""), "Tulips", "Roses", 1)) {
		t.Error("with a variable in its subject each message would be answered")
	}
}

func TestAScriptAnswersOnce(t *testing.T) {
	o := newAccount().runs(t, "require \"vacation\";\nvacation \"x\";\nvacation \"y\";", letterTo(""))
	if o.Err == nil || !strings.Contains(o.Err.Error(), "line 3: vacation was done already") || done(o) != "implicit" {
		t.Errorf("%v, %s", o.Err, done(o))
	}
	j := jobFor(t, letterTo(""))
	j.Host = newAccount()
	s := compiled(t, "require \"vacation\";\nvacation \"x\";")
	if o := (Sequence{s, s}).Run(context.Background(), j); o.Err != nil || len(o.Actions) != 1 {
		t.Errorf("%v, %s", o.Err, done(o))
	}
}

func TestMistakesWithVacation(t *testing.T) {
	const head = `require ["vacation", "variables"]; `
	for script, want := range map[string]string{
		`vacation :seconds 5 "x";`:                       `needs require "vacation-seconds"`,
		`vacation :from "nobody" "x";`:                   `is no mail address`,
		`vacation :from "a@b.example, c@d.example" "x";`: `is no mail address`,
		`vacation :addresses ["a@b.example", "c"] "x";`:  `"c" is no mail address`,
		`vacation :days "3" "x";`:                        `takes a number`,
		`vacation :mime "x";`:                            `begins with header fields`,
		"vacation :mime \"Subject: x\n\nx\";":            `begins with header fields`,
		`vacation :mime "Content-Type: text/html";`:      `an empty line`,
		`vacation;`: `requires 1 positional`,
	} {
		if p := mistakes(t, head+script); len(p) == 0 || !strings.Contains(p[0].Text, want) {
			t.Errorf("%s: %v", script, p)
		}
	}
	s := compiled(t, "require \"vacation\";\nvacation :days 0 \"x\";")
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0].Text, "':days 0' is taken as 1; from 1 to 365 can be had") {
		t.Errorf("%v", s.Warnings)
	}
}

// parsedLetter reads a message that was written, which must have a good form.
func parsedLetter(t *testing.T, content []byte) *message.Message {
	t.Helper()
	m, err := message.Parse(bytes.NewReader(content), int64(len(content)), message.DefaultLimits)
	if err != nil || m.HasBareCR || m.HasBareLF || m.HasControl || m.HasNUL {
		t.Fatalf("%v, %+v\n%s", err, m, content)
	}
	for line := range strings.SplitSeq(string(content), "\r\n") {
		if len(line) > longestLine {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
	return m
}

func TestTheAnswerIsAMessageOfGoodForm(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	long := letterTo("References: " + strings.Repeat("<a-long-message-id@example.org>\r\n ", 500) + "\r\n")
	r := newAccount().replyTo(t, `vacation :subject "Grüße aus dem Süden, wo die Zitronen blühen und die Post lange braucht" text:
Ich bin weg.

Grüße
.
;`, long)
	r.Name = `Bob "the builder" O\Neil`
	content := r.Message(now, "<new@example.com>")
	m := parsedLetter(t, content)
	h := m.Header
	if m.Has8Bit || h.Get("From") != `"Bob \"the builder\" O\\Neil" <bob@example.com>` || h.Get("To") != "<ann@example.org>" || h.Get("Message-ID") != "<new@example.com>" ||
		h.Get("In-Reply-To") != "<1@example.org>" || !strings.HasPrefix(h.Get("Auto-Submitted"), "auto-replied") || h.Get("Date") != "Wed, 1 Jul 2026 12:00:00 +0000" ||
		message.DecodeHeader(h.Get("Subject")) != r.Subject || len(strings.Fields(h.Get("References"))) != maxReferences {
		t.Errorf("%s", content)
	}
	body := new(bytes.Buffer)
	_, _ = body.ReadFrom(message.TextReader(m.Root, bytes.NewReader(content)))
	if got := strings.ReplaceAll(body.String(), "\r\n", "\n"); got != "Ich bin weg.\n\nGrüße\n" {
		t.Errorf("%q", got)
	}
	r.Name = "Jürgen"
	if from := parsedLetter(t, r.Message(now, "<n@x>")).Header.Get("From"); message.DecodeHeader(from) != "Jürgen <bob@example.com>" {
		t.Error(from)
	}
}

func TestAnAnswerWithMIMEHasItsOwnContentAndNothingElse(t *testing.T) {
	r := newAccount().replyTo(t, `vacation :mime text:
Content-Type: text/html; charset=utf-8
Bcc: everybody@example.org
X-Content-Type: no

<p>Away.</p>
.
;`, letterTo(""))
	content := r.Message(time.Now(), "<new@example.com>")
	m := parsedLetter(t, content)
	if m.Root.Type != "text" || m.Root.Subtype != "html" || m.Header.Count("Bcc") != 0 || m.Header.Count("X-Content-Type") != 0 || m.Header.Count("MIME-Version") != 1 ||
		!bytes.Contains(content, []byte("\r\n\r\n<p>Away.</p>\r\n")) {
		t.Errorf("%s", content)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(letterTo("References: <a@b> <c@d>\r\n"), "ann@example.org")
	f.Add("Subject: =?utf-8?q?a=0D=0AX:_y?=\r\nTo: bob@example.com\r\nMessage-ID: <a>b>\r\n\r\n", "a\"b@c.example")
	s := compiled(f, "require [\"vacation\", \"enotify\"];\nvacation \"x\"; notify \"mailto:a@b.example\";")
	f.Fuzz(func(t *testing.T, mail, from string) {
		j := jobFor(t, mail)
		j.Host, j.Envelope.From = newAccount(), from
		o := s.Run(context.Background(), j)
		if o.Err != nil || len(o.Actions) != 2 {
			t.Fatalf("%v, %s", o.Err, done(o))
		}
		if r := o.Actions[0].Reply; r.Silence == "" {
			checkFields(t, r.Message(time.Unix(0, 0), "<n@x>"))
		}
		if n := o.Actions[1].Notice; n.Silence == "" {
			checkFields(t, n.Message(time.Unix(0, 0), "<n@x>", "bob@example.com"))
		}
	})
}

// checkFields tells of fields that no letter of the server has: whoever made a letter have them could make it have anything.
func checkFields(t *testing.T, content []byte) {
	t.Helper()
	for _, field := range parsedLetter(t, content).Header.Fields {
		switch strings.ToLower(field.Name) {
		case "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted", "precedence", "mime-version", "content-type",
			"content-transfer-encoding":
		default:
			t.Errorf("there is a field %q in\n%s", field.Name, content)
		}
	}
}
