package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"postern/internal/address"
	"postern/internal/db"
	"postern/internal/reply"
	"postern/smtp/queue/dsn"
)

// fate is what a recipient's outcome means for its row.
type fate struct {
	row     *recipientRow
	outcome Outcome
	kind    EventKind
	next    int64 // of a deferred one
	told    bool  // it is in a notice of delay now
}

// settle writes what came of a job, in one transaction together with the notices that it causes. It asks the database
// until that takes it; only the end of ctx leaves the rows as they were.
func (q *Queue) settle(ctx context.Context, l *loaded, outcomes []Outcome, content Content) {
	now := q.o.Clock.Now()
	fates := q.fates(l, outcomes, now)
	if len(fates) == 0 {
		return
	}
	notices, err := q.notices(ctx, l, fates, now, content)
	defer func() { discard(notices) }()
	if err != nil {
		// Whoever must be told cannot be told now: those recipients stay and fail again a little later.
		q.log.Error("queue: a notice could not be prepared", "message", l.id.String(), "error", err)
		q.postpone(fates, now)
	}
	for warned := false; ; warned = true {
		err := q.o.DB.Write(ctx, func(tx *db.Tx) error { return q.settleTx(tx, l, fates, notices, now) })
		if err == nil {
			break
		}
		if ctx.Err() != nil || errors.Is(err, db.ErrClosed) {
			q.log.Error("queue: what came of a delivery could not be written; the message may be sent again", "message", l.id.String(), "error", err)
			return
		}
		if !warned {
			q.log.Error("queue: what came of a delivery cannot be written yet", "message", l.id.String(), "error", err)
		}
		select {
		case <-ctx.Done():
		case <-q.o.Clock.After(writeAgain):
		}
		if errors.As(err, new(noticeError)) {
			// Its receiver may have gone since it was prepared.
			again, err := q.notices(ctx, l, fates, now, content)
			if err == nil {
				notices, again = again, notices
			}
			discard(again)
		}
	}
	for _, f := range fates {
		q.observe(l, f, now)
	}
}

// noticeError is why a notice could not be written.
type noticeError struct{ cause error }

func (e noticeError) Error() string { return "a notice: " + e.cause.Error() }
func (e noticeError) Unwrap() error { return e.cause }

func discard(notices []Prepared) {
	for _, n := range notices {
		n.Discard()
	}
}

// writeAgain is the pause before the database is asked again.
const writeAgain = 5 * time.Second

func (q *Queue) settleTx(tx *db.Tx, l *loaded, fates []fate, notices []Prepared, now time.Time) error {
	gone := false
	for _, f := range fates {
		if f.kind == Deferred {
			if err := q.deferTx(tx, f, now); err != nil {
				return err
			}
			continue
		}
		gone = true
		if _, err := tx.Exec("DELETE FROM queue_recipients WHERE id = ?", int64(f.row.id)); err != nil {
			return err
		}
	}
	for _, n := range notices {
		if err := n.Tx(tx); err != nil {
			return noticeError{err}
		}
	}
	if !gone {
		return nil
	}
	return q.removeIfDone(tx, l.id)
}

func (q *Queue) deferTx(tx *db.Tx, f fate, now time.Time) error {
	told := int64(0)
	if f.told || f.row.delayTold {
		told = 1
	}
	_, err := tx.Exec(`UPDATE queue_recipients SET attempts = ?, last_attempt = ?, last_host = ?, last_error = ?, delay_told = ?,
		next_attempt = CASE WHEN held = 1 THEN next_attempt ELSE ? END WHERE id = ?`,
		int64(f.row.attempts+1), now.UnixMilli(), f.outcome.Host, f.words(), told, f.next, int64(f.row.id))
	tx.OnCommit(func() { q.due(f.next) })
	return err
}

