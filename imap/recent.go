package imap

import "sync"

// \Recent belongs to IMAP4rev1 alone (RFC 3501 2.3.2): a message is recent to the first session that is told of it and to no
// other. UIDs ascend, so one number for each mailbox says which messages no session was told of. The server keeps it in
// memory: what arrived before it started is not recent.

// recentsKept bounds the mailboxes remembered; each takes some 50 bytes.
const recentsKept = 100_000

type recents struct {
	mu    sync.Mutex
	first map[int64]uint32 // by mailbox: the first UID that no session was told of
}

// note remembers that from first on nobody knows the mailbox's messages, unless more is known of it.
func (r *recents) note(mailbox int64, first uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.get(mailbox, first)
}

// peek gives the first UID that is recent; next is the mailbox's UIDNEXT.
func (r *recents) peek(mailbox int64, next uint32) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return min(r.get(mailbox, next), next)
}

// take gives the first UID that is recent, and makes all below next known.
func (r *recents) take(mailbox int64, next uint32) uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.get(mailbox, next)
	if first < next {
		r.first[mailbox] = next
	}
	return min(first, next)
}

func (r *recents) get(mailbox int64, unknown uint32) uint32 {
	first, ok := r.first[mailbox]
	if ok {
		return first
	}
	if r.first == nil || len(r.first) >= recentsKept {
		r.first = make(map[int64]uint32)
	}
	r.first[mailbox] = unknown
	return unknown
}

// recentUIDs are the UIDs that are recent to one session: ascending ranges, last excluded.
type recentUIDs []uidRange

type uidRange struct{ first, end uint32 }

// recentRanges bounds what a session remembers: the oldest lose \Recent first.
const recentRanges = 64

func (r recentUIDs) has(uid uint32) bool {
	for _, x := range r {
		if uid >= x.first && uid < x.end {
			return true
		}
	}
	return false
}

// add makes [first, end) recent; it lies above what is there.
func (r *recentUIDs) add(first, end uint32) {
	if first >= end {
		return
	}
	if n := len(*r); n > 0 && (*r)[n-1].end == first {
		(*r)[n-1].end = end
		return
	}
	if len(*r) == recentRanges {
		*r = append((*r)[:0], (*r)[1:]...)
	}
	*r = append(*r, uidRange{first, end})
}

// count is how many of the ascending UIDs are recent.
func (r recentUIDs) count(uids []uint32) int {
	n := 0
	for i := len(uids) - 1; i >= 0 && len(r) > 0 && uids[i] >= r[0].first; i-- {
		if r.has(uids[i]) {
			n++
		}
	}
	return n
}

// updateRecent claims new messages for this session and says how many are recent to it. RFC 3501 7.3.2
func (s *session) updateRecent() {
	if s.rev2 {
		return
	}
	uids := s.view.UIDs()
	if n := len(uids); n > 0 {
		next := uids[n-1] + 1
		id := s.view.Mailbox().ID
		if s.view.ReadOnly() {
			first := s.srv.recent.peek(id, next)
			if k := len(s.recent); k > 0 {
				first = max(first, s.recent[k-1].end)
			}
			s.recent.add(first, next)
		} else {
			s.recent.add(s.srv.recent.take(id, next), next)
		}
	}
	s.sayNumber(uint64(s.recent.count(uids)), "RECENT")
}
