package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrFull means that the disk has no room left; nothing of the work was kept. It tells `StorageFull() bool`.
	ErrFull error = &fullError{}
	// ErrConflict means that a unique key is already taken.
	ErrConflict = errors.New("already exists")
	// ErrNoRows is [sql.ErrNoRows], so that callers need not import database/sql.
	ErrNoRows = sql.ErrNoRows
	// ErrLocked means that another process has the database open for writing.
	ErrLocked = errors.New("the database is in use by another process")
	// ErrClosed means that the database was closed.
	ErrClosed = errors.New("the database is closed")
)

// fullError is ErrFull together with what the engine said.
type fullError struct{ cause error }

func (e *fullError) Error() string {
	if e.cause == nil {
		return "storage is full"
	}
	return "storage is full: " + e.cause.Error()
}

func (e *fullError) Unwrap() error { return e.cause }

// Is makes every fullError an ErrFull.
func (e *fullError) Is(target error) bool { return target == ErrFull }

// StorageFull tells other layers, without an import, that space is what lacks.
func (e *fullError) StorageFull() bool { return true }

// conflictError is ErrConflict together with what the engine said.
type conflictError struct{ cause error }

func (e *conflictError) Error() string        { return "already exists: " + e.cause.Error() }
func (e *conflictError) Unwrap() error        { return e.cause }
func (e *conflictError) Is(target error) bool { return target == ErrConflict }

// Full makes err an [ErrFull] if it is about space: an engine's error, or ENOSPC or EDQUOT from a file.
func Full(err error) error {
	if err == nil || errors.Is(err, ErrFull) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &fullError{err}
	}
	return translate(err)
}

// translate gives the engines' errors one meaning.
func translate(err error) error {
	if err == nil {
		return nil
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch {
		case lite.Code()&0xff == sqlite3.SQLITE_FULL, lite.Code() == sqlite3.SQLITE_IOERR_SHMSIZE,
			// A page of the mapped index of the log that the kernel could not give a block.
			lite.Code() == sqlite3.SQLITE_IOERR_IN_PAGE:
			return &fullError{err}
		case lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE, lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
			lite.Code() == sqlite3.SQLITE_CONSTRAINT_ROWID:
			return &conflictError{err}
		}
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "53100": // disk_full
			return &fullError{err}
		case "23505": // unique_violation
			return &conflictError{err}
		}
	}
	return err
}

// fate is what an error did to the transaction in which it happened.
type fate int

const (
	fateWork    fate = iota // only the statement failed; the work can be rolled back to its savepoint
	fateBatch               // the engine may have rolled back the whole transaction
	fateRetry               // the engine asks to run the whole transaction again
	fateSevered             // the connection is gone
)

// retriesAtMost is how often a work is run again because the engine asks for it.
const retriesAtMost = 5

// fateOf reads from an error how much was lost.
func fateOf(err error) fate {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT,
			sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_BUSY:
			return fateBatch
		}
		return fateWork
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case pg.Code == "40001", pg.Code == "40P01": // serialization_failure, deadlock_detected
			return fateRetry
		case len(pg.Code) == 5 && pg.Code[:2] == "57", pg.Severity == "FATAL", pg.Severity == "PANIC":
			return fateSevered
		}
		return fateWork
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return fateSevered
	}
	var opErr interface{ Timeout() bool }
	if errors.As(err, &opErr) && !errors.Is(err, context.Canceled) {
		return fateSevered
	}
	return fateWork
}

// commitFateOf is fateOf for a COMMIT. Where PostgreSQL did not answer, in whatever way that showed, nobody knows what it did.
func commitFateOf(err error, dialect Dialect) fate {
	var pg *pgconn.PgError
	if dialect == PostgreSQL && !errors.As(err, &pg) {
		return fateSevered
	}
	return fateOf(err)
}

// panicked carries a panic from the committer to the goroutine whose function it was.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("panic in a database work: %v", p.value) }
