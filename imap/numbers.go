package imap

import (
	"iter"

	"postern/imap/grammar"
)

// resolve gives the UIDs, ascending, that a set of a command means: sequence numbers unless byUID, "$" the saved result of a
// search. everything says that they are all of the mailbox. A sequence number that no message has is the client's mistake; a
// UID is not. RFC 9051 6.4.9, 9 (seq-range)
func (s *session) resolve(set grammar.NumSet, byUID bool) (uids []uint32, everything bool, _ answer) {
	all := s.view.UIDs()
	if set.Saved {
		return stillThere(s.saved, all), false, ok()
	}
	if byUID {
		set = set.Normalize(largest(all))
		if covers(set, all) {
			return all, true, ok()
		}
		return set.Intersect(make([]uint32, 0, min(set.Count(), uint64(len(all)))), all), false, ok()
	}
	set = set.Normalize(uint32(len(all)))
	if set.Largest() > uint32(len(all)) || len(all) == 0 { // RFC 9051 9 (seq-number): in an empty mailbox "*" is none either
		return nil, false, misuse("There is no message with that number")
	}
	if len(set.Ranges) == 1 && set.Count() == uint64(len(all)) {
		return all, true, ok()
	}
	uids = make([]uint32, 0, set.Count())
	for _, r := range set.Ranges {
		uids = append(uids, all[r.First-1:r.Last]...)
	}
	return uids, false, ok()
}

// largest is the last of ascending UIDs, 0 when there are none.
func largest(uids []uint32) uint32 {
	if len(uids) == 0 {
		return 0
	}
	return uids[len(uids)-1]
}

// covers tells whether one range of a normalised set holds all UIDs.
func covers(set grammar.NumSet, all []uint32) bool {
	if len(set.Ranges) == 0 || len(all) == 0 {
		return false
	}
	r := set.Ranges[0]
	return r.First <= all[0] && r.Last >= all[len(all)-1]
}

// stillThere gives those of the saved UIDs that the mailbox still holds. RFC 9051 6.4.4.1: expunged ones leave the result.
func stillThere(saved, all []uint32) []uint32 {
	kept := make([]uint32, 0, len(saved))
	i := 0
	for _, uid := range saved {
		for i < len(all) && all[i] < uid {
			i++
		}
		if i < len(all) && all[i] == uid {
			kept = append(kept, uid)
		}
	}
	return kept
}

// forget drops expunged UIDs from the saved result.
func (s *session) forget(vanished []uint32) {
	if len(s.saved) == 0 {
		return
	}
	gone := grammar.NumSetOf(vanished)
	kept := s.saved[:0]
	for _, uid := range s.saved {
		if !gone.Contains(uid) {
			kept = append(kept, uid)
		}
	}
	s.saved = kept
}

// iterate is a set's numbers one by one.
func iterate(set grammar.NumSet) (next func() (uint32, bool), stop func()) {
	return iter.Pull(set.All())
}
