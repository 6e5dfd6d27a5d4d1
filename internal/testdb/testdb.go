// Package testdb gives a test databases: SQLite in a folder of the test's own, and PostgreSQL, which package testpg starts.
// What SQL does is tested on both. A package that asks for PostgreSQL more than once has its TestMain call [Main].
package testdb

import (
	"path/filepath"
	"testing"

	"postern/internal/db"
	"postern/internal/testpg"
)

// Main is what a package's TestMain returns to os.Exit: the tests share one PostgreSQL.
func Main(m *testing.M) int { return testpg.Main(m) }

// SQLite gives the URL of a new, empty database.
func SQLite(t testing.TB) string { return SQLiteIn(t.TempDir()) }

// SQLiteIn gives the URL of the database in a folder, which may be there already.
func SQLiteIn(dir string) string { return "sqlite:" + filepath.Join(dir, "postern.db") }

// OnBoth runs a test with the URL of a new, empty database of each kind. Without PostgreSQL on the machine that half is
// skipped, or in CI fails.
func OnBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, testpg.Database(t)) })
}

// Open opens a database, which is closed in the end if the test did not do it. A fixture whose parts write when they are
// closed opens and closes its database itself.
func Open(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
