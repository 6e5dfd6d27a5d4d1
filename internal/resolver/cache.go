package resolver

import (
	"container/list"
	"sync"

	"postern/internal/clock"
)

// cache keeps answers until they expire, the most recently used up to a number.
type cache struct {
	mu    sync.Mutex
	size  int
	clock clock.Clock
	byKey map[string]*list.Element
	order *list.List // of *kept, most recently used first
}

type kept struct {
	key   string
	entry *entry
}

func newCache(size int, c clock.Clock) *cache {
	return &cache{size: size, clock: c, byKey: make(map[string]*list.Element), order: list.New()}
}

func (c *cache) get(key string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[key]
	if !ok {
		return nil
	}
	k := el.Value.(*kept)
	if !c.clock.Now().Before(k.entry.expires) {
		c.remove(el)
		return nil
	}
	c.order.MoveToFront(el)
	return k.entry
}

// put keeps an entry; one that is already over, as with a TTL of zero, is not kept.
func (c *cache) put(key string, e *entry) {
	if c.size <= 0 || !c.clock.Now().Before(e.expires) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if el, ok := c.byKey[key]; ok {
		c.remove(el)
	}
	c.byKey[key] = c.order.PushFront(&kept{key, e})
	for len(c.byKey) > c.size {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(el *list.Element) {
	delete(c.byKey, el.Value.(*kept).key)
	c.order.Remove(el)
}
