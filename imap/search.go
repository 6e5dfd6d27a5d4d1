package imap

import (
	"slices"
	"strconv"

	"postern/imap/grammar"
	"postern/internal/message"
	"postern/internal/store"
)

// search is SEARCH and UID SEARCH. RFC 9051 6.4.4
func (s *session) search(req *grammar.Request, c *grammar.Search) answer {
	found, err := s.find(&c.Key)
	if err != nil {
		if c.Return&grammar.ReturnSave != 0 {
			s.saved = nil // RFC 9051 6.4.4.1
		}
		return s.failed(err)
	}
	if usesModSeq(&c.Key) {
		s.condStore = true // RFC 7162 3.1.5
	}
	result := searchResult{uids: found, wanted: c.Return, byUID: c.UID}
	if !c.Extended {
		result.wanted = grammar.ReturnAll
	}
	if result.wanted&grammar.ReturnSave != 0 {
		s.saved = result.toSave()
	}
	if result.wanted == grammar.ReturnSave {
		return ok() // RFC 9051 6.4.4.2: no response when nothing else is asked for
	}
	if usesModSeq(&c.Key) {
		result.modSeq = s.highestOf(result.told())
	}
	// IMAP4rev2 has ESEARCH only. RFC 9051 7.3.3
	if c.Extended || s.rev2 {
		s.sayESearch(req.Tag, &result)
	} else {
		s.saySearch(&result)
	}
	return ok()
}

// find gives the UIDs of the messages that meet the key, ascending. It goes over them at most three times: with what is in
// memory, then with the compact forms of those still undecided, and last with the bytes of those that even these did not
// decide.
func (s *session) find(key *grammar.SearchKey) ([]uint32, error) {
	program := s.compile(key)
	var found, undecided []uint32
	sort := func(m store.Message, v verdict) {
		switch v {
		case yes:
			found = append(found, m.UID)
		case unknown:
			undecided = append(undecided, m.UID)
		}
	}
	uids, none := s.candidates(key)
	if none {
		return nil, nil
	}
	c := candidate{session: s}
	err := s.view.Each(uids, func(m store.Message) bool {
		c.message = m
		sort(m, program.judge(&c))
		return true
	})
	if err != nil || len(undecided) == 0 {
		return found, err
	}
	again := undecided
	undecided = nil
	c.level = inMeta
	err = s.view.EachMeta(s.ctx, again, func(m store.Message, meta message.Meta) bool {
		c.message, c.meta = m, meta
		sort(m, program.judge(&c))
		return s.ctx.Err() == nil
	})
	if err == nil {
		err = s.ctx.Err()
	}
	if err == nil && len(undecided) > 0 {
		err = s.findInBytes(program, undecided, &found)
	}
	if !slices.IsSorted(found) { // what was decided later came behind
		slices.Sort(found)
	}
	return found, err
}

// findInBytes decides about messages by opening them, one after the other.
func (s *session) findInBytes(program *searchKey, uids []uint32, found *[]uint32) error {
	for _, uid := range uids {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		m, there := s.view.Get(uid)
		if !there {
			continue
		}
		match, err := s.matchesBytes(program, m)
		if err != nil {
			return err
		}
		if match {
			*found = append(*found, uid)
		}
	}
	return nil
}

func (s *session) matchesBytes(program *searchKey, m store.Message) (bool, error) {
	meta, err := s.view.Meta(s.ctx, m.UID)
	if err != nil {
		return false, err
	}
	content, err := s.view.Open(s.ctx, m.UID)
	if err != nil {
		return false, err
	}
	defer content.Close()
	c := candidate{session: s, level: inBytes, message: m, meta: meta, content: content}
	v := program.judge(&c)
	return v == yes, c.err
}

// candidates gives the UIDs that the outermost keys leave, nil for all of them: a search among few messages should not look at
// the others.
func (s *session) candidates(key *grammar.SearchKey) (uids []uint32, none bool) {
	keys := []grammar.SearchKey{*key}
	if key.Op == grammar.SearchAnd {
		keys = key.Keys
	}
	all := s.view.UIDs()
	for i := range keys {
		set := keys[i].Set
		switch {
		case keys[i].Op != grammar.SearchUID && keys[i].Op != grammar.SearchSeq:
			continue
		case set.Saved:
			uids = stillThere(s.saved, all)
		case keys[i].Op == grammar.SearchUID:
			if set = set.Normalize(largest(all)); covers(set, all) {
				continue
			}
			uids = set.Intersect(nil, all)
		default:
			set = set.Normalize(uint32(len(all)))
			for _, r := range set.Ranges {
				if int64(r.First) <= int64(len(all)) {
					uids = append(uids, all[r.First-1:min(int(r.Last), len(all))]...)
				}
			}
		}
		return uids, len(uids) == 0
	}
	return nil, len(all) == 0
}

