package imap

import (
	"strconv"

	"postern/imap/grammar"
	"postern/internal/message"
	"postern/internal/store"
)

// fetch is FETCH and UID FETCH. RFC 9051 6.4.5
//
// What lies in memory is rendered straight from the store's arrays, what is computed at delivery (envelope, structure) from
// the stored compact form, and only sections open the message. All of it is appended to the session's buffer.
func (s *session) fetch(c *grammar.Fetch) answer {
	uids, everything, a := s.resolve(c.Set, c.UID)
	if !a.good() {
		return a
	}
	if a := s.fetchModifiers(c); !a.good() {
		return a
	}
	if c.ChangedSince > 0 && len(uids) > 0 {
		var err error
		if uids, err = s.view.ChangedSince(s.ctx, c.ChangedSince, uids); err != nil {
			return s.failed(err)
		}
		everything = false
	}
	if len(uids) == 0 {
		return ok()
	}
	p := s.plan(c)
	if p.seen && !s.view.ReadOnly() {
		if err := s.markSeen(p, uids); err != nil {
			s.failed(err) // which logs it: what cannot be marked, on a full disk, can still be read
		}
	}
	if everything {
		uids = nil
	}
	return s.fetchMessages(p, uids)
}

// fetchModifiers is CHANGEDSINCE and VANISHED. RFC 7162 3.1.4.1, 3.2.6
func (s *session) fetchModifiers(c *grammar.Fetch) answer {
	if c.ChangedSince > 0 {
		s.condStore = true
	}
	if !c.Vanished {
		return ok()
	}
	if !s.qresync {
		return misuse("Please ENABLE QRESYNC first")
	}
	if !c.UID || c.ChangedSince == 0 {
		return misuse("VANISHED goes with UID FETCH and CHANGEDSINCE")
	}
	among := c.Set.Normalize(max(largest(s.view.UIDs()), s.view.Mailbox().UIDNext-1))
	if c.Set.Saved {
		among = grammar.NumSetOf(s.saved)
	}
	if among.IsZero() {
		return ok()
	}
	vanished, err := s.vanished(c.ChangedSince, among)
	if err != nil {
		return s.failed(err)
	}
	if len(vanished) > 0 {
		s.sayNums("VANISHED (EARLIER)", vanished)
	}
	return ok()
}

// fetchPlan is what one FETCH wants, made ready once for all its messages.
type fetchPlan struct {
	items  []fetchItem
	meta   bool                // some item needs the compact form
	bytes  bool                // some item needs the message itself
	seen   bool                // some item sets \Seen
	marked map[uint32]struct{} // messages that it was set on, by UID
	flags  bool                // FLAGS is among the items
	modSeq bool                // MODSEQ is
}

// fetchItem is an item with its name as the response gives it, a space in front.
type fetchItem struct {
	grammar.FetchItem
	name []byte
}

func (s *session) plan(c *grammar.Fetch) *fetchPlan {
	p := &fetchPlan{items: make([]fetchItem, 0, len(c.Items)+2)}
	// A response to a UID command says the UID. RFC 9051 6.4.9
	if c.UID {
		p.add(grammar.FetchItem{Kind: grammar.FetchUID, Peek: true})
	}
	for _, item := range c.Items {
		if item.Kind == grammar.FetchUID && c.UID {
			continue
		}
		p.add(item)
		if item.Kind == grammar.FetchModSeq {
			s.condStore = true // RFC 7162 3.1
		}
	}
	if c.ChangedSince > 0 && !p.modSeq { // RFC 7162 3.1.4.1
		p.add(grammar.FetchItem{Kind: grammar.FetchModSeq, Peek: true})
	}
	return p
}

func (p *fetchPlan) add(item grammar.FetchItem) {
	i := fetchItem{FetchItem: item, name: append(grammar.AppendFetchItem(nil, item), ' ')}
	switch item.Kind {
	case grammar.FetchEnvelope, grammar.FetchBody, grammar.FetchBodyStructure:
		p.meta = true
	case grammar.FetchBodySection, grammar.FetchBinary, grammar.FetchBinarySize, grammar.FetchRFC822,
		grammar.FetchRFC822Header, grammar.FetchRFC822Text:
		p.bytes = true
		p.meta = p.meta || item.Section.Spec != grammar.SectionAll || len(item.Section.Part) > 0
	case grammar.FetchFlags:
		p.flags = true
	case grammar.FetchModSeq:
		p.modSeq = true
	}
	p.seen = p.seen || !item.Peek
	p.items = append(p.items, i)
}

