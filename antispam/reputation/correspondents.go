package reputation

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/settings"
)

const (
	// forgetEvery is how often old correspondents are looked for.
	forgetEvery = time.Hour
	day         = 24 * time.Hour
)

// Correspondents remember whom each account writes to: mail from those is expected, and an account that suddenly writes to
// many others may be in wrong hands. Only hashes are kept. Its methods may be called from any goroutine.
type Correspondents struct {
	db     *db.DB
	hasher hasher
	clock  clock.Clock
	keep   func() time.Duration

	mu    sync.Mutex
	today *cache // of correspondents that are known to be in the table: row.at is the day
	pass  sync.Mutex
}

// OpenCorrespondents opens the table. Nothing runs in the background but what calls [Correspondents.Run].
func OpenCorrespondents(o Options) (*Correspondents, error) {
	o, err := o.ready()
	if err != nil {
		return nil, err
	}
	c := &Correspondents{db: o.DB, hasher: hasher{o.Secret}, clock: o.Clock, today: newCache(o.CacheRows),
		keep: func() time.Duration { return settings.SpamCorrespondentKeep.Get(o.Settings) }}
	o.DB.OnUncertain(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.today.clear()
	})
	return c, nil
}

// peer is the number under which an account knows an address. It differs from account to account.
func (c *Correspondents) peer(account int64, a address.Address) int64 {
	return c.hasher.of(peerKind, strconv.FormatInt(account, 10), a.Key())
}

func (c *Correspondents) now() int64 { return c.clock.Now().Unix() / int64(day/time.Second) }

// floor is the first day that is not forgotten.
func (c *Correspondents) floor() int64 { return c.now() - int64(c.keep()/day) }

// SentTx remembers that an account writes to addresses, in the transaction that takes its message. Those it has written to
// on the same day cost nothing.
func (c *Correspondents) SentTx(tx *db.Tx, account int64, to []address.Address) error {
	today := c.now()
	for _, a := range to {
		peer := c.peer(account, a)
		if c.isFresh(peer, today) {
			continue
		}
		if _, err := tx.Exec(`INSERT INTO correspondents (account, peer, day) VALUES (?, ?, ?) ON CONFLICT (account, peer)
			DO UPDATE SET day = excluded.day WHERE correspondents.day < excluded.day`, account, peer, today); err != nil {
			return err
		}
		tx.OnCommit(func() { c.remember(peer, today) })
	}
	return nil
}

func (c *Correspondents) isFresh(peer, today int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.today.get(peer)
	return known != nil && known.at >= today
}

func (c *Correspondents) remember(peer, today int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.today.put(peer, row{at: today})
}

// Known tells whether an account has written to an address within the setting spam.correspondent_keep.
func (c *Correspondents) Known(ctx context.Context, account int64, from address.Address) (bool, error) {
	if from.IsZero() {
		return false, nil
	}
	fresh, err := c.CountNew(ctx, account, []address.Address{from})
	return fresh == 0 && err == nil, err
}

// CountNew tells how many of the addresses, each counted once, an account has not written to before.
func (c *Correspondents) CountNew(ctx context.Context, account int64, to []address.Address) (int, error) {
	floor := c.floor()
	fresh := make(map[int64]bool, len(to))
	for _, a := range to {
		if peer := c.peer(account, a); !c.isFresh(peer, floor) {
			fresh[peer] = true
		}
	}
	ask := make([]int64, 0, len(fresh))
	for peer := range fresh {
		ask = append(ask, peer)
	}
	err := inParts(ask, inRows, func(args []any) error {
		rows, err := c.db.Query(ctx, `SELECT peer, day FROM correspondents WHERE account = ? AND day >= ? AND peer IN (`+marks("?", len(args))+`)`,
			append([]any{account, floor}, args...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var peer, last int64
			if err := rows.Scan(&peer, &last); err != nil {
				return err
			}
			delete(fresh, peer)
			c.remember(peer, last)
		}
		return rows.Err()
	})
	return len(fresh), err
}

// Run forgets in the background those who were not written to for long, and those of accounts that are gone, until ctx
// ends. gone may be nil.
func (c *Correspondents) Run(ctx context.Context, gone func(account int64) bool, failed func(error)) {
	timer := c.clock.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C():
		}
		if err := c.Prune(ctx, gone); err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
			failed(err)
		}
		timer.Reset(forgetEvery)
	}
}

// Prune is one round of Run.
func (c *Correspondents) Prune(ctx context.Context, gone func(account int64) bool) error {
	c.pass.Lock()
	defer c.pass.Unlock()
	if err := c.forget(ctx, `SELECT account, peer FROM correspondents WHERE day < ? ORDER BY day LIMIT ?`, c.floor()); err != nil || gone == nil {
		return err
	}
	// From account to account by the index, whatever each of them has.
	for account := int64(-1); ; {
		err := c.db.QueryRow(ctx, `SELECT account FROM correspondents WHERE account > ? ORDER BY account LIMIT 1`, account).Scan(&account)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if !gone(account) {
			continue
		}
		if err := c.forget(ctx, `SELECT account, peer FROM correspondents WHERE account = ? ORDER BY peer LIMIT ?`, account); err != nil {
			return err
		}
	}
}

// forget removes, step by step, what a query with one argument and a limit finds.
func (c *Correspondents) forget(ctx context.Context, query string, arg int64) error {
	for {
		var n int64
		err := c.db.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = tx.Exec(`DELETE FROM correspondents WHERE (account, peer) IN (`+query+`)`, arg, pruneRows)
			return err
		})
		if err != nil || n < pruneRows {
			return err
		}
	}
}
