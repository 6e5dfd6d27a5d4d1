package smtp

import (
	"strconv"
	"strings"

	"postern/internal/address"
	"postern/internal/reply"
)

// transaction is what happens between MAIL and the end of the message.
type transaction struct {
	Envelope
	refused *reply.Error // the last recipient's, while none was accepted
	chunked bool         // BDAT has begun
	intake  *intake      // the message as far as it came
}

// abort gives back what the message took.
func (t *transaction) abort() {
	if t.intake != nil {
		t.intake.abort()
	}
}

// mail is MAIL FROM (RFC 5321 4.1.1.2).
func (c *connection) mail(arg string) error {
	if err := c.mayMail(); err != nil {
		return err
	}
	path, ok := pathAfter(arg, "FROM:")
	if !ok {
		return reply.New(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")
	}
	from, rest, err := address.ParsePath(path)
	if err != nil || !from.IsZero() && from.Domain == "" {
		return reply.Wrap(err, 501, "5.1.7", "Bad sender address syntax")
	}
	params, err := parseParams(rest)
	if err != nil {
		return err
	}
	c.limits = c.server.limits() // a changed setting holds from here on
	c.idle = c.limits.IdleTimeout
	t := &transaction{Envelope: Envelope{From: from, Started: c.server.Clock.Now()}}
	for _, p := range params {
		if err := c.mailParam(&t.Envelope, p); err != nil {
			return err
		}
	}
	if !t.SMTPUTF8 && !isASCII(path[:len(path)-len(rest)]) {
		return errNeedsUTF8
	}
	c.transactions++
	t.ID = c.session.ID + "-" + strconv.Itoa(c.transactions)
	if err := c.server.Backend.Mail(c.ctx, &c.session, &t.Envelope); err != nil {
		return c.refusal("mail", &t.Envelope, err)
	}
	c.transaction = t
	c.say(250, "2.1.0", "Sender OK")
	return nil
}

// errNeedsUTF8 is RFC 6531 3.5.
var errNeedsUTF8 = reply.New(553, "5.6.7", "An address with non-ASCII characters needs SMTPUTF8")

// mayMail checks what must have happened before MAIL.
func (c *connection) mayMail() error {
	switch {
	case c.session.Helo == "":
		return reply.New(503, "5.5.1", "Send EHLO first")
	case c.transaction != nil:
		return reply.New(503, "5.5.1", "A transaction is open already")
	case !c.server.Role.authenticates():
		return nil
	case c.session.TLS == nil:
		return reply.New(530, "5.7.0", "Must issue a STARTTLS command first") // RFC 3207 4
	case c.session.Identity == nil:
		return reply.New(530, "5.7.0", "Authentication required") // RFC 4954 6
	}
	return nil
}

// mailParam takes a parameter of MAIL into the envelope.
func (c *connection) mailParam(e *Envelope, p param) error {
	if !c.session.ESMTP {
		return reply.New(555, "5.5.4", "Parameters need EHLO")
	}
	switch p.key {
	case "SIZE":
		return c.sizeParam(e, p)
	case "BODY":
		switch value := strings.ToUpper(p.value); value {
		case "7BIT", "8BITMIME":
			e.Body = value
		case "BINARYMIME":
			return reply.New(555, "5.5.4", "BINARYMIME is not offered")
		default:
			return badParam(p)
		}
	case "SMTPUTF8":
		e.SMTPUTF8 = true
		return noValue(p)
	case "REQUIRETLS":
		if c.session.TLS == nil { // RFC 8689 2, and it was not offered
			return reply.New(530, "5.7.0", "REQUIRETLS needs a TLS session")
		}
		e.RequireTLS = true
		return noValue(p)
	case "RET":
		e.Ret = strings.ToUpper(p.value)
		if e.Ret != "FULL" && e.Ret != "HDRS" {
			return badParam(p)
		}
	case "ENVID":
		return envIDParam(e, p)
	case "AUTH":
		return c.authParam(e, p)
	default:
		return unknownParam(p)
	}
	return nil
}

// sizeParam is RFC 1870 6: a message announced as too large is refused before it is sent.
func (c *connection) sizeParam(e *Envelope, p param) error {
	if p.value == "" || len(p.value) > 20 || strings.Trim(p.value, "0123456789") != "" {
		return badParam(p)
	}
	n, err := strconv.ParseInt(p.value, 10, 64)
	if err != nil || n > c.limits.MaxMessageSize {
		return errTooBig(c.limits.MaxMessageSize)
	}
	e.Size = n
	return nil
}

// errTooBig is RFC 1870 6.2's reply.
func errTooBig(limit int64) *reply.Error {
	return reply.New(552, "5.3.4", "Message is larger than the limit of %d bytes", limit)
}

// envIDParam is RFC 3461 4.4.
func envIDParam(e *Envelope, p param) error {
	id, ok := decodeXtext(p.value)
	if !ok || p.value == "" || len(p.value) > 100 || !isPrintable(id) {
		return badParam(p)
	}
	e.EnvID = id
	return nil
}

// authParam is RFC 4954 5. The value is a claim that is passed on, no more.
func (c *connection) authParam(e *Envelope, p param) error {
	if !c.offersAuth() {
		return unknownParam(p)
	}
	value, ok := decodeXtext(p.value)
	if !ok || len(p.value) > 500 {
		return badParam(p)
	}
	if value != "<>" {
		a, err := address.Parse(value)
		if err != nil {
			return badParam(p)
		}
		value = a.String()
	}
	e.Auth = value
	return nil
}

func badParam(p param) error {
	return reply.New(501, "5.5.4", "Bad value of %s", p.key)
}

// unknownParam is RFC 5321 4.1.1.11.
func unknownParam(p param) error {
	return reply.New(555, "5.5.4", "Parameter %s is not supported", shorten(p.key))
}

func noValue(p param) error {
	if p.hasValue {
		return reply.New(501, "5.5.4", "%s takes no value", p.key)
	}
	return nil
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
