package managesieve

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"postern/internal/proxyproto"
	"postern/internal/sasl"
	"postern/internal/scripts"
)

// session is one connection. One goroutine runs it; others touch only its raw connection and what is atomic.
type session struct {
	srv     *Server
	raw     net.Conn // deadlines and the TCP side
	conn    net.Conn // raw, or TLS over it
	in      *bufio.Reader
	out     []byte // what is to be sent
	deaf    error  // why nothing can be sent any more
	limits  Limits
	remote  netip.Addr
	release func() // counts the connection out of the throttle

	ctx    context.Context
	cancel context.CancelFunc

	tls   *tls.ConnectionState // nil in plaintext
	shown []byte               // the certificate that the client saw

	account  int64 // 0 before login
	identity sasl.Identity

	started time.Time // of the connection, or when the last user left it
	began   time.Time // of the command that is being read; zero between commands
	over    bool

	failures int // to log in
	errors   int // commands in a row that were none

	holder   atomic.Int64 // the account, for Server.Disconnect; 0 before login
	expelled atomic.Bool  // by Server.Disconnect
}

func newSession(srv *Server, conn net.Conn, limits Limits) *session {
	s := &session{srv: srv, raw: conn, conn: conn, limits: limits, release: func() {}, started: time.Now()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.in = bufio.NewReader(input{s})
	return s
}

func (s *session) log() *slog.Logger {
	return s.srv.log().With("remote", s.remote.String(), "login", s.identity.Login)
}

// owner is whose scripts the session works on.
func (s *session) owner() scripts.Owner { return scripts.Of(s.account) }

// run is the session from the first word to the last.
func (s *session) run() {
	defer s.end()
	if s.srv.Metrics != nil {
		s.srv.Metrics.Session(1)
	}
	if !s.open() {
		return
	}
	s.greet()
	for !s.over && s.deaf == nil {
		s.next()
	}
}

// open finds out who the client is and counts it in.
func (s *session) open() bool {
	ends, err := proxyproto.Ends(s.raw, s.srv.TrustedProxies, handshakeTimeout)
	if s.remote = ends.Source.Addr(); err != nil {
		s.srv.log().Info("managesieve connection refused", "remote", s.remote, "reason", err)
		return false
	}
	s.ctx = sasl.WithRemote(s.ctx, s.remote)
	if s.srv.Throttle == nil {
		return true
	}
	release, err := s.srv.Throttle.Connect(s.remote)
	if err != nil {
		s.srv.log().Info("managesieve connection refused", "remote", s.remote, "reason", err)
		s.answer(bye("TRYLATER", "Too many connections from you, please try again later"))
		return false
	}
	s.release = release
	return true
}

// end gives back everything. A panic ends its session and no other.
func (s *session) end() {
	if p := recover(); p != nil {
		s.log().Error("managesieve session", "panic", p, "stack", string(debug.Stack()))
		s.answer(bye("TRYLATER", "Internal error"))
	}
	s.flush()
	s.cancel()
	s.leave()
	s.release()
	s.hangUp()
	if s.srv.Metrics != nil {
		s.srv.Metrics.Session(-1)
	}
	s.srv.sessions.Leave(s)
}

// hangUp closes the connection so that the client gets the last words: bytes of it that nobody read would make the close a
// reset, which overtakes them.
func (s *session) hangUp() {
	defer s.conn.Close()
	if s.deaf != nil || s.srv.sessions.Closing() || s.raw.SetDeadline(time.Now().Add(time.Second)) != nil {
		return
	}
	half, ok := s.conn.(interface{ CloseWrite() error })
	if ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, s.raw, 64<<10)
	}
}

// answer says how a command ended. A BYE ends the session.
func (s *session) answer(a answer) {
	s.say(a.append)
	s.over = s.over || a.status == "BYE"
}

// next reads one command and answers it.
func (s *session) next() {
	line, err := s.readCommand()
	if err != nil {
		s.unread(err)
		return
	}
	s.errors = 0
	began := time.Now()
	a := s.execute(line)
	s.answer(a)
	if s.srv.Metrics != nil {
		s.srv.Metrics.Command(line.command.name, a.status, time.Since(began))
	}
}

// unread answers what could not be read as a command.
func (s *session) unread(err error) {
	var e *misspelt
	if !errors.As(err, &e) {
		s.answer(s.lost(err))
		return
	}
	s.errors++
	switch {
	case e.fatal:
		s.answer(bye(e.code, e.text))
	case s.errors >= s.limits.Errors:
		s.answer(bye("", "Too many errors"))
	default:
		s.answer(no(e.code, e.text))
	}
}

// lost is the farewell to a client whose connection failed, or who was too slow.
func (s *session) lost(err error) answer {
	switch {
	case s.expelled.Load():
		return bye("TRYLATER", "Your account was changed, please log in again")
	case s.srv.sessions.Closing():
		return bye("TRYLATER", "Server is shutting down")
	case errors.Is(err, os.ErrDeadlineExceeded) && s.account == 0:
		return bye("", "Too long without a login")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return bye("", "You were idle for too long")
	case err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF):
		s.log().Debug("managesieve connection", "error", err)
	}
	return gone()
}
