package archive

import (
	"context"
	"fmt"
	"math"

	"postern/internal/db"
)

// Report is what [Archive.Verify] found.
type Report struct {
	// Checked traces were read.
	Checked int
	// Damage names what is not as it was written, a line each.
	Damage []string
}

// Verify reads every trace, compares it with its checksum, and compares the index with what the traces say. It may run
// beside a working server: each segment is read from one snapshot. progress may be nil.
func (a *Archive) Verify(ctx context.Context, progress func(done, total int)) (Report, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	v := &verifier{a: a, progress: progress}
	if err := a.writeIndex(ctx); err != nil {
		return v.report, err
	}
	v.indexed = a.unwritten.written()
	var first, last int64
	err := a.db.QueryRow(ctx, `SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), -1) FROM spam_traces`).Scan(&first, &last)
	if err != nil {
		return v.report, err
	}
	v.total = int(last - first + 1)
	for segment := segmentOf(first); segment <= segmentOf(last) && last >= 0; segment++ {
		if err := a.db.View(ctx, func(tx *db.ReadTx) error { return v.segment(ctx, tx, segment) }); err != nil {
			return v.report, err
		}
	}
	progress(v.report.Checked, v.report.Checked)
	return v.report, nil
}

type verifier struct {
	a        *Archive
	progress func(done, total int)
	report   Report
	total    int
	indexed  int64 // what the index has of traces from here on may wait in memory
}

func (v *verifier) damage(format string, args ...any) {
	v.report.Damage = append(v.report.Damage, fmt.Sprintf(format, args...))
}

// segment checks the rows of a segment and counts their entries in the index against those that are there. Only if the two
// sums differ is each entry looked for.
func (v *verifier) segment(ctx context.Context, tx *db.ReadTx, segment int64) error {
	first := int64(math.MaxInt64) // what the index has of older traces waits for its segment to go as a whole
	var want, have sum
	damaged := false
	err := v.rows(ctx, tx, segment, func(r row) {
		first = min(first, r.id)
		if v.report.Checked++; v.report.Checked%1000 == 0 {
			v.progress(v.report.Checked, max(v.total, v.report.Checked))
		}
		hashes, err := v.hashes(r)
		if err != nil {
			damaged = true
			v.damage("judgement %d: %v", r.id, err)
		}
		if r.id >= v.indexed {
			return
		}
		for _, h := range hashes {
			want.add(h, r.id)
		}
	})
	if err != nil || first == math.MaxInt64 {
		return err
	}
	if err := v.keys(tx, segment, first, &have); err != nil {
		return err
	}
	if have == want || damaged {
		return nil // what a damaged row should have in the index, nobody knows
	}
	missing, err := v.missing(ctx, tx, segment)
	if extra := have.n - want.n + missing; err == nil && extra > 0 {
		v.damage("index of judgements %d to %d: %d entries lead nowhere", first, (segment+1)<<segmentBits-1, extra)
	}
	return err
}

// sum is the same for the same entries in any order.
type sum struct {
	n   int
	mix uint64
}

func (s *sum) add(hash, trace int64) {
	x := uint64(hash)*0x9e3779b97f4a7c15 ^ uint64(trace)*0xc2b2ae3d27d4eb4f
	x ^= x >> 29
	s.n++
	s.mix += x * 0xbf58476d1ce4e5b9
}

// rows reads the rows of a segment.
func (v *verifier) rows(ctx context.Context, tx *db.ReadTx, segment int64, fn func(row)) error {
	rows, err := tx.Query(`SELECT id, at, crc, trace FROM spam_traces WHERE id >= ? AND id < ? ORDER BY id`, segment<<segmentBits, (segment+1)<<segmentBits)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.at, &r.crc, &r.stored); err != nil {
			return err
		}
		fn(r)
	}
	return rows.Err()
}

func (v *verifier) hashes(r row) ([]int64, error) {
	t, err := v.a.open(r)
	if err != nil {
		return nil, err
	}
	return appendHashes(nil, t), nil
}

func (v *verifier) keys(tx *db.ReadTx, segment, first int64, have *sum) error {
	rows, err := tx.Query(`SELECT hash, trace FROM spam_trace_keys WHERE segment = ?`, segment)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var hash, trace int64
		if err := rows.Scan(&hash, &trace); err != nil {
			return err
		}
		if trace >= first && trace < v.indexed {
			have.add(hash, trace)
		}
	}
	return rows.Err()
}

// missing names the traces that the index does not lead to, and counts the entries that lack.
func (v *verifier) missing(ctx context.Context, tx *db.ReadTx, segment int64) (n int, err error) {
	var entries []key
	if err := v.rows(ctx, tx, segment, func(r row) {
		if r.id >= v.indexed {
			return
		}
		hashes, _ := v.hashes(r)
		for _, h := range hashes {
			entries = append(entries, key{segment, h, r.id})
		}
	}); err != nil {
		return 0, err
	}
	for _, e := range entries {
		var one int64
		err := tx.QueryRow(`SELECT 1 FROM spam_trace_keys WHERE segment = ? AND hash = ? AND trace = ?`, e.segment, e.hash, e.trace).Scan(&one)
		if isNone(err) {
			n++
			v.damage("judgement %d: the index lacks it", e.trace)
		} else if err != nil {
			return n, err
		}
	}
	return n, nil
}
