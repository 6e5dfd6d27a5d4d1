package imap

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
	Auth    sasl.Authenticator
	// Throttle limits connections and attempts to log in; nil for none.
	Throttle Throttle
	// TrustedProxies are the networks from which each connection must start with a PROXY header, which is believed.
	TrustedProxies []netip.Prefix
	// Limits gives the limits for a new connection; nil for the defaults.
	Limits  func() Limits
	Clock   clock.Clock  // nil: the system's
	Log     *slog.Logger // nil: none
	Metrics Metrics      // nil: none

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	sessions  map[*session]struct{}
	handshake int // connections that are not sessions yet
	accounts  map[int64]int
	closing   atomic.Bool
	idle      chan struct{} // closed when closing and no session is left
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

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("imap: server closed")

// handshakeTimeout is for TLS's handshake alone.
const handshakeTimeout = 30 * time.Second

// keepAlive finds dead clients. Sessions idle for hours on phones, which each probe wakes.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Minute, Interval: time.Minute, Count: 5}

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

// Serve takes connections from l until l fails or Shutdown is called. The connections are TLS, or become so by the
// configuration in TLS: nothing is ever said in plaintext.
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
		s.log().Warn("imap accept", "error", err, "pause", pause)
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
		s.idle = make(chan struct{})
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// accepted makes a session of a connection, unless there are too many.
func (s *Server) accepted(conn net.Conn) {
	limits := s.limits()
	s.mu.Lock()
	full := len(s.sessions)+s.handshake >= limits.Connections || s.closing.Load()
	if !full {
		s.handshake++
	}
	s.mu.Unlock()
	// Before the handshake nothing can be said to a client: it sees the connection close.
	if full {
		s.log().Warn("imap connection refused", "reason", "too many", "remote", conn.RemoteAddr().String())
		conn.Close()
		return
	}
	go s.start(conn, limits)
}

// start does TLS's handshake and then lets the session run on a goroutine of its own: the handshake needs a deep stack,
// and a session that idles for hours would keep it.
func (s *Server) start(conn net.Conn, limits Limits) {
	var se *session
	defer func() {
		if p := recover(); p != nil {
			s.log().Error("imap handshake", "panic", p)
		}
		s.mu.Lock()
		s.handshake--
		started := se != nil && !s.closing.Load()
		if started {
			s.sessions[se] = struct{}{}
		}
		s.finished()
		s.mu.Unlock()
		switch {
		case started:
			go se.run()
		case se != nil:
			se.release()
			conn.Close()
		default:
			conn.Close()
		}
	}()
	se = s.connect(conn, limits)
}

// connect counts a connection in and secures it; nil when that fails.
func (s *Server) connect(conn net.Conn, limits Limits) *session {
	remote, err := s.client(conn)
	if err != nil {
		s.log().Info("imap connection refused", "remote", remote, "reason", err)
		return nil
	}
	release := func() {}
	if s.Throttle != nil {
		if release, err = s.Throttle.Connect(remote); err != nil {
			s.log().Info("imap connection refused", "remote", remote, "reason", err)
			return nil
		}
	}
	secured, ok := conn.(*tls.Conn)
	if ok {
		setKeepAlive(secured.NetConn())
	} else {
		setKeepAlive(conn)
	}
	if !ok && s.TLS != nil {
		secured, ok = tls.Server(conn, s.TLS), true
	}
	if !ok {
		s.log().Error("imap connection without TLS", "remote", remote)
		release()
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	ctx, shown := sasl.ShownCertificate(ctx)
	if err := secured.HandshakeContext(ctx); err != nil {
		s.log().Debug("imap handshake", "remote", remote, "error", err)
		release()
		return nil
	}
	return newSession(s, secured, remote, limits, shown(), release)
}

// client is the address of the client: the connection's, or what a trusted proxy says.
func (s *Server) client(conn net.Conn) (netip.Addr, error) {
	remote := address(conn.RemoteAddr())
	if !proxyproto.Trusted(s.TrustedProxies, remote) {
		return remote, nil
	}
	conn.SetReadDeadline(time.Now().Add(handshakeTimeout))
	defer conn.SetReadDeadline(time.Time{})
	header, err := proxyproto.Read(conn)
	if err == nil && header.Source.IsValid() {
		remote = header.Source.Addr().Unmap().WithZone("")
	}
	return remote, err
}

func setKeepAlive(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetKeepAliveConfig(keepAlive)
	}
}

// address is the client's, without a mapped form or zone.
func address(a net.Addr) netip.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// ended forgets a session.
func (s *Server) ended(se *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, se)
	if se.account != nil {
		if s.accounts[se.identity.Account]--; s.accounts[se.identity.Account] <= 0 {
			delete(s.accounts, se.identity.Account)
		}
	}
	s.finished()
}

// finished tells Shutdown when nothing is left. The caller holds mu.
func (s *Server) finished() {
	if s.closing.Load() && len(s.sessions)+s.handshake == 0 {
		select {
		case <-s.idle:
		default:
			close(s.idle)
		}
	}
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
	if s.closing.Swap(true) || s.listeners == nil {
		s.mu.Unlock()
		return nil
	}
	for l := range s.listeners {
		l.Close()
	}
	for se := range s.sessions {
		se.wake()
	}
	s.finished()
	s.mu.Unlock()
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for se := range s.sessions {
		se.cancel()
		se.conn.NetConn().Close()
	}
	s.mu.Unlock()
	return ctx.Err()
}
