package reports

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/reply"
	"postern/internal/settings"
)

const (
	// settle is how long after a day's end its report is written at the earliest: what was seen in its last seconds is
	// in the database by then.
	settle = 10 * time.Minute
	// spread is over how much time servers are spread, so that not all of the world reports at midnight.
	spread = 2 * time.Hour
	// again is the pause after a failure that may pass, maxTries how often it is waited: a day (RFC 8460 5).
	again    = time.Hour
	maxTries = 24
	// pause is how long a database that fails is left alone.
	pause = time.Minute
	// atOnce is how many reports are on their way to the queue at a time.
	atOnce = 4
	// pendingPage is how many pending reports are read at once.
	pendingPage = 200
)

// pending is a report that is to be written.
type pending struct {
	kind   Kind
	day    day
	domain string
	record string
	cut    int64
	tries  int64
}

// States of a destination in report_sent.
const (
	stateSent    = "sent"
	stateRefused = "refused"
	stateFailed  = "failed"
)

// due is when the reports of a day are written.
func (r *Reporter) due(d day) time.Time {
	sum := sha256.Sum256([]byte(r.o.Hostname))
	jitter := time.Duration(binary.BigEndian.Uint64(sum[:])%uint64(spread/time.Second)) * time.Second
	return time.Unix((d + 1).begin(), 0).Add(settle + jitter)
}

// lastDue is the latest day whose reports are due.
func (r *Reporter) lastDue() day {
	d := r.today() - 1
	if r.o.Clock.Now().Before(r.due(d)) {
		d--
	}
	return d
}

// sendAlways sends the reports of each day once it is over, those of earlier days too that are still to be sent.
func (r *Reporter) sendAlways(ctx context.Context) {
	for {
		last := r.lastDue()
		err := r.SendDue(ctx)
		wait := r.untilNext(ctx, last)
		if err != nil && ctx.Err() == nil {
			r.o.Log.Error("reports could not be sent and wait", "error", err)
			wait = max(wait, pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.o.Clock.After(wait):
		}
	}
}

// untilNext is the time until there is something to do again, when the reports up to the day last have been seen to. It is
// never long: a machine that slept must not be late by as much.
func (r *Reporter) untilNext(ctx context.Context, last day) time.Duration {
	next := r.due(last + 1)
	var retry int64
	err := r.o.DB.QueryRow(ctx, `SELECT next_try FROM report_seen_domains WHERE day <= ? ORDER BY next_try LIMIT 1`, int64(last)).Scan(&retry)
	if err == nil && time.Unix(retry, 0).Before(next) {
		next = time.Unix(retry, 0)
	}
	return min(max(next.Sub(r.o.Clock.Now()), 0), again)
}

// SendDue sends the reports that are due now and forgets what was kept for long enough. It is for one goroutine at a time.
func (r *Reporter) SendDue(ctx context.Context) error {
	errs := r.Flush(ctx)
	for {
		page, err := r.pending(ctx)
		if err != nil || len(page) == 0 {
			errs = errors.Join(errs, err)
			break
		}
		var group errgroup.Group
		group.SetLimit(atOnce)
		for i := range page {
			group.Go(func() error { return r.report(ctx, &page[i]) })
		}
		// What could not be settled would come again at once.
		if err := group.Wait(); err != nil {
			errs = errors.Join(errs, err)
			break
		}
	}
	// Once a day is enough.
	if last := r.lastDue(); r.pruned != last {
		errs = errors.Join(errs, r.Prune(ctx))
		r.pruned = last
	}
	return errs
}

func (r *Reporter) pending(ctx context.Context) (page []pending, err error) {
	rows, err := r.o.DB.Query(ctx, `SELECT kind, day, domain, record, cut, tries FROM report_seen_domains
		WHERE day <= ? AND next_try <= ? ORDER BY day, kind, domain LIMIT ?`, int64(r.lastDue()), r.o.Clock.Now().Unix(), int64(pendingPage))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p pending
		if err := rows.Scan(&p.kind, &p.day, &p.domain, &p.record, &p.cut, &p.tries); err != nil {
			return nil, err
		}
		page = append(page, p)
	}
	return page, rows.Err()
}

// report sends one report to all of its destinations, as far as that is possible now. The error is one of the database.
func (r *Reporter) report(ctx context.Context, p *pending) error {
	if !r.mayReport(p) {
		return r.finish(ctx, p)
	}
	list, err := r.destinations(ctx, p)
	if err != nil {
		return r.postpone(ctx, p, []waiting{{destination{uri: "dns:" + p.domain}, err}})
	}
	if len(list) == 0 {
		return r.finish(ctx, p)
	}
	settled, err := r.settled(ctx, p)
	if err != nil {
		return err
	}
	c, err := r.compose(ctx, p)
	if err != nil {
		return err
	}
	var later []waiting
	for i := range list {
		if settled[cut(list[i].uri)] {
			continue
		}
		if err := r.deliver(ctx, p, &list[i], c); err != nil {
			later = append(later, waiting{list[i], err})
		}
	}
	if len(later) > 0 {
		return r.postpone(ctx, p, later)
	}
	return r.finish(ctx, p)
}

// waiting is a destination that could not be reached, and why.
type waiting struct {
	destination
	cause error
}

