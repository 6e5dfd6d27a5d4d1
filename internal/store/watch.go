package store

// EventKind is what happened in an account.
type EventKind int

// The kinds of events.
const (
	MailboxCreated EventKind = iota + 1
	MailboxDeleted
	MailboxRenamed
	MailboxChanged // messages or flags in it
	SubscriptionChanged
)

// Event is one change of an account, told after it is durable.
type Event struct {
	Kind    EventKind
	Mailbox Mailbox // as it is now; of a deleted one as it was
	OldName string  // of a renamed one
	box     *box
}

// watchers of one account.
type watchers struct {
	next int
	fns  map[int]func(Event)
}

// Watch has fn called after each change of the account's mailboxes, in order. fn runs where commits are made: it must
// return at once and call nothing of the store, so it hands the event on. cancel ends it.
func (a *Account) Watch(fn func(Event)) (cancel func()) {
	s := a.s
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	w := s.watchers[a.id]
	if w == nil {
		w = &watchers{fns: map[int]func(Event){}}
		s.watchers[a.id] = w
	}
	id := w.next
	w.next++
	w.fns[id] = fn
	return func() {
		s.watchMu.Lock()
		defer s.watchMu.Unlock()
		if delete(w.fns, id); len(w.fns) == 0 && s.watchers[a.id] == w {
			delete(s.watchers, a.id)
		}
	}
}

// tellWatchers calls the watchers of an account; on the committer.
func (s *Store) tellWatchers(st *state, events []Event) {
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	w := s.watchers[st.id]
	if w == nil {
		return
	}
	t := st.tree.Load()
	for _, e := range events {
		e.Mailbox = info(t, e.box.cur.Load())
		for _, fn := range w.fns {
			fn(e)
		}
	}
}
