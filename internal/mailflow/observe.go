package mailflow

import (
	"slices"
	"strings"

	"postern/internal/db"
	"postern/internal/judge"
	"postern/internal/mailauth"
	"postern/internal/reports"
	"postern/internal/reports/dmarcxml"
	"postern/internal/verdict"
)

// takeReport keeps the report that a message may bring, about a domain of ours, in the transaction that stores the message.
// It gives whether there is one. Where nothing is judged, nobody vouches for its sender.
func (in *In) takeReport(p *parcel) bool {
	report, ok := in.Reports.ReadReport(p.parsed, p.content)
	if !ok {
		return false
	}
	report.Authenticated = report.Sender != "" && p.judgement != nil && p.judgement.Auth.Aligned(report.Sender)
	p.also = append(p.also, func(tx *db.Tx) error { return report.StoreTx(tx) })
	return true
}

// observe counts the message for the reports to the owners of its authors' domains (RFC 7489 7.2).
func (in *In) observe(p *parcel, j *judge.Judgement, isReport bool) {
	for _, a := range j.Auth.DMARC.Authors {
		if a.Found.Domain == "" {
			continue
		}
		o := reports.Observation{
			Domain: a.Found.Domain, Record: a.Found.Record.Text, Discovery: "treewalk", Source: j.Auth.Client, DKIM: a.DKIM, SPF: a.SPF,
			HeaderFrom: a.Domain, EnvelopeFrom: p.envelope.From.Domain, SPFDomain: j.Auth.SPF.Domain, SPFScope: "mfrom",
			SPFResult: string(j.Auth.SPF.Status), Report: isReport,
		}
		if p.envelope.From.IsZero() {
			o.SPFScope = "helo"
		}
		o.Disposition, o.Reasons = disposition(j, a)
		for _, s := range j.Auth.DKIM {
			o.DKIMResults = append(o.DKIMResults, dmarcxml.DKIMResult{Domain: strings.ToLower(s.Domain), Selector: s.Selector, Result: string(s.Result)})
		}
		in.Reports.Observe(o)
	}
}

// disposition is what was done to the message because of an author's policy, and why it is not what the policy asks for.
func disposition(j *judge.Judgement, a mailauth.Author) (done string, why []dmarcxml.Reason) {
	done = "none"
	decided := func(action verdict.Action) bool {
		return slices.ContainsFunc(j.Trace.Recipients, func(r verdict.Recipient) bool {
			return r.Verdict.Action == action && strings.HasPrefix(r.Verdict.Rule, "dmarc: ")
		})
	}
	switch {
	case a.Status != mailauth.Fail && a.Status != mailauth.TempError:
		return done, nil
	case j.Refused() && decided(verdict.Reject):
		done = "reject"
	case decided(verdict.Junk), decided(verdict.Reject):
		done = "quarantine"
	}
	if done == string(a.Disposition) || a.Disposition == "" {
		return done, nil
	}
	reason := dmarcxml.Reason{Type: "local_policy"}
	for _, r := range j.Trace.Recipients {
		if r.Policy.DMARCSource != "" {
			reason.Comment = r.Policy.DMARCSource
			break
		}
	}
	return done, []dmarcxml.Reason{reason}
}