// usesModSeq tells whether MODSEQ is among the keys.
func usesModSeq(key *grammar.SearchKey) bool {
	if key.Op == grammar.SearchModSeq {
		return true
	}
	for i := range key.Keys {
		if usesModSeq(&key.Keys[i]) {
			return true
		}
	}
	return false
}

// searchResult is what a search found and what of it the client wants.
type searchResult struct {
	uids   []uint32
	wanted grammar.SearchReturn
	byUID  bool
	modSeq uint64
}

// toSave is what "$" becomes: the messages that the other options speak of. RFC 9051 6.4.4.1
func (r *searchResult) toSave() []uint32 { return slices.Clone(r.told()) }

// told is the messages that the response speaks of: with MIN and MAX alone only those. RFC 4731 3.2
func (r *searchResult) told() []uint32 {
	if len(r.uids) < 2 || r.wanted&(grammar.ReturnAll|grammar.ReturnCount) != 0 {
		return r.uids
	}
	first, last := r.uids[0], r.uids[len(r.uids)-1]
	switch r.wanted & (grammar.ReturnMin | grammar.ReturnMax) {
	case grammar.ReturnMin:
		return []uint32{first}
	case grammar.ReturnMax:
		return []uint32{last}
	case grammar.ReturnMin | grammar.ReturnMax:
		return []uint32{first, last}
	}
	return r.uids
}

// highestOf is the highest mod-sequence among messages. RFC 7162 3.1.5
func (s *session) highestOf(uids []uint32) (highest uint64) {
	if len(uids) == 0 {
		return 0
	}
	s.view.Each(uids, func(m store.Message) bool {
		highest = max(highest, m.ModSeq)
		return true
	})
	return highest
}

// saySearch appends IMAP4rev1's SEARCH response. RFC 3501 7.2.5, RFC 7162 3.1.5
func (s *session) saySearch(r *searchResult) {
	s.out.buf = append(s.buffer(), "* SEARCH"...)
	for _, n := range s.numbers(r) {
		s.out.buf = strconv.AppendUint(append(s.buffer(), ' '), uint64(n), 10)
		if !s.more() {
			return
		}
	}
	b := s.buffer()
	if r.modSeq > 0 {
		b = append(b, " (MODSEQ "...)
		b = strconv.AppendUint(b, r.modSeq, 10)
		b = append(b, ')')
	}
	s.out.buf = append(b, "\r\n"...)
}

// sayESearch appends an ESEARCH response. RFC 9051 7.3.4, RFC 4731
func (s *session) sayESearch(tag string, r *searchResult) {
	b := append(s.buffer(), `* ESEARCH (TAG "`...)
	b = append(b, tag...) // holds no quotes: a tag is made of atom characters
	b = append(b, `")`...)
	if r.byUID {
		b = append(b, " UID"...)
	}
	if numbers := s.numbers(r); len(numbers) > 0 {
		if r.wanted&grammar.ReturnMin != 0 {
			b = strconv.AppendUint(append(b, " MIN "...), uint64(numbers[0]), 10)
		}
		if r.wanted&grammar.ReturnMax != 0 {
			b = strconv.AppendUint(append(b, " MAX "...), uint64(numbers[len(numbers)-1]), 10)
		}
		if r.wanted&grammar.ReturnAll != 0 {
			b = grammar.AppendNums(append(b, " ALL "...), numbers)
		}
	}
	if r.wanted&grammar.ReturnCount != 0 {
		b = strconv.AppendInt(append(b, " COUNT "...), int64(len(r.uids)), 10)
	}
	if r.modSeq > 0 {
		b = strconv.AppendUint(append(b, " MODSEQ "...), r.modSeq, 10)
	}
	s.out.buf = append(b, "\r\n"...)
	s.more()
}

// numbers are what the client is told: UIDs, or sequence numbers, which one walk over the mailbox gives.
func (s *session) numbers(r *searchResult) []uint32 {
	if r.byUID || len(r.uids) == 0 {
		return r.uids
	}
	all := s.view.UIDs()
	seqs := make([]uint32, 0, len(r.uids))
	seq, _ := s.view.Seq(r.uids[0])
	for i := int(seq) - 1; i >= 0 && i < len(all) && len(seqs) < len(r.uids); i++ {
		if all[i] == r.uids[len(seqs)] {
			seqs = append(seqs, uint32(i+1))
		}
	}
	return seqs
}
