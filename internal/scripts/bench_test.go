package scripts

import (
	"fmt"
	"strings"
	"testing"

	"postern/internal/db"
	"postern/internal/testdb"
)

// BenchmarkActive asks for the script to run as a delivery does, with few and with many accounts that have one.
func BenchmarkActive(b *testing.B) {
	for _, accounts := range []int64{10, 10_000} {
		s := newShelf(b, testdb.SQLite(b))
		content := strings.Repeat("keep;\r\n", 700)
		err := s.db.Write(b.Context(), func(tx *db.Tx) error {
			for i := range accounts {
				r := row{owner: Of(i + 1), name: "main", size: int64(len(content)), active: true, hash: make([]byte, 32)}
				_, err := tx.Exec(`INSERT INTO sieve_scripts (account, domain, role, name, size, active, changed, hash, crc, content) VALUES (?, '', 0, 'main', ?, 1, 0, ?, ?, ?)`,
					r.owner.Account, r.size, r.hash, r.sum(), []byte(content))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		s.reopen()
		s.put(Of(accounts), "main", content)
		for name, account := range map[string]int64{"its script": accounts, "nothing": accounts + 1} {
			b.Run(fmt.Sprintf("%d accounts, %s", accounts, name), func(b *testing.B) {
				b.ReportAllocs()
				_, _, _ = s.Active(b.Context(), Of(account)) // into the cache
				for b.Loop() {
					if _, ok, err := s.Active(b.Context(), Of(account)); err != nil || ok != (account == accounts) {
						b.Fatal(ok, err)
					}
				}
			})
		}
	}
}
