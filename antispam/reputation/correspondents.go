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

	mu sync.Mutex
	// days are when accounts last wrote to those that were asked for lately: row.at is the day, 0 for never.
	days    *cache
	written uint64 // counts what changes days from elsewhere
	pass    sync.Mutex
}

// OpenCorrespondents opens the table. Nothing runs in the background but what calls [Correspondents.Run].
func OpenCorrespondents(o Options) (*Correspondents, error) {
	o, err := o.ready()
	if err != nil {
		return nil, err
	}
	c := &Correspondents{db: o.DB, hasher: hasher{o.Secret}, clock: o.Clock, days: newCache(o.CacheRows),
		keep: func() time.Duration { return settings.SpamCorrespondentKeep.Get(o.Settings) }}
	o.DB.OnUncertain(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.days.clear()
		c.written++
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
		if day, ok := c.last(peer); ok && day >= today {
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

// last gives the day that memory has of a correspondent.
func (c *Correspondents) last(peer int64) (day int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.days.get(peer); known != nil {
		return known.at, true
	}
	return 0, false
}

// remember keeps the day of a message that was sent.
func (c *Correspondents) remember(peer, day int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.days.put(peer, row{at: day})
	c.written++
}

// Known tells whether an account has written to an address within the setting spam.correspondent_keep.
func (c *Correspondents) Known(ctx context.Context, account int64, from address.Address) (bool, error) {
	if from.IsZero() {
		return false, nil
	}
	fresh, err := c.CountNew(ctx, account, []address.Address{from})
	return fresh == 0 && err == nil, err
}

// CountNew tells how many of the addresses, each counted once, an account has not written to before. What was asked for
// lately is answered from memory.
func (c *Correspondents) CountNew(ctx context.Context, account int64, to []address.Address) (int, error) {
	floor := c.floor()
	days := make(map[int64]int64, len(to))
	var ask []int64
	for _, a := range to {
		peer := c.peer(account, a)
		if _, twice := days[peer]; twice {
			continue
		}
		day, ok := c.last(peer)
		if days[peer] = day; !ok {
			ask = append(ask, peer)
		}
	}
	if err := c.read(ctx, account, ask, days); err != nil {
		return 0, err
	}
	fresh := 0
	for _, day := range days {
		if day < floor || day == 0 {
			fresh++
		}
	}
	return fresh, nil
}

// read asks the table for the days of some peers and keeps what it says, unless something was sent meanwhile: nobody knows
// then whether the table's answer has it.
func (c *Correspondents) read(ctx context.Context, account int64, peers []int64, days map[int64]int64) error {
	if len(peers) == 0 {
		return nil
	}
	c.mu.Lock()
	written := c.written
	c.mu.Unlock()
	err := inParts(peers, inRows, func(args []any) error {
		rows, err := c.db.Query(ctx, `SELECT peer, day FROM correspondents WHERE account = ? AND peer IN (`+marks("?", len(args))+`)`,
			append([]any{account}, args...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var peer, day int64
			if err := rows.Scan(&peer, &day); err != nil {
				return err
			}
			days[peer] = day
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.written == written {
		for _, peer := range peers {
			c.days.put(peer, row{at: days[peer]})
		}
	}
	return nil
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
