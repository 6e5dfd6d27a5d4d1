// Package mailflow is the story of a message: in.go tells how it comes from the world to a mailbox, out.go how it goes from a
// user to the world.
//
// Both are backends of SMTP servers. They ask the directory who is meant and who may, mailauth and the block lists who is
// there, and end in one place, commit.go, where a message becomes durable for all its recipients at once: copies for
// local people into the store, the rest into the queue, in a single transaction. What is refused is refused here, before
// the 250; what was accepted is not bounced for a reason that could have been known.
package mailflow

import (
	"context"
	"log/slog"
	"net/netip"

	"postern/dkim"
	"postern/dnsbl"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/mailauth"
	"postern/internal/settings"
	"postern/internal/spool"
	"postern/internal/srs"
	"postern/internal/store"
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

// Flow is what both roads stand on. All fields must be set.
type Flow struct {
	// Hostname is the server's name, in Received fields and Message-IDs.
	Hostname   string
	DB         *db.DB
	Store      *store.Store
	Directory  *directory.Directory
	Queue      *queue.Queue
	Keys       Keys
	BlockLists BlockLists
	MailAuth   *mailauth.Checker
	Settings   *settings.Settings
	SRS        srs.Rewriter
	Spool      *spool.Dir
	Clock      clock.Clock
	Log        *slog.Logger
}
