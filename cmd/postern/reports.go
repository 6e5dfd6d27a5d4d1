package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"postern/internal/reports"
	"postern/platform/admin"
)

func (c *command) domainReports() *cobra.Command {
	var since string
	var sent, sources bool
	var f admin.ReportFilter
	cmd := &cobra.Command{Use: "reports [DOMAIN]", Short: "What others report about a domain, and we about theirs", Args: takes(0, 1),
		Long: `Receivers of mail tell once a day who sent in a domain's name and what DMARC made of it; senders tell how TLS
with its servers went. This shows what they told about our domains, with a line on what to mend. Reports
come to the addresses that "domain dns print" puts into the DNS; "domain reports read" shows single ones.`,
		Example: "  postern domain reports\n  postern domain reports example.org --since 7d --sources\n" +
			"  postern domain reports --kind tls\n  postern domain reports --sent",
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if f.Since, err = ago(since, time.Now()); err != nil {
				return err
			}
			if len(args) > 0 {
				f.Domain = args[0]
			}
			if sources {
				f.Sources = 1000
			}
			if sent {
				return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]reports.Sent, error) { return a.SentReports(ctx, f) }, c.showSent)
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]reports.Summary, error) { return a.Reports(ctx, f) },
				func(list []reports.Summary) {
					for i, s := range list {
						if i > 0 {
							c.say("")
						}
						c.showSummary(s, sources)
					}
				})
		}}
	cmd.Flags().StringVar(&since, "since", "30d", "how far back, such as 24h, 7d or 2026-11-20")
	cmd.Flags().StringVar(&f.Kind, "kind", "", "dmarc or tls (default both)")
	cmd.Flags().BoolVar(&sources, "sources", false, "list every address that sent in the domain's name")
	cmd.Flags().BoolVar(&sent, "sent", false, "the reports that we sent to others")
	cmd.AddCommand(c.reportsRead())
	return cmd
}

func (c *command) showSummary(s reports.Summary, everySource bool) {
	c.say("%s, reports since %s", s.Domain, day(s.Since))
	if s.Refused > 0 {
		c.say("  %d reports were not kept: too many came in a day", s.Refused)
	}
	if s.DMARC != nil {
		c.showDMARC(s.DMARC, everySource)
	}
	if s.TLS != nil {
		c.showTLS(s.TLS)
	}
}

func (c *command) showDMARC(d *reports.DMARCSummary, everySource bool) {
	if d.Reports == 0 {
		c.say("  DMARC: no reports; they begin a day after the DNS has the record that `postern domain dns print` writes")
		return
	}
	c.say("  DMARC: %d reports of %d messages, seen with %s", d.Reports, d.Messages, or(d.Policy, "no policy"))
	c.say("    pass  %d: DKIM and SPF %d, DKIM alone %d, SPF alone %d", d.Both+d.DKIMOnly+d.SPFOnly, d.Both, d.DKIMOnly, d.SPFOnly)
	c.say("    fail  %d", d.Failed)
	c.say("    done  %d rejected, %d quarantined", d.Rejected, d.Quarantined)
	if d.Cut > 0 {
		c.say("    %d messages are in records that were too many to be kept", d.Cut)
	}
	c.showReporters(d.Reporters)
	if everySource {
		rows := make([][]string, len(d.Sources))
		for i, s := range d.Sources {
			rows[i] = []string{or(s.IP, "unreadable"), number(s.Messages), number(s.Both), number(s.DKIMOnly), number(s.SPFOnly), number(s.Failed), number(s.Stopped)}
		}
		c.table("", []string{"    SOURCE", "MESSAGES", "BOTH", "DKIM", "SPF", "FAILED", "STOPPED"}, indented(rows))
	}
	for _, s := range d.Sources {
		if s.Advice != "" {
			c.say("    %s: %d of %d messages failed", s.IP, s.Failed, s.Messages)
			c.say("      fix: %s", s.Advice)
		}
	}
}

func (c *command) showTLS(t *reports.TLSSummary) {
	if t.Reports == 0 {
		c.say("  TLS: no reports")
		return
	}
	c.say("  TLS: %d reports of %d sessions, %d failed", t.Reports, t.Sessions, t.Failed)
	c.showReporters(t.Reporters)
	for _, f := range t.Failures {
		c.say("    %s: %d sessions%s", f.Type, f.Sessions, clause(" with ", f.Host)+clause(", ", f.Reason))
		if f.Advice != "" {
			c.say("      fix: %s", f.Advice)
		}
	}
}

func (c *command) showReporters(list []reports.ReportedBy) {
	for _, r := range list {
		doubt := ""
		if !r.Authenticated {
			doubt = "; not authenticated, it may be forged"
		}
		c.say("    by    %s%s: %d reports, %d seen, %d failed%s", r.Org, clause(" from ", r.Sender), r.Reports, r.Total, r.Failed, doubt)
	}
}

