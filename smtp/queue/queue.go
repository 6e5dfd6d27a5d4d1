// Package queue keeps what leaves the server until it has left: a durable list of recipients, each with the time of its
// next attempt, a scheduler that hands them to a deliverer, and the notices that tell senders what became of their mail
// (RFC 3464).
//
// The road starts at EnqueueTx, inside the transaction that accepts the message. When that transaction is durable the
// scheduler wakes; it reads due recipients in the order of the index on their next attempt, groups those of one message
// and one destination into a job, and lets a few jobs of each destination run at once, over one warm connection where
// the destination's server allows it. What came of a job is written in ONE transaction: delivered recipients go, failed
// ones go together with the bounce that says so, the others get the time of their next attempt.
//
// A power cut between the remote server's 250 and our commit means that the message is sent again: mail may arrive
// twice, but never not at all (RFC 5321 4.5.5 leaves no third way). A database that refuses the result (a full disk) is
// asked again until it takes it; the message is not sent again meanwhile.
package queue

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
)

// Content is a message's stored content, as the store opens it.
type Content interface {
	io.ReaderAt
	Size() int64
	Close() error
}

// Blobs is what the queue needs of the store.
type Blobs interface {
	OpenBlob(ctx context.Context, id int64) (Content, error)
	ReleaseBlobTx(tx *db.Tx, id int64) error
}

// BlobUse asks for each blob that the queue holds and how many references to it the queue has: for whoever verifies the
// counts of references.
const BlobUse = "SELECT blob_id, count(*) FROM queue_messages GROUP BY blob_id"

// Limits are the settings of the queue; zero values mean the defaults named here.
type Limits struct {
	MaxAge      time.Duration // 5 days: then the sender gets it back
	DelayNotice time.Duration // 4 hours: then the sender is told, once
	RetryMin    time.Duration // 5 minutes after the first failure, then double each time
	RetryMax    time.Duration // 4 hours
	Concurrency int           // 100 deliveries at once in all
	PerDomain   int           // 5 deliveries at once to one destination
	MaxActive   int           // 5,000 recipients in memory
	ReturnSize  int64         // 1 MiB: a larger message comes back in a notice as its header alone
}

// Notice is a delivery status notification on its way to a sender.
type Notice struct {
	To address.Address
	// Message is the whole notice, unsigned, with CRLF ends.
	Message            []byte
	SMTPUTF8, Body8Bit bool
	// Account sent the message that the notice is about.
	Account int64
	// About is the message that the notice is about.
	About ID
}

// Bouncer hands a notice to its receiver: a mailbox here, or the queue with the null reverse-path. It signs it. Prepare
// does the work that needs time and I/O; what it returns is called inside the transaction that changes the queue's rows.
type Bouncer interface {
	Prepare(ctx context.Context, n Notice) (Prepared, error)
}

// Prepared is a notice that only needs its transaction.
type Prepared interface {
	Tx(tx *db.Tx) error
	// Discard is called always, after the transaction or instead of it.
	Discard()
}

// EventKind says what happened to a recipient.
type EventKind string

// The kinds of events.
const (
	Delivered EventKind = "delivered"
	Deferred  EventKind = "deferred"
	Failed    EventKind = "failed"
	Expired   EventKind = "expired"
)

// Event is told to Options.Observe after each attempt, for metrics and the activity log.
type Event struct {
	Kind        EventKind
	Message     ID
	Recipient   string
	Destination string
	Host        string
	TLS         bool
	Reply       string
	Attempts    int
	// Age is the time since the message was accepted; Size its bytes.
	Age  time.Duration
	Size int64
	// Account sent it; 0 is the system.
	Account int64
}

// Options connect a Queue.
type Options struct {
	DB        *db.DB
	Blobs     Blobs
	Deliverer Deliverer
	Bouncer   Bouncer
	// Hostname is our name in notices.
	Hostname string
	Limits   func() Limits
	Observe  func(Event)
	Clock    clock.Clock
	Log      *slog.Logger
}

// ErrNoMessage: the queue holds no message with such an id.
var ErrNoMessage = errors.New("no such message in the queue")
