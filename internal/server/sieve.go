package server

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postern/internal/address"
	"postern/internal/config"
	"postern/internal/filter"
	"postern/internal/imapsieve"
	"postern/internal/sasl"
	"postern/internal/scripts"
	"postern/internal/settings"
	"postern/internal/store"
	"postern/sieve"
	"postern/sieve/managesieve"
)

// openScripts comes after the directory, whose people and domains own the scripts, and opens what runs them.
func (s *Server) openScripts(ctx context.Context) (err error) {
	s.Scripts, err = scripts.Open(ctx, scripts.Options{DB: s.DB, Settings: s.Settings, Exists: s.ownsScripts, Clock: s.Clock})
	if err != nil {
		return fmt.Errorf("reading the Sieve scripts: %w", err)
	}
	s.Filters = filter.New(filter.Options{Scripts: s.Scripts, Store: s.Store, DB: s.DB, Addresses: s.addressesOf, Owns: s.owns,
		Protected: s.protectedFields,
		Hostname:  s.Config.Hostname, Version: s.version, Clock: s.Clock, Log: s.Log})
	return nil
}

// openMailboxScripts has what people do in their mailboxes written down for the scripts that watch these.
func (s *Server) openMailboxScripts() {
	s.happened = imapsieve.New(imapsieve.Options{DB: s.DB, Watches: s.watchesMailboxes, Clock: s.Clock, Log: s.Log})
	s.closeLater(s.happened.Close)
	s.Store.Record(s.happened)
}

// watchesMailboxes tells whether administrators' scripts watch the mailboxes of an account.
func (s *Server) watchesMailboxes(account store.AccountID) bool {
	own, ok := s.Directory.Account(int64(account))
	return ok && s.Filters.WatchesMailboxes(own.Address.Domain)
}

// scriptsAt is where users keep their scripts, as IMAP tells it (RFC 5804 3).
func (s *Server) scriptsAt() string {
	const standard = 4190
	at := s.Config.Listen["managesieve"]
	switch {
	case len(at) == 0:
		return ""
	case slices.ContainsFunc(at, func(a config.Address) bool { return a.Port == standard }):
		return "sieve://" + s.Config.Hostname
	}
	return fmt.Sprintf("sieve://%s:%d", s.Config.Hostname, at[0].Port)
}

// protectedFields are those that no script may change.
func (s *Server) protectedFields() []string { return settings.SieveProtectedFields.Get(s.Settings) }

// ownsScripts tells whether an owner of scripts is still there.
func (s *Server) ownsScripts(o scripts.Owner) bool {
	if o.Account != 0 {
		return !s.isGone(o.Account)
	}
	return o.Domain == "" || s.Directory.IsLocalDomain(o.Domain)
}

func (s *Server) newManageSieve() *managesieve.Server {
	return &managesieve.Server{
		TLS: sasl.CaptureCertificate(s.TLS.Config()), Hostname: s.Config.Hostname, Version: s.version,
		Scripts: s.Scripts, Compiler: compiler{s.Filters}, MaxRedirects: filter.MaxRedirects, Auth: s.Directory.For("managesieve"),
		// A webmail app on one address speaks for many users, to this service as to IMAP.
		Throttle:       s.throttle.WithConnectionLimit(func() int64 { return settings.IMAPMaxConnectionsPerIP.Get(s.Settings) }),
		TrustedProxies: s.Config.TrustedProxies,
		Limits:         s.manageSieveLimits, Clock: s.Clock, Log: s.Log, Metrics: newManageSieveMetrics(s.Metrics),
	}
}

// compiler is [managesieve.Compiler].
type compiler struct{ filters *filter.Filters }

func (c compiler) Check(ctx context.Context, o scripts.Owner, name string, script []byte) (mistakes, warnings []string, err error) {
	wrong, doubtful, err := c.filters.Check(ctx, o, name, script)
	return texts(wrong), texts(doubtful), err
}

func (compiler) Extensions() []string { return filter.Language{}.Extensions() }

// texts are problems as their writer is told of them.
func texts(problems sieve.Problems) (list []string) {
	for _, p := range problems {
		list = append(list, p.Error())
	}
	return list
}

// manageSieveLimits are the ManageSieve engine's limits as the settings have them now.
func (s *Server) manageSieveLimits() managesieve.Limits {
	return managesieve.Limits{
		LoginTimeout: settings.IMAPLoginTimeout.Get(s.Settings),
		OfferPlus:    settings.AuthOfferPlus.Get(s.Settings),
		AuthFailures: int(settings.AuthMaxFailuresPerConnection.Get(s.Settings)),
		ScriptBytes:  settings.SieveMaxScriptSize.Get(s.Settings),
	}
}

// addressesOf are an account's own address and the aliases that lead to it.
func (s *Server) addressesOf(account int64) []string {
	var list []string
	for _, a := range s.Directory.Addresses(account) {
		list = append(list, a.String())
	}
	return list
}

func (s *Server) owns(ctx context.Context, account int64, text string) (bool, error) {
	a, err := address.Parse(text)
	if err != nil {
		return false, nil
	}
	return s.Directory.MaySendAs(ctx, account, a)
}

// forgetMarks forgets what filters need not remember any more, while the server serves.
func (s *Server) forgetMarks(ctx context.Context) {
	s.Filters.Run(ctx, func(err error) {
		s.Log.Warn("what filters remembered could not be forgotten; it will be tried again", "error", err)
	})
}

// manageSieveMetrics is [managesieve.Metrics].
type manageSieveMetrics struct {
	sessions prometheus.Gauge
	commands *prometheus.CounterVec
	auth     *prometheus.CounterVec
}

func newManageSieveMetrics(all *Metrics) manageSieveMetrics {
	m := manageSieveMetrics{
		sessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "postern_managesieve_sessions", Help: "ManageSieve sessions open now."}),
		commands: counter("postern_managesieve_commands_total", "ManageSieve commands answered.", "command", "result"),
		auth:     counter("postern_managesieve_auth_total", "ManageSieve logins tried.", "ok"),
	}
	all.Registry.MustRegister(m.sessions, m.commands, m.auth)
	return m
}

func (m manageSieveMetrics) Session(delta int) { m.sessions.Add(float64(delta)) }

func (m manageSieveMetrics) Command(name, result string, _ time.Duration) {
	m.commands.WithLabelValues(name, result).Inc()
}

func (m manageSieveMetrics) Auth(ok bool) { m.auth.WithLabelValues(strconv.FormatBool(ok)).Inc() }
