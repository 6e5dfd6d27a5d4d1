package reputation

import (
	"context"
	"os"
	"testing"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
	"postern/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

var testEpoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture is a database with everything open on it.
type fixture struct {
	*Senders
	*Correspondents
	*Greylist
	t       testing.TB
	url     string
	db      *db.DB
	clock   *clock.Manual
	options Options
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	testdb.OnBoth(t, func(t *testing.T, url string) { fn(t, newFixture(t, url)) })
}

func onSQLite(t testing.TB) *fixture {
	t.Helper()
	return newFixture(t, testdb.SQLite(t))
}

func newFixture(t testing.TB, url string) *fixture {
	t.Helper()
	f := &fixture{t: t, url: url, clock: clock.NewManual(testEpoch)}
	f.options = Options{Settings: settings.Defaults(), Secret: []byte("a secret"), Clock: f.clock}
	f.open()
	t.Cleanup(func() { f.close() })
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) open() {
	f.t.Helper()
	var err error
	f.db, err = db.Open(context.Background(), db.Options{URL: f.url})
	f.must(err)
	f.options.DB = f.db
	f.Senders, err = OpenSenders(context.Background(), f.options)
	f.must(err)
	f.Correspondents, err = OpenCorrespondents(f.options)
	f.must(err)
	f.Greylist, err = OpenGreylist(context.Background(), f.options)
	f.must(err)
}

func (f *fixture) close() {
	f.t.Helper()
	f.must(f.Senders.Close())
	f.must(f.Greylist.Close())
	f.must(f.db.Close())
}

func (f *fixture) reopen() {
	f.t.Helper()
	f.close()
	f.open()
}

// cutPower closes the database under those who would still write.
func (f *fixture) cutPower() {
	f.t.Helper()
	f.must(f.db.Close())
	f.Senders.ledger.stop()
	f.Greylist.ledger.stop()
	f.open()
}

func (f *fixture) set(name, value string) {
	f.t.Helper()
	f.must(f.options.Settings.Set(context.Background(), name, value))
}

func (f *fixture) look(keys ...Key) []Standing {
	f.t.Helper()
	out := make([]Standing, len(keys))
	f.must(f.Look(context.Background(), keys, out))
	return out
}

// rows counts what a table holds and compares that with the count that is kept.
func (f *fixture) rows(l *ledger) int64 {
	f.t.Helper()
	var n, kept int64
	f.must(f.db.QueryRow(context.Background(), `SELECT count(*) FROM `+l.table).Scan(&n))
	f.must(f.db.QueryRow(context.Background(), `SELECT row_number FROM reputation_tables WHERE name = ?`, l.table).Scan(&kept))
	if l.mu.Lock(); kept != n || l.rows != n {
		f.t.Errorf("%s holds %d rows, and %d (%d in memory) are counted", l.table, n, kept, l.rows)
	}
	l.mu.Unlock()
	return n
}
