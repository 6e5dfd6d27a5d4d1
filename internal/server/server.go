// Package server connects the parts of the mail server: it opens what they stand on in the order of their needs, hands each
// the few others it may know, and ends them in the opposite order. It decides nothing about mail.
//
// The road starts at [Open] with a configuration and ends at [Server.Serve] with listeners that somebody else has bound.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"postern/antispam"
	"postern/antispam/outbound"
	"postern/dkim"
	"postern/dnsbl"
	"postern/imap"
	"postern/internal/clock"
	"postern/internal/config"
	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/filter"
	"postern/internal/imapsieve"
	"postern/internal/mailflow"
	"postern/internal/reports"
	"postern/internal/resolver"
	"postern/internal/scripts"
	"postern/internal/settings"
	"postern/internal/spool"
	"postern/internal/srs"
	"postern/internal/store"
	"postern/internal/throttle"
	"postern/internal/tlsconf"
	"postern/internal/verdict/archive"
	"postern/sieve/managesieve"
	"postern/smtp/queue"
)

// Options say what to open.
type Options struct {
	Config *config.Config
	Log    *slog.Logger
	// Clock is the system's when nil.
	Clock clock.Clock
	// TLS holds the certificate.
	TLS *tlsconf.Source
	// Offline asks no DNS at all when the configuration names no servers: for trying out on a machine by itself.
	Offline bool
	// Version is told to mail clients that ask; may be empty.
	Version string
}

// Server is an open mail server.
type Server struct {
	Config    *config.Config
	Log       *slog.Logger
	Clock     clock.Clock
	TLS       *tlsconf.Source
	DB        *db.DB
	Settings  *settings.Settings
	Store     *store.Store
	Archive   *archive.Archive
	Directory *directory.Directory
	Policies  *archive.Policies
	Scripts   *scripts.Store
	Filters   *filter.Filters
	Resolver  *resolver.Resolver
	// BlockLists know about clients, DomainLists about what messages link to.
	BlockLists, DomainLists *dnsbl.Checker
	Keys                    *dkim.Keys
	Queue                   *queue.Queue
	Outbound                *outbound.Watch
	Alerts                  *Alerts
	Metrics                 *Metrics
	Reports                 *reports.Reporter

	engine   *antispam.Engine
	scanners *scanners

	learning

	happened *imapsieve.Queue
	throttle *throttle.Throttle
	spool    *spool.Dir
	flow     *mailflow.Flow
	in       *mailflow.In
	offline  bool
	version  string
	services services
	closers  []func() error
	// mailboxes and filters are the IMAP and the ManageSieve server, once there are any.
	mailboxes atomic.Pointer[imap.Server]
	filters   atomic.Pointer[managesieve.Server]
}

// Open opens everything under the configuration's data directory, which exists. Nothing listens yet.
func Open(ctx context.Context, o Options) (_ *Server, err error) {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	s := &Server{Config: o.Config, Log: o.Log, Clock: o.Clock, TLS: o.TLS, version: o.Version, offline: o.Offline && len(o.Config.DNSServers) == 0, Alerts: NewAlerts(o.Clock, o.Log)}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.openStorage(ctx); err != nil {
		return nil, err
	}
	if err := s.openPeople(ctx); err != nil {
		return nil, err
	}
	if err := s.openLearning(ctx); err != nil {
		return nil, err
	}
	if err := s.openNames(); err != nil {
		return nil, err
	}
	if err := s.openRoads(ctx); err != nil {
		return nil, err
	}
	s.openMailboxScripts()
	s.Metrics = newMetrics(s)
	s.openServices()
	return s, nil
}

// closeLater notes what Close has to do, last noted first done.
func (s *Server) closeLater(f func() error) { s.closers = append(s.closers, f) }

// Close ends what Open began. Serve must have returned.
func (s *Server) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *Server) openStorage(ctx context.Context) (err error) {
	c := s.Config
	if s.DB, err = db.Open(ctx, db.Options{URL: c.Database, Log: s.Log}); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	s.closeLater(s.DB.Close)
	if s.Settings, err = settings.Open(ctx, s.DB); err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	s.Store, err = store.Open(ctx, store.Options{
		DB: s.DB, BlobDir: c.Blobs, Clock: s.Clock, Log: s.Log,
		Tombstones: func() (time.Duration, int64) {
			return settings.StoreTombstoneAge.Get(s.Settings), settings.StoreTombstonesMax.Get(s.Settings)
		},
	})
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	s.closeLater(s.Store.Close)
	if err := s.openArchive(ctx); err != nil {
		return err
	}
	s.Store.CountBlobUse(queue.BlobUse)
	if s.spool, err = spool.NewDir(filepath.Join(c.Data, "spool")); err != nil {
		return fmt.Errorf("opening the spool: %w", err)
	}
	return nil
}

