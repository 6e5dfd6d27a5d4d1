package scripts

import (
	"container/list"
	"sync"
)

// entryBytes is what an entry takes beside its content.
const entryBytes = 200

// cache holds contents by their version; what was not asked for the longest goes first. Since a version is a hash of the
// content, what it holds is never out of date.
type cache struct {
	mu      sync.Mutex
	budget  int64
	used    int64
	order   list.List // of *entry, last used first
	entries map[Version]*list.Element
}

type entry struct {
	version Version
	content []byte
}

func (e *entry) bytes() int64 { return int64(len(e.content)) + entryBytes }

func (c *cache) get(v Version) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[v]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*entry).content, true
}

func (c *cache) put(v Version, content []byte) {
	e := &entry{v, content}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[Version]*list.Element{}
	}
	if _, there := c.entries[v]; there || e.bytes() > c.budget {
		return
	}
	c.entries[v] = c.order.PushFront(e)
	for c.used += e.bytes(); c.used > c.budget; {
		last := c.order.Remove(c.order.Back()).(*entry)
		delete(c.entries, last.version)
		c.used -= last.bytes()
	}
}
