package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"postern/smtp"
	"postern/smtp/queue"
)

// Metrics are the server's own, in a registry of their own.
type Metrics struct {
	Registry *prometheus.Registry

	smtpSessions *prometheus.GaugeVec
	smtpRefused  *prometheus.CounterVec
	smtpCommands *prometheus.CounterVec
	smtpAuth     *prometheus.CounterVec
	smtpMessages *prometheus.CounterVec
	smtpBytes    *prometheus.CounterVec
	smtpTime     *prometheus.HistogramVec
	imapSessions prometheus.Gauge
	imapCommands *prometheus.CounterVec
	imapTime     *prometheus.HistogramVec
	imapAuth     *prometheus.CounterVec
	imapPushes   prometheus.Counter
	deliveries   *prometheus.CounterVec
	age          prometheus.Histogram
}

func newMetrics(s *Server) *Metrics {
	m := &Metrics{
		Registry:     prometheus.NewRegistry(),
		smtpSessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "postern_smtp_sessions", Help: "SMTP sessions open now."}, []string{"role"}),
		smtpRefused:  counter("postern_smtp_refused_connections_total", "SMTP connections turned away before a greeting.", "role", "reason"),
		smtpCommands: counter("postern_smtp_commands_total", "SMTP commands answered.", "role", "verb", "code"),
		smtpAuth:     counter("postern_smtp_auth_total", "SMTP logins tried.", "role", "mechanism", "ok"),
		smtpMessages: counter("postern_smtp_messages_total", "Messages read to their end, by the final reply's code.", "role", "code"),
		smtpBytes:    counter("postern_smtp_message_bytes_total", "Bytes of messages read to their end.", "role"),
		smtpTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "postern_smtp_message_seconds",
			Help: "Time from MAIL to the final reply.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 9)}, []string{"role"}),
		imapSessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "postern_imap_sessions", Help: "IMAP sessions open now."}),
		imapCommands: counter("postern_imap_commands_total", "IMAP commands answered.", "command", "result"),
		imapTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "postern_imap_command_seconds",
			Help: "Time that IMAP commands took.", Buckets: prometheus.ExponentialBuckets(0.0001, 6, 9)}, []string{"command"}),
		imapAuth:   counter("postern_imap_auth_total", "IMAP logins tried.", "ok"),
		imapPushes: prometheus.NewCounter(prometheus.CounterOpts{Name: "postern_imap_pushes_total", Help: "Changes told to idle sessions."}),
		deliveries: counter("postern_queue_attempts_total", "Delivery attempts to other servers, by their outcome.", "outcome", "tls"),
		age: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "postern_queue_delivered_age_seconds",
			Help: "Age of messages when another server took them.", Buckets: prometheus.ExponentialBuckets(0.1, 6, 9)}),
	}
	m.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.smtpSessions, m.smtpRefused, m.smtpCommands, m.smtpAuth, m.smtpMessages, m.smtpBytes, m.smtpTime,
		m.imapSessions, m.imapCommands, m.imapTime, m.imapAuth, m.imapPushes, m.deliveries, m.age)
	m.registerStorage(s)
	m.registerArchive(s.Archive)
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// registerStorage reads the database's own counters when somebody asks.
func (m *Metrics) registerStorage(s *Server) {
	for _, c := range []struct {
		name, help string
		value      func() float64
	}{
		{"postern_db_commits_total", "Transactions made durable, each with one flush of the disk.", func() float64 { return float64(s.DB.Stats().Commits) }},
		{"postern_db_works_total", "Pieces of work in those transactions.", func() float64 { return float64(s.DB.Stats().Works) }},
		{"postern_db_failed_works_total", "Pieces of work that were rolled back.", func() float64 { return float64(s.DB.Stats().Failed) }},
		{"postern_db_checkpoints_total", "How often the write-ahead log was written back.", func() float64 { return float64(s.DB.Stats().Checkpoints) }},
	} {
		m.Registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.name, Help: c.help}, c.value))
	}
	m.Registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "postern_db_wal_bytes", Help: "Write-ahead log that waits to be written back."},
			func() float64 { return float64(s.DB.Stats().WALBytes) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "postern_alerts", Help: "Troubles that the administrator has to put right."},
			func() float64 { return float64(len(s.Alerts.List())) }))
}

// smtpMetrics is [smtp.Metrics].
type smtpMetrics struct{ *Metrics }

func (m smtpMetrics) SessionOpened(r smtp.Role) { m.smtpSessions.WithLabelValues(r.String()).Inc() }

func (m smtpMetrics) SessionClosed(r smtp.Role, _ time.Duration) {
	m.smtpSessions.WithLabelValues(r.String()).Dec()
}

func (m smtpMetrics) ConnectionRefused(r smtp.Role, reason string) {
	m.smtpRefused.WithLabelValues(r.String(), reason).Inc()
}

func (m smtpMetrics) Command(r smtp.Role, verb string, code int) {
	m.smtpCommands.WithLabelValues(r.String(), verb, strconv.Itoa(code)).Inc()
}

func (m smtpMetrics) Auth(r smtp.Role, mechanism string, ok bool) {
	m.smtpAuth.WithLabelValues(r.String(), mechanism, strconv.FormatBool(ok)).Inc()
}

func (m smtpMetrics) Message(r smtp.Role, code int, size int64, d time.Duration) {
	m.smtpMessages.WithLabelValues(r.String(), strconv.Itoa(code)).Inc()
	m.smtpBytes.WithLabelValues(r.String()).Add(float64(size))
	m.smtpTime.WithLabelValues(r.String()).Observe(d.Seconds())
}

// imapMetrics is [imap.Metrics].
type imapMetrics struct{ *Metrics }

func (m imapMetrics) Session(delta int) { m.imapSessions.Add(float64(delta)) }

func (m imapMetrics) Command(name, result string, took time.Duration) {
	m.imapCommands.WithLabelValues(name, result).Inc()
	m.imapTime.WithLabelValues(name).Observe(took.Seconds())
}

func (m imapMetrics) Auth(ok bool) { m.imapAuth.WithLabelValues(strconv.FormatBool(ok)).Inc() }

func (m imapMetrics) Push() { m.imapPushes.Inc() }

// observeQueue counts attempts, and for each account what other servers refused for good.
func (s *Server) observeQueue(e queue.Event) {
	if e.Kind == queue.Failed && e.Account != 0 && e.Host != "" {
		s.Outbound.Bounced(e.Account)
	}
	if s.Metrics == nil {
		return
	}
	s.Metrics.deliveries.WithLabelValues(string(e.Kind), strconv.FormatBool(e.TLS)).Inc()
	if e.Kind == queue.Delivered {
		s.Metrics.age.Observe(e.Age.Seconds())
	}
}
