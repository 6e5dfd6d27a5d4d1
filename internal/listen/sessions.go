package listen

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// Session is one connection's, as Sessions sees it. Its methods are called by other goroutines than the session's own, and
// do not wait.
type Session interface {
	comparable
	// Wake has a session that waits for its client notice that it is to end. It does not disturb one that works.
	Wake()
	// Cut ends the session's connection and what it does.
	Cut()
}

// Sessions are the listeners and sessions of one server. The zero value has none.
type Sessions[S Session] struct {
	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	sessions  map[S]struct{}
	running   sync.WaitGroup // sessions; added to under mu, never while closing
	closing   atomic.Bool    // set under mu
	closed    chan struct{}  // closed by Shutdown; made with listeners
}

var (
	// ErrFull is why a session is not admitted that would be one too many.
	ErrFull = errors.New("too many connections")
	// ErrClosing is why a session is not admitted after Shutdown.
	ErrClosing = errors.New("server is shutting down")
)

// Admit counts a session in, unless there are limit of them or more (ErrFull), or Shutdown was called (ErrClosing).
func (s *Sessions[S]) Admit(session S, limit int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.Closing():
		return ErrClosing
	case len(s.sessions) >= limit:
		return ErrFull
	}
	if s.sessions == nil {
		s.sessions = make(map[S]struct{})
	}
	s.sessions[session] = struct{}{}
	s.running.Add(1)
	return nil
}

// Leave counts out a session that was admitted.
func (s *Sessions[S]) Leave(session S) {
	s.mu.Lock()
	delete(s.sessions, session)
	s.mu.Unlock()
	s.running.Done()
}

// Len is the number of sessions.
func (s *Sessions[S]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// Each calls f for every session. Meanwhile none comes or goes.
func (s *Sessions[S]) Each(f func(S)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for session := range s.sessions {
		f(session)
	}
}

// Closing reports whether Shutdown was called. A session that was woken asks this for the reason; one that is about to wait
// asks after it has set its deadline, so that it does not undo what Wake did.
func (s *Sessions[S]) Closing() bool { return s.closing.Load() }

// Shutdown closes the listeners, wakes the sessions and waits for them to end. When ctx ends first it cuts off the rest,
// waits for them, and returns ctx's error.
func (s *Sessions[S]) Shutdown(ctx context.Context) error {
	s.close()
	s.Each(S.Wake)
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.Each(S.Cut)
	<-done
	return ctx.Err()
}

// close lets nobody in any more.
func (s *Sessions[S]) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Swap(true) || s.listeners == nil {
		return
	}
	close(s.closed)
	for l := range s.listeners {
		_ = l.Close()
	}
}
