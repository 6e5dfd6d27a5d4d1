// Package tlsrpt reads and writes TLS reports: the JSON in which senders of mail tell a domain how TLS with its servers went
// (RFC 8460 4).
//
// The road starts at [Read] with the bytes of a report, already unpacked, and ends in a [Report]; [Report.Write] goes back.
// A report is read token by token, within bounds on its bytes, tokens, depth and entries, so that a small file cannot
// become a large memory. What is unknown is passed over, a list may be a single text and a number a text, as some
// reporters write them.
package tlsrpt

import (
	"errors"
	"net/netip"
	"time"
)

// Report is what one sender saw in one day.
type Report struct {
	// Org names the reporter, Contact its people, ID the report.
	Org, Contact, ID string
	// Begin and End bound the time, both included.
	Begin, End time.Time
	Policies   []Policy
}

// Policy is one policy that was in force for a domain, with the sessions under it.
type Policy struct {
	// Type is "sts", "tlsa" or "no-policy-found"; another word when the reporter has one.
	Type string
	// Domain may be missing.
	Domain string
	// Lines are the policy's text: lines of an MTA-STS policy, or TLSA records.
	Lines []string
	// MXHosts are the patterns of an MTA-STS policy.
	MXHosts []string
	// Successes and Failures are numbers of sessions, from 0 to MaxCount.
	Successes, Failures int64
	Details             []Failure
}

// Failure is a number of sessions that failed in the same way.
type Failure struct {
	// Type is one of RFC 8460 4.3's, such as "certificate-expired".
	Type string
	// SendingIP and ReceivingIP are not valid when the report does not tell.
	SendingIP, ReceivingIP netip.Addr
	ReceivingHost          string
	ReceivingHelo          string
	Count                  int64
	// Info and Reason are further words of the reporter.
	Info, Reason string
}

// Types of policies (RFC 8460 4.4) and of failures (4.3).
const (
	PolicySTS  = "sts"
	PolicyTLSA = "tlsa"
	NoPolicy   = "no-policy-found"

	StartTLSNotSupported    = "starttls-not-supported"
	CertificateHostMismatch = "certificate-host-mismatch"
	CertificateExpired      = "certificate-expired"
	CertificateNotTrusted   = "certificate-not-trusted"
	ValidationFailure       = "validation-failure"
	TLSAInvalid             = "tlsa-invalid"
	DNSSECInvalid           = "dnssec-invalid"
	DANERequired            = "dane-required"
	STSPolicyFetchError     = "sts-policy-fetch-error"
	STSPolicyInvalid        = "sts-policy-invalid"
	STSWebPKIInvalid        = "sts-webpki-invalid"
)

// Bounds of one report.
const (
	// MaxBytes is more than ten thousand failures take.
	MaxBytes = 8 << 20
	// MaxCount is the most sessions that one entry may stand for, so that sums cannot overflow.
	MaxCount    = 1e8
	maxTokens   = 1000000
	maxDepth    = 32
	maxPolicies = 1000
	maxDetails  = 20000 // in all policies together
	maxLines    = 100
	maxText     = 1000
)

// Errors of Read; others tell what cannot be read.
var (
	ErrNoReport = errors.New("this is no TLS report: its JSON has neither policies nor a report id; look for another attachment")
	ErrTooLarge = errors.New("the TLS report is larger or deeper than any honest one; ask its sender what it is")
)
