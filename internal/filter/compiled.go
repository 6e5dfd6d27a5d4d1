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
// a hash of the source, so what it holds is never out of date.
type compiled struct {
	mu      sync.Mutex
	used    int
	order   list.List // of *ready, last used first
	entries map[readyKey]*list.Element
}

type readyKey struct {
	label   string
	version scripts.Version
}

type ready struct {
	key    readyKey
	script *sieve.Script
	err    error
	bytes  int
}

// get gives the script ready to run, compiling it if it has to. Two that ask for the same at once may both compile it.
func (c *compiled) get(label string, v scripts.Version, source []byte) (*sieve.Script, error) {
	key := readyKey{label, v}
	c.mu.Lock()
	if e, ok := c.entries[key]; ok {
		c.order.MoveToFront(e)
		c.mu.Unlock()
		r := e.Value.(*ready)
		return r.script, r.err
	}
	c.mu.Unlock()
	script, err := compile(label, source, nil)
	c.put(&ready{key, script, err, compiledBytes + compiledFactor*len(source)})
	return script, err
}

func (c *compiled) put(r *ready) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[readyKey]*list.Element{}
	}
	if _, there := c.entries[r.key]; there || r.bytes > compiledBudget {
		return
	}
	c.entries[r.key] = c.order.PushFront(r)
	for c.used += r.bytes; c.used > compiledBudget; {
		last := c.order.Remove(c.order.Back()).(*ready)
		delete(c.entries, last.key)
		c.used -= last.bytes
	}
}