// fates decides about each recipient. Those that were not tried are left out.
func (q *Queue) fates(l *loaded, outcomes []Outcome, now time.Time) []fate {
	limits := q.limits()
	// One time for all of them, so that they meet again in one job.
	jitter := 0.8 + 0.4*rand.Float64()
	var list []fate
	for i := range l.rows {
		f := fate{row: &l.rows[i], outcome: outcomes[i]}
		switch {
		case f.outcome.Untried:
			continue
		case f.outcome.Err == nil:
			f.kind = Delivered
		case !f.outcome.Err.Temporary():
			f.kind = Failed
		case now.UnixMilli() >= l.expires:
			f.kind = Expired
		default:
			f.kind = Deferred
			f.next = q.nextAttempt(l, f.row.attempts, now, jitter, limits)
			f.told = !f.row.delayTold && f.row.notify.WantsDelay() && l.from != "" && now.UnixMilli() >= l.arrived+limits.DelayNotice.Milliseconds()
		}
		list = append(list, f)
	}
	return list
}

// nextAttempt is when a recipient is tried again: after RetryMin, doubled with each failure up to RetryMax, a little more
// or less so that what failed together does not come back together. It is not later than the end of the message's life,
// nor than the time at which its sender wants to hear of a delay (RFC 5321 4.5.4.1).
func (q *Queue) nextAttempt(l *loaded, attempts int, now time.Time, jitter float64, limits Limits) int64 {
	wait := limits.RetryMin
	for range attempts {
		if wait >= limits.RetryMax {
			break
		}
		wait *= 2
	}
	wait = time.Duration(float64(min(wait, limits.RetryMax)) * jitter)
	next := now.Add(wait).UnixMilli()
	if notice := l.arrived + limits.DelayNotice.Milliseconds(); notice > now.UnixMilli() {
		next = min(next, notice)
	}
	return min(next, max(l.expires, now.UnixMilli()+1))
}

// postpone turns all that would end a recipient with a notice into another try.
func (q *Queue) postpone(fates []fate, now time.Time) {
	next := now.Add(q.limits().RetryMin).UnixMilli()
	for i := range fates {
		if f := &fates[i]; f.kind == Failed || f.kind == Expired {
			f.kind, f.next = Deferred, next
		}
		fates[i].told = false
	}
}

// notices composes and prepares what the sender is told: one notice for failures, one for delays, one for relays.
func (q *Queue) notices(ctx context.Context, l *loaded, fates []fate, now time.Time, content Content) ([]Prepared, error) {
	if l.from == "" {
		return nil, nil // nobody to tell (RFC 5321 4.5.5)
	}
	to, err := address.Parse(l.from)
	if err != nil {
		q.log.Error("queue: the sender's address cannot be read, nobody is told", "message", l.id.String(), "error", err)
		return nil, nil
	}
	groups := map[dsn.Action][]dsn.Recipient{}
	for _, f := range fates {
		if action := f.action(); action != "" {
			groups[action] = append(groups[action], q.reported(l, f, action, now))
		}
	}
	var list []Prepared
	for _, action := range []dsn.Action{dsn.Failed, dsn.Delayed, dsn.Relayed} {
		if len(groups[action]) == 0 {
			continue
		}
		n, err := q.compose(l, groups[action], action, now, content)
		if err != nil {
			return list, err
		}
		prepared, err := q.o.Bouncer.Prepare(ctx, Notice{
			To: to, Message: n.Message, SMTPUTF8: l.traits&traitUTF8 != 0, Body8Bit: n.Has8Bit, Account: l.account, About: l.id,
		})
		if err != nil {
			return list, err
		}
		list = append(list, prepared)
	}
	return list, nil
}

// action is what the sender is told about a recipient, "" for nothing (RFC 3461 4.1, 5.2).
func (f fate) action() dsn.Action {
	n := f.row.notify
	switch {
	case (f.kind == Failed || f.kind == Expired) && n.WantsFailure():
		return dsn.Failed
	case f.kind == Deferred && f.told:
		return dsn.Delayed
	case f.kind == Delivered && f.outcome.Relayed && n.WantsSuccess():
		return dsn.Relayed
	}
	return ""
}

