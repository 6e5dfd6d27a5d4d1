package imap

import (
	"strconv"

	"postern/imap/grammar"
	"postern/internal/store"
)

// copy is COPY and UID COPY: all messages arrive or none. RFC 9051 6.4.7
func (s *session) copy(c *grammar.Copy) answer {
	uids, _, a := s.resolve(c.Set, c.UID)
	if !a.good() {
		return a
	}
	s.noteDestination(c.Mailbox)
	if len(uids) == 0 {
		return s.nothingTo(c.Mailbox)
	}
	result, err := s.view.Copy(s.ctx, uids, c.Mailbox)
	if err != nil {
		return s.failedOn(err)
	}
	if len(result.Src) == 0 {
		return ok()
	}
	return okCode(copyUID(result), "COPY completed")
}

// move is MOVE and UID MOVE: one step for each message, so that none is twice or nowhere. RFC 9051 6.4.8
func (s *session) move(c *grammar.Move) answer {
	if s.view.ReadOnly() {
		return readOnly()
	}
	uids, _, a := s.resolve(c.Set, c.UID)
	if !a.good() {
		return a
	}
	s.noteDestination(c.Mailbox)
	if len(uids) == 0 {
		return s.nothingTo(c.Mailbox)
	}
	result, err := s.view.Move(s.ctx, uids, c.Mailbox)
	if err != nil {
		return s.failedOn(err)
	}
	if len(result.Src) > 0 {
		// Untagged, so that it comes before the EXPUNGEs, which the update sends. RFC 9051 6.4.8
		s.sayOK(copyUID(result), "Moved")
	}
	a = ok()
	if s.qresync && result.ModSeq > 0 { // RFC 7162 3.2.9, in the spirit of EXPUNGE
		a = okCode("HIGHESTMODSEQ "+strconv.FormatUint(result.ModSeq, 10), "MOVE completed")
	}
	return a
}

// nothingTo answers a command that names no message; the destination must exist all the same.
func (s *session) nothingTo(mailbox string) answer {
	if _, err := s.account.Mailbox(s.ctx, mailbox); err != nil {
		return s.failedOn(err)
	}
	return ok()
}

// noteDestination remembers what of a mailbox is new to everyone before messages arrive in it.
func (s *session) noteDestination(mailbox string) {
	if s.rev2 {
		return
	}
	if m, err := s.account.Mailbox(s.ctx, mailbox); err == nil {
		s.srv.recent.note(m.ID, m.UIDNext)
	}
}

// copyUID is the code that tells which message became which. RFC 9051 7.1 (COPYUID)
func copyUID(r store.CopyResult) string {
	b := append(make([]byte, 0, 60), "COPYUID "...)
	b = strconv.AppendUint(b, uint64(r.UIDValidity), 10)
	b = append(b, ' ')
	b = grammar.AppendNums(b, r.Src)
	b = append(b, ' ')
	return string(grammar.AppendNums(b, r.Dst))
}
