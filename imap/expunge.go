package imap

import (
	"strconv"

	"postern/imap/grammar"
	"postern/internal/store"
)

// expunge is EXPUNGE and UID EXPUNGE. The EXPUNGE or VANISHED responses come from the update at the command's end.
// RFC 9051 6.4.3, 6.4.9
func (s *session) expunge(c *grammar.Expunge) answer {
	if s.view.ReadOnly() {
		return readOnly()
	}
	var uids []uint32 // nil: all that are marked
	if c.UID {
		named, _, a := s.resolve(c.Set, true)
		if !a.good() {
			return a
		}
		uids = make([]uint32, 0, len(named))
		s.view.Each(named, func(m store.Message) bool {
			if m.Flags&store.Deleted != 0 {
				uids = append(uids, m.UID)
			}
			return true
		})
		if len(uids) == 0 {
			return ok()
		}
	}
	expunged, modSeq, err := s.view.Expunge(s.ctx, uids)
	if err != nil {
		return s.failed(err)
	}
	if s.condStore && len(expunged) > 0 { // RFC 7162 3.1.12, 3.2.7
		return okCode("HIGHESTMODSEQ "+strconv.FormatUint(modSeq, 10), "EXPUNGE completed")
	}
	return ok()
}
