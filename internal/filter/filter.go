// Package filter runs the Sieve scripts that have a say about mail for an account: those that the administrator has run before
// it, for everybody and for the domain, the account's own, and those after it.
//
// The road starts where a message was judged and goes to an account: [Filters.For] gathers the scripts that concern the account,
// from memory, and [Plan.Run] runs them. It ends in a [Result], what the scripts want done, who of them failed, and what is to be
// remembered; doing it is for package mailflow. What the language can say and what of it is not carried out here is in
// language.go; what scripts ask of the server, in host.go.
package filter

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/scripts"
	"postern/internal/store"
	"postern/internal/verdict"
	"postern/sieve"
)

// Options are what filters stand on; all must be set.
type Options struct {
	Scripts *scripts.Store
	Store   *store.Store
	DB      *db.DB
	// Addresses are an account's own, the first of them before the others; Owns tells whether it may send in the name of one.
	Addresses func(account int64) []string
	Owns      func(ctx context.Context, account int64, address string) (bool, error)
	// Protected are fields that the administrator lets no script change.
	Protected func() []string
	// Hostname and Version are told to scripts that ask.
	Hostname, Version string
	Clock             clock.Clock
	Log               *slog.Logger
}

// Filters knows the scripts of all. Its methods may be called from any goroutine.
type Filters struct {
	Options
	compiled compiled
}

// New makes filters, which need no closing.
func New(o Options) *Filters { return &Filters{Options: o} }

// Plan is the scripts that concern an account, in their order.
type Plan struct {
	filters *Filters
	account int64
	parts   []part
}

// part is one script of a plan.
type part struct {
	owner   scripts.Owner
	name    string // as the owner calls it
	label   string // as traces and errors call it
	version scripts.Version
	script  *sieve.Script
	members map[relative]member // that it includes
	err     error               // why it cannot be run
}

// For gathers what is run for mail to an account, whose own address is in domain; nil where there is nothing to run, which costs
// no look into the database. Scripts are as they are now, and a change of them does not concern the plan.
func (f *Filters) For(ctx context.Context, account int64, domain string) (*Plan, error) {
	return f.gather(ctx, account, domain, scripts.Owner{Role: scripts.Before}, scripts.Owner{Domain: domain, Role: scripts.Before}, scripts.Of(account),
		scripts.Owner{Domain: domain, Role: scripts.After}, scripts.Owner{Role: scripts.After})
}

// gather puts the active scripts of owners into the plan of an account, whose own address is in domain; nil where there are none.
func (f *Filters) gather(ctx context.Context, account int64, domain string, owners ...scripts.Owner) (*Plan, error) {
	var p *Plan
	for _, o := range owners {
		a, ok, err := f.Scripts.Active(ctx, o)
		damaged := errors.Is(err, scripts.ErrDamaged)
		if err != nil && !damaged {
			return nil, err
		}
		if !ok && !damaged {
			continue
		}
		if p == nil {
			p = &Plan{filters: f, account: account}
		}
		one := part{owner: o, name: a.Name, label: label(o, a.Name), version: a.Version, err: err}
		if err := f.load(ctx, &one, domain, a.Content); err != nil {
			return nil, err
		}
		p.parts = append(p.parts, one)
	}
	return p, nil
}

// load makes a part ready to run, unless it cannot be read.
func (f *Filters) load(ctx context.Context, one *part, domain string, source []byte) error {
	if one.err != nil {
		return nil
	}
	r, err := f.ready(ctx, homeOf(one.owner, domain), one.label, one.version, source)
	if err != nil {
		return err
	}
	one.script, one.err, one.members = r.script, r.err, r.members
	return nil
}

// label is what a script is called in traces and errors: an account's own by its name, which its owner gave it.
func label(o scripts.Owner, name string) string {
	switch {
	case o.Account != 0:
		return name
	case o.Role == scripts.Changed && o.Domain != "":
		return fmt.Sprintf("%s (changes in mailboxes of %s)", name, o.Domain)
	case o.Role == scripts.Changed:
		return fmt.Sprintf("%s (changes in everybody's mailboxes)", name)
	case o.Domain != "":
		return fmt.Sprintf("%s (%s mail for %s)", name, o.Role, o.Domain)
	}
	return fmt.Sprintf("%s (%s mail for everybody)", name, o.Role)
}

