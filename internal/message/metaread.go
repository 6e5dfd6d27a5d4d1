package message

import "encoding/binary"

// piece is a text of a Meta: one of words, or bytes of the Meta itself.
type piece struct {
	word string
	raw  []byte
}

func (t piece) len() int { return len(t.word) + len(t.raw) }

func (t piece) String() string {
	if t.raw != nil {
		return string(t.raw)
	}
	return t.word
}

func (t piece) is(s string) bool {
	return t.word == s && t.raw == nil || t.raw != nil && string(t.raw) == s
}

// decoder reads a Meta. After damage it gives zeros, so that its users need to look at bad only once.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) fail() {
	d.rest = nil
	d.bad = true
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) number() int64 {
	if len(d.rest) > 0 && d.rest[0] < 0x80 { // most are small
		n := int64(d.rest[0])
		d.rest = d.rest[1:]
		return n
	}
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > 1<<62 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return int64(n)
}

func (d *decoder) signed() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// count is a number of things that take at least one byte each.
func (d *decoder) count() int {
	n := d.number()
	if n > int64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) take(n int64) []byte {
	if n > int64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) text() []byte { return d.take(d.number()) }

func (d *decoder) short() piece {
	n := d.number()
	if n&1 == 0 {
		return piece{raw: d.take(n >> 1)}
	}
	if n>>1 >= int64(len(words)) {
		d.fail()
		return piece{}
	}
	return piece{word: words[n>>1]}
}

func (d *decoder) skipShorts(n int) {
	for ; n > 0; n-- {
		d.short()
	}
}

// metaEnvelope is an envelope taken apart, with the bytes of the Meta.
type metaEnvelope struct {
	flags                                  byte
	subject, subjectText                   []byte
	seconds, zone                          int64
	lists                                  [addressFields][]byte
	date, inReplyTo, messageID, references []byte
}

// envelope reads an envelope as far as the lists, or all of it.
func (d *decoder) envelope(all bool) (e metaEnvelope) {
	inner := decoder{rest: d.text(), bad: d.bad}
	e.flags = inner.byte()
	if e.flags&envSubject != 0 {
		e.subject = inner.text()
		e.subjectText = e.subject
	}
	if e.flags&envSubjectText != 0 {
		e.subjectText = inner.text()
	}
	if e.flags&envSent != 0 {
		e.seconds, e.zone = inner.signed(), inner.signed()
	}
	for i := range e.lists {
		e.lists[i] = inner.text()
	}
	if all {
		for _, t := range []struct {
			flag byte
			text *[]byte
		}{{envDate, &e.date}, {envInReplyTo, &e.inReplyTo}, {envMessageID, &e.messageID}, {envReferences, &e.references}} {
			if e.flags&t.flag != 0 {
				*t.text = inner.text()
			}
		}
	}
	d.bad = d.bad || inner.bad
	return e
}

// begin opens the Meta at its envelope.
func (m Meta) begin() decoder {
	if len(m) == 0 || m[0] != metaVersion {
		return decoder{bad: true}
	}
	return decoder{rest: m[1:]}
}

// structure opens the Meta at its root part.
func (m Meta) structure() decoder {
	d := m.begin()
	d.text()
	return d
}

// head opens the envelope's inside and reads its flags.
func (m Meta) head() (decoder, byte) {
	d := m.begin()
	inner := decoder{rest: d.text()}
	return inner, inner.byte()
}

// Subject is the raw text of the Subject field; nil when there is none. It shares memory with m, as all accessors' texts
// do. A damaged Meta gives zero values everywhere.
func (m Meta) Subject() []byte {
	d, flags := m.head()
	if flags&envSubject == 0 {
		return nil
	}
	return d.text()
}

// SubjectText is the subject decoded to UTF-8, for searching and sorting.
func (m Meta) SubjectText() []byte {
	d, flags := m.head()
	var text []byte
	if flags&envSubject != 0 {
		text = d.text()
	}
	if flags&envSubjectText != 0 {
		text = d.text()
	}
	return text
}

// Sent is the Date field in seconds since 1970 and its zone in seconds east of UTC; ok is false when there is none that
// can be read. SENTBEFORE and kin disregard time and zone (RFC 9051 6.4.4): the day is that of unix+zone.
func (m Meta) Sent() (unix int64, zone int, ok bool) {
	d := m.begin()
	e := d.envelope(false)
	if e.flags&envSent == 0 || d.bad {
		return 0, 0, false
	}
	t := sentTime(e.seconds, e.zone)
	if t.IsZero() {
		return 0, 0, false
	}
	return e.seconds, int(e.zone) * 60, true
}

