package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"postern/antispam/outbound"
	"postern/dkim"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/directory"
	"postern/internal/scripts"
	"postern/internal/settings"
	"postern/internal/verdict/archive"
	"postern/platform/doctor"
	"postern/platform/zone"
	"postern/smtp/queue"
)

// Mail is what administration needs of the store.
type Mail interface {
	// Usage is what an account's mail takes.
	Usage(ctx context.Context, account int64) (bytes, messages int64, err error)
	// Verify reads everything and compares it with its checksums.
	Verify(ctx context.Context, progress func(done, total int)) (VerifyReport, error)
}

// Backend is the server that is administered.
type Backend struct {
	Hostname, Version string
	Started           time.Time
	DB                *db.DB
	Directory         *directory.Directory
	Settings          *settings.Settings
	Queue             *queue.Queue
	Outbound          *outbound.Watch
	Keys              *dkim.Keys
	Mail              Mail
	Archive           *archive.Archive
	Policies          *archive.Policies
	Scripts           *scripts.Store
	Filters           Filters
	Reports           Reports
	Learning          Learning
	DNS               zone.Resolver
	// Addresses are the server's public ones, as far as it knows them.
	Addresses func() []netip.Addr
	// Patient is what a doctor looks at; the domains, the queue and the time are filled in here.
	Patient func() doctor.Patient
	// Reload takes the certificate from its files again.
	Reload func() error
	Clock  clock.Clock
	Log    *slog.Logger
}

// maxBody bounds a request: the largest is a Sieve script of 1 MiB in JSON.
const maxBody = 4 << 20

// Handler serves the API. Whoever reaches it is trusted: it belongs behind [Listen].
func (b *Backend) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes() {
		mux.Handle(r.method+" "+r.path, r.handler(b))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		answer(w, http.StatusNotFound, &Error{"not_found", fmt.Sprintf("there is no %s %s", req.Method, req.URL.Path), "see /v1/openapi.json for what there is"})
	})
	return mux
}

// request is what a handler is given beside its input.
type request struct {
	context.Context
	http *http.Request
}

// path gives a part of the path, unescaped.
func (r request) path(name string) string { return r.http.PathValue(name) }

// decode reads a body strictly: one JSON value, known fields only.
func decode(req *http.Request, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(nil, req.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return &Error{"invalid", "the request has no body", "send the JSON object that /v1/openapi.json describes"}
		}
		return &Error{"invalid", "the request's JSON is not understood: " + strings.TrimPrefix(err.Error(), "json: "), "see /v1/openapi.json for its form"}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return &Error{"invalid", "the request holds more than one JSON value", "send one"}
	}
	return nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that is gone is not our trouble
}

// refuse answers with an error in its form. What is nobody's fault but ours goes to the log with its cause.
func (b *Backend) refuse(w http.ResponseWriter, req *http.Request, err error) {
	status, e := classify(err)
	if status >= 500 {
		b.Log.Error("administration failed", "method", req.Method, "path", req.URL.Path, "error", err)
	}
	answer(w, status, e)
}

func classify(err error) (int, *Error) {
	var e *Error
	switch {
	case errors.As(err, &e):
		return statuses[e.Code], e
	case errors.Is(err, directory.ErrNotFound), errors.Is(err, settings.ErrUnknown), errors.Is(err, queue.ErrNoMessage):
		return http.StatusNotFound, split("not_found", err)
	case errors.Is(err, directory.ErrExists), errors.Is(err, db.ErrConflict):
		return http.StatusConflict, split("exists", err)
	case errors.Is(err, directory.ErrInvalid):
		return http.StatusBadRequest, split("invalid", err)
	case errors.Is(err, db.ErrFull):
		return http.StatusInsufficientStorage, &Error{"unavailable", "the disk is full", "make room, then try again"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, &Error{"unavailable", "the request was given up", "try again"}
	}
	return http.StatusInternalServerError, &Error{"internal", err.Error(), "see the server's log"}
}

// statuses are the HTTP codes of our own.
var statuses = map[string]int{
	"not_found": http.StatusNotFound, "exists": http.StatusConflict, "invalid": http.StatusBadRequest, "denied": http.StatusForbidden,
	"unavailable": http.StatusServiceUnavailable, "internal": http.StatusInternalServerError,
}

// split parts "what is wrong; how to mend it", which is how our packages word a refusal.
func split(code string, err error) *Error {
	message, fix, _ := strings.Cut(err.Error(), "; ")
	return &Error{code, message, fix}
}

// invalid refuses an input.
func invalid(fix, message string, args ...any) *Error {
	return &Error{"invalid", fmt.Sprintf(message, args...), fix}
}
