// Package dsn writes delivery status notifications: what a sender is told about the fate of a message, in words for the
// person and in fields for the programs (RFC 3461, 3464, 6522, 6533).
//
// The road starts with a Report, which the queue fills from its rows, and ends with the bytes of a multipart/report that
// is delivered or sent with the null reverse-path like any other message.
package dsn

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Action says what became of a recipient (RFC 3464 2.3.3).
type Action string

// The actions.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed"
)

// Report is what is told in one notification.
type Report struct {
	// Hostname is ours: the Reporting-MTA, and the domain of the notification's author and id.
	Hostname string
	// To is the receiver: the reverse-path of the message in question.
	To   string
	Date time.Time
	// EnvID is the ENVID parameter as it came, xtext (RFC 3461 4.4).
	EnvID string
	// Arrived is when we took the message.
	Arrived    time.Time
	Recipients []Recipient
	// Message is the message in question from its start; nil if it cannot be read.
	Message io.Reader
	// Full returns all of it, otherwise its header alone.
	Full bool
	// SMTPUTF8: the message is internationalised, and so is its notification (RFC 6533).
	SMTPUTF8 bool
}

// Recipient is the fate of one recipient.
type Recipient struct {
	// Address is the forward-path that was tried.
	Address string
	// ORCPT is the parameter as it came, "rfc822;xtext", or "".
	ORCPT  string
	Action Action
	// Status is the enhanced status code, such as "5.1.1".
	Status string
	// RemoteMTA is the host that answered, "" if none did; Diagnostic is what it said, code included.
	RemoteMTA, Diagnostic string
	// Reason is said to the person.
	Reason string
	// LastAttempt and RetryUntil are left out when zero.
	LastAttempt, RetryUntil time.Time
}

// maxHeader bounds how much of a header is returned.
const maxHeader = 64 << 10

// Notification is a composed report.
type Notification struct {
	Message []byte
	// Has8Bit: it holds bytes above 127.
	Has8Bit bool
}