// mayReport: it is switched on, there is a name to do it in, and the domain has not become ours since.
func (r *Reporter) mayReport(p *pending) bool {
	on := settings.ReportsDMARCSend
	if p.kind == TLS {
		on = settings.ReportsTLSSend
	}
	return on.Get(r.o.Settings) && r.o.Self() != "" && !r.isOurs(p.domain)
}

// contact is the address in From.
func (r *Reporter) contact() address.Address {
	if a, err := address.Parse(settings.ReportsContact.Get(r.o.Settings)); err == nil && r.o.Domains.IsLocalDomain(a.Domain) {
		return a
	}
	return address.Address{Local: "postmaster", Domain: r.o.Self()} // which every domain has (RFC 5321 4.5.1)
}

// IsContact reports whether a reverse-path is the one under which reports are sent.
func (r *Reporter) IsContact(reversePath string) bool {
	a, err := address.Parse(reversePath)
	return err == nil && r.o.Self() != "" && a.Key() == r.contact().Key()
}

// deliver brings a report to one destination and notes what came of it. An error may pass; it is tried again.
func (r *Reporter) deliver(ctx context.Context, p *pending, d *destination, c *composed) error {
	if d.unknown != nil {
		return d.unknown
	}
	if d.refused == "" && d.most > 0 && int64(len(c.packed)) > d.most {
		d.refused = fmt.Sprintf("takes %d bytes at most, the report has %d", d.most, len(c.packed))
	}
	if d.refused != "" {
		return r.note(ctx, p, *d, c, stateRefused, d.refused)
	}
	if d.post != "" {
		if err := r.post(ctx, d.post, c.packed); err != nil {
			return err
		}
		return r.note(ctx, p, *d, c, stateSent, "")
	}
	from := r.contact()
	l := &letter{kind: p.kind, from: from, to: d.mailbox, about: p.domain, self: r.o.Self(), date: r.o.Clock.Now(), report: c}
	message, err := l.compose()
	if err != nil {
		return err
	}
	err = r.o.Sender.Send(ctx, from, d.mailbox, message, func(tx *db.Tx) error { return r.noteTx(tx, p, *d, c, stateSent, "") })
	if problem := reply.From(err); err != nil && !problem.Temporary() {
		return r.note(ctx, p, *d, c, stateFailed, problem.Text)
	}
	return err
}

func (r *Reporter) note(ctx context.Context, p *pending, d destination, c *composed, state, why string) error {
	return r.o.DB.Write(ctx, func(tx *db.Tx) error { return r.noteTx(tx, p, d, c, state, why) })
}

func (r *Reporter) noteTx(tx *db.Tx, p *pending, d destination, c *composed, state, why string) error {
	var id string
	var total int64
	if c != nil {
		id, total = c.id, c.total
	}
	_, err := tx.Exec(`INSERT INTO report_sent (kind, day, domain, destination, state, report_id, at, total, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (kind, day, domain, destination) DO UPDATE SET state = excluded.state, at = excluded.at, note = excluded.note`,
		string(p.kind), int64(p.day), p.domain, cut(d.uri), state, id, r.o.Clock.Now().Unix(), total, cut(why))
	if err == nil {
		tx.OnCommit(func() {
			r.o.Log.Info("report", "kind", string(p.kind), "about", p.domain, "to", cut(d.uri), "result", state, "note", cut(why))
		})
	}
	return err
}

// settled are the destinations that have been dealt with.
func (r *Reporter) settled(ctx context.Context, p *pending) (map[string]bool, error) {
	rows, err := r.o.DB.Query(ctx, `SELECT destination FROM report_sent WHERE kind = ? AND day = ? AND domain = ?`, string(p.kind), int64(p.day), p.domain)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := map[string]bool{}
	for rows.Next() {
		var uri string
		if err := rows.Scan(&uri); err != nil {
			return nil, err
		}
		list[uri] = true
	}
	return list, rows.Err()
}

// postpone lets a report wait for another try, or gives it up when it has waited for long enough.
func (r *Reporter) postpone(ctx context.Context, p *pending, list []waiting) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, w := range list {
		r.o.Log.Warn("a report waits", "kind", string(p.kind), "about", p.domain, "to", cut(w.uri), "tries", p.tries+1, "error", w.cause)
	}
	if p.tries+1 >= maxTries {
		for _, w := range list {
			if err := r.note(ctx, p, w.destination, nil, stateFailed, w.cause.Error()); err != nil {
				return err
			}
		}
		return r.finish(ctx, p)
	}
	return r.o.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE report_seen_domains SET tries = tries + 1, next_try = ? WHERE kind = ? AND day = ? AND domain = ?`,
			r.o.Clock.Now().Add(again).Unix(), string(p.kind), int64(p.day), p.domain)
		return err
	})
}

// finish forgets what a report was made from.
func (r *Reporter) finish(ctx context.Context, p *pending) error {
	return r.o.DB.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(`DELETE FROM report_seen WHERE kind = ? AND day = ? AND domain = ?`, string(p.kind), int64(p.day), p.domain); err != nil {
			return err
		}
		n, err := tx.Exec(`DELETE FROM report_seen_domains WHERE kind = ? AND day = ? AND domain = ?`, string(p.kind), int64(p.day), p.domain)
		r.seen.addKnown(tx, seenDomain{kind: p.kind, day: p.day}, -n)
		return err
	})
}
