package server

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"postern/internal/db"
	"postern/internal/store"
	"postern/internal/verdict/archive"
)

func (s *Server) openArchive(ctx context.Context) (err error) {
	if s.Archive, err = archive.Open(ctx, archive.Options{DB: s.DB, Settings: s.Settings, Clock: s.Clock, Log: s.Log}); err != nil {
		return fmt.Errorf("opening the archive of judgements: %w", err)
	}
	s.closeLater(s.Archive.Close)
	return nil
}

// openPolicies comes after the directory, whose people the policies are for.
func (s *Server) openPolicies(ctx context.Context) (err error) {
	s.Policies, err = archive.OpenPolicies(ctx, archive.PolicyOptions{DB: s.DB, Settings: s.Settings, People: s.Directory, Clock: s.Clock, Log: s.Log})
	if err != nil {
		return fmt.Errorf("reading the spam policies: %w", err)
	}
	s.closeLater(s.Policies.Close)
	return nil
}

// RemoveAccountTx takes along what else is an account's.
func (a accounts) RemoveAccountTx(tx *db.Tx, id int64) error {
	if err := a.Store.RemoveAccountTx(tx, store.AccountID(id)); err != nil {
		return err
	}
	if err := a.server.Archive.RemoveAccountTx(tx, id); err != nil {
		return err
	}
	if err := a.server.Scripts.RemoveAccountTx(tx, id); err != nil {
		return err
	}
	if err := a.server.Filters.RemoveAccountTx(tx, id); err != nil {
		return err
	}
	return a.server.Policies.RemoveAccountTx(tx, id)
}

// registerArchive reads the archive's own counters when somebody asks.
func (m *Metrics) registerArchive(a *archive.Archive) {
	m.Registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "postern_verdicts_stored_total", Help: "Judgements of messages that were stored."},
			func() float64 { return float64(a.Stats().Stored) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "postern_verdicts_dropped_total", Help: "Judgements of refused messages that were not stored, since too many waited."},
			func() float64 { return float64(a.Stats().Dropped) }))
}
