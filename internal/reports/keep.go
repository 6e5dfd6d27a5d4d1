package reports

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/reports/dmarcxml"
	"postern/internal/reports/tlsrpt"
)

// Bounds of what is kept, so that a hostile reporter cannot fill the disk.
const (
	maxRecordsKept   = 500   // of one report; those of most messages
	maxReportsPerDay = 1000  // for one domain; half of it for those that nobody vouches for
	maxRecordsPerDay = 10000 // for one domain, likewise
	maxKept          = 255   // bytes of a text
	maxResultsKept   = 10    // signatures of one record
)

// ReadReport reads the report that a message brings. ok is false when it brings none that can be read; for most mail it is
// known from the parsed message at once.
func (r *Reporter) ReadReport(m *message.Message, content io.ReaderAt) (got *Received, ok bool) {
	parts := candidates(m, false)
	if len(parts) == 0 {
		return nil, false
	}
	r.reading <- struct{}{}
	defer func() { <-r.reading }()
	got, err := readParts(m, content, parts)
	if err != nil {
		if !errors.Is(err, ErrNoReport) {
			r.o.Log.Warn("a report cannot be read", "from", author(m), "error", err)
		}
		return nil, false
	}
	got.reporter = r
	return got, true
}

// kept is the row of a report.
type kept struct {
	kind                       Kind
	domain, org, id, contact   string
	begins, ends               int64
	policy                     string
	total, failed, cut, number int64
}

// StoreTx keeps the report if it is about a domain of ours and is new. A report that is known counts once; one that came
// unauthenticated gives way to one that is. Failure reports are not kept: they hold other people's mail.
func (r *Received) StoreTx(tx *db.Tx) error {
	switch r.Kind {
	case DMARC:
		return r.storeDMARC(tx)
	case TLS:
		return r.storeTLS(tx)
	}
	return nil
}

func (r *Received) storeDMARC(tx *db.Tx) error {
	f := r.DMARC
	domain := asciiName(f.Policy.Domain)
	if !r.reporter.o.Domains.IsLocalDomain(domain) {
		return nil
	}
	records := slices.Clone(f.Records)
	slices.SortStableFunc(records, func(a, b dmarcxml.Record) int { return int(b.Count) - int(a.Count) })
	k := kept{kind: DMARC, domain: domain, org: f.Org, id: identity(f.ID, f), contact: f.Email, begins: seconds(f.Begin), ends: seconds(f.End), policy: policyText(f.Policy)}
	if k.org == "" {
		_, k.org, _ = strings.Cut(f.Email, "@")
	}
	for i := range records {
		k.total += records[i].Count
		if !passed(&records[i]) {
			k.failed += records[i].Count
		}
		if i >= maxRecordsKept {
			k.cut += records[i].Count
		}
	}
	records = records[:min(len(records), maxRecordsKept)]
	k.number = int64(len(records))
	id, fresh, err := r.insert(tx, k)
	if err != nil || !fresh {
		return err
	}
	for n := range records {
		if err := insertRecord(tx, id, n, &records[n]); err != nil {
			return err
		}
	}
	return nil
}

// identity is a report's id, or if it has none what all that is in it comes to, so that it is known when it comes again and
// told from the reporter's next one.
func identity(id string, content any) string {
	if id != "" {
		return id
	}
	text, err := json.Marshal(content)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// asciiName is a domain in A-labels, as ours are known. Some reporters write U-labels.
func asciiName(domain string) string {
	if ascii, err := address.NormalizeDomain(domain); err == nil {
		return ascii
	}
	return domain
}

func passed(r *dmarcxml.Record) bool { return r.DKIM == "pass" || r.SPF == "pass" }

func policyText(p dmarcxml.Policy) string {
	text := "p=" + p.P
	for _, tag := range []struct{ name, value string }{{"sp", p.SP}, {"np", p.NP}, {"adkim", p.ADKIM}, {"aspf", p.ASPF}, {"pct", p.Percent}, {"t", p.Testing}} {
		if tag.value != "" {
			text += "; " + tag.name + "=" + tag.value
		}
	}
	return text
}

// recordDetail is the column detail of report_records.
type recordDetail struct {
	Reasons []dmarcxml.Reason     `json:"reasons,omitempty"`
	DKIM    []dmarcxml.DKIMResult `json:"dkim,omitempty"`
	SPF     []dmarcxml.SPFResult  `json:"spf,omitempty"`
}

func insertRecord(tx *db.Tx, report int64, n int, r *dmarcxml.Record) error {
	detail := recordDetail{Reasons: first(r.Reasons), DKIM: first(r.DKIMResults), SPF: first(r.SPFResults)}
	text, err := json.Marshal(shortened(detail))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO report_records (report, n, source, messages, disposition, dkim, spf, header_from, envelope_from, detail)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, report, int64(n), addressText(r.Source), r.Count,
		cut(r.Disposition), cut(r.DKIM), cut(r.SPF), cut(r.HeaderFrom), cut(r.EnvelopeFrom), string(text))
	return err
}

