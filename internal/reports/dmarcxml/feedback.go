// Package dmarcxml reads and writes DMARC aggregate reports: the XML in which receivers of mail tell the owner of a domain
// who sent in its name and what became of it (RFC 7489 appendix C, RFC 9990).
//
// The road starts at [Read] with the bytes of a report, already unpacked, and ends in a [Feedback]; [Feedback.Write] goes
// back. Reports are written by hundreds of programs from several drafts, and sent by anybody who likes. So reading forgives
// what does not change the meaning: any namespace or none, elements that are unknown, missing, in another order or in
// another case, a wrapper around the report, a declaration of a character set that is not true. It does not forgive what
// is no XML, and it is bounded in depth, elements, records and the length of texts. Entities are not expanded, and nothing
// outside of the bytes is looked at.
package dmarcxml

import (
	"errors"
	"net/netip"
	"time"
)

// Feedback is one report.
type Feedback struct {
	// Version is what the report says its form is: "1.0" in RFC 7489, absent in older ones.
	Version string `json:"version,omitempty"`
	// Org names the reporter as it names itself, Email and Contact where its people are.
	Org     string `json:"org,omitempty"`
	Email   string `json:"email,omitempty"`
	Contact string `json:"contact,omitempty"`
	// ID is unique for the reporter.
	ID string `json:"id"`
	// Begin and End bound the time that is reported on, both included.
	Begin time.Time `json:"begin,omitzero"`
	End   time.Time `json:"end,omitzero"`
	// Errors are what the reporter found wrong with the domain's records.
	Errors []string `json:"errors,omitempty"`
	// Generator is the program that wrote the report (RFC 9990).
	Generator string   `json:"generator,omitempty"`
	Policy    Policy   `json:"policy"`
	Records   []Record `json:"records"`
}

// Policy is the domain's record as the reporter saw it; what it did not say is "".
type Policy struct {
	Domain string `json:"domain"`
	// ADKIM and ASPF are "r" or "s".
	ADKIM string `json:"adkim,omitempty"`
	ASPF  string `json:"aspf,omitempty"`
	// P, SP and NP are "none", "quarantine" or "reject".
	P       string `json:"p,omitempty"`
	SP      string `json:"sp,omitempty"`
	NP      string `json:"np,omitempty"`
	Percent string `json:"percent,omitempty"`
	// Testing is "y" or "n", Discovery "psl" or "treewalk" (RFC 9990).
	Testing   string `json:"testing,omitempty"`
	Discovery string `json:"discovery,omitempty"`
	FO        string `json:"fo,omitempty"`
}

// Record is a number of messages that had all of this in common. Words are in lower case.
type Record struct {
	// Source sent them; it is not valid when the report has something there that is no address.
	Source netip.Addr `json:"source,omitzero"`
	// Count is from 1 to MaxCount.
	Count int64 `json:"count"`
	// Disposition is what was done: "none", "pass", "quarantine" or "reject".
	Disposition string `json:"disposition,omitempty"`
	// DKIM and SPF are "pass" when the check passed for a domain that is aligned.
	DKIM    string   `json:"dkim,omitempty"`
	SPF     string   `json:"spf,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`

	HeaderFrom   string `json:"header_from,omitempty"`
	EnvelopeFrom string `json:"envelope_from,omitempty"`
	EnvelopeTo   string `json:"envelope_to,omitempty"`

	DKIMResults []DKIMResult `json:"dkim_results,omitempty"`
	SPFResults  []SPFResult  `json:"spf_results,omitempty"`
}

// Reason is why the disposition is not what the policy asks for.
type Reason struct {
	Type    string `json:"type"`
	Comment string `json:"comment,omitempty"`
}

// DKIMResult is one signature, aligned or not.
type DKIMResult struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector,omitempty"`
	Result   string `json:"result"`
	// Human explains the result.
	Human string `json:"human,omitempty"`
}

// SPFResult is what SPF said of one identity.
type SPFResult struct {
	Domain string `json:"domain"`
	// Scope is "mfrom" or "helo".
	Scope  string `json:"scope,omitempty"`
	Result string `json:"result"`
}

// Bounds of one report.
const (
	// MaxRecords is more than a day of a large company has.
	MaxRecords = 50000
	// MaxCount is the most messages that one record may stand for, so that sums cannot overflow.
	MaxCount    = 1e8
	maxElements = 2000000
	maxDepth    = 32
	// maxToken bounds one piece of XML: a tag with its attributes, a text, a comment.
	maxToken = 64 << 10
	// maxText is what is kept of a text.
	maxText = 1000
	// maxResults bounds the signatures, SPF results and reasons of a record, and the errors of a report.
	maxResults = 100
)

// Errors of Read; others tell where the XML is broken.
var (
	ErrNoFeedback = errors.New("this is no DMARC aggregate report: it has no <feedback> element; look for another attachment")
	ErrTooLarge   = errors.New("the DMARC report is larger or deeper than any honest one; ask its sender what it is")
)

// Messages is how many messages the report tells of.
func (f *Feedback) Messages() int64 {
	var n int64
	for i := range f.Records {
		n += f.Records[i].Count
	}
	return n
}
