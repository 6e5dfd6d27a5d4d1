package words

// Table leads from hashes of words to values. The zero value is empty; it is filled and then only read. A look for what
// is not there costs one access to a filter, as a rule.
type Table[V any] struct {
	filter Filter
	slots  []slot[V] // a quarter of it is used, at most
	count  int
}

// tableBits are those of a table's filter for each value: nearly nothing passes that is not there, which a processor soon
// learns to expect.
const tableBits = 32

// slot is a place in a table; the key 0 is free.
type slot[V any] struct {
	key   uint64
	value V
}

// Put adds a value or replaces it.
func (t *Table[V]) Put(hash uint64, value V) {
	if 4*(t.count+1) > len(t.slots) {
		t.grow()
	}
	key := filled(hash)
	at := t.find(key)
	if t.slots[at].key == 0 {
		t.count++
	}
	t.slots[at] = slot[V]{key, value}
	t.filter.Add(key)
}

// Get gives the value of a hash.
func (t *Table[V]) Get(hash uint64) (value V, ok bool) {
	key := filled(hash)
	if !t.filter.Passes(key) {
		return value, false
	}
	s := &t.slots[t.find(key)]
	return s.value, s.key != 0
}

// Len is how many values there are.
func (t *Table[V]) Len() int { return t.count }

// keptSlots is how large a table may be whose memory is used again.
const keptSlots = 8 << 10

// Reset empties the table.
func (t *Table[V]) Reset() {
	if len(t.slots) > keptSlots {
		*t = Table[V]{}
	}
	if t.count > 0 {
		clear(t.slots)
		clear(t.filter.bits)
		t.count = 0
	}
}

// filled tells the hash 0 from a free place.
func filled(hash uint64) uint64 { return max(hash, 1) }

func (t *Table[V]) find(key uint64) int {
	mask := len(t.slots) - 1
	at := int(key^key>>32) & mask
	for t.slots[at].key != 0 && t.slots[at].key != key {
		at = (at + 1) & mask
	}
	return at
}

func (t *Table[V]) grow() {
	old := t.slots
	n := max(64, 2*len(old))
	t.slots, t.filter = make([]slot[V], n), NewFilter(n/4, tableBits)
	for _, s := range old {
		if s.key != 0 {
			t.slots[t.find(s.key)] = s
			t.filter.Add(s.key)
		}
	}
}
