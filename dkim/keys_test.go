package dkim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"postern/dkim"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/testdb"
)

func openKeys(t *testing.T, url string, c clock.Clock) (*db.DB, *dkim.Keys) {
	t.Helper()
	d := testdb.Open(t, url)
	keys, err := dkim.OpenKeys(t.Context(), d, c)
	if err != nil {
		t.Fatal(err)
	}
	return d, keys
}

func states(t *testing.T, keys *dkim.Keys, domain string) string {
	t.Helper()
	all, err := keys.Of(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, k := range all {
		list = append(list, k.Selector+"="+string(k.State))
	}
	return strings.Join(list, " ")
}

func TestKeysAreKeptAndRotated(t *testing.T) {
	url := testdb.SQLite(t)
	c := clock.NewManual(now)
	d, keys := openKeys(t, url, c)
	write := func(fn func(tx *db.Tx) error) {
		t.Helper()
		if err := d.Write(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	first, err := keys.Generate(t.Context(), "Example.test")
	if err != nil {
		t.Fatal(err)
	}
	if states(t, keys, "example.test") != "" {
		t.Error("keys are there before they are stored")
	}
	if err := d.Write(t.Context(), func(tx *db.Tx) error {
		return errors.Join(keys.InsertTx(tx, first), errors.New("no"))
	}); err == nil || states(t, keys, "example.test") != "" {
		t.Error("keys of a transaction that failed are there")
	}
	write(func(tx *db.Tx) error { return keys.InsertTx(tx, first) })
	if got := states(t, keys, "EXAMPLE.test"); got != "20251124-rsa=active 20251124-ed25519=active" {
		t.Errorf("a domain's first keys: %s", got)
	}
	second, err := keys.Generate(t.Context(), "example.test")
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Hour)
	write(func(tx *db.Tx) error { return keys.InsertTx(tx, second) })
	signing, err := keys.Signing(t.Context(), "example.test")
	if err != nil || len(signing) != 2 || signing[0] != first[0] {
		t.Errorf("pending keys sign: %v, %v", signing, err)
	}
	write(func(tx *db.Tx) error {
		return errors.Join(keys.SetStateTx(tx, "example.test", "20251124-rsa-2", dkim.Active), keys.SetStateTx(tx, "Example.test", "20251124-rsa", dkim.Retired))
	})
	want := "20251124-rsa=retired 20251124-ed25519=active 20251124-rsa-2=active 20251124-ed25519-2=pending"
	if got := states(t, keys, "example.test"); got != want {
		t.Errorf("after a rotation: %s", got)
	}
	write(func(tx *db.Tx) error { return keys.RemoveTx(tx, "example.test", "20251124-rsa") })
	if err := d.Write(t.Context(), func(tx *db.Tx) error { return keys.RemoveTx(tx, "example.test", "20251124-rsa") }); !errors.Is(err, dkim.ErrNoKey) {
		t.Errorf("removing what is not there: %v", err)
	}
	signing, _ = keys.Signing(t.Context(), "example.test")
	before := sign(t, signing, "", sample)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}

	// After a restart the same keys sign.
	d, keys = openKeys(t, url, c)
	signing, err = keys.Signing(t.Context(), "example.test")
	if err != nil || len(signing) != 2 {
		t.Fatalf("%v, %v", signing, err)
	}
	z := zone{}
	for _, k := range signing {
		text, err := k.Record()
		if err != nil {
			t.Fatal(err)
		}
		z[k.RecordName()] = []string{text}
	}
	mustPass(t, before, z)
	mustPass(t, sign(t, signing, "", sample), z)
	write(func(tx *db.Tx) error { return keys.RemoveDomainTx(tx, "example.test") })
	if got := states(t, keys, "example.test"); got != "" {
		t.Errorf("after the domain was removed: %s", got)
	}
}
