package reports

import (
	"net/netip"
	"slices"
	"strings"

	"postern/internal/mailauth"
	"postern/internal/reports/dmarcxml"
	"postern/internal/settings"
)

// Observation is what DMARC's evaluation of one message from elsewhere found.
type Observation struct {
	// Domain is where the policy was found (RFC 9990 calls it the policy domain), Record the text there.
	Domain, Record string
	// Discovery is "psl" or "treewalk".
	Discovery string
	// Source is the client that sent the message.
	Source netip.Addr
	// Disposition is what was done in the end: "none", "quarantine" or "reject"; Reasons say why it is not what the
	// policy asks for.
	Disposition string
	Reasons     []dmarcxml.Reason
	// DKIM and SPF: the check passed for a domain that is aligned.
	DKIM, SPF bool
	// HeaderFrom is the domain in From, EnvelopeFrom that of the reverse-path, "" for the null one.
	HeaderFrom, EnvelopeFrom string
	// SPFResult is what SPF said of SPFDomain, in the words of RFC 8601 2.7; SPFScope is "mfrom" or "helo".
	SPFDomain, SPFScope, SPFResult string
	// DKIMResults are those of all signatures.
	DKIMResults []dmarcxml.DKIMResult
	// Report: the message is itself a report. It counts all the same when neither check passed: a forger might dress up.
	Report bool
}

// Bounds of one observation.
const (
	maxSignatures = 10
	maxReasons    = 3
	maxRecordText = 1000 // of a DMARC record
)

// Observe counts a message for the report to the owner of the domain, if the owner asks for reports. It touches memory
// only.
func (r *Reporter) Observe(o Observation) {
	switch {
	case o.Report && (o.DKIM || o.SPF) || !settings.ReportsDMARCSend.Get(r.o.Settings) || !asksForReports(o.Record):
		return
	case r.isOurs(o.Domain) || o.HeaderFrom != o.Domain && r.isOurs(o.HeaderFrom):
		return
	}
	o.Reasons = o.Reasons[:min(len(o.Reasons), maxReasons)]
	o.DKIMResults = o.DKIMResults[:min(len(o.DKIMResults), maxSignatures)]
	at := seenDomain{DMARC, r.today(), domainName(o.Domain)}
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	r.seen.scratch = o.appendKey(r.seen.scratch[:0])
	record := o.Record[:min(len(o.Record), maxRecordText)]
	if !r.seen.count(at, record) {
		r.seen.put(at, record, o.message())
	}
}

// asksForReports is a cheap look at the record; the tags are read when the report is written.
func asksForReports(record string) bool {
	i := strings.Index(record, "rua")
	return i >= 0 && strings.IndexByte(record[i:], '=') > 0
}

// isOurs: a domain of ours, or of the same organization as one.
func (r *Reporter) isOurs(domain string) bool {
	return r.o.Domains.IsLocalDomain(domain) || r.o.Domains.IsLocalDomain(mailauth.OrganizationalDomain(domain))
}

// appendKey writes all that observations counted together have in common.
func (o *Observation) appendKey(b []byte) []byte {
	b = o.Source.AppendTo(b)
	b = appendFields(b, o.Discovery, o.Disposition, result(o.DKIM), result(o.SPF), o.HeaderFrom, o.EnvelopeFrom, o.SPFDomain, o.SPFScope, o.SPFResult)
	for _, reason := range o.Reasons {
		b = appendFields(b, "reason", reason.Type, reason.Comment)
	}
	for _, d := range o.DKIMResults {
		b = appendFields(b, "dkim", d.Domain, d.Selector, d.Result, d.Human)
	}
	return b
}

func appendFields(b []byte, fields ...string) []byte {
	for _, field := range fields {
		b = append(append(b, 0), field...)
	}
	return b
}

func result(pass bool) string {
	if pass {
		return "pass"
	}
	return "fail"
}

// seenMessage is the column detail of report_seen for DMARC.
type seenMessage struct {
	Source       netip.Addr   `json:"source"`
	Discovery    string       `json:"discovery,omitempty"`
	Disposition  string       `json:"disposition"`
	DKIM         string       `json:"dkim"`
	SPF          string       `json:"spf"`
	HeaderFrom   string       `json:"header_from"`
	EnvelopeFrom string       `json:"envelope_from,omitempty"`
	Results      recordDetail `json:"results"`
}

func (o *Observation) message() seenMessage {
	m := seenMessage{
		Source: o.Source.Unmap().WithZone(""), Discovery: cut(o.Discovery), Disposition: cut(o.Disposition), DKIM: result(o.DKIM), SPF: result(o.SPF),
		HeaderFrom: cut(o.HeaderFrom), EnvelopeFrom: cut(o.EnvelopeFrom),
	}
	m.Results = shortened(recordDetail{Reasons: slices.Clone(o.Reasons), DKIM: slices.Clone(o.DKIMResults),
		SPF: []dmarcxml.SPFResult{{Domain: o.SPFDomain, Scope: o.SPFScope, Result: o.SPFResult}}})
	return m
}
