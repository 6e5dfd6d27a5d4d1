package imap

import (
	"slices"
	"strings"
	"time"

	"postern/imap/grammar"
	"postern/internal/message"
	"postern/internal/store"
)

// verdict is what a key says of a message as far as the message is known.
type verdict int8

const (
	no verdict = iota
	unknown
	yes
)

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// level is how much of a message must be known, and what it costs.
type level uint8

const (
	inMemory level = iota // flags, dates, sizes, numbers
	inMeta                // the compact form: subject, addresses, Date
	inBytes               // the message itself
)

// candidate is a message on which a search decides.
type candidate struct {
	session *session
	level   level // what is known
	message store.Message
	meta    message.Meta
	content store.MessageContent
	header  []byte // of the message, once it was needed
	err     error  // the message could not be read
}

// searchKey is a key made ready for many messages.
type searchKey struct {
	level level // that decides it at the latest
	test  func(*candidate) bool
	op    grammar.SearchOp // SearchAnd, SearchOr, SearchNot; else test decides
	keys  []*searchKey     // cheapest first
}

// judge evaluates a key with what is known of the message.
func (k *searchKey) judge(c *candidate) verdict {
	switch k.op {
	case grammar.SearchAnd, grammar.SearchOr:
		decisive := no
		if k.op == grammar.SearchOr {
			decisive = yes
		}
		result := yes - decisive
		for _, part := range k.keys {
			switch v := part.judge(c); {
			case v == decisive:
				return decisive
			case v == unknown:
				result = unknown
			}
		}
		return result
	case grammar.SearchNot:
		return yes - k.keys[0].judge(c)
	}
	if k.level > c.level {
		return unknown
	}
	return verdictOf(k.test(c))
}

// compile makes a program of the client's keys.
func (s *session) compile(key *grammar.SearchKey) *searchKey {
	switch key.Op {
	case grammar.SearchAnd, grammar.SearchOr, grammar.SearchNot:
		k := &searchKey{op: key.Op, keys: make([]*searchKey, len(key.Keys))}
		for i := range key.Keys {
			k.keys[i] = s.compile(&key.Keys[i])
			k.level = max(k.level, k.keys[i].level)
		}
		slices.SortStableFunc(k.keys, func(a, b *searchKey) int { return int(a.level) - int(b.level) })
		return k
	}
	k := &searchKey{op: grammar.SearchAll}
	if k.test = s.memoryTest(key); k.test == nil {
		k.level, k.test = textTest(key)
	}
	return k
}

// memoryTest is the test for a key that needs only what is in memory, nil for others.
func (s *session) memoryTest(key *grammar.SearchKey) func(*candidate) bool {
	switch key.Op {
	case grammar.SearchAll:
		return func(*candidate) bool { return true }
	case grammar.SearchSeq:
		set := s.searchSet(key.Set, uint32(s.view.Len()))
		if key.Set.Saved { // "$" holds UIDs whichever key it stands for
			return func(c *candidate) bool { return set.Contains(c.message.UID) }
		}
		return func(c *candidate) bool { return set.Contains(c.message.Seq) }
	case grammar.SearchUID:
		set := s.searchSet(key.Set, largest(s.view.UIDs()))
		return func(c *candidate) bool { return set.Contains(c.message.UID) }
	case grammar.SearchFlag:
		return s.flagTest(key.Flag, true)
	case grammar.SearchNoFlag:
		return s.flagTest(key.Flag, false)
	case grammar.SearchRecent: // RFC 3501 6.4.4, as the next two
		return func(c *candidate) bool { return s.recent.has(c.message.UID) }
	case grammar.SearchOld:
		return func(c *candidate) bool { return !s.recent.has(c.message.UID) }
	case grammar.SearchNew:
		return func(c *candidate) bool { return s.recent.has(c.message.UID) && c.message.Flags&store.Seen == 0 }
	case grammar.SearchLarger:
		return func(c *candidate) bool { return uint64(c.message.Size) > key.Number }
	case grammar.SearchSmaller:
		return func(c *candidate) bool { return uint64(c.message.Size) < key.Number }
	case grammar.SearchModSeq:
		return func(c *candidate) bool { return c.message.ModSeq >= key.Number }
	}
	return s.dateTest(key)
}

func (s *session) searchSet(set grammar.NumSet, largest uint32) grammar.NumSet {
	if set.Saved {
		return grammar.NumSetOf(s.saved)
	}
	return set.Normalize(largest)
}

