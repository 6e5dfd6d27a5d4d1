package reports

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"

	"postern/internal/message"
	"postern/internal/reports/arf"
	"postern/internal/reports/dmarcxml"
	"postern/internal/reports/tlsrpt"
)

// Kind is what a report is about.
type Kind string

// The kinds.
const (
	DMARC   Kind = "dmarc"
	TLS     Kind = "tls"
	Failure Kind = "failure" // one message that failed, or was taken for abuse
)

// Received is a report that came from elsewhere. One of DMARC, TLS and Failure is set, as Kind says.
type Received struct {
	Kind    Kind               `json:"kind"`
	DMARC   *dmarcxml.Feedback `json:"dmarc,omitempty"`
	TLS     *tlsrpt.Report     `json:"tls,omitempty"`
	Failure *arf.Report        `json:"failure,omitempty"`
	// Domain is what the message around a TLS report says it is about (RFC 8460 5.3), "" when it does not.
	Domain string `json:"domain,omitempty"`
	// Sender is the domain in the From field of the message that brought it, "" when there was none.
	Sender string `json:"sender,omitempty"`
	// Authenticated: SPF or DKIM vouch for Sender. Whoever has checked sets it before StoreTx.
	Authenticated bool `json:"-"`

	reporter *Reporter
}

// ErrNoReport says that a message or file holds no report.
var ErrNoReport = errors.New("this is no report: neither XML of DMARC, nor JSON of TLS, nor a feedback report; look for another file")

const (
	// maxCandidates bounds the parts of a message that are tried.
	maxCandidates = 4
	// maxPartsSeen bounds those that are looked at.
	maxPartsSeen = 50
	// maxEncoded is the size of a part beyond which it is not looked into: base64 of maxPacked.
	maxEncoded = maxPacked / 3 * 4
)

// LooksLikeReport tells by types, names and the subject of a parsed message whether it may bring a report. It costs next to
// nothing for other mail.
func LooksLikeReport(m *message.Message) bool {
	return len(candidates(m, false)) > 0
}

// Read reads the report that a message brings. Without one the error is ErrNoReport; another says what is wrong with the
// report.
func Read(m *message.Message, content io.ReaderAt) (*Received, error) {
	return readParts(m, content, candidates(m, false))
}