func first[T any](list []T) []T { return slices.Clone(list[:min(len(list), maxResultsKept)]) }

func shortened(d recordDetail) recordDetail {
	for i := range d.Reasons {
		d.Reasons[i] = dmarcxml.Reason{Type: cut(d.Reasons[i].Type), Comment: cut(d.Reasons[i].Comment)}
	}
	for i, r := range d.DKIM {
		d.DKIM[i] = dmarcxml.DKIMResult{Domain: cut(r.Domain), Selector: cut(r.Selector), Result: cut(r.Result), Human: cut(r.Human)}
	}
	for i, r := range d.SPF {
		d.SPF[i] = dmarcxml.SPFResult{Domain: cut(r.Domain), Scope: cut(r.Scope), Result: cut(r.Result)}
	}
	return d
}

// cut keeps a text within the bound, whole characters only.
func cut(s string) string {
	if len(s) <= maxKept {
		return s
	}
	return strings.ToValidUTF8(s[:maxKept], "")
}

func addressText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// storeTLS keeps one row for each domain of ours that the report is about.
func (r *Received) storeTLS(tx *db.Tx) error {
	byDomain := map[string][]tlsrpt.Policy{}
	for _, p := range r.TLS.Policies {
		domain := p.Domain
		if domain == "" {
			domain = r.Domain
		}
		domain = asciiName(domain)
		if r.reporter.o.Domains.IsLocalDomain(domain) {
			byDomain[domain] = append(byDomain[domain], p)
		}
	}
	for domain, policies := range byDomain {
		if err := r.storeSessions(tx, domain, policies); err != nil {
			return err
		}
	}
	return nil
}