func (m Meta) list(f AddressField) []byte {
	d, flags := m.head()
	if flags&envSubject != 0 {
		d.text()
	}
	if flags&envSubjectText != 0 {
		d.text()
	}
	if flags&envSent != 0 {
		d.signed()
		d.signed()
	}
	for ; f > 0; f-- {
		d.text()
	}
	return d.text()
}

// AddressText is an address list as UTF-8 text for searching: `Name <local@host>, group: a@b, c@d;`, names decoded. It is
// empty when the header has no such list: Sender and ReplyTo have no defaults here.
func (m Meta) AddressText(f AddressField) []byte {
	d := decoder{rest: m.list(f)}
	d.number()
	return d.text()
}

// FirstAddress gives the decoded name, the local part and the host of the first member of the list, for SORT and
// DISPLAYFROM (RFC 5256, RFC 5957); of a group its name as local.
func (m Meta) FirstAddress(f AddressField) (name, local, host []byte) {
	r := readMembers(m.list(f))
	if !r.next() {
		return nil, nil, nil
	}
	return r.name, r.local, r.host
}

// MessageID is the raw text of the Message-ID field.
func (m Meta) MessageID() []byte { return m.tail().messageID }

// InReplyTo is the raw text of the In-Reply-To field.
func (m Meta) InReplyTo() []byte { return m.tail().inReplyTo }

// References is the raw text of the References field.
func (m Meta) References() []byte { return m.tail().references }

func (m Meta) tail() metaEnvelope {
	d := m.begin()
	return d.envelope(true)
}

// members walks an address list.
type members struct {
	text  decoder // what is left of the list's text
	d     decoder // what is left of the members
	left  int
	begun bool // the first was read

	// The current member.
	kind             MailboxKind
	malformed        bool
	hasName          bool
	name             []byte // decoded
	raw              []byte // the name as the field has it
	adl, local, host []byte
}

func readMembers(list []byte) members {
	d := decoder{rest: list}
	n := d.number()
	text := d.text()
	return members{text: decoder{rest: text}, d: d, left: int(min(n, int64(len(d.rest))))}
}

func (r *members) next() bool {
	if r.left == 0 {
		return false
	}
	r.left--
	flags := r.d.byte()
	kind := MailboxKind(flags & memberKind)
	if r.begun {
		r.text.take(int64(len(separator(r.kind, kind))))
	}
	r.begun, r.kind = true, kind
	r.malformed = flags&memberBad != 0
	r.hasName, r.name, r.raw, r.adl, r.local, r.host = false, nil, nil, nil, nil, nil
	switch kind {
	case GroupStart:
		r.local = r.text.take(r.d.number())
		r.text.take(1)
	case GroupEnd:
		r.text.take(1)
	case IsAddress:
		r.address(flags)
	default:
		r.d.fail()
	}
	return !r.d.bad && !r.text.bad
}

func (r *members) address(flags byte) {
	r.name = r.text.take(r.d.number())
	r.raw = r.name
	if flags&memberRawName != 0 {
		r.raw = r.d.text()
	}
	if flags&memberAdl != 0 {
		r.adl = r.d.text()
	}
	r.hasName = len(r.name) > 0 || flags&memberRawName != 0
	if r.hasName {
		r.text.take(2)
	}
	r.local = r.text.take(r.d.number())
	if n := r.d.number(); n > 0 {
		r.text.take(1)
		r.host = r.text.take(n)
	}
	if r.hasName {
		r.text.take(1)
	}
}

// Decode gives all of it.
func (m Meta) Decode() (*Envelope, *Part, error) {
	d := m.begin()
	env := d.decodeEnvelope()
	root := d.decodePart(0, 0)
	if d.bad {
		return nil, nil, ErrMeta
	}
	return env, root, nil
}

func (d *decoder) decodeEnvelope() *Envelope {
	e := d.envelope(true)
	env := &Envelope{
		Date: string(e.date), Subject: string(e.subject), InReplyTo: string(e.inReplyTo), MessageID: string(e.messageID),
		References: string(e.references),
		HasDate:    e.flags&envDate != 0, HasSubject: e.flags&envSubject != 0,
		HasInReplyTo: e.flags&envInReplyTo != 0, HasMessageID: e.flags&envMessageID != 0,
	}
	if e.flags&envSent != 0 {
		env.Sent = sentTime(e.seconds, e.zone)
	}
	for i, list := range env.lists() {
		*list = d.mailboxes(e.lists[i])
	}
	return env
}

