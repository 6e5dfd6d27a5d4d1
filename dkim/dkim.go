// Package dkim signs what leaves and verifies what arrives (RFC 6376, RFC 8463), and does the same for chains of those who
// hand a message on (ARC, RFC 8617).
//
// A signature says that a domain answers for a message, and that the fields and the body it covers are as they were.
// Ours cover what a reader sees and what changes its meaning, each field listed once more than it occurs so that nobody
// can add another, and the whole body: there is no l= tag, which would let others append.
//
// Signing starts in Sign with the message and the domain's keys, an RSA-2048 and an Ed25519 one; the body is read once
// for both, streamed, and the header fields come back ready to be put in front. Verifying starts in Verify and ends in
// one Verification for each signature, with a result in the words of RFC 8601; the body is again read once, however many
// signatures there are. An ARC chain is made of such signatures too: VerifyAll checks both at once, Seal adds a set. Keys
// live in the database (Keys), and each knows the record that must stand in the DNS.
package dkim

import (
	"context"
	"time"
)

// Algorithm is a key's type as in the k= tag.
type Algorithm string

// The algorithms.
const (
	RSA     Algorithm = "rsa"
	Ed25519 Algorithm = "ed25519"
)

// Signature is the a= tag of a signature made with such a key; the hash is always SHA-256.
func (a Algorithm) Signature() string { return string(a) + "-sha256" }

// State is where a key stands in its rotation.
type State string

// The states: a pending key waits for its record to be seen in the DNS, an active one signs, a retired one no longer
// signs while its record stays for the mail on its way.
const (
	Pending State = "pending"
	Active  State = "active"
	Retired State = "retired"
)

// Result is what verifying a signature came to, in the words of RFC 8601 2.7.1.
type Result string

// The results.
const (
	ResultNone      Result = "none"
	ResultPass      Result = "pass"
	ResultFail      Result = "fail"
	ResultPolicy    Result = "policy"
	ResultNeutral   Result = "neutral"
	ResultTempError Result = "temperror"
	ResultPermError Result = "permerror"
)

// Verification is the result for one signature.
type Verification struct {
	Result Result
	// Reason says why it is not a pass; it is fit for a header comment.
	Reason string
	// Intact: the bytes are as they were signed, by the key that is in the DNS. A signature that is refused for its age,
	// its algorithm or its key may be intact all the same; one with l= or of an unknown algorithm is never tried.
	Intact bool
	// Domain, Selector, Identifier and Algorithm are the d=, s=, i= and a= tags; empty as far as they could not be read.
	Domain, Selector, Identifier, Algorithm string
	// SignaturePrefix is the beginning of the b= tag, which tells signatures apart (RFC 6008).
	SignaturePrefix string
	// KeyBits is the size of the key, 0 if it was not had.
	KeyBits int
	// Testing: the key's record says t=y; a failure must then be treated like no signature (RFC 6376 3.6.1).
	Testing bool
	// Signed are the names of the h= tag.
	Signed []string
	// Time and Expiration are the t= and x= tags, zero if absent.
	Time, Expiration time.Time
}

// LookupTXT gives the texts at a name; (*resolver.Resolver).LookupTXT is one. Its error is a *net.DNSError or temporary.
type LookupTXT func(ctx context.Context, name string) ([]string, error)

// Source is asked for keys.
type Source interface {
	// TXT is a LookupTXT.
	TXT(ctx context.Context, name string) ([]string, error)
	// Recall is asked before: it gives what TXT would, if that need not wait.
	Recall(ctx context.Context, name string) (texts []string, remembered bool, err error)
}

// Lookup is how keys are looked up.
type Lookup struct {
	Source Source
	// Records remembers keys that were read; nil reads each anew.
	Records *Records
}

// TXT is the lookup itself.
func (l LookupTXT) TXT(ctx context.Context, name string) ([]string, error) { return l(ctx, name) }

// Recall remembers nothing.
func (LookupTXT) Recall(context.Context, string) ([]string, bool, error) { return nil, false, nil }
