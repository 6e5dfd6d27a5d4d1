package sieve

import (
	"bytes"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"strings"
	"time"
	"unicode/utf8"

	"postern/internal/message"
)

const (
	// maxSubject is the longest subject of an answer or a notice, in bytes.
	maxSubject = 256
	// maxReferences is how many messages an answer refers to: the first and the last ones of its thread.
	maxReferences = 100
	// longestLine is the longest line that mail may have, in bytes without its end (RFC 5322 2.1.1).
	longestLine = 998
	// dateForm is that of RFC 5322 3.3.
	dateForm = "Mon, 2 Jan 2006 15:04:05 -0700"
)

// oneLine makes a text fit for a header field: one line without control characters, of a length that can be read.
func oneLine(s string) string {
	return clipText(strings.Join(strings.Fields(plainText(clipText(s, 4*maxSubject))), " "), maxSubject)
}

// replySubject is what the script says, or that of the message after "Auto:" (RFC 5230 5.3).
func (m *machine) replySubject(u *use, r *Reply) error {
	if v := u.tags["subject"]; v != nil {
		r.Subject = oneLine(v.text().in(m))
		return nil
	}
	subject, _, err := m.firstValue("Subject")
	if r.Subject = "Automated reply"; subject != "" {
		r.Subject = oneLine("Auto: " + subject)
	}
	return err
}

// thread makes the answer refer to the message (RFC 5230 5.8, RFC 5322 3.6.4).
func (m *machine) thread(r *Reply) error {
	came, err := m.asItCame()
	if err != nil {
		return err
	}
	ids := messageIDs(came.Header.Get("Message-ID"))
	if len(ids) == 0 {
		return nil
	}
	before := messageIDs(came.Header.Get("References"))
	if before == nil {
		before = messageIDs(came.Header.Get("In-Reply-To"))
	}
	r.InReplyTo = ids[0]
	if len(before) >= maxReferences {
		before = append(before[:1], before[len(before)-maxReferences+2:]...)
	}
	r.References = append(before, ids[0])
	return m.spend(bytesCost(len(came.Header.Get("References"))))
}

// messageIDs gives the message ids in a field, with their brackets.
func messageIDs(value string) (ids []string) {
	for word := range strings.FieldsSeq(value) {
		for word != "" {
			_, rest, opened := strings.Cut(word, "<")
			id, after, closed := strings.Cut(rest, ">")
			if !opened || !closed {
				break
			}
			if word = after; id != "" && len(id) < maxSubject && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' }) {
				ids = append(ids, "<"+id+">")
			}
		}
	}
	return ids
}

// letter is a message that the server writes in somebody's name.
type letter struct{ bytes.Buffer }

// field writes a field of one line, which must be ASCII.
func (l *letter) field(name, value string) {
	if value != "" {
		fmt.Fprintf(l, "%s: %s\r\n", name, value)
	}
}

// words writes a field of one line of text.
func (l *letter) words(name, value string) { l.field(name, encoded(oneLine(value))) }

func encoded(s string) string { return mime.QEncoding.Encode("utf-8", s) }

// from writes in whose name the letter is.
func (l *letter) from(address, name string) {
	switch {
	case name == "":
		l.field("From", "<"+address+">")
	case strings.ContainsFunc(name, func(r rune) bool { return r >= 0x7f }):
		l.field("From", encoded(name)+" <"+address+">")
	default:
		l.field("From", `"`+quote(name, `"\`)+`" <`+address+">")
	}
}

// text writes a text and the fields that say how it is encoded, so that its lines are short ASCII.
func (l *letter) text(s string) {
	l.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(l)
	_, _ = w.Write([]byte(strings.TrimRight(s, "\n") + "\n")) // a buffer takes everything
	_ = w.Close()
}

// isEntity: a text begins with header fields, one of them of MIME, and has lines that mail can have (RFC 5230 4.4).
func isEntity(s string) bool {
	fields, _ := entity(s)
	return strings.Contains(fields, ":")
}

// entity cuts a text into those of its fields that belong to MIME, and its body, with the line ends of mail. What is no such
// text has no fields.
func entity(s string) (fields, body string) {
	s = strings.ReplaceAll(plainText(s), "\n", "\r\n")
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > longestLine {
			return "", ""
		}
	}
	header, body, ok := strings.Cut(s, "\r\n\r\n")
	if !ok {
		return "", ""
	}
	var kept strings.Builder
	for _, f := range message.ParseHeader([]byte(header + "\r\n\r\n")).Fields {
		switch name := strings.ToLower(f.Name); {
		case name == "":
			return "", ""
		case strings.HasPrefix(name, "content-") && !bytes.ContainsFunc(f.Raw, func(r rune) bool { return r >= utf8.RuneSelf }):
			kept.WriteString(strings.TrimRight(string(f.Raw), "\r\n") + "\r\n")
		}
	}
	return kept.String(), body
}

// Message writes the answer. id is its own Message-ID, with brackets.
func (r *Reply) Message(now time.Time, id string) []byte {
	var l letter
	l.from(r.From, r.Name)
	l.field("To", "<"+r.To+">")
	l.words("Subject", r.Subject)
	l.field("Date", now.Format(dateForm))
	l.field("Message-ID", id)
	l.field("In-Reply-To", r.InReplyTo)
	l.field("References", strings.Join(r.References, "\r\n "))
	l.field("Auto-Submitted", "auto-replied (vacation)") // RFC 5230 5.6, RFC 3834 3.1.7
	l.field("Precedence", "bulk")                        // RFC 3834 3.1.8: for responders that know nothing newer
	if r.MIME {
		fields, body := entity(r.Text)
		l.WriteString("MIME-Version: 1.0\r\n" + fields + "\r\n" + body + "\r\n")
	} else {
		l.text(r.Text)
	}
	return l.Bytes()
}
