package reports

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"postern/internal/db"
)

// Summary is what others reported about a domain of ours.
type Summary struct {
	Domain  string        `json:"domain"`
	Since   time.Time     `json:"since"`
	Refused int64         `json:"refused" doc:"Reports that were not kept because too many came in a day."`
	DMARC   *DMARCSummary `json:"dmarc,omitempty" doc:"Who sent mail in the domain's name."`
	TLS     *TLSSummary   `json:"tls,omitempty" doc:"How TLS with the domain's servers went."`
}

// DMARCSummary counts messages in the domain's name, as others saw them.
type DMARCSummary struct {
	Reports     int64        `json:"reports"`
	Messages    int64        `json:"messages"`
	Cut         int64        `json:"cut" doc:"Messages in records that were too many to be kept; the figures below are without them."`
	Both        int64        `json:"both" doc:"Messages for which both DKIM and SPF vouch."`
	DKIMOnly    int64        `json:"dkim_only"`
	SPFOnly     int64        `json:"spf_only"`
	Failed      int64        `json:"failed" doc:"Messages for which neither vouches."`
	Quarantined int64        `json:"quarantined"`
	Rejected    int64        `json:"rejected"`
	Policy      string       `json:"policy" doc:"The domain's policy, as the latest report has it."`
	Reporters   []ReportedBy `json:"reporters"`
	Sources     []Source     `json:"sources" doc:"The addresses that sent most, those with failures first."`
}

// ReportedBy is one organisation that reports.
type ReportedBy struct {
	Org           string `json:"org" doc:"As it names itself."`
	Sender        string `json:"sender" doc:"Domain of the messages that bring its reports."`
	Authenticated bool   `json:"authenticated" doc:"SPF or DKIM vouched for that domain each time."`
	Reports       int64  `json:"reports"`
	Total         int64  `json:"total" doc:"Messages or sessions."`
	Failed        int64  `json:"failed"`
}

// Source is one address that sent in the domain's name.
type Source struct {
	IP       string `json:"ip"`
	Messages int64  `json:"messages"`
	Both     int64  `json:"both"`
	DKIMOnly int64  `json:"dkim_only"`
	SPFOnly  int64  `json:"spf_only"`
	Failed   int64  `json:"failed"`
	Stopped  int64  `json:"stopped" doc:"Messages that were quarantined or rejected."`
	// Signer and Envelope are seen where neither is the domain's own: they tell whose service it may be.
	Signer   string `json:"signer,omitempty" doc:"A domain whose signature a failed message had."`
	Envelope string `json:"envelope,omitempty" doc:"The domain in the return path of a failed message."`
	Advice   string `json:"advice,omitempty" doc:"What it means and how it is mended."`
}

// TLSSummary counts sessions of other servers with ours.
type TLSSummary struct {
	Reports   int64        `json:"reports"`
	Sessions  int64        `json:"sessions"`
	Succeeded int64        `json:"succeeded"`
	Failed    int64        `json:"failed"`
	Cut       int64        `json:"cut" doc:"Sessions in records that were too many to be kept."`
	Reporters []ReportedBy `json:"reporters"`
	Failures  []TLSFailure `json:"failures"`
}

// TLSFailure is one way in which sessions failed.
type TLSFailure struct {
	Type     string `json:"type" doc:"In the words of RFC 8460 4.3."`
	Policy   string `json:"policy" doc:"sts, tlsa or no-policy-found."`
	Host     string `json:"host,omitempty" doc:"The server of ours."`
	Reason   string `json:"reason,omitempty"`
	Sessions int64  `json:"sessions"`
	Advice   string `json:"advice,omitempty" doc:"What it means and how it is mended."`
}

// Query chooses what a summary shows.
type Query struct {
	Domain string
	Since  time.Time
	// DMARC and TLS choose the kinds.
	DMARC, TLS bool
	// Sources is how many sources are listed, at most maxSourcesListed; 0 means 10.
	Sources int
}

const (
	maxSourcesListed = 1000
	sourcesListed    = 10
	maxListed        = 100 // reporters, failures
)

// Summary gathers what was reported about a domain in reports that end after q.Since.
func (r *Reporter) Summary(ctx context.Context, q Query) (Summary, error) {
	s := Summary{Domain: q.Domain, Since: q.Since}
	err := r.o.DB.View(ctx, func(tx *db.ReadTx) (err error) {
		err = tx.QueryRow(`SELECT CAST(COALESCE(sum(refused), 0) AS BIGINT) FROM report_days WHERE domain = ? AND day >= ?`, q.Domain, q.Since.Unix()/secondsPerDay).Scan(&s.Refused)
		if err == nil && q.DMARC {
			s.DMARC, err = summariseDMARC(tx, q)
		}
		if err == nil && q.TLS {
			s.TLS, err = summariseTLS(tx, q)
		}
		return err
	})
	return s, err
}

