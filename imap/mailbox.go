package imap

import (
	"errors"
	"strings"

	"postern/imap/grammar"
	"postern/internal/store"
)

// create is CREATE. RFC 9051 6.3.4
func (s *session) create(c *grammar.Create) answer {
	// A separator at the end says that children will follow; the name is without it.
	name := strings.TrimSuffix(c.Mailbox, "/")
	var use string
	switch len(c.SpecialUse) {
	case 0:
	case 1:
		use = c.SpecialUse[0]
		if !knownUse(use) {
			return refuse("USEATTR", "This special use is not supported") // RFC 6154 3
		}
	default:
		return refuse("USEATTR", "A mailbox has one special use at most")
	}
	m, err := s.account.CreateMailbox(s.ctx, name, use)
	if err != nil {
		a := s.failed(err)
		if use != "" && a.code == "ALREADYEXISTS" && s.useTaken(use, name) {
			a = refuse("USEATTR", "Another mailbox has this special use")
		}
		return a
	}
	s.srv.recent.note(m.ID, 1)
	return ok()
}

// useTaken tells whether another mailbox has the special use.
func (s *session) useTaken(use, name string) bool {
	mailboxes, err := s.account.Mailboxes(s.ctx)
	if err != nil {
		return false
	}
	for _, m := range mailboxes {
		if m.SpecialUse == use && m.Name != name {
			return true
		}
	}
	return false
}

// knownUse tells which special uses a user may give; \All and \Flagged are for virtual mailboxes. RFC 6154 2
func knownUse(use string) bool {
	switch use {
	case `\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`:
		return true
	}
	return false
}

// delete is DELETE. RFC 9051 6.3.5
func (s *session) delete(c *grammar.Delete) answer {
	name := strings.TrimSuffix(c.Mailbox, "/")
	if name == "INBOX" {
		return refuse("CANNOT", "INBOX cannot be deleted")
	}
	own := s.view != nil && s.view.Mailbox().Name == name
	if err := s.account.DeleteMailbox(s.ctx, name); err != nil {
		return s.failed(err)
	}
	if own {
		s.leave()
		s.sayOK("CLOSED", "The selected mailbox is no more")
	}
	return ok()
}

// rename is RENAME; INBOX's messages move and it stays. RFC 9051 6.3.6
func (s *session) rename(c *grammar.Rename) answer {
	if err := s.account.RenameMailbox(s.ctx, strings.TrimSuffix(c.From, "/"), strings.TrimSuffix(c.To, "/")); err != nil {
		return s.failed(err)
	}
	return ok()
}

// subscribe is SUBSCRIBE and UNSUBSCRIBE. A name may be subscribed whether or not there is such a mailbox.
// RFC 9051 6.3.7, 6.3.8
func (s *session) subscribe(name string, on bool) answer {
	err := s.account.Subscribe(s.ctx, strings.TrimSuffix(name, "/"), on)
	if err != nil && (on || !errors.Is(err, store.ErrNoMailbox)) {
		return s.failed(err)
	}
	return ok()
}
