package scripts

import (
	"sync"
	"sync/atomic"

	"postern/internal/db"
)

// Generation says of an owner's scripts whether something of them changed: as long as it is the same, each name stands for the same
// content as before, or for none.
type Generation struct {
	epoch, changes uint64
}

// generations count the changes of owners since the start.
type generations struct {
	epoch  atomic.Uint64 // how often it was not known what had changed
	mu     sync.RWMutex
	counts map[Owner]uint64
}

// Generation is that of an owner's scripts now, from memory. Whoever asks for it before reading scripts knows that what was read is
// not older.
func (s *Store) Generation(o Owner) Generation {
	g := &s.generations
	g.mu.RLock()
	defer g.mu.RUnlock()
	return Generation{g.epoch.Load(), g.counts[o]}
}

// changed has the owner's generation follow the transaction.
func (s *Store) changed(tx *db.Tx, o Owner) {
	tx.OnCommit(func() {
		g := &s.generations
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.counts == nil {
			g.counts = map[Owner]uint64{}
		}
		g.counts[o]++
	})
}