func (d *decoder) mailboxes(list []byte) []Mailbox {
	r := readMembers(list)
	if r.left == 0 {
		return nil
	}
	boxes := make([]Mailbox, 0, min(r.left, 16))
	for r.next() {
		boxes = append(boxes, Mailbox{
			Kind: r.kind, Malformed: r.malformed,
			Name: string(r.raw), Adl: string(r.adl), Local: string(r.local), Host: string(r.host),
		})
	}
	d.bad = d.bad || r.d.bad || r.text.bad
	return boxes
}

// metaPart is a part taken apart. What needs a walk of its own is kept as the place where it begins.
type metaPart struct {
	flags                       byte
	headerStart, bodyStart, end int64
	headerLines, lines          int64
	major, minor, encoding      piece
	params, dispositionParams   decoder // at their first name
	nparams, ndispositionParams int
	extensions                  byte
	id, description, md5        piece
	disposition, location       piece
	languages                   decoder
	nlanguages                  int
}

// part reads a part up to what is inside.
func (d *decoder) part(base int64) (p metaPart) {
	p.flags = d.byte()
	p.headerStart = base + d.number()
	p.bodyStart = p.headerStart + d.number()
	p.end = p.bodyStart + d.number()
	p.headerLines, p.lines = d.number(), d.number()
	if p.end < 0 || p.bodyStart < 0 || p.headerStart < 0 || p.end > 1<<61 {
		d.fail()
	}
	p.major, p.minor = d.short(), d.short()
	if p.flags&partParams != 0 {
		p.params, p.nparams = d.skipParams()
	}
	if p.flags&partEncoding != 0 {
		p.encoding = d.short()
	}
	if p.flags&partExtensions != 0 {
		d.partExtensions(&p)
	}
	return p
}

func (d *decoder) skipParams() (at decoder, n int) {
	n = d.count()
	at = *d
	d.skipShorts(2 * n)
	return at, n
}

func (d *decoder) partExtensions(p *metaPart) {
	p.extensions = d.byte()
	short := func(flag byte, t *piece) {
		if p.extensions&flag != 0 {
			*t = d.short()
		}
	}
	short(extID, &p.id)
	short(extDescription, &p.description)
	short(extMD5, &p.md5)
	short(extDisposition, &p.disposition)
	if p.extensions&extDispositionParams != 0 {
		p.dispositionParams, p.ndispositionParams = d.skipParams()
	}
	if p.extensions&extLanguage != 0 {
		p.nlanguages = d.count()
		p.languages = *d
		d.skipShorts(p.nlanguages)
	}
	short(extLocation, &p.location)
}

func (d *decoder) decodePart(base int64, depth int) *Part {
	if depth > maxDepth {
		d.fail()
		return nil
	}
	raw := d.part(base)
	p := raw.decode()
	switch {
	case d.bad:
	case raw.flags&partMessage != 0:
		p.Envelope = d.decodeEnvelope()
		p.Embedded = d.decodePart(p.BodyStart, depth+1)
	case raw.flags&partMultipart != 0:
		n := d.count()
		p.Children = make([]*Part, 0, min(n, 16))
		for i := 0; i < n && !d.bad; i++ {
			p.Children = append(p.Children, d.decodePart(p.BodyStart, depth+1))
		}
	}
	return p
}

// decode makes a Part without what is inside.
func (p *metaPart) decode() *Part {
	part := &Part{
		HeaderStart: p.headerStart, BodyStart: p.bodyStart, End: p.end, HeaderLines: p.headerLines, Lines: p.lines,
		Type: p.major.String(), Subtype: p.minor.String(), Encoding: p.encoding.String(),
		ID: p.id.String(), Description: p.description.String(), MD5: p.md5.String(),
		Disposition: p.disposition.String(), Location: p.location.String(),
		Opaque:            p.flags&partOpaque != 0,
		Params:            decodeParams(p.params, p.nparams),
		DispositionParams: decodeParams(p.dispositionParams, p.ndispositionParams),
	}
	for range p.nlanguages {
		part.Language = append(part.Language, p.languages.short().String())
	}
	return part
}

func decodeParams(d decoder, n int) []Param {
	if n == 0 {
		return nil
	}
	params := make([]Param, 0, min(n, 16))
	for range n {
		params = append(params, Param{d.short().String(), d.short().String()})
	}
	return params
}

