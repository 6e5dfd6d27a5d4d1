package verdict

import (
	"strconv"
	"strings"
)

// Run is how the Sieve scripts went for a copy, as it was when they ran: each command and test with its line and result. It is
// written small, since each message that scripts run for has one.
type Run struct {
	// Scripts are those that took part, those that were included as well.
	Scripts []RunScript `json:"scripts"`
	// Steps are words with blanks between: "#1", what follows is of the script with that number, the first being 0; "12:fileinto",
	// the command on line 12 ran; "12:header+", a test held, "12:header-", it did not.
	Steps string `json:"steps"`
	// More is how many steps followed that are not kept.
	More int `json:"more,omitempty"`
	// Cost is in steps of the budget.
	Cost int `json:"cost"`
}

// RunScript is a script as it was then.
type RunScript struct {
	Name string `json:"name"`
	// Owner is "server" or a domain, "" for the recipient; Role of these "before", "after" or "global".
	Owner string `json:"owner,omitempty"`
	Role  string `json:"role,omitempty"`
	// Version is the beginning of the SHA-256 of its content, in hexadecimal.
	Version string `json:"version"`
}

// RunStep is a command that ran, or a test with its result.
type RunStep struct {
	Script int // among those of the run
	Line   int
	Name   string
	Test   bool
	Holds  bool
}

// maxSteps is how many bytes of steps are kept of one run.
const maxSteps = 4 << 10

// Recorder writes a run down. The zero value is ready.
type Recorder struct {
	run   Run
	steps []byte
	at    int // the script that the last step was of, and one; 0 for none
	full  bool
}

// Script notes that a script takes part, and gives its number. One that does already keeps its own.
func (r *Recorder) Script(s RunScript) int {
	for i := range r.run.Scripts {
		if r.run.Scripts[i] == s {
			return i
		}
	}
	r.run.Scripts = append(r.run.Scripts, s)
	return len(r.run.Scripts) - 1
}

// Step notes a step. What does not fit is counted.
func (r *Recorder) Step(s RunStep) {
	if r.full {
		r.run.More++
		return
	}
	if r.steps == nil {
		r.steps = make([]byte, 0, 512) // a run of thirty rules
	}
	before := len(r.steps)
	if r.at != s.Script+1 {
		r.steps = strconv.AppendInt(append(r.word(), '#'), int64(s.Script), 10)
	}
	r.steps = append(strconv.AppendInt(r.word(), int64(s.Line), 10), ':')
	r.steps = append(r.steps, s.Name...)
	switch {
	case s.Test && s.Holds:
		r.steps = append(r.steps, '+')
	case s.Test:
		r.steps = append(r.steps, '-')
	}
	r.at = s.Script + 1
	if len(r.steps) > maxSteps {
		r.steps, r.full = r.steps[:before], true
		r.run.More++
	}
}

// word begins another word.
func (r *Recorder) word() []byte {
	if len(r.steps) > 0 {
		r.steps = append(r.steps, ' ')
	}
	return r.steps
}

// Run gives what was noted; nil if no script took part.
func (r *Recorder) Run(cost int) *Run {
	if len(r.run.Scripts) == 0 {
		return nil
	}
	r.run.Steps, r.run.Cost = string(r.steps), cost
	return &r.run
}

// Each gives the steps one by one. What cannot be read is left out.
func (r *Run) Each(yield func(RunStep) bool) {
	script := 0
	for word := range strings.FieldsSeq(r.Steps) {
		if number, ok := strings.CutPrefix(word, "#"); ok {
			script, _ = strconv.Atoi(number)
			continue
		}
		line, name, ok := strings.Cut(word, ":")
		n, err := strconv.Atoi(line)
		if !ok || err != nil || script < 0 || script >= len(r.Scripts) {
			continue
		}
		s := RunStep{Script: script, Line: n, Name: strings.TrimRight(name, "+-")}
		s.Test, s.Holds = s.Name != name, strings.HasSuffix(name, "+")
		if !yield(s) {
			return
		}
	}
}
