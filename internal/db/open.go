package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// Options say which database to open and how.
type Options struct {
	// URL is "sqlite:/path/to/postern.db" or "postgres://user@host/name?…".
	URL string
	// Log receives what the administrator should know; nil discards it.
	Log *slog.Logger
	// Readers is the number of connections that read at once; 0 means a number that fits the machine.
	Readers int
	// NoMigrate leaves the schema as it is; opening then fails unless it is up to date.
	NoMigrate bool
	// MaxWAL bounds SQLite's write-ahead log, in bytes; 0 means 32 MiB.
	MaxWAL int64
}

// DB is the open database of one server. Its methods may be called from any goroutine.
type DB struct {
	dialect Dialect
	log     *slog.Logger
	rebinder
	read      *sql.DB
	readStmts sync.Map // query → *sql.Stmt (SQLite)
	readCount atomic.Int64
	engine    engine
	committer *committer
	closeOnce sync.Once
	closeErr  error
}

// engine is what differs between SQLite and PostgreSQL when the database is held open.
type engine interface {
	// connect opens the connection that writes. It fails with ErrLocked when another process writes.
	connect(ctx context.Context) (*sql.Conn, error)
	// committed is called by the committer after each commit, with the writing connection between two transactions.
	committed(ctx context.Context, conn *sql.Conn)
	// release gives up the right to write, at the end.
	release(ctx context.Context, conn *sql.Conn)
	stats(*Stats)
	close() error
}

// Open opens the database, refuses it if another process writes to it, brings its schema up to date and starts the
// committer.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Readers <= 0 {
		o.Readers = max(4, runtime.GOMAXPROCS(0)*2)
	}
	if o.MaxWAL <= 0 {
		o.MaxWAL = 32 << 20
	}
	d := &DB{log: o.Log}
	var err error
	switch {
	case strings.HasPrefix(o.URL, "sqlite:"):
		d.dialect = SQLite
		err = d.openSQLite(ctx, o, strings.TrimPrefix(o.URL, "sqlite:"))
	case strings.HasPrefix(o.URL, "postgres:"), strings.HasPrefix(o.URL, "postgresql:"):
		d.dialect = PostgreSQL
		err = d.openPostgres(ctx, o)
	default:
		return nil, fmt.Errorf("database URL %q: must begin with \"sqlite:\" or \"postgres:\", such as sqlite:/var/lib/postern/postern.db", o.URL)
	}
	if err != nil {
		return nil, err
	}
	d.rebinder.dialect = d.dialect
	if d.committer, err = newCommitter(ctx, d); err != nil {
		return nil, errors.Join(err, d.read.Close(), d.engine.close())
	}
	return d, nil
}

// Dialect tells which engine is behind the database.
func (d *DB) Dialect() Dialect { return d.dialect }

// Close waits for the works already handed in, and closes. Later writes fail with [ErrClosed].
func (d *DB) Close() error {
	d.closeOnce.Do(func() {
		d.committer.stop()
		d.readStmts.Range(func(_, s any) bool { _ = s.(*sql.Stmt).Close(); return true })
		d.closeErr = errors.Join(d.read.Close(), d.engine.close())
	})
	return d.closeErr
}

// Stats counts since the database was opened.
type Stats struct {
	// Commits is the number of transactions made durable, each with one flush of the disk; Works is the number of
	// Write calls they held, Failed those that ended in an error, Retried the works that were run again.
	Commits, Works, Failed, Retried uint64
	// Checkpoints is how often SQLite's log was written back, WALBytes the log's part that still waits for it.
	Checkpoints uint64
	WALBytes    int64
	// Waiting is the number of works in the queue now.
	Waiting int
}

// Stats reads the counters.
func (d *DB) Stats() Stats {
	c := d.committer
	s := Stats{Commits: c.commits.Load(), Works: c.works.Load(), Failed: c.failed.Load(), Retried: c.retried.Load(), Waiting: len(c.queue)}
	d.engine.stats(&s)
	return s
}
