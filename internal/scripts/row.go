package scripts

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"postern/internal/db"
)

// castagnoli is the polynomial of the checksums. Read-only.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// columns are those of row, in its order.
const columns = `id, account, domain, role, name, size, active, changed, hash, crc`

// row is a script as it is stored, without its content.
type row struct {
	id      int64
	owner   Owner
	name    string
	size    int64
	active  bool
	changed int64 // Unix milliseconds
	hash    []byte
	crc     int64
}

// into gives the places for [columns], and for more behind them; active goes by way of a number.
func (r *row) into(active *int64, more ...any) []any {
	places := []any{&r.id, &r.owner.Account, &r.owner.Domain, &r.owner.Role, &r.name, &r.size, active, &r.changed, &r.hash, &r.crc}
	return append(places, more...)
}

func (r *row) scan(from db.Row, more ...any) error {
	var active int64
	err := from.Scan(r.into(&active, more...)...)
	r.active = active != 0
	return err
}

// sum is the checksum over the row.
func (r *row) sum() int64 {
	b := make([]byte, 0, 128)
	for _, n := range []int64{r.owner.Account, int64(r.owner.Role), r.size, number(r.active), r.changed} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	for _, text := range []string{r.owner.Domain, r.name} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	return int64(crc32.Checksum(append(b, r.hash...), castagnoli))
}

// check compares a row with its checksum.
func (r *row) check() error {
	if r.sum() != r.crc {
		return fmt.Errorf("sieve script %q of %s: %w: checksum", r.name, r.owner, ErrDamaged)
	}
	return nil
}

// checkContent compares a row and its content with their checksums.
func (r *row) checkContent(content []byte) error {
	if err := r.check(); err != nil {
		return err
	}
	if hash := sha256.Sum256(content); int64(len(content)) != r.size || !bytes.Equal(hash[:], r.hash) {
		return fmt.Errorf("sieve script %q of %s: %w: content", r.name, r.owner, ErrDamaged)
	}
	return nil
}

// find reads the row of a name; [db.ErrNoRows] if there is none.
func find(tx *db.Tx, o Owner, name string) (r row, err error) {
	return r, r.scan(tx.QueryRow(`SELECT `+columns+` FROM sieve_scripts WHERE account = ? AND domain = ? AND role = ? AND name = ?`,
		o.Account, o.Domain, int64(o.Role), name))
}

// update writes what may change of a row without its content.
func (r *row) update(tx *db.Tx) error {
	_, err := tx.Exec(`UPDATE sieve_scripts SET name = ?, active = ?, crc = ? WHERE id = ?`, r.name, number(r.active), r.sum(), r.id)
	return err
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
