package imap

import (
	"strconv"

	"postern/imap/grammar"
	"postern/internal/store"
)

// store is STORE and UID STORE. RFC 9051 6.4.6, RFC 7162 3.1.3
func (s *session) store(c *grammar.Store) answer {
	if s.view.ReadOnly() {
		return readOnly()
	}
	if c.Conditional {
		s.condStore = true
	}
	uids, _, a := s.resolve(c.Set, c.UID)
	if !a.good() {
		return a
	}
	if len(uids) == 0 {
		return ok()
	}
	news := s.newKeyword(c.Flags)
	result, err := s.view.Store(s.ctx, store.StoreOp{
		UIDs: uids, Mode: storeMode(c.Mode), Flags: c.Flags,
		Conditional: c.Conditional, UnchangedSince: c.UnchangedSince,
		Silent: true, // the responses are made here
	})
	if err != nil {
		return s.failed(err)
	}
	if news {
		s.update(false) // which tells of the keyword before a response uses it. RFC 9051 7.3.5
	}
	if s.state != selected {
		return ok() // the mailbox is gone, and the client was told
	}
	s.sayStored(c, uids, result)
	a = ok()
	if len(result.Missing) > 0 && !c.UID {
		a = refuse("EXPUNGEISSUED", "Some of the messages were expunged by another session") // RFC 5530
	}
	if len(result.Modified) > 0 {
		a = answer{status: a.status, code: s.modified(c.UID, result.Modified), text: "Some of the messages changed meanwhile"}
	}
	return a
}

// newKeyword tells whether the mailbox does not know one of the flags.
func (s *session) newKeyword(flags []string) bool {
	for _, flag := range flags {
		if _, known := s.view.FlagBit(flag); !known {
			return true
		}
	}
	return false
}

// readOnly refuses changes in a mailbox opened with EXAMINE.
func readOnly() answer { return refuse("CANNOT", "The mailbox was opened for reading only") }

func storeMode(m grammar.StoreMode) store.StoreMode {
	switch m {
	case grammar.StoreAdd:
		return store.Add
	case grammar.StoreRemove:
		return store.Remove
	}
	return store.Set
}

// sayStored tells the new flags, unless the client said that it can compute them; a client with CONDSTORE is told the new
// mod-sequences in any case, one with QRESYNC the UIDs too. RFC 9051 6.4.6, RFC 7162 3.1.3, 3.2
func (s *session) sayStored(c *grammar.Store, uids []uint32, result store.StoreResult) {
	if c.Silent && !s.condStore {
		return
	}
	tell := uids
	if c.Silent {
		tell = result.Changed
	} else if len(result.Modified) > 0 || len(result.Missing) > 0 {
		left := grammar.NumSetOf(result.Modified)
		gone := grammar.NumSetOf(result.Missing)
		tell = make([]uint32, 0, len(uids))
		for _, uid := range uids {
			if !left.Contains(uid) && !gone.Contains(uid) {
				tell = append(tell, uid)
			}
		}
	}
	if len(tell) == 0 {
		return
	}
	s.view.Each(tell, func(m store.Message) bool {
		b := append(s.buffer(), "* "...)
		b = strconv.AppendUint(b, uint64(m.Seq), 10)
		b = append(b, " FETCH ("...)
		sep := ""
		if c.UID || s.qresync { // RFC 9051 6.4.9
			b = append(b, "UID "...)
			b = strconv.AppendUint(b, uint64(m.UID), 10)
			sep = " "
		}
		if !c.Silent {
			b = append(append(b, sep...), "FLAGS "...)
			b = s.appendFlags(b, m)
			sep = " "
		}
		if s.condStore {
			b = appendModSeq(append(b, sep...), m.ModSeq)
		}
		s.out.buf = append(b, ")\r\n"...)
		return s.more()
	})
}

// modified is the code that names the messages that failed UNCHANGEDSINCE. RFC 7162 3.1.3
func (s *session) modified(byUID bool, uids []uint32) string {
	numbers := uids
	if !byUID {
		numbers = make([]uint32, 0, len(uids))
		for _, uid := range uids {
			if seq, found := s.view.Seq(uid); found {
				numbers = append(numbers, seq)
			}
		}
	}
	return string(grammar.AppendNums([]byte("MODIFIED "), numbers))
}
