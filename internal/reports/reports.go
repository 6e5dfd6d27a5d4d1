// Package reports reads what others tell us about our domains, and tells them about theirs.
//
// Two kinds of reports go round between mail servers once a day. Receivers tell the owner of a domain who sent in its
// name and what DMARC made of it (RFC 7489 7.2, RFC 9990); senders tell a domain how TLS with its servers went (RFC 8460).
// The first show an administrator forgers and forgotten machines, the second a certificate that has expired.
//
// The road in: [Reporter.ReadReport] tells by the looks of a parsed message whether it brings a report, unpacks and reads
// it within bounds; [Received.StoreTx] keeps it, once, if it is about a domain of ours. [Reporter.Summary] shows what was
// kept, with a line on how to mend what failed.
//
// The road out: [Reporter.Observe] and [Reporter.ObserveTLS] count in memory what the server sees of others; every few
// seconds the counts go to the database in one transaction; after the end of each day in UTC a report is written to each
// domain that asks for one and sent through a [Sender], or by HTTPS. Nothing is reported about reports, nor to ourselves.
//
// The forms of reports are in packages of their own: dmarcxml, tlsrpt and arf.
package reports

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/netip"
	"sync"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/resolver"
	"postern/internal/settings"
)

// Domains knows which domains are ours.
type Domains interface {
	IsLocalDomain(domain string) bool
}

// Resolver is what sending reports asks of the DNS; *resolver.Resolver is one.
type Resolver interface {
	TXT(ctx context.Context, name string) (resolver.Answer[string], error)
	LookupHost(ctx context.Context, name string) (resolver.Answer[netip.Addr], error)
}

// Sender brings a message of ours to one address elsewhere, signed by DKIM. The function then runs in the transaction that
// puts the message into the queue, so that the two are never known apart.
type Sender interface {
	Send(ctx context.Context, from, to address.Address, message []byte, then func(*db.Tx) error) error
}

// Options connect a Reporter. All must be set but where it says so.
type Options struct {
	DB       *db.DB
	Domains  Domains
	Resolver Resolver
	Sender   Sender
	Settings *settings.Settings
	// Hostname is the server's name.
	Hostname string
	// Self is the domain of ours in whose name reports are sent, "" while there is none.
	Self  func() string
	Clock clock.Clock
	Log   *slog.Logger
	// Reachable tells whether reports may be sent to an address by HTTPS; nil means that it must be public.
	Reachable func(netip.AddrPort) bool
	// Roots verify the servers that take reports by HTTPS; nil means the system's.
	Roots *x509.CertPool
}

// Reporter keeps reports of others and writes ours. Its methods may be called concurrently.
type Reporter struct {
	o       Options
	reading chan struct{} // one element for each report that is being read
	seen    gathered
	pruned  day // when Prune was last run
	stop    context.CancelFunc
	running sync.WaitGroup
}

// maxReading bounds the reports that are read at the same time, each in some MiB.
const maxReading = 2

// Open makes a Reporter. Nothing is sent before Start.
func Open(ctx context.Context, o Options) (*Reporter, error) {
	r := &Reporter{o: o, reading: make(chan struct{}, maxReading)}
	return r, r.seen.load(ctx, o.DB)
}

// Start begins to write counts to the database and to send reports.
func (r *Reporter) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.running.Go(func() { r.flushAlways(ctx) })
	r.running.Go(func() { r.sendAlways(ctx) })
}

// Close ends what Start began and writes the last counts.
func (r *Reporter) Close(ctx context.Context) error {
	if r.stop != nil {
		r.stop()
		r.running.Wait()
	}
	return r.Flush(ctx)
}

// day is a UTC day, counted from 1970.
type day int64

func (r *Reporter) today() day { return day(r.o.Clock.Now().Unix() / secondsPerDay) }

const secondsPerDay = 24 * 60 * 60

// begin is the first second of the day, end the last.
func (d day) begin() int64 { return int64(d) * secondsPerDay }
func (d day) end() int64   { return d.begin() + secondsPerDay - 1 }
