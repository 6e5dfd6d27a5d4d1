package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"postern/internal/mailflow"
	"postern/internal/reports"
	"postern/internal/reports/tlsrpt"
	"postern/smtp/client"
	"postern/smtp/queue"
)

func (s *Server) openReports(ctx context.Context) (err error) {
	sender := mailflow.ReportSender{Flow: s.flow}
	s.Reports, err = reports.Open(ctx, reports.Options{
		DB: s.DB, Domains: s.Directory, Resolver: s.Resolver, Sender: sender, Settings: s.Settings,
		Hostname: s.Config.Hostname, Self: sender.Domain, Clock: s.Clock, Log: s.Log,
	})
	if err != nil {
		return fmt.Errorf("reading what is gathered for reports: %w", err)
	}
	s.flow.Reports = s.Reports
	return nil
}

// observeSession counts how TLS with other servers went.
func (s *Server) observeSession(q queue.Session) {
	if s.Reports == nil {
		return
	}
	o := reports.TLSObservation{
		Domain: q.Destination, Host: q.Host, Policy: cmp.Or(q.Policy.Name, tlsrpt.NoPolicy), Lines: q.Policy.Lines, MXHosts: q.Policy.MXHosts,
		SendingIP: q.Local, ReceivingIP: q.Remote, Report: s.Reports.IsContact(q.From),
	}
	if q.Err != nil {
		o.Result, o.Reason = reports.ResultOf(q.Err), q.Err.Error()
		if declinesTLS(q.Err) {
			o.Result, o.Reason = tlsrpt.StartTLSNotSupported, ""
		}
	}
	s.Reports.ObserveTLS(o)
}

// declinesTLS: the server does not offer STARTTLS, or answered it with a refusal.
func declinesTLS(err error) bool {
	var refused *client.Error
	return errors.Is(err, client.ErrNoTLS) || errors.As(err, &refused) && refused.Err == nil
}
