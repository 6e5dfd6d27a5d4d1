package smtp

import (
	"strconv"
	"strings"

	"postern/internal/reply"
	"postern/internal/sasl"
)

// maxHelo is RFC 5321 4.5.3.1.2's length of a domain name.
const maxHelo = 255

// hello answers HELO and EHLO (RFC 5321 4.1.1.1), which also end a transaction (4.1.4).
func (c *connection) hello(name string, extended bool) error {
	if !isHelo(name) {
		return reply.New(501, "5.5.4", "Syntax: EHLO domain")
	}
	c.reset()
	c.session.Helo, c.session.ESMTP = name, extended
	text := c.server.Hostname + " greets " + name
	if extended {
		text += c.extensions()
	}
	c.say(250, "", text)
	return nil
}

// isHelo accepts what is harmless in logs and header fields. Whether it is a name that exists, or even well-formed, is
// not asked: too much honest mail comes from hosts that do not know their name (RFC 5321 4.1.4).
func isHelo(s string) bool {
	if s == "" || len(s) > maxHelo {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		case b == '.', b == '-', b == '_', b == ':', b == '[', b == ']', b == '%':
		default:
			return false
		}
	}
	return true
}

// extensions lists what is offered at this moment, each on a line of its own.
func (c *connection) extensions() string {
	var b strings.Builder
	b.WriteString("\nPIPELINING\nSIZE ")
	b.WriteString(strconv.FormatInt(c.limits.MaxMessageSize, 10))
	b.WriteString("\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nCHUNKING\nDSN\nLIMITS RCPTMAX=")
	b.WriteString(strconv.Itoa(c.limits.MaxRecipients))
	if c.session.TLS == nil && c.server.tls != nil {
		b.WriteString("\nSTARTTLS")
	}
	if c.session.TLS != nil {
		b.WriteString("\nREQUIRETLS")
	}
	if c.offersAuth() {
		b.WriteString("\nAUTH ")
		b.WriteString(strings.Join(sasl.Mechanisms(c.session.TLS, c.limits.OfferPlus), " "))
	}
	return b.String()
}
