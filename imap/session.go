package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"postern/imap/grammar"
	"postern/internal/sasl"
	"postern/internal/store"
)

// state is where a session stands. RFC 9051 3
type state uint8

const (
	notAuthenticated state = iota
	authenticated
	selected
	loggedOut
)

// session is one connection. One goroutine reads its commands and runs them. Only while the session idles may another
// touch it (push.go), and then mu says who.
type session struct {
	srv     *Server
	conn    *tls.Conn
	remote  netip.Addr
	limits  Limits
	release func()    // counts the connection out of the throttle
	started time.Time // when TLS stood
	shown   []byte    // the certificate that the client saw, until login

	ctx    context.Context
	cancel context.CancelFunc

	input  input
	reader *grammar.Reader
	out    output

	state      state
	account    *store.Account // nil before login
	identity   sasl.Identity
	compressed bool
	failures   int // to log in
	errors     int // commands in a row that were none

	// What the client enabled. RFC 9051 6.3.1, RFC 7162 3.1, 3.2.3
	rev2, condStore, qresync bool

	view   *store.View // of the selected mailbox, with readOnly, recent and saved
	recent recentUIDs
	saved  []uint32 // UIDs that SEARCH RETURN (SAVE) found, ascending. RFC 9051 6.4.4.1

	holder   atomic.Int64 // the account, for Server.Disconnect; 0 before login
	expelled atomic.Bool  // by Server.Disconnect

	mu      sync.Mutex
	idling  bool        // guarded by mu
	waiting atomic.Bool // a copy of idling, to ask without mu
	pushing atomic.Bool // a push is on its way
}

func newSession(srv *Server, conn *tls.Conn, limits Limits) *session {
	s := &session{srv: srv, conn: conn, limits: limits, release: func() {}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.input.session = s
	s.reader = grammar.NewReader(&s.input, grammar.BeforeLogin(), s.invite)
	return s
}

// log is made when there is something to say: an idle session holds no logger.
func (s *session) log() *slog.Logger {
	return s.srv.log().With("remote", s.remote.String(), "login", s.identity.Login)
}

// run is the session from greeting to end.
func (s *session) run() {
	defer s.end()
	if s.srv.Metrics != nil {
		s.srv.Metrics.Session(1)
	}
	s.greet()
	for s.state != loggedOut && s.out.err == nil {
		s.next()
	}
}

// end gives back everything. A panic ends its session and no other.
func (s *session) end() {
	if p := recover(); p != nil {
		s.log().Error("imap session", "panic", p, "stack", string(debug.Stack()))
		func() {
			defer func() { _ = recover() }()
			s.say("BYE [UNAVAILABLE] Internal error")
		}()
	}
	s.rest()
	s.mu.Lock()
	s.idling = false
	s.mu.Unlock()
	s.cancel()
	s.leave()
	s.release()
	if s.account != nil {
		s.srv.accounts.Leave(s.identity.Account)
	}
	s.srv.sessions.Leave(s)
	if s.srv.Metrics != nil {
		s.srv.Metrics.Session(-1)
	}
	s.hangUp()
}

// hangUp closes the connection so that the client gets the last words: bytes of it that nobody read would make the close a
// reset, which overtakes them.
func (s *session) hangUp() {
	defer s.conn.Close()
	if s.out.err != nil || s.srv.sessions.Closing() {
		return
	}
	s.conn.SetDeadline(time.Now().Add(time.Second))
	if s.conn.CloseWrite() == nil {
		io.CopyN(io.Discard, s.conn.NetConn(), 64<<10)
	}
}

// Wake has a session that waits for its client notice that it is to end.
func (s *session) Wake() { s.conn.SetReadDeadline(time.Unix(1, 0)) }

// Cut ends the connection, and what is done for it.
func (s *session) Cut() {
	s.cancel()
	s.conn.NetConn().Close()
}

// next reads one command and answers it.
func (s *session) next() {
	s.input.patience = s.limits.IdleTimeout
	req, err := s.reader.ReadCommand()
	if err != nil {
		s.unread(err)
		return
	}
	s.errors = 0
	began := time.Now()
	a := s.execute(req)
	if !a.silent {
		s.tagged(req, a)
	}
	if s.srv.Metrics != nil {
		s.srv.Metrics.Command(req.Name, a.status, time.Since(began))
	}
}

// unread answers what could not be read as a command.
func (s *session) unread(err error) {
	var e *grammar.Error
	if errors.As(err, &e) {
		s.out.buf = e.Append(s.buffer())
		s.errors++
		switch {
		case e.Fatal:
			s.state = loggedOut
		case s.errors >= s.limits.Errors, s.account == nil && foreign(e.Tag):
			s.bye("Too many errors")
		}
		return
	}
	s.lost(err)
}

// foreign recognises the first word of other protocols, which a page in a browser can be made to send here.
func foreign(tag string) bool {
	switch tag {
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "DELETE", "CONNECT", "TRACE", "PRI", "EHLO", "HELO":
		return true
	}
	return false
}

// lost ends a session whose connection failed, with a BYE if that can be said.
func (s *session) lost(err error) {
	switch {
	case s.expelled.Load():
		s.bye("[UNAVAILABLE] Your account was changed, please log in again")
	case s.srv.sessions.Closing():
		s.bye("[UNAVAILABLE] Server is shutting down")
	case errors.Is(err, os.ErrDeadlineExceeded) && s.account == nil:
		s.bye("Too long without a login")
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.bye("Autologout; idle for too long") // RFC 9051 5.4
	case err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF):
		s.log().Debug("imap connection", "error", err)
	}
	s.state = loggedOut
}

// bye says why the server ends the session.
func (s *session) bye(why string) {
	s.say("BYE " + why)
	s.state = loggedOut
}

// invite asks for a synchronising literal. RFC 9051 4.3
func (s *session) invite(grammar.Literal) error {
	s.out.buf = append(s.buffer(), "+ Ready for the literal\r\n"...)
	s.flush()
	return s.out.err
}

// input reads from the connection. Before it waits, it sends what the client is to see first.
type input struct {
	session  *session
	patience time.Duration // for the first bytes of a command; then it is Limits.CommandTimeout
	quiet    bool          // in IDLE: the responses are not this goroutine's
}

// errClosing is how a waiting session learns of Shutdown and Disconnect.
var errClosing = errors.New("session is being closed")

func (in *input) Read(p []byte) (int, error) {
	s := in.session
	if !in.quiet {
		s.rest()
		if s.out.err != nil {
			return 0, s.out.err
		}
	}
	deadline := time.Now().Add(in.patience)
	if s.account == nil {
		deadline = s.started.Add(s.limits.LoginTimeout) // in all, however busy the client is
	}
	s.conn.SetReadDeadline(deadline)
	if s.srv.sessions.Closing() || s.expelled.Load() { // asked after the deadline is set, so that Wake is not undone
		return 0, errClosing
	}
	n, err := s.conn.Read(p)
	in.patience = s.limits.CommandTimeout
	return n, err
}
