// Package scanner asks programs beside ours what they think of a message: spamd (SpamAssassin), rspamd, and clamd (ClamAV).
//
// It exists because such a program is a stranger too. It may be down, slow, or answer something that it should not, and
// none of that may lose mail, hold it up without end or write into it what was not meant: every answer is bounded, read
// strictly, and refused as a whole when it contradicts itself.
//
// The road starts at [Parse], which makes a [Scanner] of a setting such as "spamd:127.0.0.1:783", and at [NewGuard], which
// puts limits around one: time, how many at once, and rest after failures. It ends in a [Result], or an [*Error] that says
// what was wrong; [CheckOf] makes a line of the message's trace of either. Whoever asks accepts the mail in the
// second case and marks it. The package stores nothing, writes nothing into messages and decides nothing about them.
package scanner

import (
	"context"
	"io"
	"net/netip"
	"time"

	"postern/internal/verdict"
)

// Scanner is a program that judges messages. Its methods may be called concurrently.
type Scanner interface {
	// Name says which program: "spamd", "rspamd" or "clamd".
	Name() string
	// Scan asks about one message and takes at most as long as ctx. Every error is an [*Error].
	Scan(ctx context.Context, m Message) (Result, error)
}

// Message is what a scanner is told.
type Message struct {
	// Content holds the message's Size bytes as they came, with CRLF.
	Content io.ReaderAt
	Size    int64
	// Received are the trace fields that we would put on top, complete lines with CRLF: a scanner takes the client's address
	// from there.
	Received []byte
	// Client is the address that spoke to us, Helo its own name for itself, Hostname what the DNS says its name is, or "".
	Client   netip.Addr
	Helo     string
	Hostname string
	// ID is the transaction's, as it stands in the Received field.
	ID string
	// From is the reverse-path without its brackets, "" the null one.
	From       string
	Recipients []string
	// User is who logged in to send it; "" for mail from elsewhere.
	User string
}

// Kind is what a scanner says of a message.
type Kind string

// The kinds. A virus scanner says Clean or Infected, the others one of the rest.
const (
	Ham      Kind = "ham"
	Spam     Kind = "spam"
	Greylist Kind = "greylist" // a sender that is not known yet is to come again later
	Defer    Kind = "defer"    // the sender is to come again later, the scanner knows why
	Reject   Kind = "reject"
	Clean    Kind = "clean"
	Infected Kind = "infected"
)

// Result is a scanner's answer.
type Result struct {
	// Name is the scanner's.
	Name string
	Kind Kind
	// Score is the scanner's own, Required the score from which it says spam. Both are 0 for a virus scanner.
	Score    verdict.Points
	Required verdict.Points
	// Symbols are the rules that matched, weightiest first, at most 200. Points are 0 where the scanner does not tell them.
	Symbols []verdict.Part
	// Headers are the fields that the scanner wants on the message. Forged ones of its own are left out of the
	// message whatever it says.
	Headers []Field
	// Virus is the name of what was found, when Kind is Infected.
	Virus string
	// Version of the scanner, as it says; may be empty.
	Version string
	// Scanned is how many of the message's Total bytes the scanner was given, trace fields included.
	Scanned, Total int64
	// Took is the time that it took, waiting for a free place included. A [Guard] fills it in.
	Took time.Duration
}

// Truncated reports whether the scanner saw the beginning only.
func (r Result) Truncated() bool { return r.Scanned < r.Total }
