package reports

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"postern/internal/db"
)

// Bounds of what is gathered for others.
const (
	// maxSeenRows is how many different rows a report of ours has; further messages are counted and not told one by one.
	maxSeenRows = 5000
	// maxSeenDomains is how many domains a day has, for each kind of report.
	maxSeenDomains = 20000
	// maxUnwritten bounds the rows in memory.
	maxUnwritten = 20000
	// flushEvery is how much a crash may lose.
	flushEvery = 5 * time.Second
	// flushAtOnce is how many rows one transaction takes, so that others do not wait for long.
	flushAtOnce = 200
)

// seenDomain is what one report of ours will be about.
type seenDomain struct {
	kind   Kind
	day    day
	domain string
}

// gathered are counts on their way to the database.
type gathered struct {
	mu      sync.Mutex
	domains map[seenDomain]*unwritten
	rows    int    // in all domains
	lost    int64  // messages and sessions that there was no room for
	scratch []byte // the key of the observation at hand

	// known is how many domains a day has in the database. Only the committer and load touch it.
	known map[seenDomain]int64 // with domain ""
}

// unwritten are the counts for one domain.
type unwritten struct {
	record string
	rows   map[string]*seenRow // by their key
}

type seenRow struct {
	detail string
	count  int64
}

// load counts what is in the database already.
func (g *gathered) load(ctx context.Context, d *db.DB) error {
	g.domains, g.known = map[seenDomain]*unwritten{}, map[seenDomain]int64{}
	rows, err := d.Query(ctx, `SELECT kind, day, count(*) FROM report_seen_domains GROUP BY kind, day`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var on, n int64
		if err := rows.Scan(&kind, &on, &n); err != nil {
			return err
		}
		g.known[seenDomain{kind: Kind(kind), day: day(on)}] = n
	}
	return rows.Err()
}

// count adds one to the row that scratch names; false when there is none yet. The latest record is the one that is told
// of. The caller holds mu.
func (g *gathered) count(at seenDomain, record string) bool {
	u := g.domains[at]
	if u == nil {
		return false
	}
	u.record = record
	row := u.rows[string(g.scratch)]
	if row == nil {
		return false
	}
	row.count++
	return true
}

// put makes the row that scratch names. The caller holds mu.
func (g *gathered) put(at seenDomain, record string, detail any) {
	text, err := json.Marshal(detail)
	if err != nil || at.domain == "" || g.rows >= maxUnwritten {
		g.lost++
		return
	}
	u := g.domains[at]
	if u == nil {
		u = &unwritten{rows: map[string]*seenRow{}}
		g.domains[at] = u
	}
	u.record = record
	u.rows[string(g.scratch)] = &seenRow{detail: string(text), count: 1}
	g.rows++
}

// take gives what waits and starts anew.
func (g *gathered) take() (domains map[seenDomain]*unwritten, lost int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	domains, lost = g.domains, g.lost
	g.domains, g.rows, g.lost = map[seenDomain]*unwritten{}, 0, 0
	return domains, lost
}

// giveBack is for what could not be written.
func (g *gathered) giveBack(at seenDomain, u *unwritten) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.domains[at]
	if now == nil {
		g.domains[at] = u
		g.rows += len(u.rows)
		return
	}
	for key, row := range u.rows {
		if same := now.rows[key]; same != nil {
			same.count += row.count
		} else {
			now.rows[key] = row
			g.rows++
		}
	}
}

// flushAlways writes the counts every few seconds.
func (r *Reporter) flushAlways(ctx context.Context) {
	timer := r.o.Clock.NewTimer(flushEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C():
		}
		if err := r.Flush(ctx); err != nil && ctx.Err() == nil {
			r.o.Log.Error("what was gathered for reports cannot be written yet", "error", err)
		}
		timer.Reset(flushEvery)
	}
}

