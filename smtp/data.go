package smtp

import (
	"time"

	"postern/internal/reply"
)

// data is DATA (RFC 5321 4.1.1.4).
func (c *connection) data(arg string) error {
	t := c.transaction
	switch {
	case arg != "":
		return errNoArgument
	case t == nil:
		return reply.New(503, "5.5.1", "Send MAIL first")
	case t.chunked:
		return reply.New(503, "5.5.1", "BDAT has begun, DATA cannot follow") // RFC 3030 2
	case len(t.Recipients) == 0:
		return noRecipients(t)
	case len(c.buffered()) > 0:
		// RFC 2920 3.1: the client must wait for our 354. What comes before it was written by something that does not
		// read replies, such as a message smuggled through a server that believed another end of data.
		return goodbye(554, "5.5.0", "Message before the 354 reply")
	}
	c.say(354, "", "Start mail input; end with <CRLF>.<CRLF>")
	t.intake = c.newIntake()
	if err := c.readText(t.intake); err != nil {
		return err
	}
	return c.complete(t)
}

// noRecipients is RFC 5321 3.3: 503 or 554, and temporary if that is what stood in the way of the recipients.
func noRecipients(t *transaction) error {
	if t.refused != nil && t.refused.Temporary() {
		return reply.New(451, "4.5.1", "No valid recipients, please try again")
	}
	return reply.New(554, "5.5.1", "No valid recipients")
}

// readText reads to the end of data. It fails only with the connection.
func (c *connection) readText(in *intake) error {
	c.grow()
	scanner := textScanner{check: byteCheck{maxLine: c.limits.MaxLineLength}}
	keep := func(p []byte) {
		if scanner.check.bad != nil {
			in.refuse(scanner.check.bad)
		}
		in.add(p)
	}
	for {
		n, done := scanner.scan(c.buffered(), keep)
		c.consume(n)
		if done {
			if bad := scanner.check.finish(); bad != nil {
				in.refuse(bad)
			}
			return nil
		}
		if err := c.fill(in.deadline()); err != nil {
			return err
		}
	}
}

// complete hands the message to the backend and answers for it. The transaction is over either way.
func (c *connection) complete(t *transaction) error {
	defer c.reset()
	defer func() { c.progress = time.Now() }()
	content, err := t.intake.finish()
	text := ""
	if err == nil {
		text, err = c.server.Backend.Data(c.ctx, &c.session, &t.Envelope, content)
		_ = content.Close()
	}
	if err != nil {
		e := c.refusal("data", &t.Envelope, err)
		c.sayError(e)
		c.logMessage(t, e.Code, e.Text)
		return nil
	}
	c.accepted++
	c.idleCommands = 0
	if text == "" {
		text = "2.6.0 Message accepted"
	}
	c.say(250, "", text)
	c.logMessage(t, 250, text)
	return nil
}
