package scanner

import (
	"errors"
	"fmt"

	"postern/internal/verdict"
)

// CheckOf makes the line of a trace of what Scan returned, result or error.
func CheckOf(r Result, err error) verdict.Check {
	if err == nil {
		return r.Check()
	}
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{Scanner: r.Name, Trouble: Down, Cause: err, check: verdict.CheckScanner}
	}
	return e.Check()
}

// Check is the result as a line of a message's trace. Its name is "virus" for virus scanners, else "scanner"; its result is
// the kind.
func (r Result) Check() verdict.Check {
	c := verdict.Check{Name: verdict.CheckScanner, Result: string(r.Kind), Points: r.Score, Parts: r.Symbols, Micros: r.Took.Microseconds()}
	switch r.Kind {
	case Infected:
		c.Name, c.Detail = verdict.CheckVirus, fmt.Sprintf("%s, says %s", r.Virus, r.Name)
	case Clean:
		c.Name, c.Detail = verdict.CheckVirus, r.Name
	default:
		c.Detail = fmt.Sprintf("%s: %s of %s", r.Name, r.Score, r.Required)
	}
	if r.Truncated() {
		c.Detail += fmt.Sprintf(", by the first %d of %d bytes", r.Scanned, r.Total)
	}
	return c
}
