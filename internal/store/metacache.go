package store

import (
	"sync"

	"postern/internal/message"
)

// metaCache holds metas by blob, up to a budget; when it is full, those not asked for since the hand last passed go first.
type metaCache struct {
	mu     sync.Mutex
	byBlob map[int64]int32 // place in slots
	slots  []metaSlot
	free   []int32
	hand   int
	used   int64
	budget int64
}

type metaSlot struct {
	blob  int64
	meta  message.Meta
	asked bool
}

// metaOverhead is what an entry costs besides its bytes.
const metaOverhead = 120

func newMetaCache(budget int64) *metaCache {
	return &metaCache{byBlob: map[int64]int32{}, budget: budget}
}

// get fills metas[i] for each blob that is known, and tells how many are not.
func (c *metaCache) get(blobs []int64, metas []message.Meta) (missing int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, blob := range blobs {
		at, ok := c.byBlob[blob]
		if !ok {
			metas[i] = nil
			missing++
			continue
		}
		s := &c.slots[at]
		s.asked = true
		metas[i] = s.meta
	}
	return missing
}

// put keeps a meta.
func (c *metaCache) put(blob int64, meta message.Meta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byBlob[blob]; ok {
		return
	}
	c.used += int64(len(meta)) + metaOverhead
	for c.used > c.budget && len(c.byBlob) > 0 {
		c.evictOne()
	}
	at := int32(len(c.slots))
	if n := len(c.free); n > 0 {
		at, c.free = c.free[n-1], c.free[:n-1]
	} else {
		c.slots = append(c.slots, metaSlot{})
	}
	c.slots[at] = metaSlot{blob: blob, meta: meta}
	c.byBlob[blob] = at
}

func (c *metaCache) evictOne() {
	for {
		c.hand = (c.hand + 1) % len(c.slots)
		s := &c.slots[c.hand]
		if s.meta == nil {
			continue
		}
		if s.asked {
			s.asked = false
			continue
		}
		c.used -= int64(len(s.meta)) + metaOverhead
		delete(c.byBlob, s.blob)
		c.free = append(c.free, int32(c.hand))
		*s = metaSlot{}
		return
	}
}
