package managesieve

import (
	"errors"
	"time"
)

// flushBytes is how much of a response gathers before it is sent.
const flushBytes = 16 << 10

// errClosing is how a waiting session learns of Shutdown and Disconnect.
var errClosing = errors.New("session is being closed")

// input reads from the connection. Before it waits, it sends what the client is to see first.
type input struct{ *session }

func (in input) Read(p []byte) (int, error) {
	s := in.session
	if s.flush(); s.deaf != nil {
		return 0, s.deaf
	}
	if err := s.raw.SetReadDeadline(s.deadline()); err != nil {
		return 0, err
	}
	if s.srv.sessions.Closing() || s.expelled.Load() { // asked after the deadline is set, so that Wake is not undone
		return 0, errClosing
	}
	return s.conn.Read(p)
}

// deadline is until when the client must have said something.
func (s *session) deadline() time.Time {
	if s.account == 0 {
		return s.started.Add(s.limits.LoginTimeout) // in all, however busy the client is
	}
	if s.began.IsZero() {
		return time.Now().Add(s.limits.IdleTimeout)
	}
	return s.began.Add(s.limits.CommandTimeout)
}

// Wake has a session that waits for its client notice that it is to end.
func (s *session) Wake() { _ = s.raw.SetReadDeadline(time.Unix(1, 0)) }

// Cut ends the connection, and what is done for it.
func (s *session) Cut() {
	s.cancel()
	_ = s.raw.Close()
}

// say gathers what the client is to see, and sends it when it is enough. It reports whether the client is still there.
func (s *session) say(write func(b []byte) []byte) bool {
	if s.out = write(s.out); len(s.out) >= flushBytes {
		s.flush()
	}
	return s.deaf == nil
}

// flush sends what has gathered. After a failure nothing is sent.
func (s *session) flush() {
	if len(s.out) == 0 {
		return
	}
	if s.deaf == nil {
		if s.deaf = s.raw.SetWriteDeadline(time.Now().Add(s.limits.WriteTimeout)); s.deaf == nil {
			_, s.deaf = s.conn.Write(s.out)
		}
	}
	if cap(s.out) > 2*flushBytes {
		s.out = nil // what a long script needed is not kept
	}
	s.out = s.out[:0]
}
