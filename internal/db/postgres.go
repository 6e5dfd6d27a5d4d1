package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// serverLock is the key of the advisory lock that the writing connection holds ("postern1" in ASCII).
const serverLock = 0x706f737465726e31

// postgresEngine holds what belongs to a PostgreSQL database besides its connections.
type postgresEngine struct {
	config *pgx.ConnConfig
	write  *sql.DB
	// epoch counts the servers that had this database; a server whose number is no longer the newest must not write.
	epoch int64
}

func (d *DB) openPostgres(ctx context.Context, o Options) error {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return fmt.Errorf("database URL: %w", err)
	}
	e := &postgresEngine{config: config}
	writing := config.Copy()
	// A commit that returns before it is flushed would break the promise of Write, whatever the server's default.
	writing.RuntimeParams["synchronous_commit"] = "on"
	writing.RuntimeParams["application_name"] = "postern"
	e.write = stdlib.OpenDB(*writing)
	e.write.SetMaxOpenConns(1)
	if err := e.prepare(ctx, o); err != nil {
		return errors.Join(err, e.write.Close())
	}
	reading := config.Copy()
	reading.RuntimeParams["default_transaction_read_only"] = "on"
	reading.RuntimeParams["application_name"] = "postern reader"
	d.read = stdlib.OpenDB(*reading)
	d.read.SetMaxOpenConns(o.Readers)
	d.read.SetMaxIdleConns(o.Readers)
	d.engine = e
	return nil
}

// prepare takes the lock, migrates and counts the epoch on one connection.
func (e *postgresEngine) prepare(ctx context.Context, o Options) error {
	conn, err := e.write.Conn(ctx)
	if err != nil {
		return err
	}
	err = e.acquire(ctx, conn)
	if err := errors.Join(err, conn.Close()); err != nil {
		return err
	}
	if err := migrate(ctx, e.write, PostgreSQL, embedded(), o); err != nil {
		return err
	}
	if _, err := e.write.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS server_epoch (one BIGINT PRIMARY KEY, epoch BIGINT NOT NULL)`); err != nil {
		return err
	}
	return e.write.QueryRowContext(ctx, `INSERT INTO server_epoch (one, epoch) VALUES (1, 1)
		ON CONFLICT (one) DO UPDATE SET epoch = server_epoch.epoch + 1 RETURNING epoch`).Scan(&e.epoch)
}

// acquire takes the advisory lock on conn. The lock goes with the connection; the server of a process that died takes
// a moment to notice, so a little patience is due.
func (e *postgresEngine) acquire(ctx context.Context, conn *sql.Conn) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for try := 0; ; try++ {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		var got bool
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(serverLock)).Scan(&got); err != nil {
			return err
		}
		if got {
			return nil
		}
		if try == 20 {
			return fmt.Errorf("database %s: %w", e.config.Database, ErrLocked)
		}
		timer.Reset(100 * time.Millisecond)
	}
}

// connect opens the writing connection anew. Between the loss of the old one and now another server may have taken
// over; the epoch tells.
func (e *postgresEngine) connect(ctx context.Context) (*sql.Conn, error) {
	conn, err := e.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.acquire(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	var epoch int64
	if err := conn.QueryRowContext(ctx, "SELECT epoch FROM server_epoch WHERE one = 1").Scan(&epoch); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if epoch != e.epoch {
		return nil, errors.Join(fmt.Errorf("database %s: another server took over: %w", e.config.Database, ErrLocked), conn.Close())
	}
	return conn, nil
}

func (e *postgresEngine) committed(context.Context, *sql.Conn) {}

// release gives the lock back at once; the server would otherwise do so when it notices that the connection is gone.
func (e *postgresEngine) release(ctx context.Context, conn *sql.Conn) {
	_, _ = conn.ExecContext(ctx, "SELECT pg_advisory_unlock_all()")
}

func (e *postgresEngine) stats(*Stats) {}

func (e *postgresEngine) close() error { return e.write.Close() }
