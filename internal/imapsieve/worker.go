package imapsieve

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"postern/internal/db"
	"postern/internal/store"
)

const (
	// batchMessages bounds what one transaction does, and how long other accounts wait for one.
	batchMessages = 16
	// tries is how often a message is tried whose scripts cannot be carried out, retryAfter the pause between.
	tries      = 3
	retryAfter = time.Minute
)

// Start works the queue off in the background, beginning with what an earlier process left.
func (q *Queue) Start(c Carrier) {
	ctx, cancel := context.WithCancel(context.Background())
	q.carrier, q.cancel = c, cancel
	go q.run(ctx)
}

// Close ends the work; what waits is found again by the next Start.
func (q *Queue) Close() error {
	if q.cancel != nil {
		q.cancel()
		<-q.done
	}
	return nil
}

func (q *Queue) run(ctx context.Context) {
	defer close(q.done)
	timer := q.Clock.NewTimer(retryAfter)
	defer timer.Stop()
	for {
		if err := q.work(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
			q.Log.Warn("a Sieve script could not be run for what was done in a mailbox; it will be tried again", "error", err)
			timer.Reset(retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-q.signal:
		case <-timer.C():
		}
	}
}

// work goes round the accounts, a few messages of each, until nothing is left but those accounts of which one failed, which rest.
func (q *Queue) work(ctx context.Context) error {
	var failed error
	resting := map[int64]bool{}
	for account, progress := int64(-1), false; ; {
		r, err := q.next(ctx, account)
		switch {
		case err != nil:
			return err
		case r == nil && account == -1:
			q.forget()
			return nil
		case r == nil && !progress:
			return failed
		case r == nil:
			account, progress = -1, false
			continue
		}
		if account = r.account; resting[account] {
			continue
		}
		switch err := q.carry(ctx, r); {
		case err == nil:
			progress = true
		case ctx.Err() != nil:
			return err
		default:
			failed, resting[account] = fmt.Errorf("%s: %w", r, err), true
		}
	}
}

// queued is a row of the queue.
type queued struct {
	id, account, mailbox int64
	cause                store.Cause
	flags                []string
	runs                 []run
}

// next gives the oldest row of the first account behind the given one; nil for none.
func (q *Queue) next(ctx context.Context, after int64) (*queued, error) {
	var r queued
	var cause int64
	var flags string
	var messages []byte
	err := q.DB.QueryRow(ctx, `SELECT id, account, mailbox, cause, flags, messages FROM imapsieve_queue WHERE account > ? ORDER BY account, id LIMIT 1`, after).
		Scan(&r.id, &r.account, &r.mailbox, &cause, &flags, &messages)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.cause, r.flags = store.Cause(cause), strings.Fields(flags)
	if r.runs, err = decode(messages); err != nil || len(r.runs) == 0 {
		q.Log.Error("a damaged row of imapsieve_queue is dropped", "account", r.account, "row", r.id)
		r.runs = nil
	}
	return &r, nil
}

// first gives the first messages of the row.
func (r *queued) first(atMost int) (list []Message) {
	for _, one := range r.runs {
		for i := range one.n {
			if len(list) == atMost {
				return list
			}
			m := Message{Account: store.AccountID(r.account), Mailbox: r.mailbox, UID: one.first + i, Cause: r.cause}
			for k, flag := range r.flags {
				if k < 64 && one.changed&(1<<k) != 0 {
					m.Flags = append(m.Flags, flag)
				}
			}
			list = append(list, m)
		}
	}
	return list
}

// trouble is what a row has of messages whose scripts could not be carried out.
type trouble struct {
	singly int // messages that are tried one by one
	tries  int // of the first of them
}

// carry runs the scripts for the first messages of a row and does what they want. If that fails the messages are tried one by one,
// so that one of them does not keep the others waiting; in the end it is given up.
func (q *Queue) carry(ctx context.Context, r *queued) error {
	wrong, alone := q.troubles[r.id]
	atMost := batchMessages
	if alone {
		atMost = 1
	}
	messages := r.first(atMost)
	err := q.together(ctx, r, messages)
	switch {
	case err == nil && !alone, ctx.Err() != nil, errors.Is(err, db.ErrClosed):
		return err
	case len(messages) > 1:
		q.troubles[r.id] = trouble{singly: len(messages)}
		return nil
	case err != nil && wrong.tries+1 < tries:
		wrong.tries++
		q.troubles[r.id] = trouble{max(1, wrong.singly), wrong.tries}
		return err
	case err != nil:
		q.Log.Error("a Sieve script cannot be run for a message; it is left as it is", "message", r.String(), "error", err)
		if err := q.settle(ctx, r, len(messages), nil); err != nil {
			return err
		}
	}
	if wrong.singly--; wrong.singly <= 0 {
		delete(q.troubles, r.id)
		return nil
	}
	q.troubles[r.id] = trouble{singly: wrong.singly}
	return nil
}

// together looks at messages and does for all of them what is to be done, or nothing.
func (q *Queue) together(ctx context.Context, r *queued, messages []Message) error {
	var effects []Effect
	defer func() {
		for _, e := range effects {
			e.Discard()
		}
	}()
	for _, m := range messages {
		e, err := q.look(ctx, m)
		if err != nil {
			return err
		}
		if e != nil {
			effects = append(effects, e)
		}
	}
	return q.settle(ctx, r, len(messages), effects)
}

// look runs the scripts for one message. One on which they panic is left as it is.
func (q *Queue) look(ctx context.Context, m Message) (e Effect, err error) {
	defer func() {
		if v := recover(); v != nil {
			q.Log.Error("a Sieve script panics on a message; it is left as it is", "account", m.Account, "mailbox", m.Mailbox, "uid", m.UID,
				"panic", v, "stack", string(debug.Stack()))
			e, err = nil, nil
		}
	}()
	return q.carrier.Carry(ctx, m)
}

// settle does what is to be done and takes the first n messages out of the row, in one transaction.
func (q *Queue) settle(ctx context.Context, r *queued, n int, effects []Effect) error {
	left := drop(r.runs, n)
	return q.DB.Write(ctx, func(tx *db.Tx) error {
		// Before anything is taken out: what is counted anew are rows as they were committed, from which the hook subtracts.
		if err := q.recount(tx); err != nil {
			return err
		}
		tx.OnCommit(func() { q.count(store.AccountID(r.account), -int64(n)) })
		for _, e := range effects {
			if err := e.Tx(tx); err != nil {
				return err
			}
		}
		if len(left) == 0 {
			_, err := tx.Exec(`DELETE FROM imapsieve_queue WHERE id = ?`, r.id)
			return err
		}
		waiting := int64(0)
		for _, one := range left {
			waiting += int64(one.n)
		}
		_, err := tx.Exec(`UPDATE imapsieve_queue SET number = ?, messages = ? WHERE id = ?`, waiting, encode(left), r.id)
		return err
	})
}
