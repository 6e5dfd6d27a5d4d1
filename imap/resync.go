package imap

import (
	"slices"

	"postern/imap/grammar"
)

// resync tells a client that comes back what changed since the mod-sequence that it knows. RFC 7162 3.2.5
func (s *session) resync(q *grammar.QResync) error {
	vanished, err := s.vanished(q.ModSeq, q.KnownUIDs)
	if err != nil {
		return err
	}
	if below := s.agreedUID(q); below > 0 {
		// RFC 7162 3.2.5.2: up to a pair on which both sides agree nothing can have vanished unnoticed.
		i, found := slices.BinarySearch(vanished, below)
		if found {
			i++
		}
		vanished = vanished[i:]
	}
	if len(vanished) > 0 {
		s.sayNums("VANISHED (EARLIER)", vanished) // RFC 7162 3.2.10.1
	}
	var uids []uint32
	if !q.KnownUIDs.IsZero() {
		if uids = q.KnownUIDs.Intersect(nil, s.view.UIDs()); len(uids) == 0 {
			return nil
		}
	}
	changed, err := s.view.ChangedSince(s.ctx, q.ModSeq, uids)
	if err != nil {
		return err
	}
	if len(changed) > 0 {
		s.sayChanged(changed)
	}
	return nil
}

// vanished gives the UIDs expunged since a mod-sequence, of a set unless that is zero.
func (s *session) vanished(modSeq uint64, among grammar.NumSet) ([]uint32, error) {
	uids, err := s.view.VanishedSince(s.ctx, modSeq)
	if err != nil || among.IsZero() {
		return uids, err
	}
	return among.Intersect(make([]uint32, 0, min(uint64(len(uids)), among.Count())), uids), nil
}

// agreedUID is the highest UID that still has the sequence number the client believes it to have.
func (s *session) agreedUID(q *grammar.QResync) (agreed uint32) {
	next, stop := iterate(q.MatchUIDs)
	defer stop()
	for seq := range q.MatchSeqs.All() {
		uid, more := next()
		if !more || seq > uint32(s.view.Len()) {
			break
		}
		if at, ok := s.view.UIDAt(seq); !ok || at != uid {
			break // numbers only fall, so no later pair can agree
		}
		agreed = uid
	}
	return agreed
}
