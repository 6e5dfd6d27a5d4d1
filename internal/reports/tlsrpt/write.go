package tlsrpt

import (
	"encoding/json"
	"io"
	"net/netip"
	"time"
)

// The structures below are RFC 8460 4.4's schema.
type (
	jsonReport struct {
		Org      string       `json:"organization-name"`
		Range    jsonRange    `json:"date-range"`
		Contact  string       `json:"contact-info"`
		ID       string       `json:"report-id"`
		Policies []jsonPolicy `json:"policies"`
	}
	jsonRange struct {
		Begin time.Time `json:"start-datetime,omitzero"`
		End   time.Time `json:"end-datetime,omitzero"`
	}
	jsonPolicy struct {
		Policy  jsonPublished `json:"policy"`
		Summary jsonSummary   `json:"summary"`
		Details []jsonFailure `json:"failure-details,omitempty"`
	}
	jsonPublished struct {
		Type    string   `json:"policy-type"`
		Lines   []string `json:"policy-string,omitempty"`
		Domain  string   `json:"policy-domain"`
		MXHosts []string `json:"mx-host,omitempty"`
	}
	jsonSummary struct {
		Successes int64 `json:"total-successful-session-count"`
		Failures  int64 `json:"total-failure-session-count"`
	}
	jsonFailure struct {
		Type          string     `json:"result-type"`
		SendingIP     netip.Addr `json:"sending-mta-ip,omitzero"`
		ReceivingHost string     `json:"receiving-mx-hostname,omitempty"`
		ReceivingHelo string     `json:"receiving-mx-helo,omitempty"`
		ReceivingIP   netip.Addr `json:"receiving-ip,omitzero"`
		Count         int64      `json:"failed-session-count"`
		Info          string     `json:"additional-information,omitempty"`
		Reason        string     `json:"failure-reason-code,omitempty"`
	}
)

// Write writes the report as JSON.
func (r *Report) Write(w io.Writer) error {
	out := jsonReport{
		Org: r.Org, Contact: r.Contact, ID: r.ID, Range: jsonRange{r.Begin.UTC(), r.End.UTC()}, Policies: make([]jsonPolicy, len(r.Policies)),
	}
	for i, p := range r.Policies {
		out.Policies[i] = jsonPolicy{
			Policy:  jsonPublished{Type: p.Type, Lines: p.Lines, Domain: p.Domain, MXHosts: p.MXHosts},
			Summary: jsonSummary{p.Successes, p.Failures},
		}
		for _, f := range p.Details {
			out.Policies[i].Details = append(out.Policies[i].Details, jsonFailure{
				Type: f.Type, SendingIP: f.SendingIP, ReceivingHost: f.ReceivingHost, ReceivingHelo: f.ReceivingHelo,
				ReceivingIP: f.ReceivingIP, Count: f.Count, Info: f.Info, Reason: f.Reason,
			})
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
