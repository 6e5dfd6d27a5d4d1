package db

import (
	"context"
	"database/sql"
	"errors"
	"runtime/debug"
)

// Tx is the transaction that a work runs in. It is valid only inside the function given to [DB.Write].
type Tx struct {
	c     *committer
	begun bool
	// guard is set when other works of this transaction must survive a rollback of the present one.
	guard, guarded bool
	wrote          bool  // the present work has sent SQL
	broken         error // first error of a statement in the present work
	works          int
	hooks          []func()
	undo           []func()
	last           []lastCall
	local          map[any]any
	hooksAt        int // lengths of the above where the present work began
	undoAt         int
	lastAt         int
}

type lastCall struct {
	key any
	fn  func(*Tx) error
}

// Exec runs a statement and tells how many rows it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	stmt, query, err := t.prepare(query)
	if err != nil {
		return 0, t.failed(err)
	}
	var result sql.Result
	if stmt != nil {
		result, err = stmt.ExecContext(context.Background(), args...)
	} else {
		result, err = t.c.conn.ExecContext(context.Background(), query, args...)
	}
	if err != nil {
		return 0, t.failed(err)
	}
	return result.RowsAffected()
}

// Query runs a statement that gives rows; the caller closes them before the next statement.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	stmt, query, err := t.prepare(query)
	if err != nil {
		return nil, t.failed(err)
	}
	var rows *sql.Rows
	if stmt != nil {
		rows, err = stmt.QueryContext(context.Background(), args...)
	} else {
		rows, err = t.c.conn.QueryContext(context.Background(), query, args...)
	}
	if err != nil {
		return nil, t.failed(err)
	}
	return rows, nil
}

// Row is one row to be scanned; [ErrNoRows] if there was none.
type Row interface {
	Scan(dest ...any) error
}

// QueryRow runs a statement that gives at most one row.
func (t *Tx) QueryRow(query string, args ...any) Row {
	rows, err := t.Query(query, args...)
	return &row{rows: rows, err: err, tx: t}
}

type row struct {
	rows *sql.Rows
	err  error
	tx   *Tx
}

func (r *row) Scan(dest ...any) error {
	if r.err != nil {
		return translate(r.err)
	}
	err := scanOne(r.rows, dest)
	if err != nil && r.tx != nil && !errors.Is(err, ErrNoRows) {
		return r.tx.failed(err)
	}
	return translate(err)
}

