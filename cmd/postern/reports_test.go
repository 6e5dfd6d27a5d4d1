package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"postern/internal/reports"
)

func TestASummaryOfReportsSaysWhatToMend(t *testing.T) {
	since := time.Date(2026, 10, 25, 12, 0, 0, 0, time.UTC)
	s := reports.Summary{Domain: "example.test", Since: since, Refused: 3,
		DMARC: &reports.DMARCSummary{Reports: 2, Messages: 22, Both: 10, DKIMOnly: 4, SPFOnly: 2, Failed: 6, Rejected: 5, Quarantined: 1, Policy: "p=reject",
			Reporters: []reports.ReportedBy{{Org: "Far Inc.", Sender: "far.example", Authenticated: true, Reports: 1, Total: 17, Failed: 5}, {Org: "near", Reports: 1, Total: 5, Failed: 1}},
			Sources:   []reports.Source{{IP: "198.51.100.7", Messages: 5, Failed: 5, Stopped: 5, Advice: "a forger, or forgotten"}, {IP: "192.0.2.1", Messages: 17, Both: 10}}},
		TLS: &reports.TLSSummary{Reports: 1, Sessions: 102, Succeeded: 90, Failed: 12, Failures: []reports.TLSFailure{{Type: "certificate-expired", Host: "mail.example.test", Sessions: 12, Advice: "renew it"}}},
	}
	const want = `example.test, reports since 2026-10-25
  3 reports were not kept: too many came in a day
  DMARC: 2 reports of 22 messages, seen with p=reject
    pass  16: DKIM and SPF 10, DKIM alone 4, SPF alone 2
    fail  6
    done  5 rejected, 1 quarantined
    by    Far Inc. from far.example: 1 reports, 17 seen, 5 failed
    by    near: 1 reports, 5 seen, 1 failed; not authenticated, it may be forged
    SOURCE        MESSAGES  BOTH  DKIM  SPF  FAILED  STOPPED
    198.51.100.7  5         0     0     0    5       5
    192.0.2.1     17        10    0     0    0       0
    198.51.100.7: 5 of 5 messages failed
      fix: a forger, or forgotten
  TLS: 1 reports of 102 sessions, 12 failed
    certificate-expired: 12 sessions with mail.example.test
      fix: renew it
`
	var out bytes.Buffer
	c := &command{out: &out}
	c.showSummary(s, true)
	if out.String() != want {
		t.Errorf("it says\n%s", out.String())
	}
	out.Reset()
	c.showSent([]reports.Sent{{Kind: reports.DMARC, Domain: "far.example", Day: since, Destination: "mailto:a@far.example", State: "refused", Total: 7, Note: "has not agreed"}})
	if !strings.Contains(out.String(), "2026-10-25  dmarc  far.example  mailto:a@far.example  refused  7     has not agreed") {
		t.Errorf("it says\n%s", out.String())
	}
}
