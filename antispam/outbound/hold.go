package outbound

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"postern/internal/db"
)

func byAddress(a, b Hold) int {
	return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Account, b.Account))
}

func readHolds(ctx context.Context, d *db.DB) ([]Hold, error) {
	rows, err := d.Query(ctx, `SELECT account, address, since, reason FROM outbound_holds`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Hold
	for rows.Next() {
		var h Hold
		var since int64
		if err := rows.Scan(&h.Account, &h.Address, &since, &h.Reason); err != nil {
			return nil, err
		}
		h.Since = time.Unix(since, 0).UTC()
		list = append(list, h)
	}
	return list, rows.Err()
}

func writeHold(ctx context.Context, d *db.DB, h Hold) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO outbound_holds (account, address, since, reason) VALUES (?, ?, ?, ?) ON CONFLICT (account) DO NOTHING`,
			h.Account, h.Address, h.Since.Unix(), h.Reason)
		return err
	})
}

func deleteHold(ctx context.Context, d *db.DB, account int64) error {
	return d.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM outbound_holds WHERE account = ?`, account)
		return err
	})
}

// Alert tells what happened and how it is mended.
func (h Hold) Alert() Alert {
	return Alert{Hold: h, Title: h.Address + " is on hold: it sends as no person does", Text: fmt.Sprintf("%[1]s sent more than it may: %[2]s. "+
		"Somebody else may have its password. What it sends to others is taken meanwhile and waits in the queue, held; mail to it goes on. "+
		"Look at what waits with `postern queue list --held --from %[1]s`. If it was not the owner, give it another password with `postern user password %[1]s`, "+
		"and remove what waits with `postern queue drop --from %[1]s`; if it was, let it go with `postern queue release --from %[1]s`. "+
		"Then lift the hold with `postern user lift %[1]s`.", h.Address, h.Reason)}
}
