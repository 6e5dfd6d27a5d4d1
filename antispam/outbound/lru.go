package outbound

import "time"

// lru holds the counters of the accounts that were active last, in a map and a ring through its entries.
type lru struct {
	most    int
	entries map[int64]*entry
	// ring is the end of the ring that is no account: next is the one that was active last, previous the one longest ago.
	ring *entry
}

type entry struct {
	counters
	account        int64
	next, previous *entry
}

func newLRU(most int) lru {
	ring := &entry{}
	ring.next, ring.previous = ring, ring
	return lru{most: most, entries: map[int64]*entry{}, ring: ring}
}

// idle is when nothing of an account's counters is left that matters: e^-24 is less than a billionth.
const idle = 24 * fade

// get gives an account's counters, true to now. It forgets accounts that are idle, two at a time, and the stalest one when
// there are too many.
func (l *lru) get(account int64, now time.Time) *counters {
	e := l.entries[account]
	if e == nil {
		for range 2 {
			if last := l.ring.previous; last != l.ring && (len(l.entries) >= l.most || now.UnixNano()-last.at > int64(idle)) {
				l.remove(last)
			}
		}
		e = &entry{account: account}
		e.at = now.UnixNano()
		l.entries[account] = e
	} else {
		e.previous.next, e.next.previous = e.next, e.previous
	}
	e.next, e.previous = l.ring.next, l.ring
	e.next.previous, e.previous.next = e, e
	e.fadeTo(now)
	return &e.counters
}

func (l *lru) forget(account int64) {
	if e := l.entries[account]; e != nil {
		l.remove(e)
	}
}

func (l *lru) remove(e *entry) {
	e.previous.next, e.next.previous = e.next, e.previous
	delete(l.entries, e.account)
}