// markSeen sets \Seen on those that lack it, all in one transaction, before their bytes are shown. RFC 9051 6.4.5 (BODY)
func (s *session) markSeen(p *fetchPlan, uids []uint32) error {
	var unseen []uint32
	s.view.Each(uids, func(m store.Message) bool {
		if m.Flags&store.Seen == 0 {
			unseen = append(unseen, m.UID)
		}
		return true
	})
	if len(unseen) == 0 {
		return nil
	}
	result, err := s.view.Store(s.ctx, store.StoreOp{UIDs: unseen, Mode: store.Add, Flags: []string{`\Seen`}, Silent: true})
	if err != nil {
		return err
	}
	p.marked = make(map[uint32]struct{}, len(result.Changed))
	for _, uid := range result.Changed {
		p.marked[uid] = struct{}{}
	}
	return nil
}

// fetchMessages renders the messages; nil UIDs are all.
func (s *session) fetchMessages(p *fetchPlan, uids []uint32) answer {
	var a answer
	each := func(m store.Message, meta message.Meta) bool {
		if next := s.fetchMessage(p, m, meta); !next.good() {
			a = next
		}
		return s.more()
	}
	var err error
	if p.meta {
		err = s.view.EachMeta(s.ctx, uids, each)
	} else {
		err = s.view.Each(uids, func(m store.Message) bool { return each(m, nil) })
	}
	if err != nil {
		return s.failed(err)
	}
	if a.status != "" {
		return a
	}
	return ok()
}

// fetchMessage renders one message. When its bytes cannot be had, nothing is said of it, and the answer tells why.
func (s *session) fetchMessage(p *fetchPlan, m store.Message, meta message.Meta) answer {
	var src *source
	if p.bytes {
		content, err := s.view.Open(s.ctx, m.UID)
		if err != nil {
			return s.failed(err)
		}
		defer content.Close()
		src = &source{content: content, prefix: content.PrefixLen(), meta: meta}
	}
	start := len(s.buffer())
	b := append(s.out.buf, "* "...)
	b = strconv.AppendUint(b, uint64(m.Seq), 10)
	b = append(b, " FETCH ("...)
	s.out.buf = b
	for i := range p.items {
		if i > 0 {
			s.out.buf = append(s.out.buf, ' ')
		}
		if src != nil && p.items[i].needsBytes() {
			if a := s.fetchBytes(&p.items[i], src); !a.good() {
				return s.takeBack(start, src, a)
			}
			continue
		}
		s.out.buf = s.fetchItem(s.out.buf, &p.items[i], m, meta)
	}
	if _, marked := p.marked[m.UID]; marked {
		s.sayMarked(p, m.UID)
	}
	s.out.buf = append(s.out.buf, ")\r\n"...)
	return ok()
}

// takeBack removes a response that could not be completed. Once a part of it was sent that is too late: the client waits for
// bytes that we do not have, and the connection must end.
func (s *session) takeBack(start int, src *source, a answer) answer {
	if src.sent {
		s.conn.NetConn().Close()
		s.state = loggedOut
		return a
	}
	s.out.buf = s.out.buf[:start]
	return a
}

// sayMarked tells the flags of a message that was marked \Seen by being fetched.
func (s *session) sayMarked(p *fetchPlan, uid uint32) {
	m, found := s.view.Get(uid)
	if !found {
		return
	}
	if !p.flags {
		s.out.buf = s.appendFlags(append(s.out.buf, " FLAGS "...), m)
	}
	if s.condStore && !p.modSeq { // RFC 7162 3.1: whatever changes flags says so
		s.out.buf = appendModSeq(append(s.out.buf, ' '), m.ModSeq)
	}
}

// needsBytes tells whether the item is of the message's bytes.
func (i *fetchItem) needsBytes() bool { return i.Kind >= grammar.FetchBodySection }

// fetchItem appends an item that needs no bytes of the message.
func (s *session) fetchItem(b []byte, i *fetchItem, m store.Message, meta message.Meta) []byte {
	switch i.Kind {
	case grammar.FetchModSeq:
		return appendModSeq(b, m.ModSeq)
	case grammar.FetchUID:
		return strconv.AppendUint(append(b, i.name...), uint64(m.UID), 10)
	case grammar.FetchFlags:
		return s.appendFlags(append(b, i.name...), m)
	case grammar.FetchInternalDate:
		return grammar.AppendInternalDate(append(b, i.name...), m.Internal)
	case grammar.FetchSize:
		return strconv.AppendInt(append(b, i.name...), m.Size, 10)
	case grammar.FetchEnvelope:
		return meta.AppendEnvelope(append(b, i.name...))
	case grammar.FetchBody:
		return meta.AppendBodyStructure(append(b, i.name...), false)
	default:
		return meta.AppendBodyStructure(append(b, i.name...), true)
	}
}
