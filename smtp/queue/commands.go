package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/internal/db"
)

// Filter chooses recipients in the queue; the zero Filter chooses all. Set fields must all hold.
type Filter struct {
	Messages []ID
	// Domain is the recipients' domain, From and To are whole addresses, as stored.
	Domain, From, To string
	// Held chooses held recipients, or those that are not.
	Held *bool
	// Account sent the message.
	Account *int64
	// After and Limit page through a list in the order of ids; Limit 0 means 1,000.
	After ID
	Limit int
}

// Entry is one recipient in the queue.
type Entry struct {
	Message     ID        `json:"message"`
	Recipient   ID        `json:"recipient"`
	From        string    `json:"from"`
	To          string    `json:"to"`
	Destination string    `json:"destination"`
	Size        int64     `json:"size"`
	Account     int64     `json:"account,omitempty"`
	Arrived     time.Time `json:"arrived"`
	Expires     time.Time `json:"expires"`
	// NextAttempt is zero while held.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	Attempts    int       `json:"attempts"`
	LastHost    string    `json:"last_host,omitempty"`
	LastError   string    `json:"last_error,omitempty"`
	Held        bool      `json:"held"`
	// Active: an attempt is under way or waits for a free line.
	Active bool `json:"active"`
}

// Details are a message in the queue with its recipients that are left.
type Details struct {
	ID         ID      `json:"id"`
	BlobID     int64   `json:"-"`
	Prefix     []byte  `json:"-"`
	EnvID      string  `json:"envid,omitempty"`
	Ret        string  `json:"ret,omitempty"`
	SMTPUTF8   bool    `json:"smtputf8"`
	Body8Bit   bool    `json:"body_8bit"`
	RequireTLS bool    `json:"require_tls"`
	Recipients []Entry `json:"recipients"`
}

const entryColumns = `r.message_id, r.id, m.mail_from, r.address, r.destination, m.size, m.account_id, m.arrived, m.expires,
	r.next_attempt, r.last_attempt, r.attempts, r.last_host, r.last_error, r.held`

const joined = ` FROM queue_recipients r JOIN queue_messages m ON m.id = r.message_id WHERE `

// where is the filter as SQL with its parameters.
func (f Filter) where() (string, []any) {
	conds, args := []string{"1 = 1"}, []any{}
	add := func(cond string, values ...any) {
		conds = append(conds, cond)
		args = append(args, values...)
	}
	if len(f.Messages) > 0 {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(f.Messages)), ", ")
		ids := make([]any, len(f.Messages))
		for i, id := range f.Messages {
			ids[i] = int64(id)
		}
		add("r.message_id IN ("+marks+")", ids...)
	}
	if f.Domain != "" {
		add("r.destination = ?", strings.ToLower(f.Domain))
	}
	if f.From != "" {
		add("m.mail_from = ?", f.From)
	}
	if f.To != "" {
		add("r.address = ?", f.To)
	}
	if f.Held != nil {
		held := int64(0)
		if *f.Held {
			held = 1
		}
		add("r.held = ?", held)
	}
	if f.Account != nil {
		add("m.account_id = ?", *f.Account)
	}
	if f.After > 0 {
		add("r.id > ?", int64(f.After))
	}
	return strings.Join(conds, " AND "), args
}

