package sieve

import "slices"

// Kind of an action.
type Kind string

// The kinds.
const (
	Keep     Kind = "keep"
	FileInto Kind = "fileinto"
	Redirect Kind = "redirect"
	Discard  Kind = "discard"
	Reject   Kind = "reject"
	EReject  Kind = "ereject"
	Vacation Kind = "vacation"
	Notify   Kind = "notify"
)

// Action is one thing that a script wants done. What a kind has no use for is empty.
type Action struct {
	Kind   Kind   `json:"kind"`
	Script string `json:"script,omitempty"`
	Line   int    `json:"line"`
	// Mailbox and Create are of fileinto (RFC 5490 3.2). Use is its :specialuse: a mailbox that has it counts before Mailbox, and one
	// that is made gets it (RFC 8579 4).
	Mailbox string `json:"mailbox,omitempty"`
	Create  bool   `json:"create,omitempty"`
	Use     string `json:"special_use,omitempty"`
	// Flags are of keep and fileinto; nil where the script says nothing of flags.
	Flags []string `json:"flags,omitempty"`
	// Address is where redirect sends to.
	Address string `json:"address,omitempty"`
	// Reason is what reject and ereject say.
	Reason string `json:"reason,omitempty"`
	// Reply is of vacation, Notice of notify.
	Reply  *Reply  `json:"reply,omitempty"`
	Notice *Notice `json:"notice,omitempty"`
	// Header is the message's header as the script changed it (RFC 5293), nil where it did not.
	Header []byte `json:"-"`

	home bool // it leaves the message where keep does
}

// Outcome is what came of a run.
type Outcome struct {
	// Actions are in the order of the script, each once.
	Actions []Action `json:"actions"`
	// ImplicitKeep: the message is to be kept as well, with Flags, because nothing that was done cancels that, or because the
	// script failed (RFC 5228 2.10.2, 2.10.6).
	ImplicitKeep bool     `json:"implicit_keep"`
	Flags        []string `json:"flags,omitempty"`
	// Header is the changed header for the implicit keep, nil where it did not change.
	Header []byte `json:"-"`
	// Sightings are to be remembered when all is done (RFC 7352 3).
	Sightings []Sighting `json:"sightings,omitempty"`
	// Err is why the script did not come to its end, nil if it did. Actions are what it had asked for before; those that
	// would cost the message its place do not stand there.
	Err error `json:"-"`
	// Warnings are what went wrong without an end: a test could not be made and did not hold. There are at most a few.
	Warnings []*RunError `json:"-"`
	Cost     Cost        `json:"cost"`
}

// result gathers an outcome.
type result struct {
	actions []Action
	// settled is how many of the actions are of scripts before the one that runs; it cannot take them back.
	settled int
	// cancelled: the implicit keep is off.
	cancelled bool
	flags     []string // of the internal variable (RFC 5232 3), nil while nothing was said
	kept      []string // of the keeps of scripts before, for the implicit keep
	redirects int
	notices   int // addresses that notices go to
	warnings  []*RunError
	// asked is what the duplicate test was told, by its key; sightings are to be remembered, of which so many are of scripts before.
	asked            map[string]bool
	sightings        []Sighting
	settledSightings int
}

// keeps reports whether the message is kept as things stand.
func (r *result) keeps() bool { return !r.cancelled || slices.ContainsFunc(r.actions, isKeep) }

func isKeep(a Action) bool { return a.Kind == Keep }

// next makes ready for another script: what was kept so far is that one's to decide.
func (r *result) next() {
	for _, a := range r.actions {
		if isKeep(a) {
			r.kept = addFlags(r.kept, a.Flags)
		}
	}
	r.actions = slices.DeleteFunc(r.actions, isKeep)
	r.settled, r.settledSightings, r.cancelled = len(r.actions), len(r.sightings), false
}

// undo takes back what a script that failed threw away, refused or said; what it kept, filed or sent on stands. Nothing that it did
// may cost the message, so the implicit keep is on (RFC 5228 2.10.6).
func (r *result) undo() {
	settled := r.actions[:r.settled]
	r.cancelled, r.sightings = false, r.sightings[:r.settledSightings]
	for _, a := range r.actions[r.settled:] {
		switch a.Kind {
		case Keep, FileInto, Redirect:
			settled = append(settled, a)
			r.cancelled = r.cancelled || isKeep(a)
		}
	}
	r.actions = settled
}
