package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"postern/imap"
	"postern/internal/mailflow"
	"postern/internal/sasl"
	"postern/internal/settings"
	"postern/smtp"
)

// shutdownTime bounds a graceful end: running transactions finish, sessions are told.
const shutdownTime = 30 * time.Second

// service is a protocol's server.
type service interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// services are what can listen, by the names of config.Services.
type services map[string]service

func (s *Server) openServices() {
	s.in = &mailflow.In{Flow: s.flow}
	out := &mailflow.Out{Flow: s.flow}
	mailboxes := s.newIMAP()
	s.mailboxes.Store(mailboxes)
	filters := s.newManageSieve()
	s.filters.Store(filters)
	s.services = services{
		"smtp":        s.newSMTP(smtp.MX, s.in),
		"submission":  s.newSMTP(smtp.Submission, out),
		"submissions": s.newSMTP(smtp.Submissions, out),
		"imaps":       mailboxes,
		"managesieve": filters,
	}
	s.Alerts.OnAlert(func(ctx context.Context, a Alert) {
		if err := s.flow.Notify(ctx, a.Title, a.Text); err != nil {
			s.Log.Error("an alert reached no administrator", "key", a.Key, "error", err)
		}
	})
}

func (s *Server) newSMTP(role smtp.Role, backend smtp.Backend) *smtp.Server {
	return &smtp.Server{
		Role: role, Hostname: s.Config.Hostname, TLS: s.TLS.Config(), Backend: backend, Auth: s.Directory.For("smtp"), Throttle: s.throttle,
		Spool: s.spool, Settings: s.smtpLimits, TrustedProxies: s.Config.TrustedProxies, Log: s.Log, Clock: s.Clock, Metrics: smtpMetrics{s.Metrics},
	}
}

func (s *Server) newIMAP() *imap.Server {
	return &imap.Server{
		TLS: sasl.CaptureCertificate(s.TLS.Config()), Hostname: s.Config.Hostname, Version: s.version, Store: s.Store, Spool: s.spool,
		Auth:           s.Directory.For("imap"),
		ScriptsAt:      s.scriptsAt(),
		Throttle:       s.throttle.WithConnectionLimit(func() int64 { return settings.IMAPMaxConnectionsPerIP.Get(s.Settings) }),
		TrustedProxies: s.Config.TrustedProxies,
		Limits:         s.imapLimits, Clock: s.Clock, Log: s.Log, Metrics: imapMetrics{s.Metrics},
	}
}

// revoked ends the sessions of an account whose credentials no longer hold. SMTP sessions are asked at their next message.
func (s *Server) revoked(account int64) {
	if mailboxes := s.mailboxes.Load(); mailboxes != nil {
		mailboxes.Disconnect(account)
	}
	if filters := s.filters.Load(); filters != nil {
		filters.Disconnect(account)
	}
}

// Serve takes connections from the listeners, which are named as the services of package config, until ctx ends or a
// listener fails. It then lets transactions finish, tells the sessions, and returns.
func (s *Server) Serve(ctx context.Context, listeners map[string][]net.Listener) error {
	for name := range listeners {
		if s.services[name] == nil {
			return fmt.Errorf("there is no mail service named %q", name)
		}
	}
	s.Queue.Start()
	s.Reports.Start()
	group, running := errgroup.WithContext(ctx)
	s.startLearning(running, group)
	s.happened.Start(s.flow)
	group.Go(func() error { s.forgetMarks(running); return nil })
	for name, list := range listeners {
		for _, l := range list {
			group.Go(func() error {
				if err := s.services[name].Serve(l); running.Err() == nil {
					return fmt.Errorf("%s on %s: %w", name, l.Addr(), err)
				}
				return nil
			})
		}
	}
	<-running.Done()
	s.Log.Info("shutting down")
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	errs := []error{s.shutdown(ended)}
	if err := group.Wait(); err != nil && ctx.Err() == nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Server) shutdown(ctx context.Context) error {
	var group errgroup.Group
	for _, service := range s.services {
		group.Go(func() error { return service.Shutdown(ctx) })
	}
	group.Go(func() error { return s.Queue.Shutdown(ctx) })
	if err := group.Wait(); err != nil {
		return fmt.Errorf("shutting down: %w", err)
	}
	return errors.Join(s.in.Flush(ctx), s.Reports.Close(ctx))
}

// Ready reports whether the database answers.
func (s *Server) Ready(ctx context.Context) error {
	var one int
	return s.DB.QueryRow(ctx, "SELECT 1").Scan(&one)
}
