// Package metrics tells whether the server is well: to Prometheus at /metrics, to a supervisor at /healthz and /readyz.
// It is plain HTTP for this machine or an inner network; it shows numbers, no addresses and no mail.
package metrics

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health answers the two questions of a supervisor. An error says what is wrong.
type Health interface {
	// Alive: the process does its work; if not, a restart is due.
	Alive(context.Context) error
	// Ready: it takes mail now; if not, send connections elsewhere.
	Ready(context.Context) error
}

// patience bounds a health check: a server that needs longer is not well.
const patience = 5 * time.Second

// Handler serves the three pages.
func Handler(registry *prometheus.Registry, health Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.InstrumentMetricHandler(registry, promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry})))
	mux.HandleFunc("GET /healthz", page(health.Alive))
	mux.HandleFunc("GET /readyz", page(health.Ready))
	return mux
}

func page(check func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), patience)
		defer cancel()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err := check(ctx); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, err.Error()+"\n")
			return
		}
		io.WriteString(w, "ok\n")
	}
}

// Server is the HTTP server for such pages, with time limits.
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
}
