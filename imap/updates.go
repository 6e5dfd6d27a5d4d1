package imap

import (
	"errors"
	"strconv"

	"postern/internal/store"
)

// update tells the client what others did to the selected mailbox. RFC 9051 7.5.1, 5.2
func (s *session) update(allowExpunge bool) {
	u, err := s.view.Sync(allowExpunge)
	if err != nil {
		if !errors.Is(err, store.ErrGone) {
			s.log().Error("imap update", "error", err)
		}
		s.bye("The selected mailbox was deleted")
		return
	}
	if u.FlagsList {
		s.sayFlags()
	}
	s.sayExpunged(u)
	if u.Exists >= 0 {
		s.sayNumber(uint64(u.Exists), "EXISTS")
		s.updateRecent()
	}
	if len(u.Changed) > 0 {
		s.sayChanged(u.Changed)
	}
}

// sayExpunged tells which messages are gone: by UID to a client that enabled QRESYNC. RFC 7162 3.2.10
func (s *session) sayExpunged(u store.Update) {
	if len(u.Expunged) == 0 {
		return
	}
	s.forget(u.Vanished)
	if s.qresync {
		s.sayNums("VANISHED", u.Vanished)
		return
	}
	for _, e := range u.Expunged {
		b := append(s.buffer(), "* "...)
		b = strconv.AppendUint(b, uint64(e.Seq), 10)
		s.out.buf = append(b, " EXPUNGE\r\n"...)
		if !s.more() {
			return
		}
	}
}

// sayChanged tells messages' flags. The UID is always there, so that the client need not count. RFC 9051 7.5.2
func (s *session) sayChanged(uids []uint32) {
	s.view.Each(uids, func(m store.Message) bool {
		b := append(s.buffer(), "* "...)
		b = strconv.AppendUint(b, uint64(m.Seq), 10)
		b = append(b, " FETCH (UID "...)
		b = strconv.AppendUint(b, uint64(m.UID), 10)
		b = append(b, " FLAGS "...)
		b = s.appendFlags(b, m)
		if s.condStore {
			b = appendModSeq(append(b, ' '), m.ModSeq)
		}
		s.out.buf = append(b, ")\r\n"...)
		return s.more()
	})
}

// appendFlags writes "(\Seen $Forwarded)".
func (s *session) appendFlags(b []byte, m store.Message) []byte {
	b = append(b, '(')
	at := len(b)
	b = s.view.AppendFlags(b, m.Flags)
	if s.recent.has(m.UID) {
		if len(b) > at {
			b = append(b, ' ')
		}
		b = append(b, `\Recent`...)
	}
	return append(b, ')')
}

// appendModSeq writes "MODSEQ (715194045007)". RFC 7162 3.1.4
func appendModSeq(b []byte, modSeq uint64) []byte {
	b = append(b, "MODSEQ ("...)
	b = strconv.AppendUint(b, modSeq, 10)
	return append(b, ')')
}
