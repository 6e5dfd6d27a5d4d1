package reports

import (
	"context"

	"postern/internal/db"
	"postern/internal/settings"
)

// pruneAtOnce is how many reports one transaction removes.
const pruneAtOnce = 20

// Prune removes what was kept for as long as the setting reports.keep says.
func (r *Reporter) Prune(ctx context.Context) error {
	before := r.o.Clock.Now().Add(-settings.ReportsKeep.Get(r.o.Settings)).Unix()
	for {
		ids, err := r.olderThan(ctx, before)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			break
		}
		err = r.o.DB.Write(ctx, func(tx *db.Tx) error {
			for _, id := range ids {
				if err := removeTx(tx, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return r.o.DB.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(`DELETE FROM report_sent WHERE at < ?`, before); err != nil {
			return err
		}
		_, err := tx.Exec(`DELETE FROM report_days WHERE day < ?`, before/secondsPerDay)
		return err
	})
}

func (r *Reporter) olderThan(ctx context.Context, before int64) (ids []int64, err error) {
	rows, err := r.o.DB.Query(ctx, `SELECT id FROM reports WHERE received < ? ORDER BY received LIMIT ?`, before, int64(pruneAtOnce))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
