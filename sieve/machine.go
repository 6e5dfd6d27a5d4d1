package sieve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/internal/message"
	"postern/sieve/grammar"
)

const (
	// maxValue is the longest string with variables, in bytes.
	maxValue = 16 << 10
	// maxVariables is how many variables a script may have; RFC 5229 4 asks for 128.
	maxVariables = 256
	// maxMatches is the highest number of a match variable; RFC 5229 4 asks for 9.
	maxMatches = 32
	// maxName is the longest name of a variable.
	maxName = 64
)

// RunError is why a script did not come to its end. The implicit keep happens then (RFC 5228 2.10.6).
type RunError struct {
	grammar.Position
	Script string
	Text   string
	cause  error
}

// Error names the script, if it has a name, and the line.
func (e *RunError) Error() string {
	if e.Script == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Text)
	}
	return fmt.Sprintf("%s: line %d: %s", e.Script, e.Line, e.Text)
}

// Unwrap gives [ErrBudget], the end of a context, or what the host said.
func (e *RunError) Unwrap() error { return e.cause }

// machine runs scripts, with those that they include, for one message.
type machine struct {
	ctx    context.Context
	host   Host
	mail   *mail
	change *Change // nil for mail that comes in
	budget Budget
	cost   Cost // its steps are those of the script that runs, its memory that of all
	before int  // steps of scripts before
	look   int

	script *Script
	outer  *Script          // that includes the one that runs, or is it
	at     grammar.Position // of the command or test that runs
	result *result
	scope  *scope
	global map[string]string
	ran    map[scriptName]bool // scripts that were included
	trace  func(Event)
	edits  EditPolicy
	found  []*field      // room for the fields that a test looks at
	now    time.Time     // of the run, once somebody asked
	part   *message.Part // that a foreverypart is at, nil outside
	// delimiters are characters that part the user from the detail in a local part (RFC 5233 4).
	delimiters string
}

// scope is what belongs to one script and not to those it includes.
type scope struct {
	variables map[string]string
	globals   map[string]bool
	matches   []string
}

// Event is a test or a command that ran, for whoever wants to know why.
type Event struct {
	Script string `json:"script,omitempty"`
	// Global: the script is one of everybody's, which another includes. Outer is the one that includes it, or is it.
	Global bool    `json:"global,omitempty"`
	Outer  *Script `json:"-"`
	Line   int     `json:"line"`
	Name   string  `json:"name"`
	// Test is true for a test, whose result is Holds.
	Test  bool `json:"test,omitempty"`
	Holds bool `json:"holds,omitempty"`
	// Detail is what was compared, or done.
	Detail string `json:"detail,omitempty"`
}

// run runs steps one by one.
func (m *machine) run(steps []step) error {
	for i := range steps {
		s := &steps[i]
		m.at = s.Position
		if err := m.spend(1); err != nil {
			return err
		}
		m.tell(Event{Line: s.Line, Name: s.name})
		if err := s.run(m); err != nil {
			return err
		}
	}
	return nil
}

// holds makes a test.
func (m *machine) holds(t *condition) (bool, error) {
	m.at = t.Position
	if err := m.spend(1); err != nil {
		return false, err
	}
	ok, err := t.holds(m)
	if err == nil {
		m.tell(Event{Line: t.Line, Name: t.name, Test: true, Holds: ok})
	}
	return ok, err
}

func (m *machine) tell(e Event) {
	if m.trace != nil {
		e.Script, e.Global, e.Outer = m.script.Name, m.script.global, m.outer
		m.trace(e)
	}
}

// failed is an error at the place that runs.
func (m *machine) failed(cause error, format string, args ...any) error {
	return &RunError{m.at, m.script.Name, sentence(format, args), cause}
}

// warn remembers what went wrong though the script goes on.
func (m *machine) warn(format string, args ...any) {
	const most = 20
	if r := m.result; len(r.warnings) < most {
		r.warnings = append(r.warnings, &RunError{m.at, m.script.Name, sentence(format, args), nil})
	}
}

// wrong is an error that the script made.
func (m *machine) wrong(format string, args ...any) error { return m.failed(nil, format, args...) }

// ended reports whether an error is an end that the script wanted.
func ended(err error) bool { return err == nil || errors.Is(err, errStop) || errors.Is(err, errReturn) }
