package words

// Table leads from hashes of words to values. Three quarters of it and more are free, so that a look for what is not there,
// as most words are not, costs one access. The zero value is empty; it is filled once and then only read.
type Table[V any] struct {
	keys   []uint64 // 0 is free
	values []V
	count  int
}

// Put adds a value or replaces it.
func (t *Table[V]) Put(hash uint64, value V) {
	if 4*(t.count+1) > len(t.keys) {
		t.grow()
	}
	at := t.find(filled(hash))
	if t.keys[at] == 0 {
		t.count++
	}
	t.keys[at], t.values[at] = filled(hash), value
}

// Get gives the value of a hash.
func (t *Table[V]) Get(hash uint64) (value V, ok bool) {
	if len(t.keys) == 0 {
		return value, false
	}
	at := t.find(filled(hash))
	return t.values[at], t.keys[at] != 0
}

// filled tells the hash 0 from a free place.
func filled(hash uint64) uint64 { return max(hash, 1) }

func (t *Table[V]) find(key uint64) int {
	mask := len(t.keys) - 1
	at := int(key^key>>32) & mask
	for t.keys[at] != 0 && t.keys[at] != key {
		at = (at + 1) & mask
	}
	return at
}

func (t *Table[V]) grow() {
	old := *t
	n := max(64, 2*len(old.keys))
	t.keys, t.values = make([]uint64, n), make([]V, n)
	for i, key := range old.keys {
		if key != 0 {
			at := t.find(key)
			t.keys[at], t.values[at] = key, old.values[i]
		}
	}
}
