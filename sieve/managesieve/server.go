package managesieve

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"postern/internal/clock"
	"postern/internal/proxyproto"
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
	// Check reads a script. The error says what is wrong with it, the warnings what is right but probably not meant: texts
	// for the user, who wrote the script, of one or more lines.
	Check(script []byte) (warnings []string, err error)
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

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{}
	accounts  map[int64]int // sessions
	closing   atomic.Bool
	running   sync.WaitGroup // sessions; added to under mu, never while closing
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

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("managesieve: server closed")

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

// Serve takes connections from l until l fails or Shutdown is called. They start in plaintext.
func (s *Server) Serve(l net.Listener) error {
	if !s.track(l) {
		l.Close()
		return ErrServerClosed
	}
	defer s.untrack(l)
	var pause time.Duration
	for {
		conn, err := l.Accept()
		if err == nil {
			pause = 0
			s.accepted(conn)
			continue
		}
		if s.closing.Load() {
			return ErrServerClosed
		}
		// Too many open files, a connection that is gone already: the listener lives on.
		if temporary, ok := err.(interface{ Temporary() bool }); !ok || !temporary.Temporary() {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.log().Warn("managesieve accept", "error", err, "pause", pause)
		<-s.clock().After(pause)
	}
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	if s.listeners == nil {
		s.listeners = make(map[net.Listener]struct{})
		s.sessions = make(map[*session]struct{})
		s.accounts = make(map[int64]int)
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// accepted starts a session, or turns the client away.
func (s *Server) accepted(conn net.Conn) {
	limits := s.limits()
	se := newSession(s, conn, limits)
	s.mu.Lock()
	full := len(s.sessions) >= limits.Connections
	admitted := !full && !s.closing.Load()
	if admitted {
		s.sessions[se] = struct{}{}
		s.running.Add(1)
	}
	s.mu.Unlock()
	if admitted {
		go se.run()
		return
	}
	s.log().Warn("managesieve connection refused", "reason", "too many", "remote", conn.RemoteAddr().String())
	turnAway(conn, "Too many connections, please try again later")
}

// turnAway says BYE to a fresh connection, which has room for it, so that nothing waits here.
func turnAway(conn net.Conn, why string) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write(bye("TRYLATER", why).append(nil))
	_ = conn.Close()
}

// client is the address of the client: the connection's, or what a trusted proxy says.
func (s *Server) client(conn net.Conn) (netip.Addr, error) {
	remote := address(conn.RemoteAddr())
	if !proxyproto.Trusted(s.TrustedProxies, remote) {
		return remote, nil
	}
	if err := conn.SetReadDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return remote, err
	}
	header, err := proxyproto.Read(conn)
	if err == nil && header.Source.IsValid() {
		remote = header.Source.Addr().Unmap().WithZone("")
	}
	return remote, err
}

// address is the client's, without a mapped form or zone.
func address(a net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// ended forgets a session.
func (s *Server) ended(se *session) {
	s.mu.Lock()
	delete(s.sessions, se)
	s.mu.Unlock()
	s.running.Done()
}

// countAccount counts a session of an account in, unless there are too many.
func (s *Server) countAccount(account int64, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[account] >= limit {
		return false
	}
	s.accounts[account]++
	return true
}

// uncountAccount counts a session of an account out.
func (s *Server) uncountAccount(account int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[account]--; s.accounts[account] <= 0 {
		delete(s.accounts, account)
	}
}

// Sessions is the number of connected clients.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Disconnect ends all sessions of an account, whose password was changed or who is no user any more. It does not wait.
func (s *Server) Disconnect(account int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for se := range s.sessions {
		if se.holder.Load() == account {
			se.expelled.Store(true)
			se.wake()
		}
	}
}

// Shutdown stops listening, lets each session finish its command, and says BYE to it. When ctx ends first the rest is cut
// off and its error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	for l := range s.listeners {
		_ = l.Close()
	}
	for se := range s.sessions {
		se.wake()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for se := range s.sessions {
		se.cancel()
		_ = se.raw.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}
