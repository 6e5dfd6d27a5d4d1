package reports

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"time"

	"postern/internal/address"
)

// letter is the message that brings a report.
type letter struct {
	kind     Kind
	from, to address.Address
	// about is the domain that the report is about, self that in whose name it is.
	about, self string
	date        time.Time
	report      *composed
}

// dateForm is RFC 5322 3.3's date-time.
const dateForm = "Mon, 2 Jan 2006 15:04:05 -0700"

// compose writes the message, with CRLF ends and lines that every server takes.
func (l *letter) compose() ([]byte, error) {
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	if err := l.parts(parts); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: <%s>\r\nTo: <%s>\r\n", l.from, l.to)
	// RFC 7489 7.2.1.1 and RFC 8460 5.3 prescribe the words; a name may fill a line alone.
	fmt.Fprintf(&b, "Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s>\r\n", l.about, l.self, l.report.id)
	fmt.Fprintf(&b, "Date: %s\r\nMessage-ID: <%s.%s>\r\n", l.date.Format(dateForm), l.kind, l.report.id)
	b.WriteString("Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n") // RFC 3834 5
	if l.kind == TLS {
		fmt.Fprintf(&b, "TLS-Report-Domain: %s\r\nTLS-Report-Submitter: %s\r\n", l.about, l.self)
		fmt.Fprintf(&b, "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"%s\"\r\n\r\n", parts.Boundary())
	} else {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed;\r\n boundary=\"%s\"\r\n\r\n", parts.Boundary())
	}
	b.Write(body.Bytes())
	return b.Bytes(), nil
}

func (l *letter) parts(parts *multipart.Writer) error {
	text, err := parts.CreatePart(textproto.MIMEHeader{"Content-Type": {"text/plain; charset=us-ascii"}})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(text, l.report.text); err != nil {
		return err
	}
	kind := "application/gzip"
	if l.kind == TLS {
		kind = "application/tlsrpt+gzip"
	}
	file, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {kind + ";\r\n name=\"" + l.report.name + "\""},
		"Content-Transfer-Encoding": {"base64"},
		"Content-Disposition":       {"attachment;\r\n filename=\"" + l.report.name + "\""},
	})
	if err != nil {
		return err
	}
	encoded := base64.StdEncoding.EncodeToString(l.report.packed)
	for len(encoded) > 0 {
		n := min(len(encoded), 76) // RFC 2045 6.8
		if _, err := io.WriteString(file, encoded[:n]+"\r\n"); err != nil {
			return err
		}
		encoded = encoded[n:]
	}
	return parts.Close()
}