// skip reads over what is inside a part that was read by part.
func (d *decoder) skip(p *metaPart, depth int) {
	if depth > maxDepth {
		d.fail()
	}
	switch {
	case d.bad:
	case p.flags&partMessage != 0:
		d.text()
		d.skipPart(depth + 1)
	case p.flags&partMultipart != 0:
		for n := d.count(); n > 0 && !d.bad; n-- {
			d.skipPart(depth + 1)
		}
	}
}

func (d *decoder) skipPart(depth int) {
	p := d.part(0)
	d.skip(&p, depth)
}

// place is a part found on the way along a path: the part itself, and the decoder behind it, at what is inside.
type place struct {
	part   metaPart
	inside decoder
	depth  int
}

// locate follows an IMAP section number path, as Part.Find does.
func (m Meta) locate(path []int) (place, error) {
	d := m.structure()
	at := place{part: d.part(0), inside: d}
	at.inside = d
	container := at
	leaf := false
	for _, n := range path {
		switch {
		case d.bad:
			return place{}, ErrMeta
		case leaf || n < 1:
			return place{}, ErrNoPart
		case container.part.flags&partMultipart != 0:
			if at = container.child(n); at.part.end < 0 {
				return place{}, ErrNoPart
			}
		case n > 1:
			return place{}, ErrNoPart
		default:
			at = container
		}
		switch {
		case at.part.flags&partMessage != 0:
			container = at.embedded()
		case at.part.flags&partMultipart != 0:
			container = at
		default:
			leaf = true
		}
	}
	if d.bad || at.inside.bad || container.inside.bad {
		return place{}, ErrMeta
	}
	return at, nil
}

// child gives the nth part of a multipart; its end is negative when there is none.
func (c *place) child(n int) place {
	d := c.inside
	if n > d.count() || c.depth > maxDepth {
		return place{part: metaPart{end: -1}}
	}
	base := c.part.bodyStart
	for ; n > 1 && !d.bad; n-- {
		d.skipPart(c.depth + 1)
	}
	p := d.part(base)
	return place{part: p, inside: d, depth: c.depth + 1}
}

// embedded gives the root of the message inside.
func (c *place) embedded() place {
	d := c.inside
	d.text()
	p := d.part(c.part.bodyStart)
	return place{part: p, inside: d, depth: c.depth + 1}
}

// Find gives the part with the IMAP section number path (RFC 9051 6.4.5.1); an empty path gives the root.
func (m Meta) Find(path []int) (*Part, error) {
	at, err := m.locate(path)
	if err != nil {
		return nil, err
	}
	p := at.part.decode()
	d := at.inside
	switch {
	case at.part.flags&partMessage != 0:
		p.Envelope = d.decodeEnvelope()
		p.Embedded = d.decodePart(p.BodyStart, at.depth+1)
	case at.part.flags&partMultipart != 0:
		for n := d.count(); n > 0 && !d.bad; n-- {
			p.Children = append(p.Children, d.decodePart(p.BodyStart, at.depth+1))
		}
	}
	if d.bad {
		return nil, ErrMeta
	}
	return p, nil
}

// SectionKind is what is asked of a part.
type SectionKind uint8

// Sections (RFC 9051 6.4.5.1).
const (
	SectionBody   SectionKind = iota // BODY[], BODY[1.2]
	SectionHeader                    // HEADER: of the message, or of the message inside part 1.2
	SectionText                      // TEXT: its body
	SectionMIME                      // MIME: the header of part 1.2
)

// Section gives the range of bytes of a section: offsets in the message. ErrNoPart when the message has no such section.
func (m Meta) Section(path []int, what SectionKind) (start, end int64, err error) {
	at, err := m.locate(path)
	if err != nil {
		return 0, 0, err
	}
	if len(path) == 0 {
		if what == SectionBody {
			return 0, at.part.end, nil
		}
	} else {
		switch {
		case what == SectionBody:
			return at.part.bodyStart, at.part.end, nil
		case what == SectionMIME:
			return at.part.headerStart, at.part.bodyStart, nil
		case at.part.flags&partMessage == 0:
			return 0, 0, ErrNoPart
		}
		if at = at.embedded(); at.inside.bad {
			return 0, 0, ErrMeta
		}
	}
	switch what {
	case SectionHeader:
		return at.part.headerStart, at.part.bodyStart, nil
	case SectionText:
		return at.part.bodyStart, at.part.end, nil
	}
	return 0, 0, ErrNoPart
}