// Compose writes the notification. All lines end in CRLF.
func Compose(r Report) (Notification, error) {
	if len(r.Recipients) == 0 {
		return Notification{}, errors.New("a notification without recipients")
	}
	returned, err := r.returned()
	if err != nil {
		return Notification{}, err
	}
	boundary := "=_" + rand.Text()
	var b bytes.Buffer
	r.header(&b, boundary)
	fmt.Fprintf(&b, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", boundary)
	r.words(&b)
	kind := "message/delivery-status"
	if r.SMTPUTF8 {
		kind = "message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit" // RFC 6533 3
	}
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s\r\n\r\n", boundary, kind)
	r.fields(&b)
	if returned != nil {
		fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", boundary, r.returnedType())
		b.Write(returned)
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return Notification{Message: b.Bytes(), Has8Bit: has8Bit(b.Bytes())}, nil
}

func (r Report) header(b *bytes.Buffer, boundary string) {
	fmt.Fprintf(b, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", r.Hostname)
	fmt.Fprintf(b, "To: <%s>\r\n", clean(r.To))
	fmt.Fprintf(b, "Subject: %s\r\n", r.subject())
	fmt.Fprintf(b, "Date: %s\r\n", r.Date.UTC().Format(dateForm))
	fmt.Fprintf(b, "Message-ID: <%s@%s>\r\n", rand.Text(), r.Hostname)
	b.WriteString("Auto-Submitted: auto-replied\r\n") // RFC 3834 3.1.7
	b.WriteString("MIME-Version: 1.0\r\n")
	fmt.Fprintf(b, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=%q\r\n", boundary)
	b.WriteString("Content-Transfer-Encoding: 8bit\r\n\r\n")
}

const dateForm = "Mon, 2 Jan 2006 15:04:05 -0700"

func (r Report) subject() string {
	switch r.Recipients[0].Action {
	case Delayed:
		return "Your message is delayed"
	case Delivered, Relayed:
		return "Your message was delivered"
	default:
		return "Your message could not be delivered"
	}
}

// words tell the person.
func (r Report) words(b *bytes.Buffer) {
	switch r.Recipients[0].Action {
	case Delayed:
		b.WriteString("Your message has not been delivered yet. You need not do anything: it is tried again\r\nand again, and you will hear if it fails for good.\r\n")
	case Delivered:
		b.WriteString("Your message was delivered, as you asked to be told.\r\n")
	case Relayed:
		b.WriteString("Your message was passed on to a server that will not tell whether it was delivered.\r\n")
	default:
		b.WriteString("Your message could not be delivered to the recipients below. It is not tried again.\r\n")
	}
	for _, rcpt := range r.Recipients {
		fmt.Fprintf(b, "\r\n<%s>\r\n", clean(rcpt.Address))
		if rcpt.Reason != "" {
			fmt.Fprintf(b, "    %s\r\n", clean(rcpt.Reason))
		}
		if rcpt.Diagnostic != "" {
			fmt.Fprintf(b, "    The server %s said: %s\r\n", clean(rcpt.RemoteMTA), clean(rcpt.Diagnostic))
		}
		if !rcpt.RetryUntil.IsZero() {
			fmt.Fprintf(b, "    It will be tried until %s.\r\n", rcpt.RetryUntil.UTC().Format(dateForm))
		}
	}
	b.WriteString("\r\n-- \r\nThis message was made by the mail server " + r.Hostname + ".\r\n")
}

// fields tell the programs (RFC 3464 2.2, 2.3).
func (r Report) fields(b *bytes.Buffer) {
	fmt.Fprintf(b, "Reporting-MTA: dns; %s\r\n", r.Hostname)
	if id := clean(xtext(r.EnvID)); id != "" {
		fmt.Fprintf(b, "Original-Envelope-Id: %s\r\n", id)
	}
	if !r.Arrived.IsZero() {
		fmt.Fprintf(b, "Arrival-Date: %s\r\n", r.Arrived.UTC().Format(dateForm))
	}
	for _, rcpt := range r.Recipients {
		b.WriteString("\r\n")
		if kind, addr, ok := strings.Cut(rcpt.ORCPT, ";"); ok {
			fmt.Fprintf(b, "Original-Recipient: %s; %s\r\n", clean(kind), clean(xtext(addr)))
		}
		kind := "rfc822"
		if has8Bit([]byte(rcpt.Address)) {
			kind = "utf-8" // RFC 6533 3
		}
		fmt.Fprintf(b, "Final-Recipient: %s; %s\r\n", kind, clean(rcpt.Address))
		fmt.Fprintf(b, "Action: %s\r\nStatus: %s\r\n", rcpt.Action, rcpt.Status)
		if rcpt.RemoteMTA != "" {
			fmt.Fprintf(b, "Remote-MTA: dns; %s\r\n", clean(rcpt.RemoteMTA))
		}
		if rcpt.Diagnostic != "" {
			fmt.Fprintf(b, "Diagnostic-Code: smtp; %s\r\n", fold(r.plain(clean(rcpt.Diagnostic))))
		}
		if !rcpt.LastAttempt.IsZero() {
			fmt.Fprintf(b, "Last-Attempt-Date: %s\r\n", rcpt.LastAttempt.UTC().Format(dateForm))
		}
		if !rcpt.RetryUntil.IsZero() && rcpt.Action == Delayed {
			fmt.Fprintf(b, "Will-Retry-Until: %s\r\n", rcpt.RetryUntil.UTC().Format(dateForm))
		}
	}
}

// plain keeps message/delivery-status in ASCII, as RFC 3464 wants it.
func (r Report) plain(s string) string {
	if r.SMTPUTF8 {
		return s
	}
	return strings.Map(func(c rune) rune {
		if c > '~' {
			return '?'
		}
		return c
	}, s)
}

// returnedType is the media type of the returned part (RFC 3462 2, RFC 6533 4).
func (r Report) returnedType() string {
	switch {
	case r.Full && r.SMTPUTF8:
		return "message/global"
	case r.Full:
		return "message/rfc822"
	case r.SMTPUTF8:
		return "message/global-headers"
	default:
		return "text/rfc822-headers"
	}
}

// returned gives the part of the message that comes back, nil if there is none to read.
func (r Report) returned() ([]byte, error) {
	if r.Message == nil {
		return nil, nil
	}
	if r.Full {
		return io.ReadAll(r.Message)
	}
	header := []byte{}
	br := bufio.NewReaderSize(r.Message, 8<<10)
	for {
		line, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) || len(header)+len(line) > maxHeader || string(line) == "\r\n" {
			return header, nil
		}
		if errors.Is(err, io.EOF) {
			return append(header, line...), nil
		}
		if err != nil {
			return nil, err
		}
		header = append(header, line...)
	}
}

// clean keeps a stranger's words on one line.
func clean(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(c rune) bool {
		return c <= ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0)
	}), " ")
}

// fold breaks a long field value at its spaces, so that no line is longer than 998 bytes (RFC 5322 2.1.1).
func fold(s string) string {
	var b strings.Builder
	line := 30
	for i, word := range strings.Split(s, " ") {
		if i > 0 {
			if line+len(word) > 76 {
				b.WriteString("\r\n")
				line = 0
			}
			b.WriteString(" ")
		}
		for len(word) > 900 {
			b.WriteString(word[:900] + "\r\n ")
			word, line = word[900:], 0
		}
		b.WriteString(word)
		line += len(word) + 1
	}
	return b.String()
}

// xtext decodes RFC 3461 4's "+2B" forms; what is not well-formed stays as it is.
func xtext(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '+' && i+2 < len(s) {
			hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func has8Bit(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
