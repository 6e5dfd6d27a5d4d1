package mailflow

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"postern/internal/address"
	"postern/smtp"
)

// dateForm is RFC 5322 3.3's date-time.
const dateForm = "Mon, 2 Jan 2006 15:04:05 -0700"

// received writes the trace field of RFC 5321 4.4. For a user's own submission it does not tell where the user is: that
// is nobody's business, and it has cost people their anonymity and their mail a spam score.
func (f *Flow) received(s *smtp.Session, e *smtp.Envelope, now time.Time) []byte {
	var b bytes.Buffer
	b.WriteString("Received: ")
	if s.Identity == nil {
		fmt.Fprintf(&b, "from %s (%s)\r\n\t", s.Helo, addressLiteral(s))
	}
	fmt.Fprintf(&b, "by %s (Postern) with %s", f.Hostname, s.Protocol(e.SMTPUTF8))
	if s.TLS != nil {
		fmt.Fprintf(&b, "\r\n\t(%s %s)", tls.VersionName(s.TLS.Version), tls.CipherSuiteName(s.TLS.CipherSuite))
	}
	fmt.Fprintf(&b, "\r\n\tid %s", e.ID)
	if len(e.Recipients) == 1 { // more would tell each of the others (RFC 5321 7.2)
		fmt.Fprintf(&b, "\r\n\tfor <%s>", headerForm(e.Recipients[0].Address, e.SMTPUTF8))
	}
	fmt.Fprintf(&b, ";\r\n\t%s\r\n", now.Format(dateForm))
	return b.Bytes()
}

func addressLiteral(s *smtp.Session) string {
	if ip := s.Remote.Addr(); ip.Is6() {
		return "[IPv6:" + ip.WithZone("").String() + "]"
	}
	return "[" + s.Remote.Addr().String() + "]"
}

// finalFields are the fields that final delivery puts on top (RFC 5321 4.4): where bounces would have gone, and for whom
// this copy is.
func finalFields(from, to address.Address, utf8 bool) []byte {
	return []byte("Return-Path: <" + headerForm(from, utf8) + ">\r\nDelivered-To: " + headerForm(to, utf8) + "\r\n")
}

func headerForm(a address.Address, utf8 bool) string {
	if utf8 {
		return a.Unicode()
	}
	return a.String()
}

// foldedLine keeps what is put into a header field on one line, whatever it holds.
func foldedLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
