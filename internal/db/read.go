package db

import (
	"context"
	"database/sql"
)

// readStmtsAtMost bounds the prepared statements that are kept for reading.
const readStmtsAtMost = 500

// Query reads rows outside of any transaction; the caller closes them.
func (d *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := d.readStmt(ctx, query)
	if err != nil {
		return nil, translate(err)
	}
	var rows *sql.Rows
	if stmt != nil {
		rows, err = stmt.QueryContext(ctx, args...)
	} else {
		rows, err = d.read.QueryContext(ctx, d.rebind(query), args...)
	}
	return rows, translate(err)
}

// QueryRow reads one row; [ErrNoRows] if there is none.
func (d *DB) QueryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := d.Query(ctx, query, args...)
	return &row{rows: rows, err: err}
}

// ReadTx is one snapshot of the database.
type ReadTx struct {
	d   *DB
	ctx context.Context
	tx  *sql.Tx
}

// View runs fn on one snapshot: all its reads see the same commits. A snapshot held for long keeps SQLite's log from
// being written back, so fn should be short.
func (d *DB) View(ctx context.Context, fn func(*ReadTx) error) error {
	opts := &sql.TxOptions{ReadOnly: true}
	if d.dialect == PostgreSQL {
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := d.read.BeginTx(ctx, opts)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = tx.Rollback() }()
	return fn(&ReadTx{d: d, ctx: ctx, tx: tx})
}

// Query reads rows; the caller closes them.
func (t *ReadTx) Query(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.d.readStmt(t.ctx, query)
	if err != nil {
		return nil, translate(err)
	}
	var rows *sql.Rows
	if stmt != nil {
		rows, err = t.tx.StmtContext(t.ctx, stmt).QueryContext(t.ctx, args...)
	} else {
		rows, err = t.tx.QueryContext(t.ctx, t.d.rebind(query), args...)
	}
	return rows, translate(err)
}

// QueryRow reads one row; [ErrNoRows] if there is none.
func (t *ReadTx) QueryRow(query string, args ...any) Row {
	rows, err := t.Query(query, args...)
	return &row{rows: rows, err: err}
}

// readStmt finds or prepares a statement for SQLite; nil means to send the text.
func (d *DB) readStmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if d.dialect == PostgreSQL {
		return nil, nil
	}
	if stmt, ok := d.readStmts.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	if d.readCount.Load() >= readStmtsAtMost {
		return nil, nil
	}
	stmt, err := d.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if kept, loaded := d.readStmts.LoadOrStore(query, stmt); loaded {
		_ = stmt.Close()
		return kept.(*sql.Stmt), nil
	}
	d.readCount.Add(1)
	return stmt, nil
}

// Check asks the engine whether its own structures are whole and lists what is not. PostgreSQL is not asked: its page
// checksums are the administrator's to enable.
func (d *DB) Check(ctx context.Context) (faults []string, err error) {
	if d.dialect == PostgreSQL {
		return nil, nil
	}
	rows, err := d.read.QueryContext(ctx, `PRAGMA integrity_check(100)`)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, translate(err)
		}
		if line != "ok" {
			faults = append(faults, line)
		}
	}
	return faults, translate(rows.Err())
}