// clause is a text behind a word, or nothing.
func clause(word, text string) string {
	if text == "" {
		return ""
	}
	return word + text
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func indented(rows [][]string) [][]string {
	for _, row := range rows {
		row[0] = "    " + row[0]
	}
	return rows
}

func (c *command) showSent(list []reports.Sent) {
	rows := make([][]string, len(list))
	for i, s := range list {
		rows[i] = []string{s.Day.Format(time.DateOnly), string(s.Kind), s.Domain, s.Destination, s.State, number(s.Total), s.Note}
	}
	c.table("Nothing was reported to others.", []string{"DAY", "KIND", "ABOUT", "TO", "RESULT", "SEEN", "WHY"}, rows)
}

// fileReport is a report that was read by hand, or why it could not be.
type fileReport struct {
	File string `json:"file"`
	*reports.Received
	Error string `json:"error,omitempty"`
}

func (c *command) reportsRead() *cobra.Command {
	return &cobra.Command{Use: "read FILE...", Short: "Show reports from files", Args: takes(1, -1),
		Long: `Reads DMARC aggregate reports, TLS reports and feedback reports from files: XML or JSON, packed by gzip or zip or
not, or whole messages. It needs no server. The exit code is 1 when a file cannot be read.`,
		Example: "  postern domain reports read google.com!example.org!1795392000!1795478399.zip",
		RunE: func(_ *cobra.Command, args []string) error {
			list := make([]fileReport, len(args))
			for i, path := range args {
				list[i].File = path
				got, err := readReport(path)
				if err != nil {
					list[i].Error = err.Error()
					c.exit = exitRefused
				}
				list[i].Received = got
			}
			if c.json {
				return c.writeJSON(list)
			}
			for _, r := range list {
				c.showReport(r)
			}
			return nil
		}}
}

func readReport(path string) (*reports.Received, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return reports.ReadFile(f, info.Size())
}

func (c *command) showReport(r fileReport) {
	c.say("%s", r.File)
	if r.Error != "" {
		message, fix, _ := strings.Cut(r.Error, "; ")
		c.say("  cannot be read: %s", message)
		if fix != "" {
			c.say("  fix: %s", fix)
		}
		return
	}
	switch r.Kind {
	case reports.DMARC:
		c.showFeedback(r.Received)
	case reports.TLS:
		c.showTLSReport(r.Received)
	case reports.Failure:
		c.showFailure(r.Received)
	}
}

func (c *command) showFeedback(r *reports.Received) {
	f := r.DMARC
	c.say("  DMARC report %s of %s about %s, %s to %s", f.ID, or(f.Org, f.Email), f.Policy.Domain, moment(f.Begin), moment(f.End))
	c.say("  policy p=%s: %d messages in %d records", or(f.Policy.P, "?"), f.Messages(), len(f.Records))
	rows := make([][]string, len(f.Records))
	for i, x := range f.Records {
		source := "unreadable"
		if x.Source.IsValid() {
			source = x.Source.String()
		}
		rows[i] = []string{"  " + source, number(x.Count), x.Disposition, x.DKIM, x.SPF, x.HeaderFrom}
	}
	c.table("  It has no records.", []string{"  SOURCE", "MESSAGES", "DONE", "DKIM", "SPF", "FROM"}, rows)
}

func (c *command) showTLSReport(r *reports.Received) {
	t := r.TLS
	c.say("  TLS report %s of %s, %s to %s", t.ID, or(t.Org, t.Contact), moment(t.Begin), moment(t.End))
	for _, p := range t.Policies {
		c.say("  %s, policy %s: %d sessions succeeded, %d failed", or(p.Domain, "?"), p.Type, p.Successes, p.Failures)
		for _, f := range p.Details {
			c.say("    %s: %d sessions%s", f.Type, f.Count, clause(" with ", f.ReceivingHost)+clause(", ", f.Reason))
		}
	}
}

func (c *command) showFailure(r *reports.Received) {
	f := r.Failure
	source := "an unknown address"
	if f.Source.IsValid() {
		source = f.Source.String()
	}
	c.say("  %s report about %s, sent by %s%s", f.Type, or(strings.Join(f.ReportedDomains, ", "), "?"), source, clause(": ", f.AuthFailure))
	for _, line := range []struct{ name, value string }{
		{"return path", f.OriginalMailFrom}, {"from", f.Author}, {"subject", f.Subject}, {"message-id", f.MessageID}, {"delivery", f.Delivery},
	} {
		if line.value != "" {
			c.say("    %-11s %s", line.name, line.value)
		}
	}
}

// moment is a time of a report, in UTC as reports are.
func moment(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format("2006-01-02 15:04") + "Z"
}
