// Package latectx makes contexts that are begun when somebody looks whether they are over.
//
// Whoever asks others about a message gives each question a time, which costs a timer and a place among what ends with the
// parent; mostly all answers are remembered, and nobody waits. A [Context] costs nothing until then: the road starts at
// [Context.Start] and ends at [Context.Cancel], and only if Done or Err is called in between there is anything to end. The
// time runs from the start all the same.
package latectx

import (
	"context"
	"sync"
	"time"
)

// Context is over when its parent is, when its time is, or when it is cancelled. It must be started before use, once, and not
// be copied.
type Context struct {
	parent   context.Context
	deadline time.Time // zero: none of its own

	mu     sync.Mutex
	begun  context.Context // nil as long as nobody looked
	end    context.CancelFunc
	isOver bool
}

// Start readies the context. A timeout of 0 is none.
func (c *Context) Start(parent context.Context, timeout time.Duration) {
	c.parent = parent
	if timeout != 0 {
		c.deadline = time.Now().Add(timeout)
	}
}

// Cancel ends the context.
func (c *Context) Cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isOver = true
	if c.end != nil {
		c.end()
	}
}

// begin gives the context that this one stands for.
func (c *Context) begin() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun != nil {
		return c.begun
	}
	if c.deadline.IsZero() {
		c.begun, c.end = context.WithCancel(c.parent)
	} else {
		c.begun, c.end = context.WithDeadline(c.parent, c.deadline)
	}
	if c.isOver {
		c.end()
	}
	return c.begun
}

// Deadline is the nearer of its own and its parent's.
func (c *Context) Deadline() (time.Time, bool) {
	if at, ok := c.parent.Deadline(); ok && (c.deadline.IsZero() || at.Before(c.deadline)) {
		return at, true
	}
	return c.deadline, !c.deadline.IsZero()
}

// Done is closed when the context is over.
func (c *Context) Done() <-chan struct{} { return c.begin().Done() }

// Err tells why the context is over.
func (c *Context) Err() error { return c.begin().Err() }

// Value is the parent's.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	of := c.begun // which knows more than its parent: how contexts within it are ended
	c.mu.Unlock()
	if of == nil {
		of = c.parent
	}
	return of.Value(key)
}
