package sieve

import (
	"bytes"

	"postern/internal/message"
)

// field is a header field, with what was read of it already.
type field struct {
	message.Field
	decoded            string // as people read it
	mailboxes          []mailbox
	isDecoded, wasRead bool          // of the one, of the other
	media              *message.Part // what it says of MIME
}

// header is the fields of a message or of a part of it in their order. They are found by their names without a look at the others.
type header struct {
	fields []*field
	// heads and next are chains of fields whose names have the same hash, first fields first, by their number plus one. There are
	// none while nobody asked for a name since the last change.
	heads, next []int32
	room        []int32
}

func newHeader(fields []message.Field) header {
	all := make([]field, len(fields))
	h := header{fields: make([]*field, len(fields))}
	for i := range fields {
		all[i].Field = fields[i]
		h.fields[i] = &all[i]
	}
	return h
}

// named appends the fields of a name to a list, and tells at how many it looked.
func (h *header) named(list []*field, name string) ([]*field, int) {
	looked := 0
	if h.heads == nil && len(h.fields) > 0 {
		h.index()
		looked += 2 * len(h.fields)
	}
	if len(h.fields) == 0 {
		return list, 0
	}
	for i := h.heads[hashName(name)&uint32(len(h.heads)-1)]; i > 0; i = h.next[i-1] {
		looked++
		if f := h.fields[i-1]; isSameASCII(f.Name, name) {
			list = append(list, f)
		}
	}
	return list, looked
}

// index makes the chains.
func (h *header) index() {
	size := 16
	for size < len(h.fields) {
		size *= 2
	}
	if cap(h.room) < size+len(h.fields) {
		h.room = make([]int32, size+len(h.fields)+8)
	}
	h.heads, h.next = h.room[:size], h.room[size:size+len(h.fields)]
	clear(h.heads)
	for i := len(h.fields) - 1; i >= 0; i-- {
		head := &h.heads[hashName(h.fields[i].Name)&uint32(size-1)]
		h.next[i], *head = *head, int32(i+1)
	}
}

// change puts other fields in the place of those that there are.
func (h *header) change(fields []*field) { h.fields, h.heads, h.next = fields, nil, nil }

// stepsPerField is how many fields are looked at for a step.
const stepsPerField = 8

// named gives the fields of a name that are meant, until it is called again.
func (m *machine) named(h *header, name string, pick selection) ([]*field, error) {
	list, looked := h.named(m.found[:0], name)
	m.found = list
	return pick.of(list), m.spend(1 + looked/stepsPerField)
}

// fields gives the walk over the fields that a test names in its first argument, in the headers that it is about.
func (c *compiler) fields(u *use) func(*machine) fieldWalk {
	names, pick, headers := u.args[0].texts, c.selection(u), c.headers(u)
	return func(m *machine) fieldWalk { return fieldWalk{m: m, headers: headers, names: names, pick: pick} }
}

// fieldWalk goes over fields one by one.
type fieldWalk struct {
	m       *machine
	headers func(*machine) ([]*header, error)
	names   []text
	pick    selection

	begun bool
	in    []*header // that are left, the one that it is at first
	name  int       // the next one in that
	list  []*field  // of the name before, that are left
}

// next gives the next field, nil behind the last.
func (w *fieldWalk) next() (f *field, err error) {
	if !w.begun {
		w.begun = true
		if w.in, err = w.headers(w.m); err != nil {
			return nil, err
		}
	}
	for len(w.list) == 0 {
		switch {
		case len(w.in) == 0:
			return nil, nil
		case w.name == len(w.names):
			w.in, w.name = w.in[1:], 0
			continue
		}
		if w.list, err = w.m.named(w.in[0], w.names[w.name].in(w.m), w.pick); err != nil {
			return nil, err
		}
		w.name++
	}
	f, w.list = w.list[0], w.list[1:]
	return f, nil
}

// What decoding costs: so many times more than looking at the bytes, and so many steps for an encoded-word.
const (
	decodeCost  = 4
	addressCost = 32
	wordCost    = 8
)

// decode gives the value of a field as people read it (RFC 5228 5.7).
func (m *machine) decode(f *field) (string, error) {
	if f.isDecoded {
		return f.decoded, nil
	}
	if err := m.spend(bytesCost(decodeCost*len(f.Raw)) + wordCost*bytes.Count(f.Raw, []byte("=?"))); err != nil {
		return "", err
	}
	f.decoded, f.isDecoded = message.DecodeHeader(f.Value()), true
	return f.decoded, m.take(len(f.decoded))
}

// addresses gives the addresses of a field.
func (m *machine) addresses(f *field) ([]mailbox, error) {
	if f.wasRead {
		return f.mailboxes, nil
	}
	if err := m.spend(bytesCost(addressCost * len(f.Raw))); err != nil {
		return nil, err
	}
	f.mailboxes, f.wasRead = readAddresses(f.Value()), true
	return f.mailboxes, m.take(len(f.Raw) + 64*len(f.mailboxes))
}

// hashName is FNV-1a of a name in lower case.
func hashName(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(lower[name[i]])) * 16777619
	}
	return h
}
