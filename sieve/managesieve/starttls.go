package managesieve

import (
	"bufio"
	"context"
	"crypto/tls"
	"time"

	"postern/internal/sasl"
)

// startTLS puts TLS between the session and the wire, and introduces the server anew: what was said in clear, anybody may
// have said. RFC 5804 2.2
func (s *session) startTLS([]argument) answer {
	switch {
	case s.tls != nil:
		return no("", "TLS is active already")
	case s.srv.TLS == nil:
		return no("", "TLS is not available")
	case s.in.Buffered() > 0:
		// Somebody wrote commands into the clear text that would be taken as said inside TLS. No client sends on before it
		// has read our OK.
		return bye("", "Input behind STARTTLS")
	}
	s.answer(ok("Begin TLS negotiation now"))
	if s.flush(); s.deaf != nil {
		return gone()
	}
	if err := s.handshake(); err != nil {
		s.log().Debug("managesieve handshake", "error", err)
		s.deaf = err // going on in clear is what nobody wants: closed without a word
		return gone()
	}
	s.in = bufio.NewReader(input{s})
	s.sayCapabilities()
	return ok("TLS is active")
}

func (s *session) handshake() error {
	ctx, cancel := context.WithTimeout(s.ctx, handshakeTimeout)
	defer cancel()
	ctx, shown := sasl.ShownCertificate(ctx)
	// The context closes the connection when it ends, so old deadlines must not disturb.
	if err := s.raw.SetDeadline(time.Time{}); err != nil {
		return err
	}
	t := tls.Server(s.raw, s.srv.TLS)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	state := t.ConnectionState()
	s.conn, s.tls, s.shown = t, &state, shown()
	return nil
}