// flagTest is the test for a flag. One that the mailbox does not know is set nowhere.
func (s *session) flagTest(name string, set bool) func(*candidate) bool {
	bit, known := s.view.FlagBit(name)
	if !known {
		return func(*candidate) bool { return !set }
	}
	return func(c *candidate) bool { return (c.message.Flags&bit != 0) == set }
}

// dateTest is the test for a key about the internal date, nil for others. Days are those of the date's own zone.
// RFC 9051 6.4.4, RFC 5032
func (s *session) dateTest(key *grammar.SearchKey) func(*candidate) bool {
	day := dayNumber(key.Date)
	now := s.srv.clock().Now()
	switch key.Op {
	case grammar.SearchBefore:
		return func(c *candidate) bool { return dayOf(c.message.Internal) < day }
	case grammar.SearchOn:
		return func(c *candidate) bool { return dayOf(c.message.Internal) == day }
	case grammar.SearchSince:
		return func(c *candidate) bool { return dayOf(c.message.Internal) >= day }
	case grammar.SearchOlder:
		return func(c *candidate) bool { return age(now, c.message.Internal) >= key.Number }
	case grammar.SearchYounger:
		return func(c *candidate) bool { return age(now, c.message.Internal) <= key.Number }
	}
	return nil
}

// age is in whole seconds; what comes from the future has none.
func age(now, then time.Time) uint64 { return uint64(max(now.Unix()-then.Unix(), 0)) }

const daySeconds = 24 * 60 * 60

// dayNumber counts days from 1970-01-01.
func dayNumber(d grammar.Date) int64 {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix() / daySeconds
}

func dayOf(t time.Time) int64 {
	_, zone := t.Zone()
	return floorDay(t.Unix() + int64(zone))
}

func floorDay(seconds int64) int64 {
	if seconds < 0 {
		return -((-seconds + daySeconds - 1) / daySeconds)
	}
	return seconds / daySeconds
}

// textTest is the test for a key about what the message says.
func textTest(key *grammar.SearchKey) (level, func(*candidate) bool) {
	switch key.Op {
	case grammar.SearchSentBefore, grammar.SearchSentOn, grammar.SearchSentSince:
		return inMeta, sentTest(key)
	}
	m := newMatcher(key.Text)
	address := func(f message.AddressField) (level, func(*candidate) bool) {
		return inMeta, func(c *candidate) bool { return m.in(c.meta.AddressText(f)) }
	}
	switch key.Op {
	case grammar.SearchSubject:
		return inMeta, func(c *candidate) bool { return m.in(c.meta.SubjectText()) }
	case grammar.SearchFrom:
		return address(message.From)
	case grammar.SearchTo:
		return address(message.To)
	case grammar.SearchCc:
		return address(message.Cc)
	case grammar.SearchBcc:
		return address(message.Bcc)
	case grammar.SearchHeader:
		return headerTest(key.Field, m)
	case grammar.SearchBody:
		return inBytes, func(c *candidate) bool { return c.bodyContains(m, false) }
	default: // SearchText
		return inBytes, func(c *candidate) bool { return c.bodyContains(m, true) }
	}
}

// sentTest compares the day in the Date field, in the zone that the field names. RFC 9051 6.4.4
func sentTest(key *grammar.SearchKey) func(*candidate) bool {
	day := dayNumber(key.Date)
	return func(c *candidate) bool {
		unix, zone, dated := c.meta.Sent()
		if !dated {
			return false
		}
		sent := floorDay(unix + int64(zone))
		switch key.Op {
		case grammar.SearchSentBefore:
			return sent < day
		case grammar.SearchSentOn:
			return sent == day
		}
		return sent >= day
	}
}

// headerTest looks into fields of any name. The fields that tie messages together, for which clients ask most, are in the
// compact form.
func headerTest(name string, m *matcher) (level, func(*candidate) bool) {
	if !m.empty() {
		switch strings.ToLower(name) {
		case "message-id":
			return inMeta, func(c *candidate) bool { return m.in(c.meta.MessageID()) }
		case "in-reply-to":
			return inMeta, func(c *candidate) bool { return m.in(c.meta.InReplyTo()) }
		case "references":
			return inMeta, func(c *candidate) bool { return m.in(c.meta.References()) }
		}
	}
	return inBytes, func(c *candidate) bool { return c.fieldContains(name, m) }
}
