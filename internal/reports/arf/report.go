// Package arf reads feedback reports: what a receiver tells about one message, that a reader took it for abuse (RFC 5965) or
// that it failed authentication (RFC 6591, which DMARC failure reports are made of).
//
// The road starts at [Read] with the fields of the part message/feedback-report and, if there is one, the header of the
// message that it is about; or at [ReadText] with the plain text in which Exim writes its DMARC failure reports. It ends
// in a [Report]. Fields that are unknown are passed over, and everything is bounded by what the caller reads of the part.
package arf

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"postern/internal/message"
	"postern/internal/oneline"
)

// Report is one feedback report; what it does not tell is the zero value.
type Report struct {
	// Type is "abuse", "auth-failure", "fraud", "virus", "not-spam" or another word.
	Type      string `json:"type"`
	UserAgent string `json:"user_agent,omitempty"`
	Version   string `json:"version,omitempty"`
	// Incidents is the number of messages that the report stands for, 1 or more.
	Incidents int64 `json:"incidents,omitempty"`

	OriginalMailFrom   string     `json:"original_mail_from,omitempty"`
	OriginalRcptTo     []string   `json:"original_rcpt_to,omitempty"`
	OriginalEnvelopeID string     `json:"original_envelope_id,omitempty"`
	Arrived            time.Time  `json:"arrived,omitzero"`
	ReportingMTA       string     `json:"reporting_mta,omitempty"`
	Source             netip.Addr `json:"source,omitzero"`
	SourcePort         int64      `json:"source_port,omitempty"`
	ReportedDomains    []string   `json:"reported_domains,omitempty"`
	ReportedURIs       []string   `json:"reported_uris,omitempty"`
	AuthResults        []string   `json:"auth_results,omitempty"`

	// AuthFailure is "dmarc", "bodyhash", "signature", "spf" or another word (RFC 6591 3.3), Delivery what became of the
	// message, Alignment which identity was not aligned ("dkim, spf").
	AuthFailure  string `json:"auth_failure,omitempty"`
	Delivery     string `json:"delivery,omitempty"`
	Alignment    string `json:"alignment,omitempty"`
	DKIMDomain   string `json:"dkim_domain,omitempty"`
	DKIMIdentity string `json:"dkim_identity,omitempty"`
	DKIMSelector string `json:"dkim_selector,omitempty"`
	// CanonicalHeader and CanonicalBody are base64 as it stands in the report.
	CanonicalHeader string `json:"canonical_header,omitempty"`
	CanonicalBody   string `json:"canonical_body,omitempty"`
	DKIMKeyRecord   string `json:"dkim_key_record,omitempty"`
	SPFRecord       string `json:"spf_record,omitempty"`

	// Author, Subject and MessageID are those of the message that the report is about.
	Author    string `json:"author,omitempty"`
	Subject   string `json:"subject,omitempty"`
	MessageID string `json:"message_id,omitempty"`
}

// Bounds.
const (
	// MaxBytes is how much of a feedback-report part or of a text is worth reading.
	MaxBytes  = 256 << 10
	maxFields = 1000
	maxList   = 100
	maxText   = 1000
)

// ErrNoReport says that the part tells of no message.
var ErrNoReport = errors.New("this is no feedback report: it has no Feedback-Type; look for another part")

// Read reads the fields of a message/feedback-report part; original is the header of the message that it is about, or
// empty.
func Read(fields, original []byte) (*Report, error) {
	r := &Report{Incidents: 1}
	header := message.ParseHeader(trimStart(fields))
	for i, f := range header.Fields {
		if i == maxFields {
			break
		}
		r.field(strings.ToLower(f.Name), f.Value())
	}
	if r.Type == "" {
		return nil, ErrNoReport
	}
	r.about(original)
	return r, nil
}

