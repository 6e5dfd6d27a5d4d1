package scripts

import (
	"errors"
	"fmt"
)

// Reasons why something is refused, to be found with errors.Is. The error's own text is for the user and says how to mend it.
var (
	// ErrName means that this cannot be a script's name.
	ErrName = errors.New("not a name of a script")
	// ErrNotFound means that the owner has no script of the name.
	ErrNotFound = errors.New("no such script")
	// ErrExists means that another script has the name.
	ErrExists = errors.New("there is such a script already")
	// ErrActive means that the active script was to be deleted.
	ErrActive = errors.New("the script is active")
	// ErrTooMany means that the owner has as many scripts as the setting sieve.max_scripts allows.
	ErrTooMany = errors.New("too many scripts")
	// ErrTooLarge means that a script exceeds the setting sieve.max_script_size.
	ErrTooLarge = errors.New("the script is too large")
	// ErrNoSpace means that all scripts of the owner together would exceed the setting sieve.max_storage.
	ErrNoSpace = errors.New("no space for the script")
)

// ErrDamaged means that a stored script is not as it was written.
var ErrDamaged = errors.New("damaged")

// refusal is an error with words for the user; its kind is one of those above.
type refusal struct {
	kind error
	text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

func refuse(kind error, format string, args ...any) error {
	return &refusal{kind, fmt.Sprintf(format, args...)}
}

func notFound(name string) error {
	return refuse(ErrNotFound, "There is no script %q; list the scripts to see those that are", name)
}