func summariseDMARC(tx *db.ReadTx, q Query) (*DMARCSummary, error) {
	s := &DMARCSummary{}
	err := totals(tx, DMARC, q, &s.Reports, &s.Messages, nil, &s.Cut)
	if err != nil {
		return nil, err
	}
	err = tx.QueryRow(`SELECT `+sums+`,
			CAST(COALESCE(sum(CASE WHEN disposition = 'quarantine' THEN messages ELSE 0 END), 0) AS BIGINT),
			CAST(COALESCE(sum(CASE WHEN disposition = 'reject' THEN messages ELSE 0 END), 0) AS BIGINT)
		FROM report_records JOIN reports ON reports.id = report_records.report WHERE kind = 'dmarc' AND domain = ? AND ends >= ?`,
		q.Domain, q.Since.Unix()).Scan(&s.Both, &s.DKIMOnly, &s.SPFOnly, &s.Failed, &s.Quarantined, &s.Rejected)
	if err != nil {
		return nil, err
	}
	err = tx.QueryRow(`SELECT policy FROM reports WHERE kind = 'dmarc' AND domain = ? AND ends >= ? ORDER BY ends DESC, id DESC LIMIT 1`,
		q.Domain, q.Since.Unix()).Scan(&s.Policy)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return nil, err
	}
	if s.Reporters, err = reporters(tx, DMARC, q); err != nil {
		return nil, err
	}
	s.Sources, err = sources(tx, q)
	return s, err
}

// sums are the four outcomes of alignment.
const sums = `CAST(COALESCE(sum(CASE WHEN dkim = 'pass' AND spf = 'pass' THEN messages ELSE 0 END), 0) AS BIGINT),
	CAST(COALESCE(sum(CASE WHEN dkim = 'pass' AND spf <> 'pass' THEN messages ELSE 0 END), 0) AS BIGINT),
	CAST(COALESCE(sum(CASE WHEN dkim <> 'pass' AND spf = 'pass' THEN messages ELSE 0 END), 0) AS BIGINT),
	CAST(COALESCE(sum(CASE WHEN dkim <> 'pass' AND spf <> 'pass' THEN messages ELSE 0 END), 0) AS BIGINT)`

// totals counts reports and what they tell of.
func totals(tx *db.ReadTx, kind Kind, q Query, reports, total, failed, cut *int64) error {
	if failed == nil {
		failed = new(int64)
	}
	return tx.QueryRow(`SELECT count(*), CAST(COALESCE(sum(total), 0) AS BIGINT), CAST(COALESCE(sum(failed), 0) AS BIGINT), CAST(COALESCE(sum(cut), 0) AS BIGINT)
		FROM reports WHERE kind = ? AND domain = ? AND ends >= ?`, string(kind), q.Domain, q.Since.Unix()).Scan(reports, total, failed, cut)
}

func reporters(tx *db.ReadTx, kind Kind, q Query) ([]ReportedBy, error) {
	rows, err := tx.Query(`SELECT org, sender, min(authenticated), count(*), CAST(sum(total) AS BIGINT), CAST(sum(failed) AS BIGINT)
		FROM reports WHERE kind = ? AND domain = ? AND ends >= ? GROUP BY org, sender ORDER BY sum(total) DESC, org, sender LIMIT ?`,
		string(kind), q.Domain, q.Since.Unix(), int64(maxListed))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []ReportedBy{}
	for rows.Next() {
		var r ReportedBy
		var authenticated int64
		if err := rows.Scan(&r.Org, &r.Sender, &authenticated, &r.Reports, &r.Total, &r.Failed); err != nil {
			return nil, err
		}
		r.Authenticated = authenticated == 1
		list = append(list, r)
	}
	return list, rows.Err()
}

// sources lists those with most failures, then those with most messages.
func sources(tx *db.ReadTx, q Query) ([]Source, error) {
	limit := min(cmp.Or(q.Sources, sourcesListed), maxSourcesListed)
	rows, err := tx.Query(`SELECT source, CAST(sum(messages) AS BIGINT), `+sums+`,
			CAST(sum(CASE WHEN disposition IN ('quarantine', 'reject') THEN messages ELSE 0 END) AS BIGINT)
		FROM report_records JOIN reports ON reports.id = report_records.report WHERE kind = 'dmarc' AND domain = ? AND ends >= ?
		GROUP BY source ORDER BY 6 DESC, 2 DESC, source LIMIT ?`, q.Domain, q.Since.Unix(), int64(limit))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Source{}
	for rows.Next() {
		var s Source
		if err := rows.Scan(&s.IP, &s.Messages, &s.Both, &s.DKIMOnly, &s.SPFOnly, &s.Failed, &s.Stopped); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Failed > 0 {
			if err := clues(tx, q, &list[i]); err != nil {
				return nil, err
			}
		}
		list[i].Advice = adviseSource(q.Domain, &list[i])
	}
	return list, nil
}

