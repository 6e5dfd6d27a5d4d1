package reputation

// cache holds the rows that were used last, a fixed number of them. It is not safe for concurrent use.
type cache struct {
	places map[int64]int32
	slots  []slot
	// The slots form a ring in the order of their use: next of slots[0], which holds nothing, was used last.
	limit int
}

type slot struct {
	id         int64
	row        row
	next, prev int32
}

func newCache(limit int) *cache {
	return &cache{places: make(map[int64]int32), slots: make([]slot, 1), limit: max(limit, 1)}
}

// get gives a row and marks it as used. The pointer holds until the next call.
func (c *cache) get(id int64) *row {
	at, ok := c.places[id]
	if !ok {
		return nil
	}
	c.unlink(at)
	c.link(at)
	return &c.slots[at].row
}

// peek is get without marking.
func (c *cache) peek(id int64) *row {
	if at, ok := c.places[id]; ok {
		return &c.slots[at].row
	}
	return nil
}

// put keeps a row; when all places are taken, that of the row not used for longest.
func (c *cache) put(id int64, r row) {
	if old := c.get(id); old != nil {
		*old = r
		return
	}
	at := int32(len(c.slots))
	if len(c.slots) > c.limit {
		at = c.slots[0].prev
		delete(c.places, c.slots[at].id)
		c.unlink(at)
	} else {
		c.slots = append(c.slots, slot{})
	}
	c.slots[at].id, c.slots[at].row = id, r
	c.places[id] = at
	c.link(at)
}

// clear forgets everything.
func (c *cache) clear() { c.places, c.slots = make(map[int64]int32), make([]slot, 1) }

func (c *cache) unlink(at int32) {
	s := &c.slots[at]
	c.slots[s.prev].next, c.slots[s.next].prev = s.next, s.prev
}

func (c *cache) link(at int32) {
	first := c.slots[0].next
	c.slots[at].prev, c.slots[at].next = 0, first
	c.slots[first].prev, c.slots[0].next = at, at
}
