package metrics

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

type health struct{ alive, ready error }

func (h health) Alive(context.Context) error { return h.alive }
func (h health) Ready(context.Context) error { return h.ready }

func TestEachPageTellsWhatItIsAskedFor(t *testing.T) {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "postern_test_total", Help: "x"})
	registry.MustRegister(counter)
	counter.Inc()
	handler := Handler(registry, health{ready: errors.New("the database is full")})
	for _, c := range []struct {
		method, path string
		status       int
		has          string
	}{
		{"GET", "/metrics", 200, "postern_test_total 1"},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 503, "the database is full"},
		{"GET", "/", 404, ""},
		{"POST", "/healthz", 405, ""},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s %s: %d %q", c.method, c.path, w.Code, w.Body)
		}
	}
}
