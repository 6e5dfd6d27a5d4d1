package filter

import (
	"container/list"
	"sync"

	"postern/internal/scripts"
	"postern/sieve"
)

const (
	// compiledBudget bounds the scripts that are held ready, in bytes of about what they take.
	compiledBudget = 32 << 20
	// compiledFactor is how many times more than its source a script takes when it is ready; compiledBytes what it takes besides.
	compiledFactor = 10
	compiledBytes  = 4 << 10
)

// compiled holds scripts that are ready to run, and why others are not; what was not run for the longest goes first. A version is
// a hash of the source, so a script that includes none is never out of date; one that does is, when something changed where it
// includes from.
type compiled struct {
	mu      sync.Mutex
	used    int
	order   list.List // of *ready, last used first
	entries map[readyKey]*list.Element
}

// readyKey is a script by its source and the name for messages; one that includes others, by where from as well.
type readyKey struct {
	label   string
	version scripts.Version
	home    home
}

type ready struct {
	key    readyKey
	script *sieve.Script
	err    error
	bytes  int
	// includes says only that the script includes others, so that it is found under another key.
	includes bool
	// members are the scripts that it includes, as they were at the age.
	members map[relative]member
	age     age
}

// find gives what is held, nil where nothing is, or nothing of that age.
func (c *compiled) find(key readyKey, a age) *ready {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok || e.Value.(*ready).age != a {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*ready)
}

// put holds a script in place of what was held by the key. Two that ask for the same at once may both compile and put it.
func (c *compiled) put(r *ready) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[readyKey]*list.Element{}
	}
	if e, there := c.entries[r.key]; there {
		c.drop(e)
	}
	if r.bytes > compiledBudget {
		return
	}
	c.entries[r.key] = c.order.PushFront(r)
	for c.used += r.bytes; c.used > compiledBudget; {
		c.drop(c.order.Back())
	}
}

func (c *compiled) drop(e *list.Element) {
	r := c.order.Remove(e).(*ready)
	delete(c.entries, r.key)
	c.used -= r.bytes
}
