package scripts

import "context"

// Report is what [Store.Verify] found.
type Report struct {
	// Checked scripts were read.
	Checked int
	// Damage names what is not as it was written, a line each.
	Damage []string
}

// verifyRows is how many scripts are read at a time.
const verifyRows = 100

// Verify reads every script and compares it with its checksums. It may run beside a working server. progress may be nil.
func (s *Store) Verify(ctx context.Context, progress func(done, total int)) (Report, error) {
	if progress == nil {
		progress = func(int, int) {}
	}
	var report Report
	var total int
	if err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM sieve_scripts`).Scan(&total); err != nil {
		return report, err
	}
	for last := int64(0); ; {
		before := report.Checked
		if err := s.verifyAfter(ctx, &last, &report); err != nil {
			return report, err
		}
		progress(report.Checked, max(total, report.Checked))
		if report.Checked == before {
			return report, nil
		}
	}
}

// verifyAfter checks the scripts behind an id, some at a time, and notes the last.
func (s *Store) verifyAfter(ctx context.Context, last *int64, report *Report) error {
	rows, err := s.db.Query(ctx, `SELECT `+columns+`, content FROM sieve_scripts WHERE id > ? ORDER BY id LIMIT ?`, *last, int64(verifyRows))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var content []byte
		if err := r.scan(rows, &content); err != nil {
			return err
		}
		*last = r.id
		report.Checked++
		if err := r.checkContent(content); err != nil {
			report.Damage = append(report.Damage, err.Error())
		}
	}
	return rows.Err()
}
