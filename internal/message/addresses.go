package message

import "strings"

// maxHost bounds the length of a source route or a domain that is understood.
const maxHost = 1000

// maxWords bounds the words of a name or a local part that are kept.
const maxWords = 1000

// ParseAddressList reads an address list from a field's unfolded value (RFC 5322 3.4 with the obsolete syntax of 4.4), at
// most limit members. It is lenient; see [Mailbox] for what is marked.
func ParseAddressList(s string, limit int) []Mailbox {
	list, _ := appendAddresses(nil, s, limit)
	return list
}

// appendAddresses appends until the list has limit members and tells whether there were more.
func appendAddresses(list []Mailbox, s string, limit int) ([]Mailbox, bool) {
	r := addressReader{s: s, list: list, limit: limit}
	if list == nil {
		r.list = make([]Mailbox, 0, 1+min(strings.Count(s, ","), limit-1, 15))
	}
	r.read()
	if len(r.list) == 0 {
		return nil, r.cut
	}
	return r.list, r.cut
}

// addressReader reads one list. Texts are substrings of s wherever they stand there in one piece.
type addressReader struct {
	s       string
	pos     int
	list    []Mailbox
	limit   int
	cut     bool
	inGroup bool
	comment string // the last comment skipped
	bad     bool   // something about the current member is malformed

	// The last run of words, and where it stands in s; spread is its length as a phrase.
	words               []word
	quoted              bool // some of it is a quoted string
	first, last, spread int
}

func (r *addressReader) peek() byte {
	if r.pos < len(r.s) {
		return r.s[r.pos]
	}
	return 0
}

// near is as much of the rest as is searched for the end of something, so that the search for what is not there costs
// little.
func (r *addressReader) near() string { return r.s[r.pos:min(len(r.s), r.pos+maxHost)] }

func (r *addressReader) more() bool { return r.pos < len(r.s) }

// add appends a member. A list that is full ends.
func (r *addressReader) add(m Mailbox) {
	if len(r.list) >= r.limit && m.Kind != GroupEnd {
		r.cut = true
		r.pos = len(r.s)
		return
	}
	m.Malformed = r.bad
	r.list = append(r.list, m)
}

func (r *addressReader) read() {
	for r.more() {
		r.bad, r.comment = false, ""
		r.member()
	}
	if r.inGroup {
		r.bad = true
		r.add(Mailbox{Kind: GroupEnd})
	}
}

// member reads up to and including the comma or semicolon behind a mailbox, or a group's name and colon.
func (r *addressReader) member() {
	r.run()
	switch {
	case r.peek() == ':' && !r.inGroup:
		r.pos++
		r.inGroup = true
		r.bad = r.bad || len(r.words) == 0
		r.add(Mailbox{Kind: GroupStart, Local: r.phrase()})
		return
	case r.peek() == '<':
		r.pos++
		r.angle(r.phrase())
	case r.peek() == '@':
		r.pos++
		r.bad = r.bad || len(r.words) == 0
		local := r.local()
		host := r.domain()
		r.space()
		if r.peek() == '<' { // an address where the name belongs: what is in brackets counts, as everywhere
			name := strings.TrimSpace(r.s[r.first:r.pos])
			r.pos++
			r.bad = true
			r.angle(name)
			break
		}
		r.add(Mailbox{Name: r.comment, Local: local, Host: host})
	case len(r.words) == 1 && !r.quoted:
		r.bad = true
		r.add(Mailbox{Name: r.comment, Local: r.phrase()})
	case len(r.words) > 0:
		r.bad = true
		r.add(Mailbox{Name: r.phrase()}) // a name that lost its address
	}
	r.finish()
}

// finish skips what follows a member up to the next one.
func (r *addressReader) finish() {
	for r.more() {
		r.space()
		switch r.peek() {
		case ',':
			r.pos++
			return
		case ';':
			r.pos++
			if r.inGroup {
				r.inGroup = false
				r.bad = false
				r.add(Mailbox{Kind: GroupEnd})
				r.afterGroup()
			}
			return
		case '"':
			_, n := unquote(r.s[r.pos:])
			r.pos += n
			r.spoil()
		default:
			if r.more() {
				r.pos++
				r.spoil()
			}
		}
	}
}

// afterGroup skips the comma that may follow a group.
func (r *addressReader) afterGroup() {
	r.space()
	if r.peek() == ',' {
		r.pos++
	}
}

// spoil marks the member that was added last: there is junk behind it.
func (r *addressReader) spoil() {
	if n := len(r.list); n > 0 {
		r.list[n-1].Malformed = true
	}
}

