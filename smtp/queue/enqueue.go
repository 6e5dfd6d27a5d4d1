package queue

import (
	"errors"
	"fmt"
	"math"

	"postern/internal/address"
	"postern/internal/db"
)

const (
	// never is the next attempt of a held recipient.
	never = math.MaxInt64
	// maxRecipients bounds one message; whoever has more sends more messages.
	maxRecipients = 10000
)

// Bits of queue_messages.traits.
const (
	traitUTF8 = 1 << iota
	trait8Bit
	traitTLS
)

// EnqueueTx puts a message into the queue as part of tx and gives its id. Once tx is durable it is tried at once.
func (q *Queue) EnqueueTx(tx *db.Tx, m Message) (ID, error) {
	if len(m.Recipients) == 0 || len(m.Recipients) > maxRecipients {
		return 0, fmt.Errorf("a queued message has 1 to %d recipients, not %d", maxRecipients, len(m.Recipients))
	}
	now := q.stamp()
	lifetime := m.Lifetime
	if lifetime <= 0 {
		lifetime = q.limits().MaxAge
	}
	from := ""
	if !m.From.IsZero() {
		from = m.From.String()
	}
	id := q.nextID()
	_, err := tx.Exec(`INSERT INTO queue_messages (id, blob_id, size, prefix, mail_from, ret, envid, traits, account_id, arrived, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(id), m.BlobID, m.Size, nonNil(m.Prefix), from, m.Ret, m.EnvID, m.traits(), m.Account, now, now+lifetime.Milliseconds())
	if err != nil {
		return 0, err
	}
	next, held := now, int64(0)
	if m.Hold {
		next, held = never, 1
	}
	for _, r := range m.Recipients {
		if err := q.insertRecipient(tx, id, r, next, held); err != nil {
			return 0, err
		}
	}
	if !m.Hold {
		tx.OnCommit(func() { q.due(now) })
	}
	return id, nil
}

func (q *Queue) insertRecipient(tx *db.Tx, message ID, r Recipient, next, held int64) error {
	if r.Address.IsZero() || r.Address.Domain == "" {
		return errors.New("a recipient in the queue needs an address with a domain")
	}
	_, err := tx.Exec(`INSERT INTO queue_recipients (id, message_id, destination, address, notify, orcpt,
			next_attempt, held, attempts, last_attempt, last_host, last_error, delay_told)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, 0, '', '', 0)`,
		int64(q.nextID()), int64(message), destination(r.Address), r.Address.String(), int64(r.Notify), r.ORCPT, next, held)
	return err
}

// destination is the name under which recipients share servers, connections and limits.
func destination(a address.Address) string { return a.Domain }

func (m *Message) traits() int64 {
	var t int64
	if m.SMTPUTF8 {
		t |= traitUTF8
	}
	if m.Body8Bit {
		t |= trait8Bit
	}
	if m.RequireTLS {
		t |= traitTLS
	}
	return t
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
