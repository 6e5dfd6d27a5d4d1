package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

const (
	pageSize = 4096
	// checkpointAt is how many bytes wait in the log before the checkpointer writes them back.
	checkpointAt = 8 << 20
)

// sqliteEngine holds what belongs to an SQLite database besides its connections.
type sqliteEngine struct {
	path   string
	maxWAL int64
	lock   *os.File
	write  *sql.DB
	check  *sql.DB

	wake    chan struct{}
	done    chan struct{}
	closing sync.Once
	log     func(msg string, args ...any)

	sinceCheck  int
	walBytes    atomic.Int64
	limit       atomic.Int64 // length of the log at which the committer cuts it
	tooLong     atomic.Bool
	checkpoints atomic.Uint64
}

// openSQLite prepares file, lock, schema and pools; mode 0600 before the first byte is in the file.
func (d *DB) openSQLite(ctx context.Context, o Options, path string) error {
	if path == "" {
		return errors.New("database URL: sqlite: needs a path")
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return fmt.Errorf("database %s: %w", path, err)
	}
	e := &sqliteEngine{path: path, maxWAL: o.MaxWAL, lock: lock, wake: make(chan struct{}, 1), done: make(chan struct{}),
		log: func(msg string, args ...any) { d.log.Warn(msg, args...) }}
	e.limit.Store(e.maxWAL)
	if err := e.prepare(ctx, o); err != nil {
		return errors.Join(err, e.releaseLock())
	}
	if d.read, err = sql.Open("sqlite", e.dsn("query_only(1)", "cache_size(-8192)")); err != nil {
		return errors.Join(err, e.releaseLock())
	}
	d.read.SetMaxOpenConns(o.Readers)
	d.read.SetMaxIdleConns(o.Readers)
	// Not more: in a file below 1 GiB, SQLite walks through the whole cache at each commit after a page was split in the middle
	// of an index (for a moment one has the number of the lock page at 1 GiB, the highest seen). With 64 MiB that took a fifth
	// of what accepting a message costs, and pushed everything else out of the processor's caches.
	if e.write, err = sql.Open("sqlite", e.dsn("cache_size(-8192)")); err != nil {
		return err
	}
	if e.check, err = sql.Open("sqlite", e.dsn("cache_size(-256)")); err != nil {
		return err
	}
	e.check.SetMaxOpenConns(1)
	d.engine = e
	go e.checkpointer()
	return nil
}

func (e *sqliteEngine) prepare(ctx context.Context, o Options) error {
	f, err := os.OpenFile(e.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close(), syncDir(filepath.Dir(e.path))); err != nil {
		return err
	}
	migrating, err := sql.Open("sqlite", e.dsn())
	if err != nil {
		return err
	}
	migrating.SetMaxOpenConns(1)
	if err := errors.Join(migrate(ctx, migrating, SQLite, embedded(), o), migrating.Close()); err != nil {
		return err
	}
	if err := lengthenWAL(e.path+"-wal", e.maxWAL); err != nil {
		e.log("the write-ahead log could not be given its length beforehand; commits will be slower", "error", err)
	}
	return nil
}

// dsn is how every connection opens the file: write-ahead log, each commit flushed, no checkpoint inside a commit.
func (e *sqliteEngine) dsn(pragmas ...string) string {
	pragmas = append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)",
		"temp_store(MEMORY)", "foreign_keys(1)"}, pragmas...)
	var b strings.Builder
	b.WriteString("file:" + (&url.URL{Path: e.path}).EscapedPath() + "?")
	for i, p := range pragmas {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString("_pragma=" + url.QueryEscape(p))
	}
	return b.String()
}

func (e *sqliteEngine) connect(ctx context.Context) (*sql.Conn, error) {
	e.write.SetMaxOpenConns(1)
	conn, err := e.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	// Nobody else writes, so the only thing to wait for is a reader, when the log is to be cut; that can be tried again.
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 20"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// committed wakes the checkpointer now and then, and cuts the log when it has grown past its bound: then, and only
// then, the committer waits for a checkpoint.
func (e *sqliteEngine) committed(ctx context.Context, conn *sql.Conn) {
	if e.tooLong.CompareAndSwap(true, false) {
		e.cut(ctx, conn)
	}
	if e.sinceCheck++; e.sinceCheck >= 32 {
		e.sinceCheck = 0
		select {
		case e.wake <- struct{}{}:
		default:
		}
	}
}

// cut makes the next commit begin the log anew. A reader with an old snapshot can prevent that for now; then the log may
// grow by a quarter before the next try.
func (e *sqliteEngine) cut(ctx context.Context, conn *sql.Conn) {
	_, busy, err := e.checkpoint(ctx, conn, "RESTART")
	switch {
	case err != nil:
		e.log("checkpoint failed", "error", err)
	case busy:
		e.limit.Store(e.walBytes.Load() + e.maxWAL/4)
	default:
		e.limit.Store(e.maxWAL)
	}
}

// checkpointer writes the log back beside the committer (passively: it waits for nobody and nobody waits for it).
func (e *sqliteEngine) checkpointer() {
	defer close(e.done)
	ctx := context.Background()
	conn, err := e.check.Conn(ctx)
	if err != nil {
		e.log("checkpointer cannot start", "error", err)
		return
	}
	defer conn.Close()
	for range e.wake {
		waiting, _, err := e.checkpoint(ctx, conn, "NOOP")
		if err == nil && waiting >= checkpointAt {
			_, _, err = e.checkpoint(ctx, conn, "PASSIVE")
		}
		if err != nil {
			e.log("checkpoint failed", "error", err)
			continue
		}
		if e.walBytes.Load() > e.limit.Load() {
			e.tooLong.Store(true)
		}
	}
}

// checkpoint runs one and gives the bytes of the log that still wait to be written back, and whether somebody was in the way.
func (e *sqliteEngine) checkpoint(ctx context.Context, conn *sql.Conn, mode string) (waiting int64, busy bool, err error) {
	var blocked, frames, done int64
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&blocked, &frames, &done); err != nil {
		return 0, false, err
	}
	if mode != "NOOP" {
		e.checkpoints.Add(1)
	}
	e.walBytes.Store(max(frames, 0) * pageSize)
	return max(frames-done, 0) * pageSize, blocked != 0, nil
}

func (e *sqliteEngine) release(context.Context, *sql.Conn) {}

func (e *sqliteEngine) stats(s *Stats) {
	s.Checkpoints = e.checkpoints.Load()
	s.WALBytes = e.walBytes.Load()
}

func (e *sqliteEngine) close() error {
	var err error
	e.closing.Do(func() {
		close(e.wake)
		<-e.done
		err = errors.Join(e.check.Close(), e.write.Close(), e.releaseLock())
	})
	return err
}

func (e *sqliteEngine) releaseLock() error { return e.lock.Close() }

// lockFile takes the lock that keeps a second process from writing; it goes with the process.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, err
	}
	return f, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
