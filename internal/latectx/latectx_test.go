package latectx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern/internal/latectx"
)

type key struct{}

// started is a context with a parent that can be cancelled and holds a value.
func started(timeout time.Duration) (c *latectx.Context, cancelParent context.CancelFunc) {
	parent, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "kept"))
	c = new(latectx.Context)
	c.Start(parent, timeout)
	return c, cancel
}

func TestAContextIsOverWhenCancelledBeforeOrAfterSomebodyLooked(t *testing.T) {
	for name, looked := range map[string]bool{"nobody looked": false, "looked": true} {
		c, cancel := started(time.Hour)
		defer cancel()
		if looked && c.Err() != nil {
			t.Errorf("%s: %v", name, c.Err())
		}
		c.Cancel()
		<-c.Done()
		if !errors.Is(c.Err(), context.Canceled) || !errors.Is(context.Cause(c), context.Canceled) {
			t.Errorf("%s: %v, %v", name, c.Err(), context.Cause(c))
		}
	}
}

func TestAContextIsOverWithItsParent(t *testing.T) {
	c, cancel := started(0)
	within, stop := context.WithTimeout(c, time.Hour)
	defer stop()
	cancel()
	<-c.Done()
	<-within.Done()
	if !errors.Is(within.Err(), context.Canceled) {
		t.Error(within.Err())
	}
	late, cancel := started(time.Hour)
	cancel()
	if !errors.Is(late.Err(), context.Canceled) {
		t.Error(late.Err())
	}
}

func TestTheTimeRunsFromTheStart(t *testing.T) {
	c, cancel := started(time.Nanosecond)
	defer cancel()
	defer c.Cancel()
	until, ok := c.Deadline()
	if !ok {
		t.Fatal("no deadline")
	}
	<-time.After(time.Until(until) + time.Millisecond)
	if !errors.Is(c.Err(), context.DeadlineExceeded) {
		t.Error(c.Err())
	}
}

func TestADeadlineIsTheNearer(t *testing.T) {
	none, cancel := started(0)
	defer cancel()
	if _, ok := none.Deadline(); ok {
		t.Error("a deadline of nobody")
	}
	hour, cancel := started(time.Hour)
	defer cancel()
	var within, wider latectx.Context
	within.Start(hour, time.Minute)
	wider.Start(hour, 2*time.Hour)
	mine, _ := within.Deadline()
	parents, _ := hour.Deadline()
	widers, _ := wider.Deadline()
	if !mine.Before(parents) || !widers.Equal(parents) {
		t.Errorf("%v, %v, %v", mine, widers, parents)
	}
}

func TestValuesAreTheParents(t *testing.T) {
	c, cancel := started(0)
	defer cancel()
	before := c.Value(key{})
	_ = c.Err()
	if after := c.Value(key{}); before != "kept" || after != "kept" {
		t.Errorf("%v, %v", before, after)
	}
}

func TestAContextThatNobodyLooksAtCostsNothing(t *testing.T) {
	var c latectx.Context
	n := testing.AllocsPerRun(100, func() {
		c = latectx.Context{}
		c.Start(context.Background(), time.Second)
		c.Cancel()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