// Flush writes what has been counted to the database.
func (r *Reporter) Flush(ctx context.Context) error {
	domains, lost := r.seen.take()
	if lost > 0 {
		r.o.Log.Warn("too much to report: some messages or sessions are not in our reports", "count", lost)
	}
	var errs error
	batch, size := map[seenDomain]*unwritten{}, 0
	write := func() {
		err := r.o.DB.Write(ctx, func(tx *db.Tx) error { return r.seen.writeTx(tx, batch) })
		if err != nil {
			errs = errors.Join(errs, err)
			for at, u := range batch {
				r.seen.giveBack(at, u)
			}
		}
		batch, size = map[seenDomain]*unwritten{}, 0
	}
	for at, u := range domains {
		for len(u.rows) > 0 {
			n := min(len(u.rows), flushAtOnce-size)
			batch[at] = u.split(n)
			if size += n; size == flushAtOnce {
				write()
			}
		}
	}
	if size > 0 {
		write()
	}
	return errs
}

// split takes n rows out.
func (u *unwritten) split(n int) *unwritten {
	if n == len(u.rows) {
		part := &unwritten{record: u.record, rows: u.rows}
		u.rows = nil
		return part
	}
	part := &unwritten{record: u.record, rows: make(map[string]*seenRow, n)}
	for key, row := range u.rows {
		if len(part.rows) == n {
			break
		}
		part.rows[key] = row
		delete(u.rows, key)
	}
	return part
}

func (g *gathered) writeTx(tx *db.Tx, batch map[seenDomain]*unwritten) error {
	for at, u := range batch {
		if err := g.writeDomainTx(tx, at, u); err != nil {
			return err
		}
	}
	return nil
}

func (g *gathered) writeDomainTx(tx *db.Tx, at seenDomain, u *unwritten) error {
	var records, beyond int64
	err := tx.QueryRow(`SELECT records FROM report_seen_domains WHERE kind = ? AND day = ? AND domain = ?`, string(at.kind), int64(at.day), at.domain).Scan(&records)
	if errors.Is(err, db.ErrNoRows) {
		ofDay := seenDomain{kind: at.kind, day: at.day}
		if g.known[ofDay] >= maxSeenDomains {
			return nil // a day with so many domains is an attack; their owners can do without
		}
		g.addKnown(tx, ofDay, 1)
	} else if err != nil {
		return err
	}
	for key, row := range u.rows {
		fresh, err := writeRowTx(tx, at, key, row, records < maxSeenRows)
		switch {
		case err != nil:
			return err
		case fresh && records < maxSeenRows:
			records++
		case fresh:
			beyond += row.count
		}
	}
	_, err = tx.Exec(`INSERT INTO report_seen_domains (kind, day, domain, record, records, cut, next_try, tries) VALUES (?, ?, ?, ?, ?, ?, 0, 0)
		ON CONFLICT (kind, day, domain) DO UPDATE SET record = excluded.record, records = excluded.records, cut = report_seen_domains.cut + excluded.cut`,
		string(at.kind), int64(at.day), at.domain, u.record, records, beyond)
	return err
}

// addKnown counts domains that a transaction makes or removes.
func (g *gathered) addKnown(tx *db.Tx, ofDay seenDomain, n int64) {
	change := func(n int64) {
		if g.known[ofDay] += n; g.known[ofDay] <= 0 {
			delete(g.known, ofDay)
		}
	}
	change(n)
	tx.OnRollback(func() { change(-n) })
}

// writeRowTx adds to a row, or makes it where there is room. Fresh: it was not there.
func writeRowTx(tx *db.Tx, at seenDomain, key string, row *seenRow, room bool) (fresh bool, err error) {
	hash := sha256.Sum256([]byte(key))
	n, err := tx.Exec(`UPDATE report_seen SET count = count + ? WHERE kind = ? AND day = ? AND domain = ? AND hash = ?`,
		row.count, string(at.kind), int64(at.day), at.domain, hash[:16])
	if err != nil || n > 0 || !room {
		return n == 0, err
	}
	_, err = tx.Exec(`INSERT INTO report_seen (kind, day, domain, hash, detail, count) VALUES (?, ?, ?, ?, ?, ?)`,
		string(at.kind), int64(at.day), at.domain, hash[:16], row.detail, row.count)
	return true, err
}
