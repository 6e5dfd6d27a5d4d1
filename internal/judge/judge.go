// Package judge lets everything that looks at a message on its way in look at it, and brings what they found into one trace.
//
// The road starts at [Judge.Judge] with a message that was received and its recipients, before it is accepted. What waits
// for others (the DNS, a scanner) runs at the same time; the built-in engine reads the message meanwhile. What each found
// becomes a check with points, the policy of each recipient is looked up, and the trace decides: it is a function of what it
// holds (package verdict). The road ends in a [Judgement]: the trace, the header fields that tell of it, and what to say to
// the sender if nobody wants the message.
//
// Trouble of a helper never loses mail: a list, a scanner or a database that does not answer is a check that is
// "unavailable", worth nothing.
package judge

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/antispam/reputation"
	"postern/antispam/scanner"
	"postern/dnsbl"
	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/mailauth"
	"postern/internal/message"
	"postern/internal/verdict"
)

// Authenticator finds out who sent a message; *mailauth.Checker is one.
type Authenticator interface {
	// Begin starts what waits for the DNS. The function it gives does the rest, on the caller's goroutine, and is called
	// once, or never if ctx ends.
	Begin(ctx context.Context, q mailauth.Request) func() (mailauth.Results, error)
}

// DomainLists answers about domains; *dnsbl.Checker is one.
type DomainLists interface {
	BeginDomains(ctx context.Context, domains []string) (wait func() dnsbl.DomainVerdict)
}

// Policies tells whose policy is in force.
type Policies interface {
	// For is the policy for a copy that an account gets as an address; account 0 is nobody here.
	For(account int64, to address.Address) verdict.Policy
	// Sender is what the lists of that copy's recipient say of a sender: "allow", "block" or "", and as which entry of whom.
	Sender(account int64, to, sender address.Address) (kind, scope, pattern string)
	// DMARC is what the administrator wants in place of what a domain asks for.
	DMARC(domain string) (policy, source string, ok bool)
}

// Models gives what accounts taught. An account that taught nothing has a model that knows nothing.
type Models interface {
	Of(ctx context.Context, account int64) (bayes.Model, error)
}

// Senders counts where mail comes from; *reputation.Senders is one.
type Senders interface {
	Look(ctx context.Context, keys []reputation.Key, out []reputation.Standing) error
	Note(keys []reputation.Key, spam bool)
}

// Correspondents knows whom accounts write to; *reputation.Correspondents is one.
type Correspondents interface {
	Known(ctx context.Context, account int64, from address.Address) (bool, error)
}

// Greylist tells whether a sender must come again; *reputation.Greylist is one.
type Greylist interface {
	Ask(ctx context.Context, client netip.Addr, sender, recipient address.Address) (wait time.Duration, ok bool)
}

// Scanners are the external ones that are configured; each may be nil.
type Scanners struct{ Spam, Virus scanner.Scanner }

// Judge knows all who look. All fields must be set, unless they say otherwise.
type Judge struct {
	// Hostname is our authserv-id.
	Hostname       string
	Auth           Authenticator
	Engine         *antispam.Engine
	Domains        DomainLists
	Policies       Policies
	Models         Models
	Senders        Senders
	Correspondents Correspondents
	Greylist       Greylist
	// Scanners gives those that are configured now.
	Scanners func() Scanners
	// TrustedSealers gives the domains whose ARC seals are believed now.
	TrustedSealers func() []string
	// Names: ask the DNS for the client's name. Off where there is no DNS.
	Names bool
	Clock clock.Clock
	Log   *slog.Logger

	counted signatures
}

// Arrival is a message as it came in.
type Arrival struct {
	// ID is the transaction's.
	ID     string
	Client netip.Addr
	Helo   string
	// From is the reverse-path.
	From    address.Address
	Parsed  *message.Message
	Content io.ReaderAt
	Size    int64
	// Recipients are the copies that will be made.
	Recipients []Recipient
	// Listed is what the block lists said about the client.
	Listed dnsbl.Verdict
	// Received are the trace fields that we will put on top.
	Received []byte
	// Claimed are the domains of ours, in lower-case A-labels, that the envelope or the header names as the sender's.
	Claimed []string
}

// Recipient is one copy: for an account of ours, or, with account 0, one that is forwarded.
type Recipient struct {
	Account int64
	Address address.Address
}

// Judgement is what came of it.
type Judgement struct {
	Trace *verdict.Trace
	Auth  mailauth.Results
	// wishes is the answer of an external scanner, whose fields are written; zero when there is none.
	wishes scanner.Result
	keys   []reputation.Key
	// claimed is the domain of ours that the claim was looked at for.
	claimed string
	dmarc   demand
	refused bool
}
