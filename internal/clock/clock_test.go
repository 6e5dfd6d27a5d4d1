package clock

import (
	"testing"
	"time"
)

func TestAManualClockFiresOnlyWhatIsDue(t *testing.T) {
	m := NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	early, late := m.NewTimer(time.Minute), m.NewTimer(time.Hour)
	m.Advance(time.Minute)
	select {
	case <-early.C():
	default:
		t.Fatal("the early timer did not fire")
	}
	select {
	case <-late.C():
		t.Fatal("the late timer fired")
	default:
	}
	if !late.Stop() || late.Stop() || m.Waiting() != 0 {
		t.Fatal("stop does not report whether the timer ran")
	}
}

func TestAResetTimerCountsFromNow(t *testing.T) {
	m := NewManual(time.Unix(0, 0))
	timer := m.NewTimer(time.Minute)
	m.Advance(30 * time.Second)
	timer.Reset(time.Minute)
	m.Advance(30 * time.Second)
	select {
	case <-timer.C():
		t.Fatal("the timer kept its first deadline")
	default:
	}
	m.Advance(30 * time.Second)
	<-timer.C()
}
