package db

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// embedded is the folder of migrations that this binary carries.
func embedded() fs.FS {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// migrate brings the schema up to the newest of the given files, or only checks that it is there.
func migrate(ctx context.Context, conn *sql.DB, dialect Dialect, files fs.FS, o Options) error {
	gooseDialect := goose.DialectSQLite3
	if dialect == PostgreSQL {
		gooseDialect = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(gooseDialect, conn, tokenFS{files, dialect}, goose.WithAllowOutofOrder(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if o.NoMigrate {
		pending, err := provider.HasPending(ctx)
		if err != nil {
			return fmt.Errorf("migrations: %w", err)
		}
		if pending {
			return fmt.Errorf("the database's schema is older than this program: start the server once to migrate it")
		}
		return nil
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrations: %w", translate(err))
	}
	for _, r := range results {
		o.Log.Info("database migrated", "file", r.Source.Path, "took", r.Duration)
	}
	return nil
}

// tokenFS shows the migrations with the tokens of one engine filled in.
type tokenFS struct {
	fs.FS
	dialect Dialect
}

// Open gives a file with its tokens replaced, and a folder as it is.
func (t tokenFS) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return f, err
	}
	defer f.Close()
	text, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text = []byte(t.dialect.tokens().Replace(string(text)))
	return &tokenFile{bytes.NewReader(text), sizedInfo{info, int64(len(text))}}, nil
}

type tokenFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *tokenFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *tokenFile) Close() error               { return nil }

type sizedInfo struct {
	fs.FileInfo
	size int64
}

func (i sizedInfo) Size() int64 { return i.size }
