package queue

import (
	"bytes"
	"context"
	"errors"
	"io"

	"postern/internal/db"
)

// task is one message for some recipients at one destination, waiting in memory.
type task struct {
	message    ID
	recipients []ID // ascending
}

// loaded is a task with its rows, as they are now.
type loaded struct {
	message
	rows []recipientRow
}

type message struct {
	id               ID
	blob, size       int64
	prefix           []byte
	from, ret, envid string
	traits, account  int64
	arrived, expires int64
}

type recipientRow struct {
	id               ID
	address          string
	notify           Notify
	orcpt            string
	attempts         int
	delayTold        bool
	lastError, where string
}

// In selectRecipients the plus and the empty string keep the engines from any index but that of the ids: a task's are
// close together, while a message or a destination may have very many.
const (
	selectMessage = `SELECT blob_id, size, prefix, mail_from, ret, envid, traits, account_id, arrived, expires
		FROM queue_messages WHERE id = ?`
	selectRecipients = `SELECT id, address, notify, orcpt, attempts, delay_told, last_error, last_host FROM queue_recipients
		WHERE id >= ? AND id <= ? AND +message_id = ? AND destination || '' = ? AND held = 0 ORDER BY id`
)

// load reads a task's rows. Recipients that were dropped or held meanwhile are left out; none left gives nil.
func (q *Queue) load(ctx context.Context, destination string, t *task) (*loaded, error) {
	l := &loaded{message: message{id: t.message}}
	err := q.o.DB.QueryRow(ctx, selectMessage, int64(t.message)).
		Scan(&l.blob, &l.size, &l.prefix, &l.from, &l.ret, &l.envid, &l.traits, &l.account, &l.arrived, &l.expires)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := q.o.DB.Query(ctx, selectRecipients,
		int64(t.recipients[0]), int64(t.recipients[len(t.recipients)-1]), int64(t.message), destination)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	next := 0
	for rows.Next() {
		var r recipientRow
		var notify, told int64
		if err := rows.Scan(&r.id, &r.address, &notify, &r.orcpt, &r.attempts, &told, &r.lastError, &r.where); err != nil {
			return nil, err
		}
		for next < len(t.recipients) && t.recipients[next] < r.id {
			next++
		}
		if next == len(t.recipients) || t.recipients[next] != r.id {
			continue // another task's
		}
		r.notify, r.delayTold = Notify(notify), told != 0
		l.rows = append(l.rows, r)
	}
	if err := rows.Err(); err != nil || len(l.rows) == 0 {
		return nil, err
	}
	return l, nil
}

// job is the loaded task as a deliverer sees it.
func (l *loaded) job(destination string, content Content) *Job {
	j := &Job{
		Message: l.id, Destination: destination, From: l.from, Ret: l.ret, EnvID: l.envid, Size: l.size,
		SMTPUTF8: l.traits&traitUTF8 != 0, Body8Bit: l.traits&trait8Bit != 0, RequireTLS: l.traits&traitTLS != 0,
		Open: func() io.Reader { return l.open(content) },
	}
	for _, r := range l.rows {
		j.Recipients = append(j.Recipients, JobRecipient{Address: r.address, Notify: r.notify, ORCPT: r.orcpt})
	}
	return j
}

// open reads the message from its start.
func (l *loaded) open(content Content) io.Reader {
	return io.MultiReader(bytes.NewReader(l.prefix), io.NewSectionReader(content, 0, content.Size()))
}
