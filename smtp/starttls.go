package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"time"

	"postern/internal/reply"
	"postern/internal/sasl"
)

// starttls is RFC 3207.
func (c *connection) starttls(arg string) error {
	switch {
	case arg != "":
		return errNoArgument // RFC 3207 4: 501
	case c.session.TLS != nil:
		return reply.New(503, "5.5.1", "TLS is already on")
	case c.server.tls == nil:
		return reply.New(502, "5.5.1", "TLS is not available")
	case len(c.buffered()) > 0 || inputWaiting(c.raw):
		// Somebody wrote commands into the clear text that would be taken as said inside TLS. No client sends on before
		// it has read our 220.
		return goodbye(554, "5.5.0", "Input behind STARTTLS")
	}
	c.say(220, "2.0.0", "Ready to start TLS")
	if err := c.flush(); err != nil {
		return err
	}
	if err := c.handshake(); err != nil {
		c.refused("tls", err)
		c.err = err // RFC 3207 4.1 lets us go on in clear, which nobody wants: closed without a word
		return err
	}
	// RFC 3207 4.2: nothing said in clear counts.
	c.reset()
	c.session.Helo, c.session.ESMTP = "", false
	return nil
}

// handshake puts TLS between the connection and the wire.
func (c *connection) handshake() error {
	if c.server.tls == nil {
		return errors.New("TLS is not configured")
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.limits.HandshakeTimeout)
	defer cancel()
	ctx, shown := sasl.ShownCertificate(ctx)
	// The context closes the connection when it ends, so old deadlines must not disturb.
	if err := c.raw.SetDeadline(time.Time{}); err != nil {
		return err
	}
	t := tls.Server(c.raw, c.server.tls)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	state := t.ConnectionState()
	c.conn, c.session.TLS, c.certificate = t, &state, shown()
	return nil
}

// refuseForeignALPN makes a copy of config whose handshakes fail for clients that came to speak HTTP: a browser that was
// led to this port must not be able to say a word here (ALPACA, RFC 7301 3.2).
func refuseForeignALPN(config *tls.Config) *tls.Config {
	c := config.Clone()
	inner := config.GetConfigForClient
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		for _, protocol := range []string{"h2", "http/1.1", "h3"} {
			if slices.Contains(hello.SupportedProtos, protocol) {
				return nil, errors.New("client speaks " + protocol)
			}
		}
		if inner == nil {
			return nil, nil
		}
		return inner(hello)
	}
	return c
}
