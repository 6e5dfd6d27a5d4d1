// Package autoreply tells mail that a person wrote from mail that a machine sent, so that machines do not answer machines.
//
// The road starts with a parsed message that came in and the reverse-path it came with. [Classify] says what sort of message
// it is: a notice of a delivery, a report, somebody's automatic answer, mail of a list. [May] decides whether it may be
// answered automatically, by a vacation or whatever else answers by itself (RFC 3834, RFC 5230 4.6), and [MayNotify] whether
// its sender may be sent a delivery notice (RFC 3464), which lists want too. Both give the reason for a trace. This is the
// only place that decides it: whatever answers by itself asks here first.
//
// It errs towards silence. An answer that is missing is a pity; an answer to a list is read by a thousand people, and one to
// a robot is answered by a robot.
package autoreply

import (
	"io"
	"strings"

	"postern/internal/message"
)

// Kind is a sort of mail that no person wrote, or not to one person.
type Kind string

// The kinds.
const (
	Personal  Kind = ""          // nothing speaks against a person
	Bounce    Kind = "bounce"    // a delivery failed, or nobody can tell what became of it
	Delay     Kind = "delay"     // a delivery takes long
	Delivered Kind = "delivered" // a delivery, relaying or expansion was asked to be told of
	Receipt   Kind = "receipt"   // a message was read (RFC 8098)
	Complaint Kind = "complaint" // a receiver calls a message spam (RFC 5965)
	Report    Kind = "report"    // a report of another sort: DMARC, TLS
	AutoReply Kind = "autoreply" // somebody's automatic answer
	Automatic Kind = "automatic" // something else that a machine sent
	List      Kind = "list"      // mail of a mailing list, or in bulk
)

// IsNotice reports whether the kind is about another message or its delivery: whoever answers it answers a machine for
// certain.
func (k Kind) IsNotice() bool {
	switch k {
	case Bounce, Delay, Delivered, Receipt, Complaint, Report, AutoReply:
		return true
	}
	return false
}

// Classify says what sort of message m is, and by what that is seen. content, if it is not nil, holds the message's bytes;
// then notices are told apart by what they say, and those of old mail servers, whose headers look like a person's, are known
// by their first words.
func Classify(m *message.Message, content io.ReaderAt) (Kind, string) {
	for _, sign := range []func(*message.Message, io.ReaderAt) (Kind, string){
		byStructure, byAutoSubmitted, bySystemFields, byAuthor, byList, bySubject, byFirstWords,
	} {
		if kind, reason := sign(m, content); kind != Personal {
			return kind, reason
		}
	}
	return Personal, ""
}

// maxStatus is how much of a part is read to find what it says, in bytes.
const maxStatus = 64 << 10

// byStructure knows the reports of RFC 6522 and their machine-readable parts, where these stand in the message itself, not in
// one that is attached.
func byStructure(m *message.Message, content io.ReaderAt) (Kind, string) {
	kind, reason := Personal, ""
	walk(m.Root, func(p *message.Part) {
		found := Personal
		switch {
		case p.Type == "multipart" && p.Subtype == "report":
			found = reportKind(strings.ToLower(p.Param("report-type")))
		case p.Type == "text" && p.Subtype == "rfc822-headers": // RFC 6522 4
			found = Bounce
		case p.Type != "message":
			return
		default:
			found = statusKind(p, content)
		}
		if found == Personal || kind != Personal && kind != Report {
			return // the outermost that is known counts
		}
		kind, reason = found, "the message has a part "+p.Type+"/"+p.Subtype
	})
	if only := onlyChild(m.Root); only != nil && only.Type == "message" && kind == Personal {
		return Automatic, "the message is nothing but another message"
	}
	if status := statusPart(m.Root); status != nil && (kind == Bounce || kind == Report) {
		if by := statusKind(status, content); by != Personal {
			kind = by
		}
	}
	return kind, reason
}

// walk calls f for a part and those of its multiparts, but not for what is in an attached message.
func walk(p *message.Part, f func(*message.Part)) {
	f(p)
	for _, c := range p.Children {
		walk(c, f)
	}
}

// onlyChild is the single part of a multipart, nil when there are more or none.
func onlyChild(root *message.Part) *message.Part {
	if len(root.Children) != 1 {
		return nil
	}
	return root.Children[0]
}

func reportKind(reportType string) Kind {
	switch reportType {
	case "delivery-status", "":
		return Bounce
	case "disposition-notification":
		return Receipt
	case "feedback-report":
		return Complaint
	}
	return Report
}

func statusPart(root *message.Part) (status *message.Part) {
	walk(root, func(p *message.Part) {
		if status == nil && p.Type == "message" && strings.HasSuffix(p.Subtype, "delivery-status") {
			status = p
		}
	})
	return status
}

