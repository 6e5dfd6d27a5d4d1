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
	Org     string `json:"org,omitempty"`
	Contact string `json:"contact,omitempty"`
	ID      string `json:"id"`
	// Begin and End bound the time, both included.
	Begin    time.Time `json:"begin,omitzero"`
	End      time.Time `json:"end,omitzero"`
	Policies []Policy  `json:"policies"`
}

// Policy is one policy that was in force for a domain, with the sessions under it.
type Policy struct {
	// Type is "sts", "tlsa" or "no-policy-found"; another word when the reporter has one.
	Type string `json:"type"`
	// Domain may be missing.
	Domain string `json:"domain"`
	// Lines are the policy's text: lines of an MTA-STS policy, or TLSA records.
	Lines []string `json:"lines,omitempty"`
	// MXHosts are the patterns of an MTA-STS policy.
	MXHosts []string `json:"mx_hosts,omitempty"`
	// Successes and Failures are numbers of sessions, from 0 to MaxCount.
	Successes int64     `json:"successes"`
	Failures  int64     `json:"failures"`
	Details   []Failure `json:"details,omitempty"`
}

// Failure is a number of sessions that failed in the same way.
type Failure struct {
	// Type is one of RFC 8460 4.3's, such as "certificate-expired".
	Type string `json:"type"`
	// SendingIP and ReceivingIP are not valid when the report does not tell.
	SendingIP     netip.Addr `json:"sending_ip,omitzero"`
	ReceivingIP   netip.Addr `json:"receiving_ip,omitzero"`
	ReceivingHost string     `json:"receiving_host,omitempty"`
	ReceivingHelo string     `json:"receiving_helo,omitempty"`
	Count         int64      `json:"count"`
	// Info and Reason are further words of the reporter.
	Info   string `json:"info,omitempty"`
	Reason string `json:"reason,omitempty"`
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
