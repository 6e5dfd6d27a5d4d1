package db

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestALogOfFullLengthHoldsWhatIsCommittedOverACrash(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	d, err := Open(context.Background(), Options{URL: "sqlite:" + path, MaxWAL: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 4<<20 {
		t.Fatalf("the log: %v, %v", info, err)
	}
	err = d.Write(context.Background(), func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO once_keys (id, account, key, at, mailbox, uidvalidity, uid) VALUES (1, 1, ?, 0, 0, 0, 0)`, []byte("k"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// A copy of the files as they lie is what a crash leaves.
	copied := t.TempDir()
	for _, name := range []string{"a.db", "a.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(context.Background(), Options{URL: "sqlite:" + filepath.Join(copied, "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	var n int
	if err := again.QueryRow(context.Background(), `SELECT count(*) FROM once_keys`).Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
}
