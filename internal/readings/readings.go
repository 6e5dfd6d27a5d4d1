// Package readings remembers what texts were read as.
//
// The records of a domain that sends much mail are the same text for each of its messages, and reading one costs more than
// looking it up. What a text says depends on nothing but itself, so that a [Memory] is never wrong: which text holds, the DNS
// says each time. The road starts and ends in [Memory.Read].
package readings

import "sync"

const (
	// textsAtMost and bytesAtMost bound the texts of one generation, of which there are two.
	textsAtMost = 2048
	bytesAtMost = 512 << 10
	// longAtMost bounds a text that is remembered: what ordinary domains write is far shorter.
	longAtMost = 4 << 10
)

// Memory remembers readings by their texts, those that failed too. The zero one is empty. Its methods may be called concurrently,
// and what it gives is shared by all who ask.
type Memory[V any] struct {
	mu         sync.Mutex
	young, old map[string]reading[V]
	bytes      int // of the young ones' texts
}

// reading is what reading a text gave.
type reading[V any] struct {
	value V
	err   error
}

// Read gives the reading of a text, which read makes when it is not remembered. On a nil Memory nothing is.
func (m *Memory[V]) Read(text string, read func(string) (V, error)) (V, error) {
	if m == nil || len(text) > longAtMost {
		return read(text)
	}
	m.mu.Lock()
	r, ok := m.young[text]
	if !ok {
		if r, ok = m.old[text]; ok {
			m.keep(text, r)
		}
	}
	m.mu.Unlock()
	if ok {
		return r.value, r.err
	}
	r.value, r.err = read(text)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(text, r)
	return r.value, r.err
}

// keep puts a reading among the young. When these are many they become the old ones, and those of the old that nobody asked
// for meanwhile are forgotten.
func (m *Memory[V]) keep(text string, r reading[V]) {
	if _, twice := m.young[text]; twice {
		return
	}
	if m.young == nil || len(m.young) >= textsAtMost || m.bytes+len(text) > bytesAtMost {
		m.old, m.young, m.bytes = m.young, make(map[string]reading[V]), 0
	}
	m.young[text] = r
	m.bytes += len(text)
}
