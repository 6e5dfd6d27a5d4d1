// Package imapsieve has Sieve scripts look at what people do with the messages in their mailboxes (RFC 6785): append, copy or move
// them, change their flags.
//
// The road starts in the transaction of an IMAP command. Where a script watches the mailbox the store tells [Queue.HappenedTx],
// which writes down which messages were touched; the command is answered and knows nothing more of it. From then on what was
// written down survives a crash. A worker takes it up a few messages at a time, an account after the other, and has a [Carrier],
// which is package mailflow, run the scripts. It ends in one transaction that does what the scripts want and takes the messages out
// of the queue, so that all is done once. What a script does is not written down again: there are no loops.
package imapsieve

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/store"
)

const (
	// MaxWaiting is how many messages of one account may wait for a script. What comes beyond is left as it is.
	MaxWaiting = 20_000
	// rowMessages is how many messages a row of the queue holds at most: what is written again as they are worked off.
	rowMessages = 500
)

// Message is one message that something was done with.
type Message struct {
	Account store.AccountID
	Mailbox int64 // its number
	UID     uint32
	Cause   store.Cause
	Flags   []string // those that changed
}

// Effect is what scripts want done, made ready for a transaction.
type Effect interface {
	// Tx does it. It may be called again if the transaction was lost.
	Tx(*db.Tx) error
	// Discard gives back what no transaction came to name. It is called once, whatever became of Tx.
	Discard()
}

// Carrier runs the scripts for a message; *mailflow.Flow is one.
type Carrier interface {
	// Carry gives nil where there is nothing to do: no script, no message any more.
	Carry(ctx context.Context, m Message) (Effect, error)
}

// Options of [New]. All but Watches must be set.
type Options struct {
	DB *db.DB
	// Watches reports, from memory, whether administrators' scripts watch an account's mailboxes; nil: never.
	Watches func(store.AccountID) bool
	Clock   clock.Clock
	Log     *slog.Logger
}

// Queue is the messages that wait. It is a [store.Journal].
type Queue struct {
	Options
	carrier Carrier
	signal  chan struct{}
	cancel  context.CancelFunc
	done    chan struct{}
	// troubles are of rows, by their ids. Only the worker uses them.
	troubles map[int64]trouble

	stale   atomic.Bool // waiting may have parted from the database
	mu      sync.Mutex
	waiting map[store.AccountID]int64
	full    map[store.AccountID]bool // it was said that too much waits
}

// New opens the queue. What happens is written down from now on, and looked at after Start.
func New(o Options) *Queue {
	q := &Queue{Options: o, signal: make(chan struct{}, 1), done: make(chan struct{}), troubles: map[int64]trouble{},
		waiting: map[store.AccountID]int64{}, full: map[store.AccountID]bool{}}
	q.stale.Store(true)
	o.DB.OnUncertain(func() { q.stale.Store(true) })
	return q
}

// Watches is for the store: see [store.Journal].
func (q *Queue) Watches(account store.AccountID) bool {
	return q.Options.Watches != nil && q.Options.Watches(account)
}

// HappenedTx is for the store: it writes down what was done, in the transaction that does it.
func (q *Queue) HappenedTx(tx *db.Tx, h store.Happening) error {
	if err := q.recount(tx); err != nil {
		return err
	}
	n := min(len(h.UIDs), q.room(h.Account))
	for first := 0; first < n; first += rowMessages {
		last := min(first+rowMessages, n)
		if _, err := tx.Exec(`INSERT INTO imapsieve_queue (account, mailbox, cause, flags, number, messages) VALUES (?, ?, ?, ?, ?, ?)`,
			int64(h.Account), h.Mailbox, int64(h.Cause), strings.Join(h.Flags, " "), int64(last-first), encode(runsOf(&h, first, last))); err != nil {
			return err
		}
	}
	tx.OnCommit(func() {
		q.count(h.Account, int64(n))
		if beyond := len(h.UIDs) - n; beyond > 0 {
			q.overflow(h.Account, beyond)
		}
		q.wake()
	})
	return nil
}

// room is how many more messages of an account may wait.
func (q *Queue) room(account store.AccountID) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return max(0, MaxWaiting-int(q.waiting[account]))
}

// overflow tells, once until the account's messages are worked off, that some are left as they are.
func (q *Queue) overflow(account store.AccountID, n int) {
	q.mu.Lock()
	told := q.full[account]
	q.full[account] = true
	q.mu.Unlock()
	if !told {
		q.Log.Warn("too many messages wait for the account's Sieve scripts; no script runs for those beyond", "account", account, "beyond", n, "limit", MaxWaiting)
	}
}

// count follows the commits.
func (q *Queue) count(account store.AccountID, n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.waiting[account] += n; q.waiting[account] <= 0 {
		delete(q.waiting, account)
		delete(q.full, account)
	}
}

// forget makes an end of counting wrong, since nothing waits. What is written down at this moment may be left out.
func (q *Queue) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.waiting)
	clear(q.full)
}

// recount reads how much waits, where memory cannot know.
func (q *Queue) recount(tx *db.Tx) error {
	if !q.stale.Load() {
		return nil
	}
	rows, err := tx.Query(`SELECT account, SUM(number) FROM imapsieve_queue GROUP BY account`)
	if err != nil {
		return err
	}
	defer rows.Close()
	waiting := map[store.AccountID]int64{}
	for rows.Next() {
		var account, n int64
		if err := rows.Scan(&account, &n); err != nil {
			return err
		}
		waiting[store.AccountID(account)] = n
	}
	if err := rows.Err(); err != nil {
		return err
	}
	q.mu.Lock()
	q.waiting = waiting
	q.mu.Unlock()
	q.stale.Store(false)
	return nil
}

// Waiting tells how many messages wait, of all accounts.
func (q *Queue) Waiting(ctx context.Context) (n int64, err error) {
	err = q.DB.QueryRow(ctx, `SELECT COALESCE(SUM(number), 0) FROM imapsieve_queue`).Scan(&n)
	return n, err
}

// wake tells the worker that there is something. It never blocks.
func (q *Queue) wake() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

func (r *queued) String() string {
	uid := uint32(0)
	if len(r.runs) > 0 {
		uid = r.runs[0].first
	}
	return fmt.Sprintf("account %d, mailbox %d, UID %d", r.account, r.mailbox, uid)
}