// clues looks at the largest record of a source that failed for names which are not the domain's own.
func clues(tx *db.ReadTx, q Query, s *Source) error {
	var text string
	err := tx.QueryRow(`SELECT envelope_from, detail FROM report_records JOIN reports ON reports.id = report_records.report
		WHERE kind = 'dmarc' AND domain = ? AND ends >= ? AND source = ? AND dkim <> 'pass' AND spf <> 'pass' ORDER BY messages DESC, report DESC LIMIT 1`,
		q.Domain, q.Since.Unix(), s.IP).Scan(&s.Envelope, &text)
	if err != nil {
		return err
	}
	var detail recordDetail
	if err := json.Unmarshal([]byte(text), &detail); err != nil {
		return err
	}
	for _, d := range detail.DKIM {
		if d.Result == "pass" && s.Signer == "" {
			s.Signer = d.Domain
		}
	}
	for _, f := range detail.SPF {
		s.Envelope = cmp.Or(s.Envelope, f.Domain)
	}
	if strings.EqualFold(s.Envelope, q.Domain) {
		s.Envelope = ""
	}
	return nil
}

func summariseTLS(tx *db.ReadTx, q Query) (*TLSSummary, error) {
	s := &TLSSummary{Failures: []TLSFailure{}}
	err := totals(tx, TLS, q, &s.Reports, &s.Sessions, &s.Failed, &s.Cut)
	if err != nil {
		return nil, err
	}
	s.Succeeded = s.Sessions - s.Failed
	if s.Reporters, err = reporters(tx, TLS, q); err != nil {
		return nil, err
	}
	rows, err := tx.Query(`SELECT result, report_sessions.policy, receiving_host, reason, CAST(sum(sessions) AS BIGINT)
		FROM report_sessions JOIN reports ON reports.id = report_sessions.report WHERE kind = 'tls' AND domain = ? AND ends >= ? AND result <> ''
		GROUP BY result, report_sessions.policy, receiving_host, reason ORDER BY 5 DESC, result, receiving_host LIMIT ?`,
		q.Domain, q.Since.Unix(), int64(maxListed))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f TLSFailure
		if err := rows.Scan(&f.Type, &f.Policy, &f.Host, &f.Reason, &f.Sessions); err != nil {
			return nil, err
		}
		f.Advice = adviseTLS(&f)
		s.Failures = append(s.Failures, f)
	}
	return s, rows.Err()
}

// Sent is a report of ours and what became of it.
type Sent struct {
	Kind        Kind      `json:"kind"`
	Domain      string    `json:"domain" doc:"The domain that it is about."`
	Day         time.Time `json:"day" doc:"The day that it is about, in UTC."`
	Destination string    `json:"destination"`
	State       string    `json:"state" doc:"sent, refused (the destination does not want it) or failed."`
	Total       int64     `json:"total" doc:"Messages or sessions."`
	ID          string    `json:"id"`
	At          time.Time `json:"at"`
	Note        string    `json:"note,omitempty" doc:"Why it was not sent."`
}

// maxSentListed bounds the list of what we sent.
const maxSentListed = 1000

// Sent lists our reports since a time, latest first; with a domain, those about it.
func (r *Reporter) Sent(ctx context.Context, q Query) ([]Sent, error) {
	kinds := [2]Kind{}
	if q.DMARC {
		kinds[0] = DMARC
	}
	if q.TLS {
		kinds[1] = TLS
	}
	domain := asciiName(domainName(q.Domain))
	rows, err := r.o.DB.Query(ctx, `SELECT kind, day, domain, destination, state, report_id, at, total, note FROM report_sent
		WHERE at >= ? AND kind IN (?, ?) AND (CAST(? AS TEXT) = '' OR domain = ?) ORDER BY at DESC, kind, domain, destination LIMIT ?`,
		q.Since.Unix(), string(kinds[0]), string(kinds[1]), domain, domain, int64(maxSentListed))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Sent{}
	for rows.Next() {
		var s Sent
		var on, at int64
		if err := rows.Scan(&s.Kind, &on, &s.Domain, &s.Destination, &s.State, &s.ID, &at, &s.Total, &s.Note); err != nil {
			return nil, err
		}
		s.Day, s.At = time.Unix(day(on).begin(), 0).UTC(), time.Unix(at, 0).UTC()
		list = append(list, s)
	}
	return list, rows.Err()
}
