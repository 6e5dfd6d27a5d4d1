package imap

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"postern/internal/clock"
	"postern/internal/listen"
	"postern/internal/sasl"
	"postern/internal/spool"
	"postern/internal/store"
)

// Server serves mailboxes. Its fields are set before the first Serve and not changed after it.
type Server struct {
	// TLS is for connections that come from the listener without it. [sasl.CaptureCertificate] makes of a configuration
	// one that allows the channel binding tls-server-end-point.
	TLS *tls.Config
	// Hostname is shown in the greeting.
	Hostname string
	// Version is shown in the answer to ID; may be empty.
	Version string
	Store   *store.Store
	Spool   *spool.Dir
	// ScriptsAt is the URI of the ManageSieve server whose scripts run for what is done in mailboxes, such as
	// "sieve://mail.example.org"; "" if there is none.
	ScriptsAt string
	Auth      sasl.Authenticator
	// Throttle limits connections and attempts to log in; nil for none.
	Throttle Throttle
	// TrustedProxies are the networks from which each connection must start with a PROXY header, which is believed.
	TrustedProxies []netip.Prefix
	// Limits gives the limits for a new connection; nil for the defaults.
	Limits  func() Limits
	Clock   clock.Clock  // nil: the system's
	Log     *slog.Logger // nil: none
	Metrics Metrics      // nil: none

	sessions  listen.Sessions[*session]
	accounts  listen.Accounts
	recent    recents
	deflaters deflaters
}

// Throttle limits one network's connections and attempts to log in. See package throttle.
type Throttle interface {
	Connect(ip netip.Addr) (release func(), err error)
	BeforeAuth(ctx context.Context, ip netip.Addr, login string) error
	AuthResult(ip netip.Addr, login string, ok bool)
}

// Metrics is told what happens.
type Metrics interface {
	// Session is called with 1 when a session starts, and with -1 when it ends.
	Session(delta int)
	// Command is called at the end of each command; result is "OK", "NO" or "BAD".
	Command(name, result string, took time.Duration)
	// Auth is called after each attempt to log in.
	Auth(ok bool)
	// Push is called when an idle session was told of a change.
	Push()
}

func (s *Server) clock() clock.Clock {
	if s.Clock == nil {
		return clock.System
	}
	return s.Clock
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

func (s *Server) limits() Limits {
	var l Limits
	if s.Limits != nil {
		l = s.Limits()
	}
	return l.withDefaults()
}

// Serve takes connections from l. They are TLS, or become so by the configuration in TLS: nothing is ever said in plaintext.
// It returns nil after Shutdown, and the error that l fails with.
func (s *Server) Serve(l net.Listener) error {
	return s.sessions.Serve(l, s.clock(), s.log().With("service", "imap"), s.accepted)
}

// accepted starts a session, or turns the client away. Before TLS's handshake nothing can be said to a client: it sees the
// connection close.
func (s *Server) accepted(conn net.Conn) {
	secured, ok := conn.(*tls.Conn)
	if !ok && s.TLS == nil {
		s.log().Error("imap connection without TLS", "remote", conn.RemoteAddr().String())
		conn.Close()
		return
	}
	if !ok {
		secured = tls.Server(conn, s.TLS)
	}
	limits := s.limits()
	se := newSession(s, secured, limits)
	if err := s.sessions.Admit(se, limits.Connections); err != nil {
		s.log().Warn("imap connection refused", "reason", err, "remote", conn.RemoteAddr().String())
		secured.NetConn().Close()
		return
	}
	go se.start()
}

// Sessions is the number of connected clients.
func (s *Server) Sessions() int { return s.sessions.Len() }

// Disconnect ends all sessions of an account, whose password was changed or who is no user any more. It does not wait.
func (s *Server) Disconnect(account int64) {
	s.sessions.Each(func(se *session) {
		if se.holder.Load() == account {
			se.expelled.Store(true)
			se.Wake()
		}
	})
}

// Shutdown stops listening, lets each session finish its command, and says BYE to it. When ctx ends first the rest is cut
// off and its error returned.
func (s *Server) Shutdown(ctx context.Context) error { return s.sessions.Shutdown(ctx) }