func (q *Queue) reported(l *loaded, f fate, action dsn.Action, now time.Time) dsn.Recipient {
	r := dsn.Recipient{Address: f.row.address, ORCPT: f.row.orcpt, Action: action, RemoteMTA: hostName(f.outcome.Host), LastAttempt: now}
	if f.outcome.Err == nil {
		r.Status, r.Diagnostic = "2.0.0", f.outcome.Reply
		return r
	}
	r.Status = f.outcome.Err.EnhancedString()
	if f.outcome.Remote {
		r.Diagnostic = f.outcome.Reply
	} else {
		r.Reason = f.outcome.Err.Text
	}
	switch f.kind {
	case Expired:
		r.Status = "5.4.7" // RFC 3463 3.5: delivery time expired
		r.Reason = joinReasons("It was tried for too long.", r.Reason)
	case Deferred:
		r.RetryUntil = time.UnixMilli(l.expires)
	}
	return r
}

func joinReasons(a, b string) string {
	if b == "" {
		return a
	}
	return a + " " + b
}

// hostName is the name in "name[address]".
func hostName(at string) string {
	for i := 1; i < len(at); i++ {
		if at[i] == '[' {
			return at[:i]
		}
	}
	return at
}

func (q *Queue) compose(l *loaded, recipients []dsn.Recipient, action dsn.Action, now time.Time, content Content) (dsn.Notification, error) {
	r := dsn.Report{
		Hostname: q.o.Hostname, To: l.from, Date: now, EnvID: l.envid, Arrived: time.UnixMilli(l.arrived), Recipients: recipients,
		SMTPUTF8: l.traits&traitUTF8 != 0,
	}
	if content != nil {
		r.Message = l.open(content)
		// RFC 3461 4.3: RET speaks of failures only. RFC 8689 5: the notice may go where no TLS is.
		r.Full = action == dsn.Failed && l.ret == "FULL" && l.size <= q.limits().ReturnSize && l.traits&traitTLS == 0
	}
	n, err := dsn.Compose(r)
	if err != nil && content != nil {
		q.log.Error("queue: a message cannot be returned with its notice", "message", l.id.String(), "error", err)
		r.Message, r.Full = nil, false
		return dsn.Compose(r)
	}
	return n, err
}

// words are a failure as it is kept and listed.
func (f fate) words() string {
	if f.outcome.Err == nil {
		return ""
	}
	if f.outcome.Remote {
		return f.outcome.Reply
	}
	return fmt.Sprintf("%d %s %s", f.outcome.Err.Code, f.outcome.Err.EnhancedString(), f.outcome.Err.Text)
}

// observe tells the log and whoever watches.
func (q *Queue) observe(l *loaded, f fate, now time.Time) {
	e := Event{
		Kind: f.kind, Message: l.id, Recipient: f.row.address, Host: f.outcome.Host, TLS: f.outcome.TLS, Reply: f.words(),
		Attempts: f.row.attempts + 1, Age: now.Sub(time.UnixMilli(l.arrived)), Size: l.size, Account: l.account,
	}
	if f.outcome.Err == nil {
		e.Reply = f.outcome.Reply
	}
	if a, err := address.Parse(f.row.address); err == nil {
		e.Destination = destination(a)
	}
	q.log.Info("delivery", "message", l.id.String(), "result", string(e.Kind), "from", l.from, "to", e.Recipient, "host", e.Host,
		"tls", e.TLS, "reply", e.Reply, "attempts", e.Attempts, "age", e.Age.Round(time.Millisecond))
	if q.o.Observe != nil {
		q.o.Observe(e)
	}
}

// ours is the failure of something here, which is not the sender's to know.
func ours(err error) *reply.Error {
	return reply.Wrap(err, 451, "4.3.0", "The message could not be read here")
}
