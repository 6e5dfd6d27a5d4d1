package db

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"log/slog"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"

	"postern/internal/testenv"
	"postern/internal/testpg"
)

// The schema is frozen by adding the file migrations/FROM: from that commit on each commit that changed the folder is
// a schema that somebody may have, and must migrate to today's with its rows kept. Before it exists only today's counts.
const (
	migrationsFolder = "internal/db/migrations"
	frozenBy         = migrationsFolder + "/FROM"
)

// git runs git in the source tree.
func git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(testenv.Need(t, "git")[0], args...)
	cmd.Dir = testenv.Repository()
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		testenv.Missing(t, "the repository's history (git %s: %v: %s)", strings.Join(args, " "), err, complaints.String())
	}
	return strings.TrimSpace(string(out))
}

// schemas lists the commits whose schema counts, oldest first.
func schemas(t *testing.T) []string {
	t.Helper()
	frozen := strings.Fields(git(t, "log", "--reverse", "--diff-filter=A", "--format=%H", "--", frozenBy))
	if len(frozen) == 0 {
		return nil
	}
	commits := strings.Fields(git(t, "log", "--reverse", "--format=%H", "--", migrationsFolder))
	return commits[slices.Index(commits, frozen[0]):]
}

// filesOf gives the migrations of a commit.
func filesOf(t *testing.T, commit string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range strings.Fields(git(t, "ls-tree", "--name-only", commit, migrationsFolder+"/")) {
		if strings.HasSuffix(name, ".sql") {
			files[path.Base(name)] = &fstest.MapFile{Data: []byte(git(t, "show", commit+":"+name))}
		}
	}
	return files
}

func TestEveryCommittedSchemaMigratesToTodaysAndKeepsItsRows(t *testing.T) {
	fromFiles(t, "today", embedded())
	for _, commit := range schemas(t) {
		fromFiles(t, commit[:12], filesOf(t, commit))
	}
}

func fromFiles(t *testing.T, name string, files fs.FS) {
	t.Run(name+"/SQLite", func(t *testing.T) {
		dir := t.TempDir()
		checkMigration(t, files, SQLite, openRaw(t, "sqlite", filepath.Join(dir, "old.db")), openRaw(t, "sqlite", filepath.Join(dir, "new.db")))
	})
	t.Run(name+"/PostgreSQL", func(t *testing.T) {
		checkMigration(t, files, PostgreSQL, openRaw(t, "pgx", testpg.Database(t)), openRaw(t, "pgx", testpg.Database(t)))
	})
}

func openRaw(t *testing.T, driver, source string) *sql.DB {
	t.Helper()
	conn, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func checkMigration(t *testing.T, files fs.FS, dialect Dialect, old, fresh *sql.DB) {
	quiet := Options{Log: slog.New(slog.DiscardHandler)}
	if err := migrate(ctx, old, dialect, files, quiet); err != nil {
		t.Fatalf("the old files: %v", err)
	}
	then := columns(t, old, dialect)
	rows := 0
	for table, cols := range then {
		rows += fillTable(t, old, dialect, table, cols)
	}
	if rows < len(then) {
		t.Fatalf("only %d made-up rows were taken by %d tables", rows, len(then))
	}
	before := contents(t, old, then)
	if err := migrate(ctx, old, dialect, embedded(), quiet); err != nil {
		t.Fatalf("to today's: %v", err)
	}
	if err := migrate(ctx, fresh, dialect, embedded(), quiet); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(columns(t, fresh, dialect), columns(t, old, dialect)); d != "" {
		t.Errorf("a migrated schema is not a fresh one (-fresh +migrated):\n%s", d)
	}
	if d := cmp.Diff(indexes(t, fresh, dialect), indexes(t, old, dialect)); d != "" {
		t.Errorf("indexes (-fresh +migrated):\n%s", d)
	}
	if d := cmp.Diff(before, contents(t, old, then)); d != "" {
		t.Errorf("rows changed:\n%s", d)
	}
}

// column is what a schema says of one.
type column struct {
	Name, Type string
	NotNull    bool
}

func queryStrings(t *testing.T, conn *sql.DB, query string, args ...any) (out [][]string) {
	t.Helper()
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		line := make([]string, len(names))
		for i, v := range values {
			line[i] = v.String
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// columns lists the tables' columns by name.
func columns(t *testing.T, conn *sql.DB, dialect Dialect) map[string][]column {
	t.Helper()
	query := `SELECT m.name, p.name, p.type, p."notnull" FROM sqlite_master m, pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, p.name`
	if dialect == PostgreSQL {
		query = `SELECT table_name, column_name, data_type, CASE WHEN is_nullable = 'NO' THEN '1' ELSE '0' END FROM information_schema.columns
			WHERE table_schema = 'public' ORDER BY table_name, column_name`
	}
	found := map[string][]column{}
	for _, line := range queryStrings(t, conn, query) {
		if strings.HasPrefix(line[0], "goose_") {
			continue
		}
		found[line[0]] = append(found[line[0]], column{line[1], line[2], line[3] == "1"})
	}
	return found
}

func indexes(t *testing.T, conn *sql.DB, dialect Dialect) [][]string {
	t.Helper()
	query := `SELECT m.name, l."unique", i.seqno, i.name FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) i
		WHERE m.type = 'table' AND m.name NOT LIKE 'goose_%' ORDER BY m.name, l."unique", l.name, i.seqno`
	if dialect == PostgreSQL {
		query = `SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'goose_%' ORDER BY tablename, indexname`
	}
	return queryStrings(t, conn, query)
}

// fillTable puts made-up rows into a table and tells how many it took; rules of the table's own may refuse some.
func fillTable(t *testing.T, conn *sql.DB, dialect Dialect, table string, cols []column) (taken int) {
	t.Helper()
	for n := range 3 {
		var names, marks []string
		var values []any
		for i, c := range cols {
			names = append(names, `"`+c.Name+`"`)
			mark := "?"
			if dialect == PostgreSQL {
				mark = fmt.Sprintf("$%d", i+1)
			}
			marks = append(marks, mark)
			switch kind := strings.ToLower(c.Type); {
			case strings.Contains(kind, "int"):
				values = append(values, int64(10*n+i+100))
			case strings.Contains(kind, "blob"), strings.Contains(kind, "bytea"):
				values = append(values, []byte{byte(n), byte(i), 0xff, 0})
			default:
				values = append(values, fmt.Sprint("made up ", n, " ", i))
			}
		}
		_, err := conn.ExecContext(context.Background(), `INSERT INTO "`+table+`" (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(marks, ", ")+`)`, values...)
		if err == nil {
			taken++
		}
	}
	return taken
}

// contents reads the given columns of all rows.
func contents(t *testing.T, conn *sql.DB, tables map[string][]column) map[string][][]string {
	t.Helper()
	out := map[string][][]string{}
	for table, cols := range tables {
		var names []string
		for _, c := range cols {
			names = append(names, `"`+c.Name+`"`)
		}
		lines := queryStrings(t, conn, `SELECT `+strings.Join(names, ", ")+` FROM "`+table+`"`)
		slices.SortFunc(lines, slices.Compare)
		out[table] = lines
	}
	return out
}
