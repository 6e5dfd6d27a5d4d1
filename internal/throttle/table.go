package throttle

import (
	"hash/maphash"
	"sync"
)

// table is a map with a ceiling, in shards so that connections do not queue for one lock. A full shard forgets the
// stalest of a few entries that it looks at.
type table[K comparable, V any] struct {
	seed   maphash.Seed
	limit  int
	shards [shards]shard[K, V]
}

type shard[K comparable, V any] struct {
	sync.Mutex
	entries map[K]V
}

// sampled is how many entries are looked at to find one to forget.
const sampled = 8

func newTable[K comparable, V any](seed maphash.Seed, limit int) *table[K, V] {
	t := &table[K, V]{seed: seed, limit: limit}
	for i := range t.shards {
		t.shards[i].entries = make(map[K]V)
	}
	return t
}

func (t *table[K, V]) shard(key K) *shard[K, V] {
	return &t.shards[maphash.Comparable(t.seed, key)%shards]
}

// room makes place for one more entry. staleness orders entries, larger is staler; negative means not to be forgotten.
// The shard is locked.
func (t *table[K, V]) room(s *shard[K, V], staleness func(V) int64) {
	for len(s.entries) >= t.limit {
		var stalest K
		worst, seen := int64(-1), 0
		for key, entry := range s.entries {
			if age := staleness(entry); age > worst {
				stalest, worst = key, age
			}
			if seen++; seen >= sampled && (worst >= 0 || seen >= 4*sampled) {
				break
			}
		}
		if worst < 0 {
			return // in use, as many as there are real connections
		}
		delete(s.entries, stalest)
	}
}

// size is the number of entries, for tests and metrics.
func (t *table[K, V]) size() int {
	n := 0
	for i := range t.shards {
		t.shards[i].Lock()
		n += len(t.shards[i].entries)
		t.shards[i].Unlock()
	}
	return n
}
