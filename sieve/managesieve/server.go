package managesieve

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
	"postern/internal/scripts"
)

// Scripts keeps the scripts: package scripts. Its refusals are those of that package, and their texts are for the user.
type Scripts interface {
	List(ctx context.Context, o scripts.Owner) ([]scripts.Info, error)
	Get(ctx context.Context, o scripts.Owner, name string) (scripts.Script, error)
	HaveSpace(ctx context.Context, o scripts.Owner, name string, size int64) error
	Put(ctx context.Context, o scripts.Owner, name string, content []byte) error
	Rename(ctx context.Context, o scripts.Owner, from, to string) error
	Delete(ctx context.Context, o scripts.Owner, name string) error
	SetActive(ctx context.Context, o scripts.Owner, name string) error
}

// Compiler knows the language.
type Compiler interface {
	// Check reads a script that an owner is about to keep under a name, "" for none yet. Mistakes are what is wrong with it,
	// warnings what is right but probably not meant: texts for the user, who wrote the script, of one or more lines. The
	// error means that it could not be read, and that it may be tried again.
	Check(ctx context.Context, o scripts.Owner, name string, script []byte) (mistakes, warnings []string, err error)
	// Extensions are those of the language that scripts may require, by their names.
	Extensions() []string
}

// Server takes connections. Its fields are set before the first Serve and not changed after it.
type Server struct {
	// TLS is what STARTTLS leads to. [sasl.CaptureCertificate] makes of a configuration one that allows the channel binding
	// tls-server-end-point. Without it nobody can log in.
	TLS *tls.Config
	// Hostname is shown in the greeting.
	Hostname string
	// Version is shown to users; may be empty.
	Version  string
	Scripts  Scripts
	Compiler Compiler
	// MaxRedirects is how often one run of a script may redirect; 0 says nothing about it.
	MaxRedirects int
	Auth         sasl.Authenticator
	// Throttle limits connections and attempts to log in; nil for none.
	Throttle Throttle
	// TrustedProxies are the networks from which each connection must start with a PROXY header, which is believed.
	TrustedProxies []netip.Prefix
	// Limits gives the limits for a new connection; nil for the defaults.
	Limits  func() Limits
	Clock   clock.Clock  // nil: the system's. Timeouts on sockets are always the system's.
	Log     *slog.Logger // nil: none
	Metrics Metrics      // nil: none

	sessions listen.Sessions[*session]
	accounts listen.Accounts
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
	// Command is called at the end of each command; result is "OK", "NO" or "BYE".
	Command(name, result string, took time.Duration)
	// Auth is called after each attempt to log in.
	Auth(ok bool)
}

// handshakeTimeout is for TLS's handshake, and for the PROXY header.
const handshakeTimeout = 30 * time.Second

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

// Serve takes connections from l, which start in plaintext. It returns nil after Shutdown, and the error that l fails with.
func (s *Server) Serve(l net.Listener) error {
	return s.sessions.Serve(l, s.clock(), s.log().With("service", service), s.accepted)
}

// accepted starts a session, or turns the client away.
func (s *Server) accepted(conn net.Conn) {
	limits := s.limits()
	se := newSession(s, conn, limits)
	if err := s.sessions.Admit(se, limits.Connections); err != nil {
		s.log().Warn("managesieve connection refused", "reason", err, "remote", conn.RemoteAddr().String())
		turnAway(conn, "Too many connections, please try again later")
		return
	}
	go se.run()
}

// turnAway says BYE to a fresh connection, which has room for it, so that nothing waits here.
func turnAway(conn net.Conn, why string) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(bye("TRYLATER", why).append(nil))
	_ = conn.Close()
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
