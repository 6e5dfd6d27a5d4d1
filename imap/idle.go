package imap

import (
	"errors"
	"runtime/debug"

	"postern/imap/grammar"
)

// idle waits until the client says DONE. Meanwhile what happens in the selected mailbox is pushed. RFC 9051 6.3.13
func (s *session) idle() answer {
	s.out.buf = append(s.buffer(), "+ idling\r\n"...)
	if !s.startIdling() {
		return answer{status: "BAD", silent: true} // the mailbox is gone, and the client was told
	}
	s.input.quiet, s.input.patience = true, s.limits.IdleTimeout
	err := s.reader.ReadDone()
	s.input.quiet = false
	s.stopIdling()
	if err == nil {
		return ok()
	}
	var e *grammar.Error
	if errors.As(err, &e) {
		return misuse(e.Text)
	}
	s.lost(err)
	return answer{status: "BAD", silent: true}
}

// startIdling tells what happened so far and lets pushes in. It reports whether there is anything to wait for.
func (s *session) startIdling() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idling = true
	s.waiting.Store(true)
	// Changes from here on find waiting set and push; those before are told now.
	if s.view != nil {
		s.update(true)
	}
	if s.state == loggedOut {
		s.idling = false
		s.waiting.Store(false)
	}
	s.rest()
	return s.idling
}

// stopIdling waits for a push under way and lets no more in.
func (s *session) stopIdling() {
	s.waiting.Store(false)
	s.mu.Lock()
	s.idling = false
	s.mu.Unlock()
}

// changed is called by the store when the selected mailbox changed. It must not block: a session that idles is served by a
// goroutine that lives as long as the sending takes; any other learns at the end of its command.
func (s *session) changed() {
	if s.waiting.Load() && s.pushing.CompareAndSwap(false, true) {
		go s.push()
	}
}

// push tells an idle session what happened.
func (s *session) push() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			s.log().Error("imap push", "panic", p, "stack", string(debug.Stack()))
			s.conn.NetConn().Close()
		}
	}()
	s.pushing.Store(false) // before the update: what happens after it pushes again
	if !s.idling || s.view == nil {
		return
	}
	s.update(true)
	s.rest()
	if s.state == loggedOut {
		s.conn.Close() // the mailbox is gone, and the reader is to notice
	}
	if s.srv.Metrics != nil {
		s.srv.Metrics.Push()
	}
}