// trimStart passes over empty lines before the first field.
func trimStart(b []byte) []byte {
	for len(b) > 0 && (b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

func (r *Report) about(original []byte) {
	h := message.ParseHeader(trimStart(original))
	r.Author = oneline.Text(message.DecodeHeader(h.Get("From")), maxText)
	r.Subject = oneline.Text(message.DecodeHeader(h.Get("Subject")), maxText)
	r.MessageID = oneline.Text(h.Get("Message-ID"), maxText)
}

func (r *Report) field(name, value string) {
	switch name {
	case "dkim-canonicalized-header":
		r.CanonicalHeader = unspaced(value)
		return
	case "dkim-canonicalized-body":
		r.CanonicalBody = unspaced(value)
		return
	}
	value = oneline.Text(value, maxText)
	if value == "" {
		return
	}
	if text := r.text(name); text != nil {
		*text = value
		return
	}
	if list := r.list(name); list != nil {
		if len(*list) < maxList {
			*list = append(*list, value)
		}
		return
	}
	switch name {
	case "feedback-type", "auth-failure", "delivery-result", "identity-alignment":
		*r.word(name) = strings.ToLower(value)
	case "incidents":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 && n <= 1e9 {
			r.Incidents = n
		}
	case "arrival-date", "received-date": // the latter in RFC 5965's first drafts
		if at, err := message.ParseDate(value); err == nil {
			r.Arrived = at
		}
	case "source-ip":
		if ip, err := netip.ParseAddr(strings.Trim(value, "[]")); err == nil {
			r.Source = ip.Unmap().WithZone("")
		}
	case "source-port":
		if n, err := strconv.ParseUint(value, 10, 16); err == nil {
			r.SourcePort = int64(n)
		}
	case "reported-domain":
		if len(r.ReportedDomains) < maxList {
			r.ReportedDomains = append(r.ReportedDomains, domain(value))
		}
	}
}

// unspaced takes the folding out of base64.
func unspaced(s string) string { return strings.Join(strings.Fields(s), "") }

func domain(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

func (r *Report) word(name string) *string {
	switch name {
	case "feedback-type":
		return &r.Type
	case "auth-failure":
		return &r.AuthFailure
	case "delivery-result":
		return &r.Delivery
	}
	return &r.Alignment
}

func (r *Report) text(name string) *string {
	switch name {
	case "user-agent":
		return &r.UserAgent
	case "version":
		return &r.Version
	case "original-mail-from":
		return &r.OriginalMailFrom
	case "original-envelope-id":
		return &r.OriginalEnvelopeID
	case "reporting-mta":
		return &r.ReportingMTA
	case "dkim-domain":
		return &r.DKIMDomain
	case "dkim-identity":
		return &r.DKIMIdentity
	case "dkim-selector":
		return &r.DKIMSelector
	case "dkim-selector-dns":
		return &r.DKIMKeyRecord
	case "spf-dns":
		return &r.SPFRecord
	}
	return nil
}

func (r *Report) list(name string) *[]string {
	switch name {
	case "original-rcpt-to":
		return &r.OriginalRcptTo
	case "reported-uri":
		return &r.ReportedURIs
	case "authentication-results":
		return &r.AuthResults
	}
	return nil
}

// ReadText reads a DMARC failure report as Exim writes it: lines "Sender Domain: …" and the copy of a header. ok is false
// when the text is none.
func ReadText(text []byte) (r *Report, ok bool) {
	const copied = "------ This is a copy of the headers"
	body, original, _ := strings.Cut(string(text), copied)
	_, original, _ = strings.Cut(original, "\n")
	r = &Report{Type: "auth-failure", AuthFailure: "dmarc", Incidents: 1}
	var unaligned []string
	for line := range strings.Lines(body) {
		name, value, found := strings.Cut(line, ":")
		if value = oneline.Text(value, maxText); !found || value == "" {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "sender domain":
			r.ReportedDomains = []string{domain(value)}
		case "sender ip address":
			r.field("source-ip", value)
		case "received date":
			r.field("arrival-date", value)
		case "spf alignment":
			unaligned = appendIf(unaligned, "spf", value)
		case "dkim alignment":
			unaligned = appendIf(unaligned, "dkim", value)
		case "dmarc results":
			r.Delivery = strings.ToLower(value)
		}
	}
	r.Alignment = strings.Join(unaligned, ", ")
	r.about([]byte(original))
	return r, len(r.ReportedDomains) > 0 && r.Source.IsValid()
}

func appendIf(list []string, what, value string) []string {
	if strings.EqualFold(value, "no") {
		return append(list, what)
	}
	return list
}
