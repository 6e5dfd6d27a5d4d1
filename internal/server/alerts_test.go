package server

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"postern/internal/clock"
)

func TestATroubleIsToldOnceADayAndForgottenAfterAWeek(t *testing.T) {
	now := clock.NewManual(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	a := NewAlerts(now, slog.New(slog.DiscardHandler))
	told := make(chan Alert, 10)
	a.OnAlert(func(_ context.Context, alert Alert) { told <- alert })
	for range 3 {
		a.Raise("k", "title", "text")
	}
	if got := <-told; got.Key != "k" || got.Count != 1 {
		t.Fatalf("told %+v", got)
	}
	if list := a.List(); len(list) != 1 || list[0].Count != 3 || len(told) != 0 {
		t.Fatalf("list %+v, told %d more", list, len(told))
	}
	now.Advance(25 * time.Hour)
	a.Raise("k", "title", "text")
	<-told
	now.Advance(8 * 24 * time.Hour)
	a.Raise("other", "title", "text")
	if list := a.List(); len(list) != 1 || list[0].Key != "other" {
		t.Fatalf("list %+v", list)
	}
}
