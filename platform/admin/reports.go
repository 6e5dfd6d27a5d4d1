package admin

import (
	"context"
	"time"

	"postern/internal/reports"
)

// Reports is what administration needs of the reporter.
type Reports interface {
	// Summary gathers what others reported about a domain.
	Summary(ctx context.Context, q reports.Query) (reports.Summary, error)
	// Sent lists our reports to others.
	Sent(ctx context.Context, q reports.Query) ([]reports.Sent, error)
}

// ReportFilter chooses reports.
type ReportFilter struct {
	Domain  string    `json:"domain,omitempty" doc:"A domain of ours, all when absent; of reports that we sent, the domain that they are about."`
	Since   time.Time `json:"since,omitzero" doc:"Reports about times before are left out; 30 days ago unless said."`
	Kind    string    `json:"kind,omitempty" doc:"dmarc or tls, both when absent."`
	Sources int       `json:"sources,omitempty" doc:"How many sources to list; 10 unless said, at most 1,000."`
}

// reportsShown is the time that is looked at unless somebody says otherwise.
const reportsShown = 30 * 24 * time.Hour

func (b *Backend) reportQuery(in ReportFilter) (reports.Query, error) {
	q := reports.Query{Domain: in.Domain, Since: in.Since, DMARC: in.Kind != string(reports.TLS), TLS: in.Kind != string(reports.DMARC), Sources: in.Sources}
	if in.Kind != "" && !(q.DMARC != q.TLS) {
		return q, invalid("give dmarc or tls", "%q is no kind of report", in.Kind)
	}
	if in.Sources < 0 {
		return q, invalid("give 1 to 1000", "%d is no number of sources", in.Sources)
	}
	if q.Since.IsZero() {
		q.Since = b.Clock.Now().Add(-reportsShown)
	}
	return q, nil
}

func (b *Backend) summariseReports(r request, in ReportFilter) ([]reports.Summary, error) {
	q, err := b.reportQuery(in)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range b.Directory.Domains() {
		names = append(names, d.Name)
	}
	if in.Domain != "" {
		d, ok := b.Directory.Domain(in.Domain)
		if !ok {
			return nil, &Error{"not_found", "there is no domain " + in.Domain, "`postern domain list` shows all"}
		}
		names = []string{d.Name}
	}
	list := make([]reports.Summary, 0, len(names))
	for _, name := range names {
		q.Domain = name
		s, err := b.Reports.Summary(r, q)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func (b *Backend) listSentReports(r request, in ReportFilter) ([]reports.Sent, error) {
	q, err := b.reportQuery(in)
	if err != nil {
		return nil, err
	}
	return b.Reports.Sent(r, q)
}

// Reports summarises what others reported about domains of ours.
func (c *Client) Reports(ctx context.Context, f ReportFilter) ([]reports.Summary, error) {
	return call[[]reports.Summary](ctx, c, "POST", f, "/v1/reports/summary")
}

// SentReports lists what we reported to others.
func (c *Client) SentReports(ctx context.Context, f ReportFilter) ([]reports.Sent, error) {
	return call[[]reports.Sent](ctx, c, "POST", f, "/v1/reports/sent")
}
