package reports

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/internal/reports/dmarcxml"
	"postern/internal/reports/tlsrpt"
)

// composed is a report of ours, ready to be sent.
type composed struct {
	id string
	// name is the file's, packed its content under gzip.
	name   string
	packed []byte
	total  int64 // messages, or sessions
	text   string
}

// compose writes the report about a domain's day.
func (r *Reporter) compose(ctx context.Context, p *pending) (*composed, error) {
	self := r.o.Self()
	c := &composed{id: r.reportID(p, self)}
	date := time.Unix(p.day.begin(), 0).UTC().Format("2006-01-02")
	var write func(io.Writer) error
	var end string
	if p.kind == DMARC {
		f, err := r.composeDMARC(ctx, p, c.id, self)
		if err != nil {
			return nil, err
		}
		c.total, write, end = f.Messages(), f.Write, "xml.gz"
		c.text = fmt.Sprintf("This is a DMARC aggregate report of %s about mail from %s\r\non %s (UTC). It is made for programs; see RFC 9990.\r\n", self, p.domain, date)
	} else {
		t, err := r.composeTLS(ctx, p, c.id, self)
		if err != nil {
			return nil, err
		}
		for _, policy := range t.Policies {
			c.total += policy.Successes + policy.Failures
		}
		write, end = t.Write, "json.gz"
		c.text = fmt.Sprintf("This is a TLS report of %s about deliveries to %s\r\non %s (UTC). It is made for programs; see RFC 8460.\r\n", self, p.domain, date)
	}
	// RFC 7489 7.2.1.1, RFC 8460 5.1.
	c.name = fmt.Sprintf("%s!%s!%d!%d.%s", self, p.domain, p.day.begin(), p.day.end(), end)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := write(z); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	c.packed = b.Bytes()
	return c, nil
}

// reportID is the same at every try, so that a receiver knows a report that came twice.
func (r *Reporter) reportID(p *pending, self string) string {
	sum := sha256.Sum256([]byte(string(p.kind) + "\x00" + p.domain + "\x00" + r.o.Hostname))
	return fmt.Sprintf("%s.%x@%s", time.Unix(p.day.begin(), 0).UTC().Format("20060102"), sum[:8], self)
}

func (r *Reporter) composeDMARC(ctx context.Context, p *pending, id, self string) (*dmarcxml.Feedback, error) {
	f := &dmarcxml.Feedback{
		Org: self, Email: r.contact().String(), ID: id, Begin: time.Unix(p.day.begin(), 0), End: time.Unix(p.day.end(), 0),
		Policy: policyOf(p.domain, p.record),
	}
	if p.cut > 0 {
		f.Errors = append(f.Errors, fmt.Sprintf("%d further messages are not in this report: they differ in too many ways", p.cut))
	}
	err := r.seenRows(ctx, p, func(detail []byte, count int64) error {
		var m seenMessage
		if err := json.Unmarshal(detail, &m); err != nil {
			return err
		}
		if m.Discovery != "" {
			f.Policy.Discovery = m.Discovery
		}
		f.Records = append(f.Records, dmarcxml.Record{
			Source: m.Source, Count: count, Disposition: m.Disposition, DKIM: m.DKIM, SPF: m.SPF, Reasons: m.Results.Reasons,
			HeaderFrom: m.HeaderFrom, EnvelopeFrom: m.EnvelopeFrom, DKIMResults: m.Results.DKIM, SPFResults: m.Results.SPF,
		})
		return nil
	})
	slices.SortStableFunc(f.Records, func(a, b dmarcxml.Record) int { return cmp.Compare(b.Count, a.Count) })
	return f, err
}

// policyOf is the domain's record with the defaults of RFC 7489 6.3.
func policyOf(domain, record string) dmarcxml.Policy {
	t := tags(record)
	// Words that are none of the schema's are as if they were not there.
	word := func(name, otherwise string, known ...string) string {
		if w := strings.ToLower(t[name]); slices.Contains(known, w) {
			return w
		}
		return otherwise
	}
	p := word("p", "none", "none", "quarantine", "reject")
	percent, err := strconv.ParseUint(cmp.Or(t["pct"], "100"), 10, 7)
	if err != nil || percent > 100 {
		percent = 100
	}
	return dmarcxml.Policy{
		Domain: domain, P: p, SP: word("sp", p, "none", "quarantine", "reject"), NP: word("np", "", "none", "quarantine", "reject"),
		ADKIM: word("adkim", "r", "r", "s"), ASPF: word("aspf", "r", "r", "s"), Percent: strconv.FormatUint(percent, 10),
		FO: cut(cmp.Or(t["fo"], "0")), Testing: word("t", "", "y", "n"),
	}
}

func (r *Reporter) composeTLS(ctx context.Context, p *pending, id, self string) (*tlsrpt.Report, error) {
	t := &tlsrpt.Report{Org: self, Contact: r.contact().String(), ID: id, Begin: time.Unix(p.day.begin(), 0), End: time.Unix(p.day.end(), 0)}
	index := map[string]int{}
	err := r.seenRows(ctx, p, func(detail []byte, count int64) error {
		var s seenSession
		if err := json.Unmarshal(detail, &s); err != nil {
			return err
		}
		key := strings.Join(slices.Concat([]string{s.Policy}, s.Lines, s.MXHosts), "\x00")
		i, known := index[key]
		if !known {
			i = len(t.Policies)
			index[key] = i
			t.Policies = append(t.Policies, tlsrpt.Policy{Type: s.Policy, Domain: p.domain, Lines: s.Lines, MXHosts: s.MXHosts})
		}
		o := &t.Policies[i]
		if s.Result == "" {
			o.Successes += count
			return nil
		}
		o.Failures += count
		o.Details = append(o.Details, tlsrpt.Failure{
			Type: s.Result, SendingIP: s.SendingIP, ReceivingIP: s.ReceivingIP, ReceivingHost: s.Host, Count: count, Reason: s.Reason,
		})
		return nil
	})
	return t, err
}

// seenRows reads what was gathered for a report.
func (r *Reporter) seenRows(ctx context.Context, p *pending, each func(detail []byte, count int64) error) error {
	rows, err := r.o.DB.Query(ctx, `SELECT detail, count FROM report_seen WHERE kind = ? AND day = ? AND domain = ? ORDER BY hash`,
		string(p.kind), int64(p.day), p.domain)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var detail string
		var count int64
		if err := rows.Scan(&detail, &count); err != nil {
			return err
		}
		if err := each([]byte(detail), count); err != nil {
			return err
		}
	}
	return rows.Err()
}
