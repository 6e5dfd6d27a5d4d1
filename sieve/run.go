package sieve

import (
	"cmp"
	"context"
	"errors"

	"postern/sieve/grammar"
)

// Job is what scripts are run for.
type Job struct {
	Message  Message
	Envelope Envelope
	Host     Host
	Budget   Budget
	// Change is set for a message that lies in a mailbox already (RFC 6785). There is no envelope then.
	Change *Change
	// Delimiters are the characters of which one parts the user from the detail in a local part (RFC 5233 4); "" means +.
	Delimiters string
	// Edits says what editheader may do.
	Edits EditPolicy
	// Trace, if set, is told of each test and command.
	Trace func(Event)
}

// Run runs the script. It does nothing itself: what is to be done stands in the outcome. A script that fails has an outcome too,
// with the implicit keep; ctx breaks a run off.
func (s *Script) Run(ctx context.Context, j Job) Outcome { return Sequence{s}.Run(ctx, j) }

// Sequence is scripts that run one after the other for one message: those of the server before the user's, the user's own, those
// after it. The next one runs if the message is kept, by keep or by the implicit keep, which is then the next one's to decide;
// so what the last one says of keeping counts. Actions, flags and changes of the header stay. Each script has variables of its own,
// and steps of its own to spend.
type Sequence []*Script

// Run runs the scripts. One that fails is as one that keeps the message, so the next one runs.
func (q Sequence) Run(ctx context.Context, j Job) Outcome {
	m, err := newMachine(ctx, j)
	if err != nil {
		return Outcome{ImplicitKeep: true, Err: err}
	}
	var failures []error
	for _, s := range q {
		if err := m.next(s); err != nil {
			failures = append(failures, err)
		}
		if ctx.Err() != nil {
			return Outcome{ImplicitKeep: true, Err: errors.Join(failures...), Cost: m.spent()}
		}
		if !m.result.keeps() {
			break
		}
	}
	return m.outcome(errors.Join(failures...))
}

func newMachine(ctx context.Context, j Job) (*machine, error) {
	mail, err := newMail(j.Message, j.Envelope)
	if err != nil {
		return nil, err
	}
	return &machine{ctx: ctx, host: j.Host, mail: mail, change: j.Change, budget: j.Budget.orDefaults(), look: often, result: &result{}, trace: j.Trace,
		delimiters: cmp.Or(j.Delimiters, "+"), edits: j.Edits}, nil
}

func newScope() *scope { return &scope{variables: map[string]string{}, globals: map[string]bool{}} }

// size is what the variables take.
func (s *scope) size() (n int) {
	for _, v := range s.variables {
		n += len(v)
	}
	return n
}

// next runs one script after those that ran before.
func (m *machine) next(s *Script) error {
	m.script, m.outer, m.scope, m.global, m.ran = s, s, newScope(), map[string]string{}, nil
	m.before, m.cost.Steps = m.before+m.cost.Steps, 0
	m.result.next()
	header := m.mail.edits()
	m.at = grammar.Position{Line: 1, Column: 1}
	err := m.applies(s)
	if err == nil {
		err = m.run(s.steps)
	}
	if ended(err) {
		return nil
	}
	m.mail.restore(header)
	m.result.undo()
	return err
}

// spent is what all scripts took.
func (m *machine) spent() Cost { return Cost{Steps: m.before + m.cost.Steps, Memory: m.cost.Memory} }

// keptHeader is the header of a message that is kept: one that lies in a mailbox already stays as it is (RFC 6785 3.1).
func (m *machine) keptHeader() []byte {
	if m.change != nil {
		return nil
	}
	return m.mail.header()
}

// outcome makes the result of a run; err is why something failed.
func (m *machine) outcome(err error) Outcome {
	r := m.result
	o := Outcome{Actions: r.actions, ImplicitKeep: !r.cancelled, Header: m.keptHeader(), Sightings: r.sightings, Err: err,
		Warnings: r.warnings, Cost: m.spent()}
	if o.ImplicitKeep {
		o.Flags = addFlags(r.kept, m.flagsNow())
		// The message that lies in the inbox already is kept (RFC 5228 2.10.3).
		keep := Action{Kind: Keep, home: true}
		for i := range r.actions {
			if a := &r.actions[i]; a.sameAs(&keep) {
				a.Flags, o.ImplicitKeep, o.Flags = addFlags(a.Flags, o.Flags), false, nil
				break
			}
		}
	}
	return o
}
