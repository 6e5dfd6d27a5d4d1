package grammar

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxPattern is the longest LIST pattern, longer than any name it could match.
const maxPattern = 2048

// mailbox takes the name of a mailbox. RFC 9051 5.1, RFC 3501 5.1.3
func (r *Reader) mailbox() string {
	s := r.astring()
	if r.err != nil {
		return ""
	}
	name, ok := r.decodeName(s)
	switch {
	case !ok && r.utf8:
		r.bad("A mailbox name must be UTF-8")
	case !ok:
		// The command is well-formed; there is just no such name. RFC 9051 7.1 (CANNOT)
		r.fail(refused("CANNOT", "A mailbox name must be modified UTF-7"))
	case strings.ContainsFunc(name, forbidden):
		// RFC 9051 5.1 refers to RFC 5198 for what a name may hold.
		r.fail(refused("CANNOT", "A mailbox name holds no control characters"))
	}
	return canonical(name)
}

// decodeName gives a name in UTF-8, NFC. Some clients send UTF-8 without having
// enabled it, when they see IMAP4rev2 among the capabilities. As modified UTF-7 is
// ASCII, a name that is not can be meant in one way only.
func (r *Reader) decodeName(s string) (string, bool) {
	if r.utf8 || !isASCII(s) {
		return norm.NFC.String(s), utf8.ValidString(s)
	}
	name, err := DecodeUTF7(s)
	return norm.NFC.String(name), err == nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// forbidden tells what has no place in a name: controls, and the separators of
// lines and paragraphs. RFC 5198 2
func forbidden(c rune) bool {
	return unicode.IsControl(c) || c == '\u2028' || c == '\u2029'
}

// canonical gives INBOX its one spelling, as the root of a hierarchy too.
// RFC 9051 5.1
func canonical(name string) string {
	const inbox = "INBOX"
	if len(name) < len(inbox) || !strings.EqualFold(name[:len(inbox)], inbox) {
		return name
	}
	if len(name) == len(inbox) || name[len(inbox)] == Separator {
		return inbox + name[len(inbox):]
	}
	return name
}

// pattern takes a LIST pattern or a reference; k is the class of its bare form.
// One that is wrongly encoded is kept as it is: it matches nothing.
func (r *Reader) pattern(k class) string {
	var s string
	switch r.peek() {
	case '"', '{':
		s = r.str()
	default:
		b := r.run(k)
		if len(b) == 0 {
			r.bad("A mailbox name or pattern is missing")
		}
		s = string(b)
	}
	if len(s) > maxPattern {
		r.fail(refused("LIMIT", "The pattern is too long"))
	}
	if name, ok := r.decodeName(s); ok {
		return name
	}
	return s
}

// selectMailbox reads SELECT and EXAMINE. RFC 7162 3.1.8, 3.2.5
func (r *Reader) selectMailbox(readOnly bool) Command {
	c := &Select{Mailbox: r.spMailbox(), ReadOnly: readOnly}
	if !r.optionalList() {
		return c
	}
	r.list(func() {
		switch string(r.word()) {
		case "CONDSTORE":
			c.CondStore = true
		case "QRESYNC":
			if c.QResync != nil {
				r.bad("QRESYNC is there twice")
				return
			}
			r.space()
			c.QResync = r.qresync()
		default:
			r.bad("SELECT takes CONDSTORE and QRESYNC")
		}
	})
	return c
}

// optionalList takes a space if it and a list are next.
func (r *Reader) optionalList() bool {
	if r.peek() == ' ' && r.pos+1 < r.eol && r.buf[r.pos+1] == '(' {
		r.pos++
		return true
	}
	return false
}

// qresync reads the arguments of QRESYNC. RFC 7162 3.2.5
func (r *Reader) qresync() *QResync {
	q := &QResync{}
	r.expect('(', "QRESYNC takes a list in parentheses")
	q.UIDValidity = uint32(r.positive(maxNumber))
	r.space()
	q.ModSeq = r.positive(maxNumber64)
	if r.accept(' ') {
		if r.peek() != '(' {
			q.KnownUIDs = r.plainSet()
			if r.peek() == ' ' {
				r.space()
				r.matchData(q)
			}
		} else {
			r.matchData(q)
		}
	}
	r.expect(')', "QRESYNC must be closed with )")
	return q
}

// matchData reads the pairs of sequence numbers and UIDs. RFC 7162 3.2.5.2
func (r *Reader) matchData(q *QResync) {
	r.expect('(', "QRESYNC takes pairs in parentheses")
	q.MatchSeqs = r.plainSet()
	r.space()
	q.MatchUIDs = r.plainSet()
	r.expect(')', "The pairs of QRESYNC must be closed with )")
	if r.err == nil && q.MatchSeqs.Count() != q.MatchUIDs.Count() {
		r.bad("QRESYNC needs as many UIDs as sequence numbers")
	}
}

// create reads CREATE. RFC 6154 3
func (r *Reader) create() Command {
	c := &Create{Mailbox: r.spMailbox()}
	if !r.optionalList() {
		return c
	}
	r.list(func() {
		if string(r.word()) != "USE" {
			r.bad("CREATE takes USE")
		}
		r.space()
		r.list(func() {
			c.SpecialUse = append(c.SpecialUse, r.attribute())
		})
	})
	return c
}

// attribute takes "\" and a name, in its usual spelling if it is known.
func (r *Reader) attribute() string {
	r.expect('\\', "An attribute starts with \\")
	b := r.atom("The name of an attribute is missing")
	for _, known := range specialUses {
		if strings.EqualFold(string(b), known[1:]) {
			return known
		}
	}
	return `\` + string(b)
}

// specialUses are the attributes of RFC 6154 2 and RFC 8457 3.
var specialUses = [...]string{
	`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Junk`, `\Sent`, `\Trash`, `\Important`,
}

// lsub reads LSUB. RFC 3501 6.3.9
func (r *Reader) lsub() Command {
	r.space()
	c := &Lsub{Reference: r.reference()}
	r.space()
	c.Pattern = r.pattern(listChar)
	return c
}

// status reads STATUS. RFC 9051 6.3.11
func (r *Reader) status() Command {
	c := &Status{Mailbox: r.spMailbox()}
	r.space()
	c.Items = r.statusItems()
	return c
}

// statusItems reads a list of status items.
func (r *Reader) statusItems() (items StatusItems) {
	r.list(func() {
		item, ok := statusNames[string(r.hyphenated())]
		if !ok {
			r.bad("An item of STATUS is not known")
		}
		items |= item
	})
	if r.err == nil && items == 0 {
		r.bad("STATUS needs an item")
	}
	return items
}

var statusNames = map[string]StatusItems{
	"MESSAGES":        StatusMessages,
	"RECENT":          StatusRecent,
	"UIDNEXT":         StatusUIDNext,
	"UIDVALIDITY":     StatusUIDValidity,
	"UNSEEN":          StatusUnseen,
	"DELETED":         StatusDeleted,
	"SIZE":            StatusSize,
	"HIGHESTMODSEQ":   StatusHighestModSeq,
	"APPENDLIMIT":     StatusAppendLimit,
	"DELETED-STORAGE": StatusDeletedStorage,
}
