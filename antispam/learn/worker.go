package learn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"postern/antispam/bayes"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/store"
)

const (
	// batchMessages and batchTokens bound what one transaction learns, so that mail does not wait for it.
	batchMessages = 16
	batchTokens   = 6000
	// batchRows is how many rows of the queue are looked at together.
	batchRows = 32
	// retryAfter is the pause when the database does not take what was learnt.
	retryAfter = time.Minute
)

// Tokenize cuts a message into tokens: its bytes as they were received, without what the server added before them.
type Tokenize func(content io.ReaderAt, size int64) ([]bayes.Token, error)

// LessonsOptions of [NewLessons].
type LessonsOptions struct {
	DB     *db.DB
	Store  *store.Store
	Models *Models
	Tokens Tokenize
	Clock  clock.Clock
	Log    *slog.Logger
}

// Lessons are the messages that wait to be learnt: a queue in the database and the one that works it off. It is a
// [store.Listener].
type Lessons struct {
	LessonsOptions
	signal chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

// NewLessons opens the queue. Lessons are taken from now on, and learnt after Start.
func NewLessons(o LessonsOptions) *Lessons {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Lessons{LessonsOptions: o, signal: make(chan struct{}, 1), done: make(chan struct{})}
}

// Start works the queue off in the background, beginning with what an earlier process left.
func (l *Lessons) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go l.run(ctx)
}

// Close ends the work; what waits is found again by the next Start.
func (l *Lessons) Close() error {
	if l.cancel != nil {
		l.cancel()
		<-l.done
	}
	return nil
}

// wake tells the worker that there is something. It never blocks.
func (l *Lessons) wake() {
	select {
	case l.signal <- struct{}{}:
	default:
	}
}

func (l *Lessons) run(ctx context.Context) {
	defer close(l.done)
	timer := l.Clock.NewTimer(retryAfter)
	defer timer.Stop()
	for {
		err := l.Work(ctx)
		if err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
			l.Log.Warn("a lesson about spam could not be learnt; it will be tried again", "error", err)
			timer.Reset(retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.signal:
		case <-timer.C():
		}
	}
}

// Work learns everything that waits, a little of each account in turn. Start calls it; so may whoever cannot wait.
func (l *Lessons) Work(ctx context.Context) error {
	for account := int64(-1); ; {
		rows, err := l.next(ctx, account)
		switch {
		case err != nil:
			return err
		case len(rows) == 0 && account == -1:
			return nil
		case len(rows) == 0:
			account = -1
			continue
		}
		account = rows[0].account
		if err := l.learn(ctx, rows); err != nil {
			return err
		}
	}
}

// Waiting tells how many rows the queue has; each stands for one or many messages.
func (l *Lessons) Waiting(ctx context.Context) (n int64, err error) {
	err = l.DB.QueryRow(ctx, `SELECT count(*) FROM learn_queue`).Scan(&n)
	return n, err
}

// queued is a row of learn_queue.
type queued struct {
	id, account, mailbox, first, last int64
	class                             Class
}

// next gives the oldest rows of the first account behind the given one.
func (l *Lessons) next(ctx context.Context, after int64) (found []queued, err error) {
	rows, err := l.DB.Query(ctx, `SELECT id, account, mailbox, first_uid, last_uid, class FROM learn_queue
		WHERE account > ? ORDER BY account, id LIMIT ?`, after, batchRows)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var q queued
		if err := rows.Scan(&q.id, &q.account, &q.mailbox, &q.first, &q.last, &q.class); err != nil {
			return nil, err
		}
		if len(found) > 0 && q.account != found[0].account {
			break
		}
		found = append(found, q)
	}
	return found, closeRows(rows)
}

// progress is how far a batch came in the queue.
type progress struct {
	lessons []lesson
	tokens  int
	done    []int64 // rows that are worked off
	left    *queued // the row at which the batch ended, from the UID where to go on
}

func (p *progress) full() bool { return len(p.lessons) >= batchMessages || p.tokens >= batchTokens }

// learn takes as much of the rows, all of one account, as a transaction may hold, in their order.
func (l *Lessons) learn(ctx context.Context, rows []queued) error {
	var p progress
	for i := range rows {
		if p.full() || p.left != nil {
			break
		}
		if err := l.read(ctx, &rows[i], &p); err != nil {
			return err
		}
	}
	return l.DB.Write(ctx, func(tx *db.Tx) error {
		if _, err := l.Models.apply(tx, p.lessons); err != nil {
			return err
		}
		for _, id := range p.done {
			if _, err := tx.Exec(`DELETE FROM learn_queue WHERE id = ?`, id); err != nil {
				return err
			}
		}
		if p.left != nil {
			_, err := tx.Exec(`UPDATE learn_queue SET first_uid = ? WHERE id = ?`, p.left.first, p.left.id)
			return err
		}
		return nil
	})
}

// read adds the messages of a row to a batch until that is full.
func (l *Lessons) read(ctx context.Context, q *queued, p *progress) error {
	account := l.Store.Account(store.AccountID(q.account))
	messages, err := account.StoredIn(ctx, q.mailbox, store.UIDRange{First: uint32(q.first), Last: uint32(q.last)}, batchMessages+1)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if p.full() {
			q.first = int64(m.UID)
			p.left = q
			return nil
		}
		tokens, err := l.tokens(ctx, account, m)
		if err != nil {
			return err
		}
		if tokens != nil {
			tokens = l.Models.distinct(tokens)
			p.lessons = append(p.lessons, lesson{q.account, identity(m.Key[:]), q.class, tokens})
			p.tokens += len(tokens)
		}
	}
	if len(messages) > batchMessages {
		q.first = int64(messages[len(messages)-1].UID) + 1
		p.left = q
		return nil
	}
	p.done = append(p.done, q.id)
	return nil
}

// tokens opens a message and cuts it up; nil when it is gone or cannot be read, which nobody needs to wait for.
func (l *Lessons) tokens(ctx context.Context, account *store.Account, m store.Stored) ([]bayes.Token, error) {
	content, err := account.OpenStored(ctx, m.ID)
	switch {
	case errors.Is(err, store.ErrGone):
		return nil, nil
	case errors.Is(err, store.ErrDamaged):
		l.Log.Warn("a message is damaged and teaches nothing", "account", account.ID(), "message", m.ID, "error", err)
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer content.Close()
	start := content.PrefixLen()
	tokens, err := cut(l.Tokens, io.NewSectionReader(content, start, content.Size()-start), content.Size()-start)
	if err != nil {
		l.Log.Warn("a message cannot be read and teaches nothing", "account", account.ID(), "message", m.ID, "error", err)
		return nil, nil
	}
	return tokens, nil
}

// cut calls a tokenizer. One that panics on a message must not do so again at each start.
func cut(tokens Tokenize, content io.ReaderAt, size int64) (found []bayes.Token, err error) {
	defer func() {
		if v := recover(); v != nil {
			found, err = nil, fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return tokens(content, size)
}
