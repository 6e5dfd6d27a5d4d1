package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"postern/internal/clock"
	"postern/internal/listen"
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

	once    sync.Once
	tls     *tls.Config // TLS with what the engine adds
	buffers *sync.Pool

	sessions listen.Sessions[*connection]
}

// Serve accepts connections on l until Shutdown is called, which makes it return nil, or l fails. It may be called for
// several listeners. It closes l.
func (s *Server) Serve(l net.Listener) error {
	s.once.Do(s.prepare)
	return s.sessions.Serve(l, s.Clock, s.Log.With("service", s.Role.String()), s.start)
}

func (s *Server) prepare() {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Clock == nil {
		s.Clock = clock.System
	}
	if s.TLS != nil {
		s.tls = sasl.CaptureCertificate(refuseForeignALPN(s.TLS))
	}
	s.buffers = newBufferPool()
}

func (s *Server) limits() Limits {
	if s.Settings == nil {
		return DefaultLimits
	}
	return s.Settings().withDefaults()
}

// start begins a session in its own goroutine, or turns the client away.
func (s *Server) start(conn net.Conn) {
	limits := s.limits()
	c := newConnection(s, conn, limits)
	err := s.sessions.Admit(c, limits.MaxConnections)
	if err == nil {
		go c.run()
		return
	}
	if errors.Is(err, listen.ErrFull) {
		c.refused("limit", nil)
	}
	if s.Role != Submissions {
		// A fresh socket has room for this, so nothing waits here. Inside TLS a refusal would cost more than a session.
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write(appendReply(nil, 421, "4.3.2", s.Hostname+" Too many connections, please try again later"))
	}
	_ = conn.Close()
}

// Shutdown closes the listeners, tells waiting sessions 421, lets running transactions end until ctx is done, and then
// cuts off the rest with ctx's error.
func (s *Server) Shutdown(ctx context.Context) error { return s.sessions.Shutdown(ctx) }

// Sessions is how many sessions there are now.
func (s *Server) Sessions() int { return s.sessions.Len() }