func (s *Server) openPeople(ctx context.Context) (err error) {
	key, err := openKey(filepath.Join(s.Config.Data, "secret.key"), s.Log)
	if err != nil {
		return fmt.Errorf("reading the secret key: %w", err)
	}
	s.Directory, err = directory.Open(ctx, directory.Options{
		DB: s.DB, Mail: accounts{s.Store, s}, Revoked: s.revoked, Settings: s.Settings, Key: key, Clock: s.Clock, Log: s.Log,
	})
	if err != nil {
		return fmt.Errorf("reading the directory: %w", err)
	}
	if err := s.openPolicies(ctx); err != nil {
		return err
	}
	if err := s.openScripts(ctx); err != nil {
		return err
	}
	s.throttle = throttle.New(throttle.Options{Clock: s.Clock, Settings: s.Settings})
	return nil
}

// accounts lets the directory make and remove mailboxes in its own transactions.
type accounts struct {
	*store.Store
	server *Server
}

func (a accounts) CreateAccountTx(tx *db.Tx, id int64) error {
	return a.Store.CreateAccountTx(tx, store.AccountID(id))
}

func (a accounts) SetQuotaTx(tx *db.Tx, id, bytes int64) error {
	return a.Store.SetQuotaTx(tx, store.AccountID(id), bytes, 0)
}

func (s *Server) openNames() (err error) {
	o := resolver.Options{Clock: s.Clock, Log: s.Log}
	for _, server := range s.Config.DNSServers {
		o.Servers = append(o.Servers, server.String())
	}
	if len(o.Servers) > 0 || s.offline {
		s.Resolver = resolver.New(o)
		return nil
	}
	if s.Resolver, err = resolver.FromSystem(o); err != nil {
		return fmt.Errorf("finding the system's DNS servers: %w; name some in [dns] servers", err)
	}
	return nil
}

func (s *Server) openRoads(ctx context.Context) (err error) {
	if s.Keys, err = dkim.OpenKeys(ctx, s.DB, s.Clock); err != nil {
		return fmt.Errorf("reading the signing keys: %w", err)
	}
	s.Outbound, err = outbound.Open(ctx, outbound.Options{DB: s.DB, Settings: s.Settings, Alert: s.Alerts.OnHold, Lifted: s.Alerts.Lifted, Clock: s.Clock, Log: s.Log})
	if err != nil {
		return err
	}
	holds, err := s.Outbound.Holds(ctx)
	if err != nil {
		return err
	}
	s.Alerts.StillOnHold(holds)
	secret, err := s.Directory.Secret(ctx, "srs")
	if err != nil {
		return fmt.Errorf("reading the secret for return addresses: %w", err)
	}
	s.BlockLists = dnsbl.New(dnsbl.Options{Resolver: s.Resolver, Config: s.blockLists, Alert: s.Alerts.BlockList, Clock: s.Clock, Log: s.Log})
	s.flow = &mailflow.Flow{
		Hostname: s.Config.Hostname, DB: s.DB, Store: s.Store, Directory: s.Directory, Keys: s.Keys,
		BlockLists: s.BlockLists, Filters: s.Filters,
		Settings: s.Settings, SRS: srs.Rewriter{Key: secret}, Spool: s.spool, Clock: s.Clock, Log: s.Log,
	}
	s.openJudge()
	s.Queue, err = queue.New(ctx, queue.Options{
		DB: s.DB, Blobs: blobs{s.Store}, Deliverer: s.deliverer(), Bouncer: mailflow.Bouncer{Flow: s.flow},
		Hostname: s.Config.Hostname, Limits: s.queueLimits, Observe: s.observeQueue, Clock: s.Clock, Log: s.Log,
	})
	if err != nil {
		return fmt.Errorf("opening the queue: %w", err)
	}
	s.flow.Queue = s.Queue
	return s.openReports(ctx)
}

// blobs lets the queue read what it sends.
type blobs struct{ *store.Store }

func (b blobs) OpenBlob(ctx context.Context, id int64) (queue.Content, error) {
	return b.Store.OpenBlob(ctx, store.BlobID(id))
}

func (b blobs) ReleaseBlobTx(tx *db.Tx, id int64) error {
	return b.Store.ReleaseBlobTx(tx, store.BlobID(id))
}

// MakeData makes the data directory as nobody else may read it.
func MakeData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}
