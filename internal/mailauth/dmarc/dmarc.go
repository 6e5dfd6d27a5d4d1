// Package dmarc finds what the domain of an author asks for mail that it cannot be shown to have sent, and which other
// domains speak for it (RFC 7489, RFC 9989).
//
// The road starts at [Tree.Policy] with the domain of a From field. Records are read as both RFCs want them (record.go) and
// looked for on the domain and on those above it (walk.go). It ends in a [Found] policy; [Tree.Aligned] then tells whether
// a domain that SPF or DKIM proved counts for the author.
//
// Where an organization begins is decided by the public suffix list, which no record of a stranger can widen. The tags of
// RFC 9989 can only narrow it: psd=n marks an organization below another, psd=y one that lets out names below its own.
package dmarc

// Policy is what is asked for mail that fails.
type Policy string

// The policies; the empty one is that nothing valid was said.
const (
	None       Policy = "none"
	Quarantine Policy = "quarantine"
	Reject     Policy = "reject"
)

// rank orders policies by strictness.
func (p Policy) rank() int {
	switch p {
	case Reject:
		return 2
	case Quarantine:
		return 1
	default:
		return 0
	}
}

// Stricter gives the stricter of two policies.
func Stricter(a, b Policy) Policy {
	if b.rank() > a.rank() || a == "" {
		return b
	}
	return a
}

// Milder is the next milder policy.
func (p Policy) Milder() Policy {
	if p == Reject {
		return Quarantine
	}
	return None
}

// Record is a DMARC policy record with its defaults filled in.
type Record struct {
	// Policy is p=, Subdomains sp= and Nonexistent np=; the latter two are empty where the record leaves them out.
	Policy, Subdomains, Nonexistent Policy
	// StrictDKIM and StrictSPF are adkim=s and aspf=s.
	StrictDKIM, StrictSPF bool
	// Testing is t=y (RFC 9989 4.7): the next milder policy is wanted.
	Testing bool
	// Percent is pct= (RFC 7489 6.3), 100 by default. Only 0 means anything here: the same as Testing (RFC 9989 removed the
	// rest, and what depends on chance cannot be explained or decided again).
	Percent int
	// PSD is psd=: 'y', 'n' or 'u'.
	PSD byte
	// Aggregate and Failure are the addresses of rua= and ruf=.
	Aggregate, Failure []Destination
	// FailureOptions are those of fo=, "0" by default.
	FailureOptions []string
	// Interval is ri= in seconds (RFC 7489 6.3), 86400 by default.
	Interval uint32
	// Text is the record as it stands in the DNS.
	Text string
}

// Destination is where a report goes.
type Destination struct {
	// URI is one such as "mailto:reports@example.org".
	URI string
	// MaxBytes is what the receiver takes at most; 0 if it does not say.
	MaxBytes int64
}

// Found is the policy that applies to an author's domain.
type Found struct {
	// Domain is where the record stands; empty when there is none.
	Domain string
	Record Record
	// Inherited: it stands above the author's domain.
	Inherited bool
}

// Asks gives what the record asks for mail from the author's domain: itself, or one below that may not exist.
func (f Found) Asks(exists bool) Policy {
	switch {
	case f.Domain == "":
		return None
	case !f.Inherited:
		return f.Record.Policy
	case !exists && f.Record.Nonexistent != "":
		return f.Record.Nonexistent // RFC 9989 4.7
	case f.Record.Subdomains != "":
		return f.Record.Subdomains
	default:
		return f.Record.Policy
	}
}

// Wanted is what is really to be done when asked for a policy: the next milder while the domain is only testing.
func (r Record) Wanted(asked Policy) Policy {
	if r.Testing || r.Percent == 0 {
		return asked.Milder()
	}
	return asked
}