func scanOne(rows *sql.Rows, dest []any) error {
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	// To the end, so that an INSERT … RETURNING is complete.
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// OnCommit asks for fn to be called once the transaction is durable, in the order of the works and before their Writes
// return. It must be quick and must not call Write. A work that is rolled back loses its hooks.
func (t *Tx) OnCommit(fn func()) { t.hooks = append(t.hooks, fn) }

// OnRollback asks for fn to be called if the present work, or the whole transaction, is undone; last asked, first called.
// It is for whoever stages changes of memory on the committer.
func (t *Tx) OnRollback(fn func()) { t.undo = append(t.undo, fn) }

// BeforeCommit asks for fn to be called once, at the end of the transaction, after all of its works: so that works
// which change the same row share one UPDATE. The first fn of a key counts. An error fails the transaction.
func (t *Tx) BeforeCommit(key any, fn func(*Tx) error) {
	for _, l := range t.last {
		if l.key == key {
			return
		}
	}
	t.last = append(t.last, lastCall{key, fn})
}

// Local is a value that lives as long as the transaction and is shared by its works; nil before [Tx.SetLocal].
func (t *Tx) Local(key any) any { return t.local[key] }

// SetLocal keeps a value for the length of the transaction. A rollback of the present work does not remove it.
func (t *Tx) SetLocal(key, value any) {
	if t.local == nil {
		t.local = map[any]any{}
	}
	t.local[key] = value
}

// Work is the number of the present work within the transaction, counted from 1.
func (t *Tx) Work() int { return t.works }

// Dialect tells which engine runs the transaction.
func (t *Tx) Dialect() Dialect { return t.c.d.dialect }

// failed notes an error of a statement: it decides what must be rolled back even if the work ignores it.
func (t *Tx) failed(err error) error {
	if t.broken == nil || fateOf(err) != fateWork {
		t.broken = err
	}
	return translate(err)
}

// prepare begins the transaction and the savepoint when the first statement comes, and finds or makes the prepared
// statement. PostgreSQL's driver keeps prepared statements itself.
func (t *Tx) prepare(query string) (*sql.Stmt, string, error) {
	if t.broken != nil && fateOf(t.broken) != fateWork {
		return nil, "", t.broken
	}
	if !t.begun {
		if err := t.begin(); err != nil {
			return nil, "", err
		}
	}
	if t.guard && !t.guarded {
		if err := t.raw("SAVEPOINT work"); err != nil {
			return nil, "", err
		}
		t.guarded = true
	}
	t.wrote = true
	return t.statement(query)
}

func (t *Tx) statement(query string) (*sql.Stmt, string, error) {
	if t.c.d.dialect == PostgreSQL {
		return nil, t.c.d.rebind(query), nil
	}
	stmt, ok := t.c.stmts[query]
	if !ok {
		var err error
		if stmt, err = t.c.conn.PrepareContext(context.Background(), query); err != nil {
			return nil, "", err
		}
		if len(t.c.stmts) < 1000 {
			t.c.stmts[query] = stmt
		}
	}
	return stmt, query, nil
}

// raw runs one of the transaction's own statements.
func (t *Tx) raw(query string) error {
	stmt, query, err := t.statement(query)
	if err != nil {
		return err
	}
	if stmt != nil {
		_, err = stmt.ExecContext(context.Background())
	} else {
		_, err = t.c.conn.ExecContext(context.Background(), query)
	}
	return err
}

func (t *Tx) begin() error {
	if t.c.conn == nil {
		t.c.reconnect()
		if t.c.conn == nil {
			return sql.ErrConnDone
		}
	}
	begin := "BEGIN IMMEDIATE"
	if t.c.d.dialect == PostgreSQL {
		begin = "BEGIN"
	}
	if err := t.raw(begin); err != nil {
		return err
	}
	t.begun = true
	return nil
}

// call runs a work's function and turns its panic into an error.
func (t *Tx) call(fn func(*Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			t.c.d.log.Error("panic in a database work", "panic", v, "stack", string(debug.Stack()))
			err = &panicked{v}
		}
	}()
	return fn(t)
}

func (t *Tx) enterWork(guard bool) {
	t.works++
	t.guard, t.guarded, t.wrote, t.broken = guard, false, false, nil
	t.hooksAt, t.undoAt, t.lastAt = len(t.hooks), len(t.undo), len(t.last)
}

func (t *Tx) leaveWork() error {
	if t.guarded {
		return t.raw("RELEASE SAVEPOINT work")
	}
	return nil
}

// undoWork takes back what the present work did; an error means that the transaction as a whole is lost.
func (t *Tx) undoWork() error {
	for i := len(t.undo) - 1; i >= t.undoAt; i-- {
		t.undo[i]()
	}
	t.undo, t.hooks, t.last = t.undo[:t.undoAt], t.hooks[:t.hooksAt], t.last[:t.lastAt]
	switch {
	case t.guarded:
		if err := t.raw("ROLLBACK TO SAVEPOINT work"); err != nil {
			return err
		}
		return t.raw("RELEASE SAVEPOINT work")
	case t.wrote:
		// No other work is in this transaction yet: it starts afresh.
		t.begun = false
		return t.raw("ROLLBACK")
	}
	return nil
}

// undoAll takes back what all works staged in memory.
func (t *Tx) undoAll() {
	for i := len(t.undo) - 1; i >= 0; i-- {
		t.undo[i]()
	}
	t.undo = nil
}

// beforeCommit runs what was kept for the end.
func (t *Tx) beforeCommit() error {
	t.guard, t.broken = false, nil
	for i := 0; i < len(t.last); i++ {
		if err := t.call(t.last[i].fn); err != nil {
			return translate(err)
		}
	}
	return translate(t.broken)
}
