// Package mailflow is the story of a message: in.go tells how it comes from the world to a mailbox, out.go how it goes from a
// user to the world; filter.go, what their recipients' scripts make of it on the way.
//
// Both are backends of SMTP servers. They ask the directory who is meant and who may, mailauth and the block lists who is
// there, and end in one place, commit.go, where a message becomes durable for all its recipients at once: copies for
// local people into the store, the rest into the queue, in a single transaction. What is refused is refused here, before
// the 250; what was accepted is not bounced for a reason that could have been known.
package mailflow

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"postern/antispam/outbound"
	"postern/dkim"
	"postern/dnsbl"
	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/filter"
	"postern/internal/judge"
	"postern/internal/message"
	"postern/internal/reports"
	"postern/internal/settings"
	"postern/internal/spool"
	"postern/internal/srs"
	"postern/internal/store"
	"postern/internal/verdict"
	"postern/smtp/queue"
)

// BlockLists answers whether a client's address is listed.
type BlockLists interface {
	Check(ctx context.Context, ip netip.Addr) dnsbl.Verdict
}

// Keys gives the keys that sign for a domain of ours; none is no error.
type Keys interface {
	Signing(ctx context.Context, domain string) ([]*dkim.Key, error)
}

// Judge finds out who sent a message and whether it is wanted; *judge.Judge is one.
type Judge interface {
	Judge(ctx context.Context, a *judge.Arrival) (*judge.Judgement, error)
	// Learn counts a judged message under its sender's names.
	Learn(*judge.Judgement)
	// Outgoing looks at a message that a user of ours sends.
	Outgoing(ctx context.Context, d *judge.Departure) (judge.Outgoing, error)
}

// Traces keeps how messages were judged; *archive.Archive is one.
type Traces interface {
	Encode(*verdict.Trace) ([]byte, error)
	StoreTx(*db.Tx, *verdict.Trace, []byte) error
	StoreLater(*verdict.Trace)
}

// Correspondents remembers whom accounts write to; *reputation.Correspondents is one.
type Correspondents interface {
	SentTx(tx *db.Tx, account int64, to []address.Address) error
	CountNew(ctx context.Context, account int64, to []address.Address) (int, error)
}

// Watch notices accounts that send as no person does; *outbound.Watch is one.
type Watch interface {
	Judge(ctx context.Context, s outbound.Submission) outbound.Judgement
	// Held reports, from memory, whether an account is on hold.
	Held(account int64) bool
}

// Reports keeps the reports that come in, and counts what ours will tell; *reports.Reporter is one.
type Reports interface {
	ReadReport(*message.Message, io.ReaderAt) (*reports.Received, bool)
	Observe(reports.Observation)
}

// Filters gives the scripts that have a say about mail for an account, and remembers for them; *filter.Filters is one.
type Filters interface {
	For(ctx context.Context, account int64, domain string) (*filter.Plan, error)
	ForChange(ctx context.Context, account int64, domain, name string) (*filter.Plan, error)
	Remembers(ctx context.Context, account int64, m filter.Mark) (bool, error)
	RememberTx(tx *db.Tx, account int64, m filter.Mark, keep time.Duration) (fresh bool, err error)
	// Noticed counts the notices of the last day.
	Noticed(ctx context.Context, account int64) (int64, error)
	RememberAnewTx(tx *db.Tx, account int64, m filter.Mark, keep time.Duration) error
}

// Flow is what both roads stand on. All fields must be set.
type Flow struct {
	// Hostname is the server's name, in Received fields and Message-IDs.
	Hostname       string
	DB             *db.DB
	Store          *store.Store
	Directory      *directory.Directory
	Queue          *queue.Queue
	Keys           Keys
	BlockLists     BlockLists
	Judge          Judge
	Traces         Traces
	Correspondents Correspondents
	Watch          Watch
	Reports        Reports
	Filters        Filters
	Settings       *settings.Settings
	SRS            srs.Rewriter
	Spool          *spool.Dir
	Clock          clock.Clock
	Log            *slog.Logger
}
