package listen

import (
	"errors"
	"log/slog"
	"net"
	"time"

	"postern/internal/clock"
)

const (
	// firstPause and longestPause are between attempts to accept, each of which failed.
	firstPause   = 5 * time.Millisecond
	longestPause = time.Second
)

// Serve hands the connections that come to l to accepted, one after the other, so that accepted must not wait. It returns
// nil after Shutdown, and the error that l fails with. It may be called for several listeners, and closes l.
func (s *Sessions[S]) Serve(l net.Listener, c clock.Clock, log *slog.Logger, accepted func(net.Conn)) error {
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
			accepted(conn)
			continue
		}
		if s.Closing() {
			return nil
		}
		if !passes(err) {
			return err
		}
		pause = min(max(2*pause, firstPause), longestPause)
		log.Warn("accepting a connection failed", "address", l.Addr().String(), "error", err, "pause", pause)
		select {
		case <-c.After(pause):
		case <-s.closed:
			return nil
		}
	}
}

// passes tells failures of one connection or of the moment, such as too many open files, from a listener that is of no
// more use.
func passes(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	var op *net.OpError
	return errors.As(err, &op)
}

// track remembers a listener for Shutdown, unless that was called.
func (s *Sessions[S]) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Closing() {
		return false
	}
	if s.listeners == nil {
		s.listeners = make(map[net.Listener]struct{})
		s.closed = make(chan struct{})
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Sessions[S]) untrack(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}
