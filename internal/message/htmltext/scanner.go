package htmltext

import (
	"bytes"
	"io"
)

// Limits of what is looked at in one tag, in bytes.
const (
	maxValue  = 4 << 10  // of one attribute's value that is no address
	maxValues = 16 << 10 // of all of them
	maxSheet  = 64 << 10 // of all style sheets of a document
)

// scanner is the pass over a document: a tokenizer by the rules of the HTML standard, with what each token does.
type scanner struct {
	in  input
	d   *Document
	lim Limits

	visible, hidden, title textBuffer
	out                    *textBuffer // where text goes now: one of the above
	broken                 bool        // nothing to be seen stands behind the last letter
	rare                   int
	scratch                [8]byte

	// The tag being read.
	name     name
	nameSize int
	kind     kind
	values   []byte // of the attributes that matter
	attrs    [attrCount]span
	has      attributeSet
	own      style // what it sets itself
	void     style // of an element without content, with what it has from its ancestors

	arena  []byte // addresses and alternative texts
	stack  stack
	sheet  sheet
	styles styleCache

	anchor int // the open anchor's place in d.Links, -1 when none is open
	steps  int64
}

func (s *scanner) reset(d *Document, r io.Reader, lim Limits) {
	s.d, s.lim = d, lim
	s.in.reset(r, lim.Input)
	s.visible.reset(d.Visible, lim.Visible)
	s.hidden.reset(d.Hidden, lim.Hidden)
	s.title.reset(d.Title, maxValue)
	s.out = &s.visible
	s.broken, s.rare = false, 0
	s.arena = s.arena[:0]
	s.stack.reset()
	s.sheet.reset()
	s.styles.reset()
	s.anchor = -1
	s.steps = 0
}

func (s *scanner) run() {
	for s.in.more() {
		if s.in.buf[s.in.pos] == '<' {
			s.markup()
		} else {
			s.words()
		}
	}
	s.closeAnchor()
	s.d.Size = s.in.size
	s.steps += s.in.size
}

// markup reads what begins with "<".
func (s *scanner) markup() {
	b := s.in.look(4)
	switch {
	case len(b) > 1 && isLetter(b[1]):
		s.in.pos++
		s.startTag()
	case len(b) > 2 && b[1] == '/' && isLetter(b[2]):
		s.in.pos += 2
		s.endTag()
	case len(b) > 3 && b[1] == '!' && b[2] == '-' && b[3] == '-':
		s.in.pos += 4
		s.comment()
	case len(b) > 1 && (b[1] == '!' || b[1] == '?' || b[1] == '/'):
		s.in.pos += 2
		s.skipBehind('>') // a bogus comment, as is a document type
		s.breaksWord()
	default:
		s.write(b[:1])
		s.in.pos++
	}
}

// skipBehind goes behind the next c, or to the end.
func (s *scanner) skipBehind(c byte) {
	for b := s.in.rest(); len(b) > 0; b = s.in.rest() {
		if i := bytes.IndexByte(b, c); i >= 0 {
			s.in.pos += i + 1
			return
		}
		s.in.pos = s.in.end
	}
}

// comment reads a comment behind its "<!--". It ends with "-->" or "--!>"; "<!-->" and "<!--->" are comments too.
func (s *scanner) comment() {
	s.d.Comments++
	defer s.breaksWord()
	start := s.in.size - int64(s.in.end-s.in.pos)
	defer func() { s.d.CommentBytes += s.in.size - int64(s.in.end-s.in.pos) - start }()
	if b := s.in.look(2); len(b) > 0 && b[0] == '>' {
		s.in.pos++
		return
	} else if len(b) > 1 && b[0] == '-' && b[1] == '>' {
		s.in.pos += 2
		return
	}
	for s.in.more() {
		b := s.in.rest()
		i := bytes.IndexByte(b, '-')
		if i < 0 {
			s.in.pos = s.in.end
			continue
		}
		s.in.pos += i
		b = s.in.look(4)
		switch {
		case len(b) > 2 && b[1] == '-' && b[2] == '>':
			s.in.pos += 3
			return
		case len(b) > 3 && b[1] == '-' && b[2] == '!' && b[3] == '>':
			s.in.pos += 4
			return
		}
		s.in.pos++
	}
}

// startTag reads a start tag behind its "<", and does what it asks for.
func (s *scanner) startTag() {
	if !s.tag() {
		return // it does not end: the standard drops it
	}
	t := s.kind.tag
	s.d.Tags++
	if t == tagUnknown {
		s.d.InvalidTags++
		s.breaksWord()
	}
	s.start(t)
	if t.isRaw() {
		s.rawText(t)
	}
}

// tag reads a tag from its name to its ">" and reports whether there was one.
func (s *scanner) tag() bool {
	if s.shortTag() {
		return true
	}
	s.name, s.nameSize = s.in.readName(endsTag)
	s.kind = kindOf(s.name, s.nameSize)
	return s.attributes()
}

// attributes reads up to and including the ">" of a tag and reports whether there was one.
func (s *scanner) attributes() bool {
	s.values, s.has = s.values[:0], 0
	for s.in.more() {
		switch c := s.in.buf[s.in.pos]; {
		case c == '>':
			s.in.pos++
			return true
		case ends[c]&endsTag != 0:
			s.in.pos++
		default:
			s.attribute()
		}
	}
	return false
}

