package imap

import (
	"strconv"

	"postern/imap/grammar"
	"postern/internal/store"
)

// status is STATUS. RFC 9051 6.3.11
func (s *session) status(c *grammar.Status) answer {
	m, err := s.account.Mailbox(s.ctx, c.Mailbox)
	if err != nil {
		return s.failed(err)
	}
	if m.NoSelect {
		return refuse("NONEXISTENT", "The name holds no messages")
	}
	return s.sayStatus(m, c.Items)
}

// sayStatus appends a STATUS response. The store keeps the counters, so nothing is counted here. RFC 9051 7.3.4
func (s *session) sayStatus(m store.Mailbox, items grammar.StatusItems) answer {
	if items&grammar.StatusHighestModSeq != 0 {
		s.condStore = true // RFC 7162 3.1: asking for it enables CONDSTORE
	}
	var deletedStorage int64
	if items&grammar.StatusDeletedStorage != 0 {
		var err error
		if deletedStorage, err = s.deletedStorage(m); err != nil {
			return s.failed(err)
		}
	}
	b := append(s.buffer(), "* STATUS "...)
	b = grammar.AppendMailbox(b, m.Name, s.rev2)
	b = append(b, " ("...)
	start := len(b)
	item := func(of grammar.StatusItems, name string, value uint64) {
		if items&of == 0 {
			return
		}
		if len(b) > start {
			b = append(b, ' ')
		}
		b = append(b, name...)
		b = strconv.AppendUint(b, value, 10)
	}
	item(grammar.StatusMessages, "MESSAGES ", uint64(m.Messages))
	item(grammar.StatusRecent, "RECENT ", s.recentIn(m))
	item(grammar.StatusUIDNext, "UIDNEXT ", uint64(m.UIDNext))
	item(grammar.StatusUIDValidity, "UIDVALIDITY ", uint64(m.UIDValidity))
	item(grammar.StatusUnseen, "UNSEEN ", uint64(m.Unseen))
	item(grammar.StatusDeleted, "DELETED ", uint64(m.Deleted))
	item(grammar.StatusSize, "SIZE ", uint64(m.Size))                              // RFC 8438
	item(grammar.StatusHighestModSeq, "HIGHESTMODSEQ ", m.HighestModSeq)           // RFC 7162 3.1.7
	item(grammar.StatusAppendLimit, "APPENDLIMIT ", uint64(s.limits.MessageBytes)) // RFC 7889
	item(grammar.StatusDeletedStorage, "DELETED-STORAGE ", uint64(deletedStorage)) // RFC 9208 4.1.4
	s.out.buf = append(b, ")\r\n"...)
	return ok()
}

// recentIn is how many messages no session was told of. Of those expunged meanwhile nobody can say, so it is a bound.
func (s *session) recentIn(m store.Mailbox) uint64 {
	if s.rev2 {
		return 0
	}
	return uint64(min(m.UIDNext-s.srv.recent.peek(m.ID, m.UIDNext), m.Messages))
}

// deletedStorage is the size of the messages marked \Deleted, which no counter keeps. RFC 9208 5.2
func (s *session) deletedStorage(m store.Mailbox) (size int64, err error) {
	if m.Deleted == 0 {
		return 0, nil
	}
	view, err := s.account.Select(s.ctx, m.Name, store.SelectOptions{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer view.Close()
	err = view.Each(nil, func(m store.Message) bool {
		if m.Flags&store.Deleted != 0 {
			size += m.Size
		}
		return true
	})
	return size, err
}
