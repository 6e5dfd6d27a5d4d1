package sieve

import (
	"strings"

	"postern/internal/message"
)

// mimeTags have a test look at the header of a part (RFC 5703 4): of the one that foreverypart is at, or of the message, with
// :anychild of all parts in it too. mediaTags have it look at what the field says (RFC 5703 4.1).
var (
	mimeTags  = []tag{{name: "mime", from: "mime"}, {name: "anychild", from: "mime"}}
	mediaTags = []tag{{name: "type", from: "mime", group: "mime option"}, {name: "subtype", from: "mime", group: "mime option"},
		{name: "contenttype", from: "mime", group: "mime option"}, {name: "param", from: "mime", takes: aList, group: "mime option"}}
)

// maxPartHeader is how much of the header of a part is looked at, in bytes.
const maxPartHeader = 64 << 10

// headers gives the headers that a test is about.
func (c *compiler) headers(u *use) func(*machine) ([]*header, error) {
	switch {
	case u.has("anychild") && !u.has("mime"):
		c.problem(u.Position, "the tag ':anychild' goes with ':mime'")
	case u.has("anychild"):
		return (*machine).headersBelow
	case u.has("mime"):
		return func(m *machine) ([]*header, error) {
			if m.part == nil {
				return m.mail.whole[:], nil
			}
			h, err := m.partHeader(m.part)
			return []*header{h}, err
		}
	}
	return func(m *machine) ([]*header, error) { return m.mail.whole[:], nil }
}

// headersBelow gives the headers of the part that is looked at and of those in it.
func (m *machine) headersBelow() (list []*header, err error) {
	top := m.mail.Parsed.Root
	if m.part != nil {
		top = m.part
	}
	for p := range top.All() {
		h, err := m.partHeader(p)
		if err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	return list, nil
}

// partHeader gives the header of a part; that of the message has the changes that the script made.
func (m *machine) partHeader(p *message.Part) (*header, error) {
	if p == m.mail.Parsed.Root {
		return &m.mail.top, m.spend(1)
	}
	if h := m.mail.inside[p]; h != nil {
		return h, m.spend(1)
	}
	end := min(p.BodyStart, p.HeaderStart+maxPartHeader)
	size := int(end - p.HeaderStart)
	if err := m.spend(flatCost + bytesCost(decodeCost*size)); err != nil {
		return nil, err
	}
	b, err := readRange(m.mail.Content, p.HeaderStart, end)
	if err != nil {
		return nil, m.failed(err, "the message cannot be read")
	}
	h := newHeader(message.ParseHeader(b).Fields)
	if m.mail.inside == nil {
		m.mail.inside = map[*message.Part]*header{}
	}
	m.mail.inside[p] = &h
	return &h, m.take(2*size + fieldSize*len(h.fields))
}

// fieldSize is what remembering a field takes besides its bytes.
const fieldSize = 300

// media is what a test looks at in a field of MIME.
type media struct {
	what   string
	params []text
}

// media gives what a use asks for, nil where it asks for the whole field.
func (c *compiler) media(u *use) *media {
	for _, t := range mediaTags {
		v := u.tags[t.name]
		if v == nil {
			continue
		}
		if !u.has("mime") {
			c.problem(v.Position, "the tag ':%s' goes with ':mime'", t.name)
		}
		return &media{t.name, v.texts}
	}
	return nil
}

func (c *compiler) compileMedia(u *use, about *media) func(*machine) (bool, error) {
	begin := c.fieldTest(u, &u.args[1])
	return func(m *machine) (bool, error) {
		t := begin(m)
		for t.next() {
			m.seeMedia(&t, about)
		}
		return t.result()
	}
}

// seeMedia shows what the field that a test is at says of MIME.
func (m *machine) seeMedia(t *fieldTest, about *media) {
	if t.err = m.readMedia(t.field); t.err != nil {
		return
	}
	if t.err = m.spend(4 * len(about.params)); t.err != nil {
		return
	}
	for _, v := range about.values(m, t.field) {
		if !t.isDecided() {
			t.see(v, nil)
		}
	}
}

// mediaCost is what reading a byte of a field of MIME costs, in bytes that are looked at.
const mediaCost = 32

// readMedia reads a field of MIME, once. One of another kind than Content-Type has parameters like it.
func (m *machine) readMedia(f *field) error {
	if f.media != nil {
		return m.spend(1)
	}
	if err := m.spend(flatCost + bytesCost(mediaCost*len(f.Raw))); err != nil {
		return err
	}
	value := f.Value()
	if !isSameASCII(f.Name, "content-type") {
		_, params, _ := strings.Cut(value, ";")
		value = "x/x;" + params
	}
	field := strings.NewReader("Content-Type: " + value + "\r\n\r\n")
	read, err := message.Parse(field, field.Size(), message.DefaultLimits)
	if err != nil {
		return m.failed(err, "the field '%s' cannot be read", f.Name)
	}
	f.media = read.Root
	return m.take(fieldSize + 4*len(f.Raw))
}

// values gives what is asked for of a field that was read. What the field cannot have is blank (RFC 5703 4.1); a parameter that it does
// not have is not there.
func (a *media) values(m *machine, f *field) (list []string) {
	for i := range a.params {
		if v := f.media.Param(strings.ToLower(a.params[i].in(m))); v != "" {
			list = append(list, v)
		}
	}
	isType := isSameASCII(f.Name, "content-type")
	switch {
	case a.what == "param":
		return list
	case isType && a.what == "type":
		return []string{f.media.Type}
	case isType && a.what == "subtype":
		return []string{f.media.Subtype}
	case isType:
		return []string{f.media.Type + "/" + f.media.Subtype}
	case isSameASCII(f.Name, "content-disposition") && a.what != "subtype":
		kind, _, _ := strings.Cut(f.Value(), ";")
		return []string{strings.TrimSpace(kind)}
	}
	return []string{""}
}
