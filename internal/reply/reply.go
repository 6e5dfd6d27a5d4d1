// Package reply holds errors that know the SMTP reply they deserve.
//
// A check deep in the server decides what went wrong; the session far above it must answer with a code, an enhanced
// code (RFC 3463) and words that may be shown to a stranger. An [Error] carries these from the one to the other, and
// beside them the private cause that belongs in the log and nowhere else.
package reply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Error is a refusal or a temporary failure with its reply.
type Error struct {
	// Code is the SMTP reply code, 4xx for a temporary failure, 5xx for a permanent one (RFC 5321 4.2.1).
	Code int
	// Enhanced is the enhanced status code, class first (RFC 3463).
	Enhanced [3]int
	// Text is shown to the client. It holds no secrets and no line breaks.
	Text string
	// Cause is for the log only; nil when the text says it all.
	Cause error
}

// New makes a reply without a private cause. The enhanced code is written "5.7.1"; one that does not parse gives class.0.0.
func New(code int, enhanced string, format string, args ...any) *Error {
	return Wrap(nil, code, enhanced, format, args...)
}

// Wrap makes a reply for the given private cause.
func Wrap(cause error, code int, enhanced string, format string, args ...any) *Error {
	e := &Error{Code: code, Enhanced: [3]int{code / 100, 0, 0}, Text: fmt.Sprintf(format, args...), Cause: cause}
	var class, subject, detail int
	if n, _ := fmt.Sscanf(enhanced, "%d.%d.%d", &class, &subject, &detail); n == 3 {
		e.Enhanced = [3]int{class, subject, detail}
	}
	return e
}

// Error gives the whole story, private cause included. It is for logs, not for clients.
func (e *Error) Error() string {
	s := fmt.Sprintf("%d %s %s", e.Code, e.EnhancedString(), e.Text)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// EnhancedString is the enhanced code as it stands in a reply, such as "5.7.1".
func (e *Error) EnhancedString() string {
	return fmt.Sprintf("%d.%d.%d", e.Enhanced[0], e.Enhanced[1], e.Enhanced[2])
}

// Unwrap gives the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// Temporary reports whether trying again later can help.
func (e *Error) Temporary() bool { return e.Code >= 400 && e.Code < 500 }

// From finds the reply that err carries. An error without one is our fault, so the sender is asked to come again:
// 452 4.3.1 when storage ran out, 451 4.3.0 otherwise. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if IsFull(err) {
		return Wrap(err, 452, "4.3.1", "Insufficient system storage, please try again later")
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return Wrap(err, 451, "4.4.2", "Timed out, please try again")
	}
	return Wrap(err, 451, "4.3.0", "Temporary failure, please try again")
}

// full is implemented by errors of other layers that mean "no space left", such as a database's.
type full interface{ StorageFull() bool }

// IsFull reports whether err means that storage is exhausted.
func IsFull(err error) bool {
	var f full
	if errors.As(err, &f) && f.StorageFull() {
		return true
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
