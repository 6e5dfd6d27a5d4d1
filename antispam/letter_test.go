package antispam

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/message"
)

// The reader of the tests' letters, and somebody who writes to her about nothing in particular.
const (
	plainHeader = `From: Grace Obi <grace@sender.example>
To: Anna Schubert <anna.schubert@empfang.example>
Subject: Glazes and kilns
Date: Tue, 14 May 2024 21:02:11 +0100
Message-ID: <4c1f0e7a@mail.sender.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
`
	plainBody = `Hello Anna,

the kiln was cold when we opened it this morning, and most of the glazes had run. I made notes about each shelf,
and would like to show them to you before we fire the second load. Sandra brought the clay on Friday, so there is
enough for both of us. Do you still have the small scales? Ours went to the school with the wheel, and nobody knows
when they are coming back.

See you at the fair,
Grace
`
)

// letter is a message that differs from the plain one in what a test is about.
type letter struct {
	// header are fields that stand in place of those of the same name, or beside the others; "-Name" takes one away.
	header string
	// body is the whole text; "" is the plain one.
	body  string
	relay *Relay
	at    time.Time
}

// with is the plain letter with other fields.
func with(header string) letter { return letter{header: header} }

// saying is the plain letter with another text.
func saying(body string) letter { return letter{body: body} }

// page is a letter in HTML.
func page(html string, fields ...string) letter {
	return letter{header: strings.Join(append(fields, "Content-Type: text/html; charset=utf-8"), "\n"),
		body: "<html><body>" + html + "</body></html>\n"}
}

// attaching is the plain letter with a file.
func attaching(name, typ, content string, fields ...string) letter {
	return letter{header: strings.Join(append(fields, "Content-Type: multipart/mixed; boundary=b"), "\n"),
		body: "--b\nContent-Type: text/plain; charset=utf-8\n\n" + plainBody + "--b\nContent-Type: " + typ + "; name=\"" + name + "\"\n" +
			"Content-Disposition: attachment; filename=\"" + name + "\"\nContent-Transfer-Encoding: base64\n\n" +
			base64.StdEncoding.EncodeToString([]byte(content)) + "\n--b--\n"}
}

// text is another text in the part that is shown.
func (l letter) text(body string) letter {
	l.body = strings.Replace(l.body, plainBody, body, 1)
	if !strings.Contains(l.body, body) {
		l.body = body
	}
	return l
}

// from is who hands the letter over.
func (l letter) from(helo, name, ip string) letter {
	l.relay = &Relay{IP: netip.MustParseAddr(ip), Helo: helo, Name: name, Asked: true}
	return l
}

// source writes the letter out.
func (l letter) source() string {
	var own, rest []string
	gone := map[string]bool{}
	for field := range strings.SplitSeq(strings.Trim(l.header, "\n"), "\n") {
		name, _, _ := strings.Cut(field, ":")
		gone[strings.ToLower(strings.TrimPrefix(name, "-"))] = true
		if field != "" && !strings.HasPrefix(field, "-") {
			own = append(own, field)
		}
	}
	for field := range strings.Lines(plainHeader) {
		if name, _, _ := strings.Cut(field, ":"); !gone[strings.ToLower(name)] {
			rest = append(rest, strings.TrimSuffix(field, "\n"))
		}
	}
	body := l.body
	if body == "" {
		body = plainBody
	}
	return strings.Join(append(rest, own...), "\n") + "\n\n" + body
}

// examine reads a letter; the findings are closed with the test.
func examine(t testing.TB, e *Engine, l letter) *Findings {
	t.Helper()
	return examineSource(t, e, l.source(), func(m *Mail) { m.Relay, m.At = l.relay, l.at })
}

func examineSource(t testing.TB, e *Engine, source string, change func(*Mail)) *Findings {
	t.Helper()
	r := bytes.NewReader([]byte(source))
	parsed, err := message.Parse(r, r.Size(), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	m := &Mail{Parsed: parsed, Content: r}
	if change != nil {
		change(m)
	}
	f, err := e.Examine(m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// matched names the rules that a letter meets.
func matched(f *Findings) []string {
	var names []string
	for _, p := range f.Rules().Parts {
		names = append(names, p.Name)
	}
	return names
}

func TestThePlainLetterMeetsNothingButWhatSpeaksForIt(t *testing.T) {
	f := examine(t, New(), letter{})
	if got := matched(f); !slices.Equal(got, []string{"ID_AGREES"}) {
		t.Errorf("it meets %v", got)
	}
	if words := f.Words(); words.Points > 0 {
		t.Errorf("its words are worth %s", words.Points)
	}
}
