package main

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"postern/platform/admin"
)

// Whoever presses ^C is told the truth about what was learnt: what was on its way is waited for and counted.
func TestAnInterruptedTrainingCountsWhatArrived(t *testing.T) {
	const all, interruptedAt = 1000, 20
	ctx, interrupt := context.WithCancel(t.Context())
	var taught atomic.Int64
	socket := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if taught.Add(1) == interruptedAt {
			interrupt()
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"learnt":true}`))
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })

	mbox := strings.Repeat("From a@example.com Sat Jan  3 01:05:34 1996\nSubject: 1\n\ntext\n\n", all)
	pupil := &trainer{client: admin.Dial(socket), who: admin.Everyone, class: "spam"}
	err = pupil.train(ctx, strings.NewReader(mbox), []string{"-"}, func(err error) { t.Error(err) })
	if err != nil {
		t.Error(err)
	}
	if n := int(taught.Load()); pupil.Learnt != n || n < interruptedAt || n > interruptedAt+2*trainAtOnce {
		t.Errorf("%d are told as learnt, %d were", pupil.Learnt, n)
	}
}