// List gives the recipients that the filter chooses, in the order of their ids.
func (q *Queue) List(ctx context.Context, f Filter) ([]Entry, error) {
	where, args := f.where()
	limit := f.Limit
	if limit <= 0 {
		limit = 1000
	}
	rows, err := q.o.DB.Query(ctx, "SELECT "+entryColumns+joined+where+" ORDER BY r.id LIMIT ?", append(args, int64(limit))...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []Entry{}
	for rows.Next() {
		var e Entry
		var arrived, expires, next, last, held int64
		err := rows.Scan(&e.Message, &e.Recipient, &e.From, &e.To, &e.Destination, &e.Size, &e.Account, &arrived, &expires,
			&next, &last, &e.Attempts, &e.LastHost, &e.LastError, &held)
		if err != nil {
			return nil, err
		}
		e.Arrived, e.Expires, e.LastAttempt, e.Held = fromMilli(arrived), fromMilli(expires), fromMilli(last), held != 0
		if next != never {
			e.NextAttempt = fromMilli(next)
		}
		e.Active = q.isActive(e.Recipient)
		list = append(list, e)
	}
	return list, rows.Err()
}

// Show gives one message; ErrNoMessage if the queue no longer holds it.
func (q *Queue) Show(ctx context.Context, id ID) (Details, error) {
	d := Details{ID: id}
	var traits int64
	err := q.o.DB.QueryRow(ctx, "SELECT blob_id, prefix, ret, envid, traits FROM queue_messages WHERE id = ?", int64(id)).
		Scan(&d.BlobID, &d.Prefix, &d.Ret, &d.EnvID, &traits)
	if err != nil {
		return d, noMessage(err)
	}
	d.SMTPUTF8, d.Body8Bit, d.RequireTLS = traits&traitUTF8 != 0, traits&trait8Bit != 0, traits&traitTLS != 0
	d.Recipients, err = q.List(ctx, Filter{Messages: []ID{id}, Limit: maxRecipients})
	return d, err
}

// Count is the number of recipients that the filter chooses.
func (q *Queue) Count(ctx context.Context, f Filter) (int64, error) {
	where, args := f.where()
	var n int64
	err := q.o.DB.QueryRow(ctx, "SELECT COUNT(*)"+joined+where, args...).Scan(&n)
	return n, err
}

// Retry makes the chosen recipients due now, also at destinations that rest since they could not be reached; held ones
// stay held. It gives their number, as the others do.
func (q *Queue) Retry(ctx context.Context, f Filter) (int64, error) {
	held := false
	f.Held = &held
	q.sched.endRests()
	return q.update(ctx, f, func(now int64) (string, []any) { return "next_attempt = ?", []any{now} })
}

// Hold stops attempts for the chosen recipients until they are released. One under way is not interrupted.
func (q *Queue) Hold(ctx context.Context, f Filter) (int64, error) {
	held := false
	f.Held = &held
	return q.update(ctx, f, func(int64) (string, []any) { return "held = 1, next_attempt = ?", []any{int64(never)} })
}

// Release lets the chosen held recipients go; they are due now.
func (q *Queue) Release(ctx context.Context, f Filter) (int64, error) {
	held := true
	f.Held = &held
	return q.update(ctx, f, func(now int64) (string, []any) { return "held = 0, next_attempt = ?", []any{now} })
}

// update changes the chosen recipients in steps, so that no transaction becomes long.
func (q *Queue) update(ctx context.Context, f Filter, set func(now int64) (string, []any)) (int64, error) {
	return q.inSteps(ctx, f, func(tx *db.Tx, ids []any, marks string) (int64, error) {
		now := q.stamp()
		what, args := set(now)
		n, err := tx.Exec("UPDATE queue_recipients SET "+what+" WHERE id IN ("+marks+")", append(slices.Clip(args), ids...)...)
		tx.OnCommit(func() { q.due(now) })
		return n, err
	})
}

// Drop removes the chosen recipients. Nobody is told: whoever wants the sender to know lets the message expire instead.
func (q *Queue) Drop(ctx context.Context, f Filter) (int64, error) {
	return q.inSteps(ctx, f, func(tx *db.Tx, ids []any, marks string) (int64, error) {
		messages, err := messagesOf(tx, ids, marks)
		if err != nil {
			return 0, err
		}
		n, err := tx.Exec("DELETE FROM queue_recipients WHERE id IN ("+marks+")", ids...)
		if err != nil {
			return 0, err
		}
		for _, m := range messages {
			if err := q.removeIfDone(tx, m); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
}

const step = 200

func (q *Queue) inSteps(ctx context.Context, f Filter, do func(tx *db.Tx, ids []any, marks string) (int64, error)) (int64, error) {
	total := int64(0)
	left := f.Limit
	for {
		f.Limit = step
		if left > 0 {
			f.Limit = min(step, left)
		}
		list, err := q.List(ctx, f)
		if err != nil || len(list) == 0 {
			return total, err
		}
		ids := make([]any, len(list))
		for i, e := range list {
			ids[i] = int64(e.Recipient)
		}
		var n int64
		err = q.o.DB.Write(ctx, func(tx *db.Tx) (err error) {
			n, err = do(tx, ids, strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", "))
			return err
		})
		if err != nil {
			return total, fmt.Errorf("after %d recipients: %w", total, err)
		}
		total += n
		f.After = list[len(list)-1].Recipient
		if left > 0 {
			if left -= len(list); left <= 0 {
				return total, nil
			}
		}
	}
}

func messagesOf(tx *db.Tx, ids []any, marks string) ([]ID, error) {
	rows, err := tx.Query("SELECT DISTINCT message_id FROM queue_recipients WHERE id IN ("+marks+")", ids...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []ID
	for rows.Next() {
		var id ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
