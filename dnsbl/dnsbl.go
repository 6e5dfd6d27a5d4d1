// Package dnsbl asks DNS block lists about the client that wants to hand us mail (RFC 5782).
//
// It exists because a block list is a stranger whose answer decides whether mail is lost, and because a wrong reading
// of that answer has lost mail elsewhere: only codes that a zone documents are a listing. The codes that mean "you ask
// wrongly" (127.255.255.0/24), an answer outside 127.0.0.0/8 (a resolver that makes answers up), a time-out and a
// SERVFAIL are not: mail is accepted and the administrator is told what to put right.
//
// The road starts at Checker.Check with the client's address, once per connection, and ends in a Verdict. The answers
// are remembered by the resolver for as long as they hold.
package dnsbl

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"postern/internal/clock"
	"postern/internal/resolver"
)

// Resolver is what the checker needs of the DNS; *resolver.Resolver is one.
type Resolver interface {
	LookupA(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
}

// Config is the policy of the moment; the checker asks for it at each check.
type Config struct {
	Disabled bool
	Zones    []Zone
	// Allow lists networks that are never asked about.
	Allow []netip.Prefix
	// Timeout bounds a whole check. Default 5 s.
	Timeout time.Duration
	// DQSKey is the key of Spamhaus's Data Query Service: with it *.spamhaus.org zones are asked under it. Secret.
	DQSKey string
	// Threshold is the sum of weights from which a client counts as listed. Default 1.
	Threshold float64
}

// Options connect a Checker.
type Options struct {
	Resolver Resolver
	Config   func() Config
	// Setting is the name of the setting that has the zones, for what the administrator is told; "dnsbl.zones" when empty.
	Setting string
	// Alert is told what the administrator must put right, at most once an hour for each zone and problem. It must not
	// block. May be nil.
	Alert func(Alert)
	Clock clock.Clock
	Log   *slog.Logger
}

// Verdict is what the lists say about an address.
type Verdict struct {
	// Listed: the weights of the listings reach the threshold.
	Listed bool
	// Zone, Code and Reason are of the weightiest listing; Reason is fit for an SMTP reply.
	Zone, Code, Reason string
	// Score is the sum of the weights.
	Score    float64
	Listings []Listing
	// Allowed: the address is on our own allow-list (or can be on no list) and was not asked about.
	Allowed bool
	// Errors are the zones that gave no usable answer. They never make a listing.
	Errors []ZoneError
}

// Listing is one code of one zone.
type Listing struct {
	Zone, Code, Meaning string
	Weight              float64
}

// Problem is a kind of ZoneError.
type Problem string

// The problems. The codes are those of testdata and of docs.spamhaus.com.
const (
	Typo           Problem = "typo"            // 127.255.255.252
	PublicResolver Problem = "public resolver" // 127.255.255.254
	TooMany        Problem = "too many"        // 127.255.255.255
	Refused        Problem = "refused"         // any other of 127.255.255.0/24
	NotAList       Problem = "not a list"      // 127.0.0.1, which no list may list (RFC 5782 5)
	MadeUp         Problem = "made up"         // an answer outside 127.0.0.0/8
	NoAnswer       Problem = "no answer"       // time-out, SERVFAIL
	Unknown        Problem = "unknown code"    // a code that the zone's configuration does not name
)

// ZoneError is an answer, or the lack of one, that must not be read as a listing.
type ZoneError struct {
	Zone    string
	Problem Problem
	Code    string
	Cause   error

	setting string // that has the zone
}

// Alert tells the administrator of a problem and how to end it.
type Alert struct {
	Zone    string
	Problem Problem
	// Text says what happened and what to do, in one or two sentences.
	Text string
}
