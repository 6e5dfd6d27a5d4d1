package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"postern/internal/db"
	"postern/internal/verdict"
)

// Query says which traces are wanted. What is set must all hold; nothing set means all.
type Query struct {
	// ID is a transaction's, MessageID one with or without its brackets.
	ID, MessageID string
	// Accounts and Address are recipients: those of one of the accounts, and with the address. Address alone finds only
	// recipients that are no account's; whoever asks resolves the others.
	Accounts []int64
	Address  string
	// From is an address of the envelope or the From field, or a domain with its subdomains.
	From string
	// Action was done with some recipient's copy.
	Action verdict.Action
	// Since and Until bound the time of storing, Until exclusively; zero does not.
	Since, Until time.Time
	// Before pages on: only traces before this number, the last page's Next.
	Before int64
	// Limit is how many at most; 0 means 100, and 1,000 is the most.
	Limit int
}

// Entry is a stored trace.
type Entry struct {
	// Number rises with the time of storing.
	Number int64
	Stored time.Time
	Trace  *verdict.Trace
}

// Page is a part of an answer, latest first.
type Page struct {
	Entries []Entry
	// Next is where the next page begins; 0 when there is none. A page may be empty and yet have a next: what one call
	// looks at is bounded.
	Next int64
	// Examined traces were looked at, Damaged ones were among them and cannot be read.
	Examined, Damaged int
}

const (
	// examineAtMost traces are looked at for one page.
	examineAtMost = 5000
	// readAtOnce rows are read with one statement.
	readAtOnce = 100
)

// Find gives the latest traces that the query describes. By transaction, Message-ID or recipient it reads only those that
// the index names; otherwise it walks back through the time that is asked for. It shows nothing of removed accounts: not
// their part of a trace, and no trace of theirs alone.
func (a *Archive) Find(ctx context.Context, q Query) (Page, error) {
	f := &finder{a: a, ctx: ctx, q: q}
	if q.Limit <= 0 {
		f.q.Limit = 100
	}
	f.q.Limit = min(f.q.Limit, 1000)
	var err error
	if f.first, err = a.firstSince(ctx, q.Since); err != nil {
		return Page{}, err
	}
	f.before = a.end.Load()
	if !q.Until.IsZero() {
		if f.before, err = a.firstSince(ctx, q.Until); err != nil {
			return Page{}, err
		}
	}
	if q.Before > 0 {
		f.before = min(f.before, q.Before)
	}
	if hashes := q.hashes(); len(hashes) > 0 {
		err = f.byHash(hashes)
	} else {
		err = f.byTime()
	}
	return f.page, err
}

// hashes are those of the index entries that lead to what is asked for, of the most telling kind.
func (q *Query) hashes() (list []int64) {
	switch {
	case q.ID != "":
		return append(list, hash(ofTransaction, q.ID))
	case q.MessageID != "":
		return append(list, hash(ofMessageID, messageID(q.MessageID)))
	}
	for _, account := range q.Accounts {
		list = append(list, hashAccount(account))
	}
	if q.Address != "" {
		list = append(list, hashAddress(q.Address))
	}
	return list
}

// finder fills a page.
type finder struct {
	a             *Archive
	ctx           context.Context
	q             Query
	first, before int64
	page          Page
}

// byTime walks back through the rows.
func (f *finder) byTime() error {
	for f.before > f.first {
		rows, err := f.a.read(f.ctx, `SELECT id, at, crc, trace FROM spam_traces WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 100`, f.first, f.before)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if f.take(r) {
				return nil
			}
		}
	}
	return nil
}

// byHash reads what the index names, segment by segment from the latest on.
func (f *finder) byHash(hashes []int64) error {
	oldest := f.a.unwritten.oldest()
	var written int64
	err := f.a.db.QueryRow(f.ctx, `SELECT segment FROM spam_trace_keys ORDER BY segment LIMIT 1`).Scan(&written)
	switch {
	case err == nil:
		oldest = min(oldest, written)
	case !errors.Is(err, db.ErrNoRows):
		return err
	case oldest == math.MaxInt64:
		return nil
	}
	f.first = max(f.first, oldest<<segmentBits)
	for f.before > f.first {
		ids, err := f.named(hashes, segmentOf(f.before-1))
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			f.before = segmentOf(f.before-1) << segmentBits
			continue
		}
		for _, id := range ids {
			rows, err := f.a.read(f.ctx, `SELECT id, at, crc, trace FROM spam_traces WHERE id = ?`, id)
			if err != nil {
				return err
			}
			f.before = id
			if len(rows) > 0 && f.take(rows[0]) {
				return nil
			}
		}
	}
	return nil
}

