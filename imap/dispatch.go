package imap

import (
	"postern/imap/grammar"
)

// execute runs a command and then tells the client what happened meanwhile, as far as the command allows it.
func (s *session) execute(req *grammar.Request) answer {
	if a := s.allowed(req); !a.good() {
		return a
	}
	a := s.dispatch(req)
	if s.view != nil && s.state == selected && !a.silent {
		s.update(expungeAllowed(req.Command))
	}
	return a
}

// expungeAllowed tells whether EXPUNGE may stand among the responses: not in those to FETCH, STORE and SEARCH, by whose
// sequence numbers the client still thinks. Their UID forms are other commands. RFC 9051 7.5.1
func expungeAllowed(c grammar.Command) bool {
	switch c := c.(type) {
	case *grammar.Fetch:
		return c.UID
	case *grammar.Store:
		return c.UID
	case *grammar.Search:
		return c.UID
	}
	return true
}

// allowed tells whether a command fits the state. RFC 9051 3, 6
func (s *session) allowed(req *grammar.Request) answer {
	switch req.Command.(type) {
	case *grammar.Capability, *grammar.Noop, *grammar.Logout, *grammar.ID:
		return ok()
	case *grammar.Authenticate, *grammar.Login, *grammar.StartTLS:
		if s.account != nil {
			return misuse("You are logged in already")
		}
		return ok()
	}
	if s.account == nil {
		return misuse("Please log in first")
	}
	switch req.Command.(type) {
	case *grammar.Check, *grammar.Close, *grammar.Unselect, *grammar.Expunge, *grammar.Search, *grammar.Fetch,
		*grammar.Store, *grammar.Copy, *grammar.Move:
		if s.state != selected {
			return misuse("Please select a mailbox first")
		}
	}
	return ok()
}

func (s *session) dispatch(req *grammar.Request) answer {
	switch c := req.Command.(type) {
	case *grammar.Capability:
		s.say("CAPABILITY " + s.capabilities())
		return ok()
	case *grammar.Noop, *grammar.Check: // RFC 9051 6.1.2, RFC 3501 6.4.1: what they are for, execute does
		return ok()
	case *grammar.Logout:
		s.bye("Goodbye")
		return ok()
	case *grammar.ID:
		return s.id(c)
	case *grammar.StartTLS:
		return misuse("TLS is active already")
	case *grammar.Login:
		return s.login(c)
	case *grammar.Authenticate:
		return s.authenticate(c)
	case *grammar.Enable:
		return s.enable(c)
	case *grammar.Namespace:
		s.say(`NAMESPACE (("" "/")) NIL NIL`) // RFC 9051 6.3.10
		return ok()
	case *grammar.Idle:
		return s.idle()
	case *grammar.Compress:
		return s.compress(req, c)
	}
	if a, handled := s.mailboxCommand(req); handled {
		return a
	}
	return s.messageCommand(req)
}

// mailboxCommand runs what works on mailboxes.
func (s *session) mailboxCommand(req *grammar.Request) (_ answer, handled bool) {
	switch c := req.Command.(type) {
	case *grammar.Select:
		return s.selectMailbox(c), true
	case *grammar.Create:
		return s.create(c), true
	case *grammar.Delete:
		return s.delete(c), true
	case *grammar.Rename:
		return s.rename(c), true
	case *grammar.Subscribe:
		return s.subscribe(c.Mailbox, true), true
	case *grammar.Unsubscribe:
		return s.subscribe(c.Mailbox, false), true
	case *grammar.List:
		return s.list(c), true
	case *grammar.Lsub:
		return s.lsub(c), true
	case *grammar.Status:
		return s.status(c), true
	case *grammar.Append:
		return s.append(c), true
	case *grammar.GetQuota:
		return s.getQuota(c), true
	case *grammar.GetQuotaRoot:
		return s.getQuotaRoot(c), true
	case *grammar.GetMetadata:
		return s.getMetadata(c), true
	case *grammar.SetMetadata:
		return s.setMetadata(c), true
	case *grammar.SetQuota:
		return refuse("NOPERM", "Quotas are set by the administrator"), true // RFC 9208 4.1.3
	}
	return answer{}, false
}

// messageCommand runs what works on the messages of the selected mailbox.
func (s *session) messageCommand(req *grammar.Request) answer {
	switch c := req.Command.(type) {
	case *grammar.Close:
		return s.closeMailbox()
	case *grammar.Unselect:
		s.leave()
		return ok()
	case *grammar.Expunge:
		return s.expunge(c)
	case *grammar.Search:
		return s.search(req, c)
	case *grammar.Fetch:
		return s.fetch(c)
	case *grammar.Store:
		return s.store(c)
	case *grammar.Copy:
		return s.copy(c)
	case *grammar.Move:
		return s.move(c)
	}
	return misuse("This command is not known here")
}
