package smtp

import (
	"strings"

	"postern/internal/address"
	"postern/internal/reply"
	"postern/smtp/queue/dsn"
)

// rcpt is RCPT TO (RFC 5321 4.1.1.3).
func (c *connection) rcpt(arg string) error {
	t := c.transaction
	switch {
	case t == nil:
		return reply.New(503, "5.5.1", "Send MAIL first")
	case t.chunked:
		return reply.New(503, "5.5.1", "The message has begun")
	}
	r, err := c.parseRcpt(arg)
	if err != nil {
		return err
	}
	if len(t.Recipients) >= c.limits.MaxRecipients {
		c.say(452, "4.5.3", "Too many recipients") // RFC 5321 4.5.3.1.10
		return nil
	}
	if err := c.server.Backend.Rcpt(c.ctx, &c.session, &t.Envelope, r); err != nil {
		return c.refuseRcpt(t, err)
	}
	t.Recipients = append(t.Recipients, r)
	c.say(250, "2.1.5", "Recipient OK")
	return nil
}

// refuseRcpt answers for the backend. Users who mistype an address are not guessing, so only strangers are counted.
func (c *connection) refuseRcpt(t *transaction, err error) error {
	e := c.refusal("rcpt", &t.Envelope, err)
	t.refused = e
	if !e.Temporary() && c.session.Identity == nil {
		if c.refusedRcpts++; c.refusedRcpts > c.limits.MaxRefused {
			return goodbye(421, "4.7.0", "Too many unknown recipients, closing connection")
		}
	}
	c.sayError(e)
	return nil
}

// parseRcpt reads the path and its DSN parameters (RFC 3461 4.1, 4.2).
func (c *connection) parseRcpt(arg string) (r Recipient, err error) {
	path, ok := pathAfter(arg, "TO:")
	if !ok {
		return r, reply.New(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]")
	}
	to, rest, err := address.ParsePath(path)
	if err != nil || to.IsZero() {
		return r, reply.Wrap(err, 501, "5.1.3", "Bad recipient address syntax")
	}
	params, err := parseParams(rest)
	if err != nil {
		return r, err
	}
	if !c.transaction.SMTPUTF8 && !isASCII(path[:len(path)-len(rest)]) {
		return r, errNeedsUTF8
	}
	r.Address = to
	for _, p := range params {
		if err := c.rcptParam(&r, p); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (c *connection) rcptParam(r *Recipient, p param) error {
	if !c.session.ESMTP {
		return reply.New(555, "5.5.4", "Parameters need EHLO")
	}
	ok := false
	switch p.key {
	case "NOTIFY":
		var err error
		r.Notify, err = dsn.ParseNotify(p.value)
		ok = err == nil
	case "ORCPT":
		r.ORCPT, ok = parseORCPT(p.value, c.transaction.SMTPUTF8)
	default:
		return unknownParam(p)
	}
	if !ok {
		return badParam(p)
	}
	return nil
}

// parseORCPT decodes "addr-type;xtext" (RFC 3461 4.2). For the type "utf-8" RFC 6533 3 has an encoding of its own.
func parseORCPT(s string, utf8Allowed bool) (string, bool) {
	kind, encoded, ok := strings.Cut(s, ";")
	if !ok || !isKeyword(kind) || encoded == "" || len(s) > 500 {
		return "", false
	}
	var decoded string
	if strings.EqualFold(kind, "utf-8") {
		decoded, ok = decodeUTF8Address(encoded, utf8Allowed)
	} else {
		decoded, ok = decodeXtext(encoded)
		ok = ok && isPrintable(decoded)
	}
	return kind + ";" + decoded, ok
}
