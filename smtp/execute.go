package smtp

import (
	"errors"

	"postern/internal/reply"
)

var (
	errNoArgument = reply.New(501, "5.5.4", "This command takes no argument")
	quit          = goodbye(221, "2.0.0", "Bye")
)

// execute runs one command. A nil error means that the reply is queued; see answer for the others.
func (c *connection) execute(line []byte) error {
	v, arg := parseCommand(line)
	c.session.Commands++
	err := c.check(v, line)
	if err == nil {
		err = c.dispatch(v, arg)
	}
	if c.server.Metrics != nil {
		c.server.Metrics.Command(c.server.Role, metricVerb(v), c.code(err))
	}
	return err
}

// check holds the rules that are the same for all commands.
func (c *connection) check(v verb, line []byte) error {
	switch {
	case v == verbForeign, v == verbUnknown && c.session.Commands == 1:
		// Browsers and other programs that were led here, perhaps to carry mail commands in a request's body.
		return goodbye(500, "5.5.1", "This is an SMTP server")
	case len(line)+2 > v.lineLimit():
		return reply.New(500, "5.5.2", "Line too long")
	case hasControl(line):
		return reply.New(500, "5.5.2", "Control characters are not allowed in commands")
	}
	return c.countCommand(v)
}

// countCommand ends a session that goes on for too long.
func (c *connection) countCommand(v verb) error {
	if v == verbBDAT {
		return nil // bounded by the message's size and time
	}
	c.countedCommands++
	if v != verbRCPT {
		c.idleCommands++
	}
	switch {
	case c.idleCommands > c.limits.MaxIdleCommands:
		return goodbye(421, "4.7.0", "Too many commands without a message, closing connection")
	case c.countedCommands > c.limits.MaxCommands && v != verbQUIT:
		return goodbye(421, "4.7.0", "Too many commands, closing connection")
	case c.accepted >= c.limits.MaxMessages && v == verbMAIL:
		return goodbye(421, "4.7.0", "Too many messages in one connection, please open another")
	}
	return nil
}

func (c *connection) dispatch(v verb, arg string) error {
	switch v {
	case verbMAIL:
		return c.mail(arg)
	case verbRCPT:
		return c.rcpt(arg)
	case verbDATA:
		return c.data(arg)
	case verbBDAT:
		return c.bdat(arg)
	case verbHELO, verbEHLO:
		return c.hello(arg, v == verbEHLO)
	case verbSTARTTLS:
		return c.starttls(arg)
	case verbAUTH:
		return c.auth(arg)
	}
	return c.dispatchSmall(v, arg)
}

// dispatchSmall answers the commands that change little.
func (c *connection) dispatchSmall(v verb, arg string) error {
	switch v {
	case verbRSET:
		if arg != "" {
			return errNoArgument
		}
		c.reset()
		c.say(250, "2.0.0", "OK")
	case verbNOOP: // RFC 5321 4.1.1.9: a parameter is ignored
		c.say(250, "2.0.0", "OK")
	case verbQUIT:
		if arg != "" {
			return errNoArgument
		}
		return quit
	case verbVRFY:
		if arg == "" {
			return reply.New(501, "5.5.4", "Syntax: VRFY address")
		}
		// RFC 5321 7.3: says nothing about who exists.
		c.say(252, "2.5.0", "Cannot verify, but will accept mail and try to deliver it")
	case verbEXPN:
		return reply.New(502, "5.5.1", "EXPN is not available")
	case verbHELP:
		c.say(214, "2.0.0", "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS AUTH QUIT: see RFC 5321")
	case verbRetired:
		return reply.New(502, "5.5.1", "Command not implemented")
	default:
		return reply.New(500, "5.5.2", "Command not recognized")
	}
	return nil
}

// code is the reply code that a command got or will get.
func (c *connection) code(err error) int {
	var e *reply.Error
	switch {
	case err == nil:
		return c.lastCode
	case errors.As(err, &e):
		return e.Code
	}
	return 0 // the connection was lost
}

func metricVerb(v verb) string {
	switch v {
	case verbRetired, verbForeign:
		return string(verbUnknown)
	}
	return string(v)
}

// hasControl finds NUL, bare CR, TAB and the like. Bytes above 127 are for the parsers of paths to judge.
func hasControl(line []byte) bool {
	for _, b := range line {
		if b < ' ' || b == 0x7f {
			return true
		}
	}
	return false
}