// Mail is one copy of a message on its way to an account.
type Mail struct {
	Parsed  *message.Message
	Content io.ReaderAt
	Size    int64
	// Header is the header as the recipient will see it, what the server puts before it included, without the empty line.
	Header   []byte
	Envelope sieve.Envelope
	// Delimiters part the user from the detail in addresses of the recipient's domain; "" for none.
	Delimiters string
	// Domain is the recipient's.
	Domain string
	// ClientIP and ClientName are who handed the message over, "" for what is not known or not told.
	ClientIP, ClientName string
	// Checks and Verdict are what the message was judged by; nil where it was not.
	Checks  []verdict.Check
	Verdict *verdict.Recipient
	// Change is what was done with a message that lies in a mailbox already, Flags are those that it has. Change is nil for mail that
	// comes in.
	Change *sieve.Change
	Flags  []string
}

// Result is what scripts want done with a copy.
type Result struct {
	sieve.Outcome
	// Failures are the scripts that failed.
	Failures []Failure
	// Story is how they went, step by step.
	Story *verdict.Run
}

// Failure is a script that did not come to its end, or could not be run at all. The message is kept as if it had not been there.
type Failure struct {
	Owner   scripts.Owner
	Name    string
	Version scripts.Version // of the script with all that it includes
	// Reason is for people, with the line.
	Reason string
}

// Mark is what a failure is remembered by, so that the owner is told once of each version of a script.
func (f *Failure) Mark() Mark {
	return markOf("failure", f.Owner.String(), f.Name, string(f.Version[:]))
}

// Run runs the scripts. Those that cannot be run are passed over.
func (p *Plan) Run(ctx context.Context, m *Mail) Result {
	var r Result
	var sequence sieve.Sequence
	for i := range p.parts {
		if one := &p.parts[i]; one.err != nil {
			r.Failures = append(r.Failures, one.failure(one.err))
		} else {
			sequence = append(sequence, one.script)
		}
	}
	h := &host{Filters: p.filters, account: p.account, mail: m}
	story := p.newStory()
	r.Outcome = sequence.Run(ctx, sieve.Job{
		Message:  sieve.Message{Parsed: m.Parsed, Content: m.Content, Size: m.Size, Header: m.Header, Flags: m.Flags},
		Envelope: m.Envelope, Change: m.Change, Host: h, Budget: sieve.Budget{Redirects: MaxRedirects}, Delimiters: m.Delimiters,
		Edits: Edits(p.filters.Protected()),
		Trace: story.step,
	})
	r.Story = story.Run(r.Cost.Steps)
	for _, err := range unjoined(r.Err) {
		r.Failures = append(r.Failures, p.failed(err))
	}
	return r
}

// MaxRedirects is how many addresses scripts may send one copy on to.
const MaxRedirects = 4

// failed tells whose script an error is of. One of a script that is included is its includer's, and that is the account's own where
// nothing speaks against it.
func (p *Plan) failed(err error) Failure {
	var run *sieve.RunError
	own := 0
	for i := range p.parts {
		if errors.As(err, &run) && run.Script == p.parts[i].label {
			return p.parts[i].failure(err)
		}
		if p.parts[i].owner.Account != 0 {
			own = i
		}
	}
	return p.parts[own].failure(err)
}

func (one *part) failure(err error) Failure {
	return Failure{Owner: one.owner, Name: one.name, Version: familyVersion(one.version, one.members), Reason: err.Error()}
}

// unjoined gives the errors that errors.Join put together.
func unjoined(err error) []error {
	if err == nil {
		return nil
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()
	}
	return []error{err}
}

// Mark names something that is remembered.
type Mark [sha256.Size]byte

// markOf is a digest of texts, of which each counts where it stands.
func markOf(texts ...string) (m Mark) {
	h := sha256.New()
	for _, t := range texts {
		sum := sha256.Sum256([]byte(t))
		h.Write(sum[:])
	}
	h.Sum(m[:0])
	return m
}