// ReadFile reads a report from a file: XML or JSON, packed by gzip or zip or not, or a whole message.
func ReadFile(r io.ReaderAt, size int64) (*Received, error) {
	head := make([]byte, min(size, headBytes))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if formOf(head) != formUnknown {
		return readPacked(io.NewSectionReader(r, 0, size))
	}
	if size > 2*maxPacked {
		return nil, errPacked
	}
	m, err := message.Parse(r, size, message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	return readParts(m, r, candidates(m, true))
}

// readParts reads the first of the parts that is a report.
func readParts(m *message.Message, content io.ReaderAt, parts []*message.Part) (*Received, error) {
	problem := ErrNoReport
	for _, p := range parts {
		got, err := readPart(m, p, content)
		if err == nil {
			got.Sender = author(m)
			got.Domain = domainName(m.Header.Get("TLS-Report-Domain"))
			return got, nil
		}
		if !errors.Is(err, ErrNoReport) && errors.Is(problem, ErrNoReport) {
			problem = err
		}
	}
	return nil, problem
}

// author is the domain in From.
func author(m *message.Message) string {
	if m.Envelope == nil || len(m.Envelope.From) == 0 {
		return ""
	}
	return domainName(m.Envelope.From[0].Host)
}

func domainName(s string) string {
	s = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
	if len(s) > 253 || strings.ContainsAny(s, " \t\r\n") {
		return ""
	}
	return s
}

// candidates are the parts that may hold a report. Thorough takes every part of a fitting type, for files that somebody
// calls reports; otherwise a name or the subject must speak for it.
func candidates(m *message.Message, thorough bool) []*message.Part {
	if m.Root == nil {
		return nil
	}
	var list []*message.Part
	told := sync.OnceValue(func() bool { return thorough || subjectTells(m) })
	seen := 0
	var walk func(p *message.Part)
	walk = func(p *message.Part) {
		if seen++; seen > maxPartsSeen || len(list) == maxCandidates {
			return
		}
		if p.IsMultipart() {
			for _, c := range p.Children {
				walk(c)
			}
			return
		}
		// What is inside another message is about that one.
		if p.Embedded == nil && p.End-p.BodyStart <= maxEncoded && mayHold(p, told) {
			list = append(list, p)
		}
	}
	walk(m.Root)
	if len(list) == 0 {
		list = textAlone(m.Root, told)
	}
	return list
}

// textAlone is a text that is all there is: as Exim writes about single messages, or a report that was put into the body.
func textAlone(root *message.Part, told func() bool) []*message.Part {
	text := root
	if root.IsMultipart() && root.Subtype == "report" && len(root.Children) > 0 {
		text = root.Children[0]
	}
	if text.Type == "text" && text.Subtype == "plain" && text.End-text.BodyStart <= maxEncoded && told() {
		return []*message.Part{text}
	}
	return nil
}

// subjectTells: the form of RFC 7489 7.2.1.1 and RFC 8460 5.3, or words that reporters use instead.
func subjectTells(m *message.Message) bool {
	if m.Header.Count("TLS-Report-Domain") > 0 {
		return true
	}
	if m.Envelope == nil {
		return false
	}
	subject := strings.ToLower(message.DecodeHeader(m.Envelope.Subject))
	return strings.Contains(subject, "report") && (strings.Contains(subject, "domain") || strings.Contains(subject, "dmarc") || strings.Contains(subject, "tls"))
}

// mayHold goes by the type of a part, and where that says little by its name or what else told of a report.
func mayHold(p *message.Part, told func() bool) bool {
	switch p.Type + "/" + p.Subtype {
	case "message/feedback-report", "application/tlsrpt+gzip", "application/tlsrpt+json":
		return true
	case "application/gzip", "application/x-gzip", "application/zip", "application/x-zip-compressed", "application/x-zip",
		"application/octet-stream", "application/xml", "text/xml", "application/json":
		return namedAsReport(p.Filename()) || told()
	}
	name := p.Filename()
	return namedAsReport(name) || endsAsReport(name) && told()
}

// namedAsReport: receiver!domain!begin!end.xml.gz (RFC 7489 7.2.1.1, RFC 8460 5.1).
func namedAsReport(name string) bool { return strings.Count(name, "!") >= 3 && endsAsReport(name) }

func endsAsReport(name string) bool {
	name = strings.ToLower(name)
	for _, end := range []string{".xml", ".gz", ".zip", ".json"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

func readPart(m *message.Message, p *message.Part, content io.ReaderAt) (*Received, error) {
	switch {
	case p.Type == "message" && p.Subtype == "feedback-report":
		return readFailure(m, p, content)
	case p.Type == "text" && p.Subtype == "plain" && !endsAsReport(p.Filename()):
		if got, err := readPacked(message.DecodePart(p, content)); err == nil {
			return got, nil // else it is most likely a person's words
		}
		text, err := io.ReadAll(io.LimitReader(message.TextReader(p, content), arf.MaxBytes))
		if err != nil {
			return nil, err
		}
		if r, ok := arf.ReadText(text); ok {
			return &Received{Kind: Failure, Failure: r}, nil
		}
		return nil, ErrNoReport
	}
	return readPacked(message.DecodePart(p, content))
}

func readFailure(m *message.Message, p *message.Part, content io.ReaderAt) (*Received, error) {
	fields, err := io.ReadAll(io.LimitReader(message.DecodePart(p, content), arf.MaxBytes))
	if err != nil {
		return nil, err
	}
	r, err := arf.Read(fields, original(m, content))
	if err != nil {
		return nil, err
	}
	return &Received{Kind: Failure, Failure: r}, nil
}

// original is the header of the message that a feedback report is about. A list or a filter may have put the report into
// another multipart.
func original(m *message.Message, content io.ReaderAt) []byte {
	for p := range m.Root.All() {
		switch p.Type + "/" + p.Subtype {
		case "message/rfc822", "message/rfc822-headers", "text/rfc822-headers", "message/global", "message/global-headers": // RFC 6522 4, RFC 6533 4
		default:
			continue
		}
		b, err := io.ReadAll(io.LimitReader(message.DecodePart(p, content), arf.MaxBytes))
		if err != nil {
			return nil
		}
		if end := bytes.Index(b, []byte("\n\r\n")); end > 0 {
			b = b[:end+1]
		}
		return b
	}
	return nil
}

// readPacked reads a file that may be packed.
func readPacked(r io.Reader) (*Received, error) {
	content, f, err := unpack(r)
	if err != nil {
		return nil, err
	}
	switch f {
	case formXML:
		feedback, err := dmarcxml.Read(content)
		if errors.Is(err, dmarcxml.ErrNoFeedback) {
			return nil, ErrNoReport
		}
		if err != nil {
			return nil, err
		}
		return &Received{Kind: DMARC, DMARC: feedback}, nil
	case formJSON:
		report, err := tlsrpt.Read(content)
		if err != nil {
			return nil, err
		}
		return &Received{Kind: TLS, TLS: report}, nil
	}
	return nil, ErrNoReport
}