// statusKind tells what a part of a report reports.
func statusKind(p *message.Part, content io.ReaderAt) Kind {
	switch p.Subtype {
	case "delivery-status", "global-delivery-status":
		return actionKind(p, content)
	case "disposition-notification", "global-disposition-notification":
		return Receipt
	case "feedback-report":
		return Complaint
	}
	return Personal
}

// actionKind reads the Action fields of a delivery status (RFC 3464 2.3.3). A failure outweighs a delay, that a success.
func actionKind(p *message.Part, content io.ReaderAt) Kind {
	if content == nil || !p.KnownEncoding() {
		return Bounce
	}
	text, _ := io.ReadAll(io.LimitReader(message.DecodePart(p, content), maxStatus)) // what could be read decides
	delayed, delivered, failed := false, false, false
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "action") {
			continue
		}
		switch action, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(value)), " "); action {
		case "delayed":
			delayed = true
		case "delivered", "relayed", "expanded":
			delivered = true
		default:
			failed = true
		}
	}
	switch {
	case failed || !delayed && !delivered:
		return Bounce
	case delayed:
		return Delay
	}
	return Delivered
}

// byAutoSubmitted knows what says so itself (RFC 3834 5).
func byAutoSubmitted(m *message.Message, _ io.ReaderAt) (Kind, string) {
	for _, f := range m.Header.All("Auto-Submitted") {
		value := firstWord(f.Value())
		switch {
		case value == "no" || value == "":
		case strings.HasPrefix(value, "auto-replied"):
			return AutoReply, "Auto-Submitted: " + clip(value)
		default:
			return Automatic, "Auto-Submitted: " + clip(value)
		}
	}
	return Personal, ""
}

// firstWord is a field's value up to a space, a comment or a parameter, in lower case.
func firstWord(value string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	if i := strings.IndexAny(value, " \t(;,"); i >= 0 {
		value = value[:i]
	}
	return value
}

// clip makes a text from a stranger short enough for a trace.
func clip(s string) string {
	s = message.DecodeHeader(s)
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// systemFields are fields that only machines write, whatever is in them unless a value is named.
var systemFields = []struct {
	name, value string // value: the first word; "" for any
	kind        Kind
}{
	{"X-Failed-Recipients", "", Bounce},
	{"X-MS-Exchange-Message-Is-Ndr", "", Bounce},
	{"X-Autoreply", "", AutoReply},
	{"X-Autorespond", "", AutoReply},
	{"X-Autoresponder", "", AutoReply},
	{"X-Autoreply-From", "", AutoReply},
	{"X-Autoreply-Domain", "", AutoReply},
	{"X-Mail-Autoreply", "", AutoReply},
	{"X-Autogenerated", "", Automatic},
	{"Preference", "auto_reply", AutoReply},
	{"X-Precedence", "auto_reply", AutoReply},
	{"Precedence", "auto_reply", AutoReply},
	{"X-Loop", "", Automatic},
	{"Delivered-To", "autoresponder", AutoReply},
	{"X-Apple-Action", "", AutoReply},
	{"X-Cron-Env", "", Automatic},
	{"TLS-Report-Domain", "", Report}, // RFC 8460 5.3
}

func bySystemFields(m *message.Message, _ io.ReaderAt) (Kind, string) {
	for _, f := range systemFields {
		for _, field := range m.Header.All(f.name) {
			if value := firstWord(field.Value()); f.value == "" || value == f.value {
				return f.kind, "the header has " + f.name
			}
		}
	}
	for _, f := range m.Header.All("Return-Path") {
		if f.Value() == "<>" {
			return Bounce, "the header has an empty Return-Path"
		}
	}
	return Personal, ""
}

// listFields are fields that only mailing lists and senders in bulk write (RFC 2369, RFC 2919, and what came before them).
var listFields = []string{
	"List-Id", "List-Post", "List-Help", "List-Unsubscribe", "List-Subscribe", "List-Owner", "List-Archive",
	"List-Unsubscribe-Post", "Mailing-List", "X-Mailing-List", "X-Mailman-Version", "X-BeenThere", "X-ML-Name", "X-Mlcount",
	"X-List", "X-Listname", "X-List-Id", "X-Listprocessor-Version", "X-Listserver", "X-MLServer", "X-eGroups-Return", "X-Google-Group-Id",
	"Feedback-Id", "X-Campaign", "X-CampaignId", "X-Mailer-ListId",
}

func byList(m *message.Message, _ io.ReaderAt) (Kind, string) {
	for _, name := range listFields {
		if m.Header.Count(name) > 0 {
			return List, "the header has " + name
		}
	}
	for _, name := range []string{"Precedence", "X-Precedence"} {
		for _, f := range m.Header.All(name) {
			switch value := firstWord(f.Value()); value { // RFC 2076 3.9
			case "bulk", "list", "junk":
				return List, name + ": " + value
			}
		}
	}
	return Personal, ""
}
