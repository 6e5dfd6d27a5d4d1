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
	ctx     context.Context // of all sessions
	cancel  context.CancelFunc

	mu        sync.Mutex
	draining  bool
	listeners map[net.Listener]struct{}
	sessions  map[*connection]struct{}
	running   sync.WaitGroup // sessions; added to under mu, never while draining
}

// Serve accepts connections on l until Shutdown is called, which makes it return nil, or l fails. It may be called for
// several listeners. It closes l.
func (s *Server) Serve(l net.Listener) error {
	s.once.Do(s.prepare)
	defer l.Close()
	if !s.track(l) {
		return nil
	}
	defer s.untrack(l)
	var pause time.Duration
	for {
		conn, err := l.Accept()
		if err == nil {
			pause = 0
			s.start(conn)
			continue
		}
		if s.isDraining() {
			return nil
		}
		if !retryAccept(err) {
			return err
		}
		// Out of file descriptors, or the client was gone already: others will come.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.Log.Error("smtp accept failed", "role", s.Role.String(), "error", err)
		select {
		case <-s.Clock.After(pause):
		case <-s.ctx.Done():
			return nil
		}
	}
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
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.listeners = make(map[net.Listener]struct{})
	s.sessions = make(map[*connection]struct{})
}

// retryAccept tells failures of one connection or of the moment from a listener that is of no more use.
func retryAccept(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	var op *net.OpError
	return errors.As(err, &op)
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
	s.mu.Lock()
	full := len(s.sessions) >= limits.MaxConnections
	admitted := !full && !s.draining
	if admitted {
		s.sessions[c] = struct{}{}
		s.running.Add(1)
	}
	s.mu.Unlock()
	if admitted {
		go c.run()
		return
	}
	if full {
		c.refused("limit", nil)
	}
	if s.Role != Submissions {
		// A fresh socket has room for this, so nothing waits here. Inside TLS a refusal would cost more than a session.
		_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = conn.Write(appendReply(nil, 421, "4.3.2", s.Hostname+" Too many connections, please try again later"))
	}
	_ = conn.Close()
}

// finished forgets a session.
func (s *Server) finished(c *connection) {
	s.mu.Lock()
	delete(s.sessions, c)
	s.mu.Unlock()
	s.running.Done()
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Shutdown closes the listeners, tells waiting sessions 421, lets running transactions end until ctx is done, and then
// cuts off the rest with ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.once.Do(s.prepare)
	defer s.cancel()
	s.mu.Lock()
	s.draining = true
	for l := range s.listeners {
		_ = l.Close()
	}
	for c := range s.sessions {
		c.drain()
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for c := range s.sessions {
		_ = c.raw.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}

// Sessions is how many sessions there are now.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}
