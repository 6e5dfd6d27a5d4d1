package scanner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"postern/internal/verdict"
)

// Trouble is why a scanner gave no result.
type Trouble string

// The troubles. The first four are the scanner's own failures, which send it to rest.
const (
	Down       Trouble = "down"       // nobody listens, or the connection broke
	Slow       Trouble = "slow"       // no answer in time
	Lying      Trouble = "lying"      // the answer contradicts itself or is none
	Refused    Trouble = "refused"    // it says that it cannot or will not
	Busy       Trouble = "busy"       // as many messages are with it as may be
	Resting    Trouble = "resting"    // it failed again and again and is not asked for a while
	TooLarge   Trouble = "too large"  // it takes no message of that size
	Unreadable Trouble = "unreadable" // the message cannot be read from our own disk
	Cancelled  Trouble = "cancelled"  // whoever asked wants no answer any more
)

// failure reports whether the scanner is to blame.
func (t Trouble) failure() bool { return t == Down || t == Slow || t == Lying || t == Refused }

// Error says that there is no result, and why.
type Error struct {
	// Scanner is its name, Address where it was asked.
	Scanner, Address string
	Trouble          Trouble
	Cause            error
	// Took is the time that was lost on it. A [Guard] fills it in.
	Took time.Duration

	check string // the name of its line in a trace
}

// Error gives scanner, trouble and cause in a line.
func (e *Error) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%s at %s: %s", e.Scanner, e.Address, e.Trouble)
	}
	return fmt.Sprintf("%s at %s: %s: %v", e.Scanner, e.Address, e.Trouble, e.Cause)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Check is the line in a message's trace that says that the scanner did not judge it.
func (e *Error) Check() verdict.Check {
	return verdict.Check{Name: e.check, Result: "unavailable", Detail: e.Scanner + ": " + string(e.Trouble), Micros: e.Took.Microseconds()}
}

// lie is a fault of an answer.
type lie struct{ text string }

func (l lie) Error() string { return l.text }

func lying(format string, args ...any) error { return lie{fmt.Sprintf(format, args...)} }

// refusal is an answer that says no.
type refusal struct {
	text    string
	trouble Trouble
}

func (r refusal) Error() string { return r.text }

// peer is what an error tells of the scanner.
type peer struct{ name, address, check string }

// failed makes the error of a scan: what came of its own disk, of the caller, of the network or of the answer.
func (p peer) failed(ctx context.Context, own, err error) *Error {
	e := &Error{Scanner: p.name, Address: p.address, Cause: err, check: p.check}
	var l lie
	var r refusal
	var timeout net.Error
	switch {
	case own != nil:
		e.Trouble, e.Cause = Unreadable, own
	case errors.As(err, &l):
		e.Trouble = Lying
	case errors.As(err, &r):
		e.Trouble = r.trouble
	case errors.Is(ctx.Err(), context.Canceled):
		e.Trouble = Cancelled
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		e.Trouble = Slow
	default:
		e.Trouble = Down
	}
	return e
}