// attribute reads a name and, if there is one, its value.
func (s *scanner) attribute() {
	n, size := s.in.readName(endsAttr) // a "=" in the first place belongs to the name
	s.skipWhite()
	a := attributes.get(n, size)
	if s.has.has(a) {
		a = attrNone // the first counts
	}
	if isHandler(n, size) {
		s.d.Handlers++
	}
	begin := len(s.values)
	if s.in.more() && s.in.buf[s.in.pos] == '=' {
		s.in.pos++
		s.skipWhite()
		s.value(s.room(a))
	}
	if a != attrNone {
		s.keepValue(a, begin)
	}
}

// isHandler reports whether an attribute holds a script, as onclick does.
func isHandler(n name, size int) bool { return size > 3 && n.low&0xffff == 'o'|'n'<<8 }

// keepValue makes what s.values has from begin on the value of an attribute.
func (s *scanner) keepValue(a attribute, begin int) {
	value := decodeReferences(s.values[begin:])
	s.values = s.values[:begin+len(value)]
	s.attrs[a] = span{begin, len(s.values)}
	s.has |= 1 << a
}

// room is how much of a value is kept.
func (s *scanner) room(a attribute) int {
	if a == attrNone {
		return 0
	}
	if urls.has(a) {
		return min(s.lim.URL, maxValues-len(s.values))
	}
	return min(maxValue, maxValues-len(s.values))
}

func (s *scanner) skipWhite() {
	for s.in.more() && classes[s.in.buf[s.in.pos]] == white {
		s.in.pos++
	}
}

// value reads an attribute's value and appends at most room bytes of it to s.values.
func (s *scanner) value(room int) {
	if !s.in.more() {
		return
	}
	quote := s.in.buf[s.in.pos]
	if quote != '"' && quote != '\'' {
		s.bareValue(room)
		return
	}
	s.in.pos++
	for b := s.in.rest(); len(b) > 0; b = s.in.rest() {
		i := bytes.IndexByte(b, quote)
		text := b
		if i >= 0 {
			text = b[:i]
		}
		n := min(room, len(text))
		s.values = append(s.values, text[:n]...)
		room -= n
		s.in.pos += len(text)
		if i >= 0 {
			s.in.pos++
			return
		}
	}
}

// bareValue reads a value without quotes: up to white space or ">".
func (s *scanner) bareValue(room int) {
	for b := s.in.rest(); len(b) > 0; b = s.in.rest() {
		i := 0
		for i < len(b) && ends[b[i]]&endsValue == 0 {
			i++
		}
		n := min(room, i)
		s.values = append(s.values, b[:n]...)
		room -= n
		s.in.pos += i
		if i < len(b) {
			return
		}
	}
}

// attr gives an attribute's value; it is valid until the next tag.
func (s *scanner) attr(a attribute) []byte {
	if !s.has.has(a) {
		return nil
	}
	return s.values[s.attrs[a].begin:s.attrs[a].end]
}

// endTag reads an end tag behind its "</".
func (s *scanner) endTag() {
	if s.tag() {
		s.end(s.kind.tag)
	}
}

// rawText reads the content of an element whose content is no markup, with its end tag.
func (s *scanner) rawText(t tag) {
	var buf [maxName]byte
	name := s.name.append(buf[:0], s.nameSize)
	switch t {
	case tagPlaintext: // to the end, and shown as it is
		for b := s.in.rest(); len(b) > 0; b = s.in.rest() {
			s.write(b)
			s.in.pos = s.in.end
		}
		return
	case tagTitle:
		s.out = &s.title
	case tagTextarea, tagRaw: // shown
	default:
		s.out = nil
	}
	for s.in.more() && !s.rawEnd(name) {
		b := s.in.rest()
		i := bytes.IndexByte(b[1:], '<') + 1
		if i == 0 {
			i = len(b)
		}
		s.raw(t, b[:i])
		s.in.pos += i
	}
	if t == tagStyle {
		s.sheet.read()
	}
	s.end(t)
}

// rawEnd reads the end tag that ends raw text, if it is next.
func (s *scanner) rawEnd(name []byte) bool {
	b := s.in.look(len(name) + 3)
	if len(b) < len(name)+3 || b[0] != '<' || b[1] != '/' {
		return false
	}
	for i, c := range name {
		if lowerByte(b[2+i]) != c {
			return false
		}
	}
	if c := b[2+len(name)]; c != '>' && c != '/' && classes[c] != white {
		return false
	}
	s.in.pos += 2
	s.tag()
	return true
}

// raw takes a piece of raw text.
func (s *scanner) raw(t tag, b []byte) {
	switch {
	case t == tagStyle:
		s.sheet.add(b)
	case s.out != nil:
		s.rawWords(b)
	}
}

// rawWords writes text in which only white space and references mean something. A reference that is cut in two by the
// window stays as it is.
func (s *scanner) rawWords(b []byte) {
	for i := 0; i < len(b); {
		start := i
		for i < len(b) && classes[b[i]] != white && classes[b[i]] != control && b[i] != '&' {
			i++
		}
		if i > start {
			s.write(b[start:i])
			continue
		}
		if b[i] == '&' {
			rest := b[i:min(len(b), i+maxEntity)]
			r, n := reference(rest, false)
			if n == 0 {
				r, n = unendedReference(rest)
			}
			if n > 0 {
				s.write(append(s.scratch[:0], string(r)...))
				i += n
				continue
			}
			s.write(b[i : i+1])
		} else {
			s.out.space(' ')
		}
		i++
	}
}