// named gives the latest ids of one segment that lie in range and carry one of the hashes.
func (f *finder) named(hashes []int64, segment int64) (ids []int64, err error) {
	waiting := f.a.unwritten.find(hashes, segment, f.first, f.before) // first: what is written meanwhile is then seen twice
	if ids, err = f.written(hashes, segment); err != nil {
		return nil, err
	}
	ids = append(ids, waiting...)
	slices.SortFunc(ids, func(x, y int64) int { return cmp.Compare(y, x) })
	ids = slices.Compact(ids)
	return ids[:min(len(ids), readAtOnce)], nil
}

// written is what the table of the index says, up to 100 ids for each hash.
func (f *finder) written(hashes []int64, segment int64) (ids []int64, err error) {
	for _, h := range hashes {
		rows, err := f.a.db.Query(f.ctx, `SELECT trace FROM spam_trace_keys WHERE segment = ? AND hash = ? AND trace >= ? AND trace < ?
			ORDER BY trace DESC LIMIT 100`, segment, h, f.first, f.before)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				rows.Close()
				return nil, err
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// take looks at a row and reports whether the page ends with it.
func (f *finder) take(r row) (full bool) {
	f.before = r.id
	f.page.Examined++
	t, err := f.a.open(r)
	switch {
	case err != nil:
		f.page.Damaged++
		f.a.log.Warn("a stored judgement cannot be read", "number", r.id, "error", err)
	case f.a.hide(t) && f.q.describes(t):
		f.page.Entries = append(f.page.Entries, Entry{Number: r.id, Stored: time.UnixMilli(r.at).UTC(), Trace: t})
	}
	if len(f.page.Entries) < f.q.Limit && f.page.Examined < examineAtMost {
		return false
	}
	if r.id > f.first {
		f.page.Next = r.id
	}
	return true
}

// describes compares a trace with the query, since a hash or a text in it may mean another.
func (q *Query) describes(t *verdict.Trace) bool {
	if q.ID != "" && t.ID != q.ID || q.MessageID != "" && messageID(t.MessageID) != messageID(q.MessageID) {
		return false
	}
	if q.From != "" && !isFrom(t.From, q.From) && !isFrom(t.Author, q.From) {
		return false
	}
	return slices.ContainsFunc(t.Recipients, q.describesRecipient) || len(t.Recipients) == 0 && q.Action == "" && len(q.Accounts) == 0 && q.Address == ""
}

func (q *Query) describesRecipient(r verdict.Recipient) bool {
	if len(q.Accounts) > 0 && r.Account != 0 && !slices.Contains(q.Accounts, r.Account) {
		return false
	}
	if len(q.Accounts) > 0 && r.Account == 0 && q.Address == "" {
		return false
	}
	if q.Address != "" && addressKey(r.Address) != addressKey(q.Address) {
		return false
	}
	return q.Action == "" || r.Verdict.Action == q.Action
}

// isFrom reports whether an address is the one asked for, or of the domain asked for or one below it.
func isFrom(have, want string) bool {
	if strings.Contains(want, "@") {
		return addressKey(have) == addressKey(want)
	}
	domain, want := domainOf(have), domainOf(want)
	return domain == want || strings.HasSuffix(domain, "."+want)
}

// domainOf is what stands behind the last @, or the whole.
func domainOf(text string) string { return strings.ToLower(text[strings.LastIndexByte(text, '@')+1:]) }

// row is a row of spam_traces.
type row struct {
	id, at, crc int64
	stored      []byte
}

func (a *Archive) read(ctx context.Context, query string, args ...any) (list []row, err error) {
	rows, err := a.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.at, &r.crc, &r.stored); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, errors.Join(rows.Err(), rows.Close())
}

// open checks a row and gives its trace.
func (a *Archive) open(r row) (*verdict.Trace, error) {
	if rowCRC(r.id, r.at, r.stored) != r.crc {
		return nil, fmt.Errorf("%w: checksum", ErrDamaged)
	}
	return a.codec.unpack(r.stored)
}
