package imap

import (
	"slices"
	"strconv"

	"postern/imap/grammar"
	"postern/internal/store"
)

// selectMailbox is SELECT and EXAMINE. RFC 9051 6.3.2, 6.3.3
func (s *session) selectMailbox(c *grammar.Select) answer {
	// RFC 7162 3.2.5: QRESYNC as a parameter needs ENABLE before.
	if c.QResync != nil && !s.qresync {
		return misuse("Please ENABLE QRESYNC first")
	}
	if c.CondStore {
		s.condStore = true
	}
	// A failed SELECT leaves no mailbox selected. RFC 9051 6.3.2
	if s.view != nil {
		s.leave()
		s.sayOK("CLOSED", "Previous mailbox is closed") // RFC 7162 3.2.11, RFC 9051 7.1
	}
	view, err := s.account.Select(s.ctx, c.Mailbox, store.SelectOptions{ReadOnly: c.ReadOnly})
	if err != nil {
		return s.failed(err)
	}
	s.view, s.state = view, selected
	view.Notify(s.changed)
	s.saySelected()
	if c.QResync != nil && c.QResync.UIDValidity == view.Mailbox().UIDValidity {
		if err := s.resync(c.QResync); err != nil {
			s.leave()
			return s.failed(err)
		}
	}
	if view.ReadOnly() {
		return okCode("READ-ONLY", "Mailbox opened for reading")
	}
	return okCode("READ-WRITE", "Mailbox opened")
}

// saySelected describes the selected mailbox.
func (s *session) saySelected() {
	s.sayFlags()
	s.sayNumber(uint64(s.view.Len()), "EXISTS")
	if !s.rev2 {
		s.selectRecent()
		if seq, ok := s.view.FirstUnseen(); ok {
			s.sayOK("UNSEEN "+strconv.FormatUint(uint64(seq), 10), "First unseen message")
		}
	}
	m := s.view.Mailbox()
	s.sayOK("UIDVALIDITY "+strconv.FormatUint(uint64(m.UIDValidity), 10), "UIDs are valid")
	s.sayOK("UIDNEXT "+strconv.FormatUint(uint64(m.UIDNext), 10), "Predicted next UID")
	s.sayOK("HIGHESTMODSEQ "+strconv.FormatUint(s.view.HighestModSeq(), 10), "Highest mod-sequence") // RFC 7162 3.1.2.1
	if s.rev2 {
		s.sayListed("LIST", attributes(m), m.Name, "") // RFC 9051 6.3.2
	}
}

// sayFlags tells which flags there are and which can be set for good: any, in a mailbox opened for writing.
// RFC 9051 7.3.5, 7.1 (PERMANENTFLAGS)
func (s *session) sayFlags() {
	flags := s.view.Flags()
	b := append(s.buffer(), "* FLAGS "...)
	b = grammar.AppendFlags(b, flags)
	b = append(b, "\r\n* OK [PERMANENTFLAGS "...)
	if s.view.ReadOnly() {
		b = append(b, "()"...)
	} else {
		b = grammar.AppendFlags(b, append(slices.Clone(flags), `\*`))
	}
	s.out.buf = append(b, "] Flags that can be set\r\n"...)
	s.more()
}

// selectRecent finds what is recent to a session that just selected. RFC 3501 2.3.2
func (s *session) selectRecent() {
	m := s.view.Mailbox()
	next := m.UIDNext
	if uids := s.view.UIDs(); len(uids) > 0 {
		next = uids[len(uids)-1] + 1
	}
	first := s.srv.recent.peek(m.ID, max(next, m.UIDNext))
	if !s.view.ReadOnly() {
		first = s.srv.recent.take(m.ID, next)
	}
	s.recent.add(first, next)
	s.sayNumber(uint64(s.recent.count(s.view.UIDs())), "RECENT")
}

// leave gives the selected mailbox back.
func (s *session) leave() {
	if s.view == nil {
		return
	}
	s.view.Close()
	s.view, s.recent, s.saved = nil, nil, nil
	if s.state == selected {
		s.state = authenticated
	}
}

// closeMailbox is CLOSE, which expunges without saying so. RFC 9051 6.4.1
func (s *session) closeMailbox() answer {
	a := ok()
	if !s.view.ReadOnly() {
		expunged, modSeq, err := s.view.Expunge(s.ctx, nil)
		if err != nil {
			return s.failed(err)
		}
		if s.qresync && len(expunged) > 0 { // RFC 7162 3.2.8
			a = okCode("HIGHESTMODSEQ "+strconv.FormatUint(modSeq, 10), "CLOSE completed")
		}
	}
	s.leave()
	return a
}