func (r *Received) storeSessions(tx *db.Tx, domain string, policies []tlsrpt.Policy) error {
	t := r.TLS
	k := kept{kind: TLS, domain: domain, org: t.Org, id: identity(t.ID, t), contact: t.Contact, begins: seconds(t.Begin), ends: seconds(t.End)}
	var rows []session
	for _, p := range policies {
		k.total += p.Successes + p.Failures
		k.failed += p.Failures
		k.policy = p.Type
		rows = append(rows, sessions(p)...)
	}
	slices.SortStableFunc(rows, func(a, b session) int { return int(b.count) - int(a.count) })
	for _, s := range rows[min(len(rows), maxRecordsKept):] {
		k.cut += s.count
	}
	rows = rows[:min(len(rows), maxRecordsKept)]
	k.number = int64(len(rows))
	id, fresh, err := r.insert(tx, k)
	if err != nil || !fresh {
		return err
	}
	for n, s := range rows {
		_, err := tx.Exec(`INSERT INTO report_sessions (report, n, policy, result, sessions, receiving_host, receiving_ip, sending_ip, reason)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, id, int64(n), cut(s.policy), cut(s.Type), s.count, cut(s.ReceivingHost),
			addressText(s.ReceivingIP), addressText(s.SendingIP), cut(s.Reason))
		if err != nil {
			return err
		}
	}
	return nil
}

// session is a number of sessions with one outcome.
type session struct {
	policy string
	tlsrpt.Failure
	count int64
}

// notTold is the result of failures that the report counts and does not explain.
const notTold = "not-told"

func sessions(p tlsrpt.Policy) []session {
	var list []session
	if p.Successes > 0 {
		list = append(list, session{policy: p.Type, count: p.Successes})
	}
	left := p.Failures
	for _, f := range p.Details {
		if f.Type == "" {
			f.Type = notTold
		}
		list = append(list, session{policy: p.Type, Failure: f, count: f.Count})
		left -= f.Count
	}
	if left > 0 {
		list = append(list, session{policy: p.Type, Failure: tlsrpt.Failure{Type: notTold}, count: left})
	}
	return list
}

// insert makes the row of a report, unless it is known or too much has come today.
func (r *Received) insert(tx *db.Tx, k kept) (id int64, fresh bool, err error) {
	today := r.reporter.today()
	if known, err := r.replaceable(tx, k); err != nil || known {
		return 0, false, err
	}
	var reports, records int64
	err = tx.QueryRow(`SELECT reports, records FROM report_days WHERE domain = ? AND day = ?`, k.domain, int64(today)).Scan(&reports, &records)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return 0, false, err
	}
	// Forged reports are made by the thousand and must leave room for real ones.
	part := int64(1)
	if !r.Authenticated {
		part = 2
	}
	if reports >= maxReportsPerDay/part || records+k.number > maxRecordsPerDay/part {
		r.reporter.o.Log.Warn("a report is not kept: too many came for the domain today", "domain", k.domain, "reporter", k.org)
		return 0, false, countDay(tx, k.domain, today, 0, 0, 1)
	}
	if err := countDay(tx, k.domain, today, 1, k.number, 0); err != nil {
		return 0, false, err
	}
	k.ends = max(k.begins, k.ends)                         // some have the two the wrong way round, or no end
	if k.ends == 0 || k.ends > today.end()+secondsPerDay { // of no time, or of one to come, which would be the latest for ever
		k.begins, k.ends = today.begin(), today.end()
	}
	authenticated := int64(0)
	if r.Authenticated {
		authenticated = 1
	}
	err = tx.QueryRow(`INSERT INTO reports (kind, domain, org_key, report_id, org, contact, begins, ends, received, sender, authenticated, policy, total, failed, cut)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		string(k.kind), k.domain, orgKey(k.org), cut(k.id), cut(k.org), cut(k.contact), k.begins, k.ends, r.reporter.o.Clock.Now().Unix(),
		cut(r.Sender), authenticated, cut(k.policy), k.total, k.failed, k.cut).Scan(&id)
	return id, err == nil, err
}

func orgKey(org string) string { return strings.ToLower(cut(strings.TrimSpace(org))) }

// replaceable reports whether the report is known already. One that nobody vouched for is removed for one that somebody
// does, so that a forger cannot keep the real one out.
func (r *Received) replaceable(tx *db.Tx, k kept) (known bool, err error) {
	var id, authenticated int64
	err = tx.QueryRow(`SELECT id, authenticated FROM reports WHERE kind = ? AND domain = ? AND org_key = ? AND report_id = ?`,
		string(k.kind), k.domain, orgKey(k.org), cut(k.id)).Scan(&id, &authenticated)
	if errors.Is(err, db.ErrNoRows) {
		return false, nil
	}
	if err != nil || authenticated == 1 || !r.Authenticated {
		return true, err
	}
	return false, removeTx(tx, id)
}

func removeTx(tx *db.Tx, id int64) error {
	for _, statement := range []string{
		`DELETE FROM report_records WHERE report = ?`, `DELETE FROM report_sessions WHERE report = ?`, `DELETE FROM reports WHERE id = ?`,
	} {
		if _, err := tx.Exec(statement, id); err != nil {
			return err
		}
	}
	return nil
}

func countDay(tx *db.Tx, domain string, d day, reports, records, refused int64) error {
	_, err := tx.Exec(`INSERT INTO report_days (domain, day, reports, records, refused) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (domain, day) DO UPDATE SET reports = report_days.reports + excluded.reports,
			records = report_days.records + excluded.records, refused = report_days.refused + excluded.refused`,
		domain, int64(d), reports, records, refused)
	return err
}

// seconds is a time as it is stored; 0 for one that is not known.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
