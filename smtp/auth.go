package smtp

import (
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"postern/internal/reply"
	"postern/internal/sasl"
	"postern/internal/throttle"
)

// offersAuth reports whether users can log in on this connection: on submission ports, inside TLS.
func (c *connection) offersAuth() bool {
	return c.server.Role.authenticates() && c.server.Auth != nil && c.session.TLS != nil
}

// auth is AUTH (RFC 4954 4).
func (c *connection) auth(arg string) error {
	if err := c.mayAuth(); err != nil {
		return err
	}
	mechanism, initial, hasInitial := strings.Cut(arg, " ")
	if mechanism == "" || strings.Contains(initial, " ") || hasInitial && initial == "" {
		return reply.New(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]")
	}
	logins := throttle.Logins{Throttle: c.server.Throttle, Log: c.server.Log, Service: c.server.Role.String(), Remote: c.session.Remote.Addr()}
	exchange, err := sasl.NewServer(mechanism, c.server.Auth, c.session.TLS, sasl.Certificate(c.certificate), sasl.Before(logins.Before), sasl.Plus(c.limits.OfferPlus))
	if err != nil {
		return reply.From(err)
	}
	err = c.exchange(exchange, initial, hasInitial)
	if login := exchange.Login(); login != "" {
		logins.After(login, err)
	}
	if c.server.Metrics != nil {
		c.server.Metrics.Auth(c.server.Role, strings.ToUpper(mechanism), err == nil)
	}
	if err != nil {
		return c.authFailed(err)
	}
	id := exchange.Identity()
	c.session.Identity, c.session.Mechanism = &id, strings.ToUpper(mechanism)
	c.progress = time.Now()
	c.say(235, "2.7.0", "Authentication successful")
	return nil
}

func (c *connection) mayAuth() error {
	switch {
	case !c.server.Role.authenticates() || c.server.Auth == nil:
		return reply.New(502, "5.5.1", "AUTH is not available here")
	case c.session.TLS == nil:
		return reply.New(538, "5.7.11", "Encryption required for authentication: send STARTTLS first")
	case !c.session.ESMTP:
		return reply.New(503, "5.5.1", "Send EHLO first")
	case c.session.Identity != nil:
		return reply.New(503, "5.5.1", "Already authenticated")
	case c.transaction != nil:
		return reply.New(503, "5.5.1", "Not during a transaction")
	}
	return nil
}

// exchange runs the mechanism to its end.
func (c *connection) exchange(exchange sasl.Server, initial string, hasInitial bool) error {
	var response []byte
	if hasInitial {
		var err error
		if response, err = sasl.Decode(initial); err != nil {
			return err
		}
	}
	ctx := sasl.WithRemote(c.ctx, c.session.Remote.Addr())
	for {
		challenge, done, err := exchange.Next(ctx, response)
		if err != nil || done {
			return err
		}
		c.say(334, "", base64.StdEncoding.EncodeToString(challenge))
		line, err := c.readCommand()
		switch {
		case err == errLineTooLong:
			return reply.New(500, "5.5.6", "Authentication exchange line is too long") // RFC 4954 4
		case err != nil:
			return unanswered{err}
		}
		if response, err = sasl.Decode(string(line)); err != nil {
			return err
		}
	}
}

// unanswered is an exchange that ended because no response could be read.
type unanswered struct{ error }

// authFailed answers a failed exchange, and ends a session that has guessed enough.
func (c *connection) authFailed(err error) error {
	var lost unanswered
	if errors.As(err, &lost) {
		return lost.error
	}
	var e *reply.Error
	if !errors.As(err, &e) {
		c.server.Log.Error("smtp login could not be checked", "session", c.session.ID, "error", err)
		e = reply.Wrap(err, 454, "4.7.0", "Temporary authentication failure") // RFC 4954 4
	}
	if c.authFailures++; c.authFailures >= c.limits.MaxAuthFailures {
		c.sayError(e)
		return goodbye(421, "4.7.0", "Too many failed logins, closing connection")
	}
	c.sayError(e)
	return nil
}