// angle reads an angle-addr behind its "<".
func (r *addressReader) angle(name string) {
	m := Mailbox{Name: name}
	r.space()
	if r.peek() == '@' {
		m.Adl = r.route()
	}
	r.run()
	r.bad = r.bad || len(r.words) == 0
	m.Local = r.local()
	if r.peek() == '@' {
		r.pos++
		m.Host = r.domain()
	} else {
		r.bad = true
	}
	r.space()
	end := strings.IndexByte(r.near(), '>')
	switch {
	case end == 0:
		r.pos++
	case end > 0 && strings.IndexByte(r.s[r.pos:r.pos+end], ',') < 0:
		r.bad = true // junk in the brackets
		r.pos += end + 1
	default:
		r.bad = true // they do not close
	}
	if m.Name == "" {
		r.comment = ""
		r.space()
		m.Name = r.comment
	}
	r.add(m)
}

// route reads "@a,@b:" and gives it without the colon (RFC 5322 4.4: obs-route).
func (r *addressReader) route() string {
	colon := strings.IndexByte(r.near(), ':')
	end := strings.IndexByte(r.near(), '>')
	if colon < 0 || end >= 0 && end < colon {
		return ""
	}
	route := r.s[r.pos : r.pos+colon]
	r.pos += colon + 1
	return strings.TrimSpace(route)
}

// space skips white space and comments, and remembers the text of the last comment.
func (r *addressReader) space() {
	for r.more() {
		switch r.s[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.pos++
		case '(':
			n := CommentLength(r.s[r.pos:])
			comment := r.s[r.pos+1 : r.pos+n]
			if strings.HasSuffix(comment, ")") {
				comment = comment[:len(comment)-1]
			} else {
				r.bad = true
			}
			if strings.IndexByte(comment, '\\') >= 0 {
				comment = dropBackslashes(comment)
			}
			if comment = strings.TrimSpace(comment); comment != "" {
				r.comment = comment
			}
			r.pos += n
		default:
			return
		}
	}
}

func dropBackslashes(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// isSpecial tells what ends a run of atoms. Dots and brackets do not, for people write them in names.
func isSpecial(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '@', ',', ';', ':', '"':
		return true
	}
	return false
}

func isWhite(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// word is an atom, with the dots in it, or the text of a quoted string.
type word struct {
	text string
	gap  bool // there is white space or a comment before it
}

// run reads a run of words, which can be a phrase or a local part.
func (r *addressReader) run() {
	r.space()
	r.words, r.quoted = r.words[:0], false
	r.first, r.last, r.spread = r.pos, r.pos, 0
	gap := false
	for r.more() && (r.s[r.pos] == '"' || r.s[r.pos] == ')' || !isSpecial(r.s[r.pos])) {
		var text string
		if r.s[r.pos] == ')' { // of no comment
			r.bad = true
			r.pos++
			r.space()
			gap = true
			continue
		}
		if r.s[r.pos] == '"' {
			var n int
			r.quoted = true
			text, n = unquote(r.s[r.pos:])
			r.bad = r.bad || n < 2 || r.s[r.pos+n-1] != '"'
			r.pos += n
		} else {
			text = r.atom()
		}
		if len(r.words) == maxWords {
			r.bad, gap = true, false
			r.last = r.pos
			r.space()
			continue
		}
		r.words = append(r.words, word{text, gap})
		r.spread += len(text)
		if gap {
			r.spread++
		}
		r.last = r.pos
		r.space()
		gap = r.pos > r.last
	}
}

func (r *addressReader) atom() string {
	start := r.pos
	for r.pos < len(r.s) && !isSpecial(r.s[r.pos]) && !isWhite(r.s[r.pos]) {
		r.pos++
	}
	return r.s[start:r.pos]
}

// phrase is the last run as a phrase: white space between words is one space.
func (r *addressReader) phrase() string {
	switch {
	case len(r.words) == 0:
		return ""
	case len(r.words) == 1:
		return r.words[0].text
	case r.spread == r.last-r.first:
		return r.s[r.first:r.last] // as it stands there
	}
	b := make([]byte, 0, r.spread)
	for _, w := range r.words {
		if w.gap {
			b = append(b, ' ')
		}
		b = append(b, w.text...)
	}
	return string(b)
}

// local is the last run as a local part: white space between words means nothing.
func (r *addressReader) local() string {
	if len(r.words) == 1 {
		return r.words[0].text
	}
	b := make([]byte, 0, r.spread)
	for _, w := range r.words {
		b = append(b, w.text...)
	}
	return string(b)
}

// domain reads what follows an "@": atoms and dots with comments between them, or an address literal.
func (r *addressReader) domain() string {
	r.space()
	if r.peek() == '[' {
		if n := strings.IndexByte(r.near(), ']'); n > 0 {
			literal := r.s[r.pos : r.pos+n+1]
			r.pos += n + 1
			return literal
		}
		r.bad = true
	}
	host := r.atom() // all of it nearly always
	r.space()
	if host == "" || host[len(host)-1] != '.' && r.peek() != '.' {
		r.bad = r.bad || host == ""
		return host
	}
	b := []byte(host)
	for len(b) <= maxHost && (b[len(b)-1] == '.' || r.peek() == '.') { // two words with no dot between them are not one domain
		atom := r.atom()
		if atom == "" {
			break
		}
		b = append(b, atom...)
		r.space()
	}
	return string(b)
}
