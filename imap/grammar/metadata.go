package grammar

import "strings"

// MetadataDepth says how much below an entry is asked for. RFC 5464 4.2.2
type MetadataDepth uint8

// The depths.
const (
	DepthNone     MetadataDepth = iota // the entry alone
	DepthOne                           // and the entries right below it
	DepthInfinity                      // and all below it
)

// GetMetadata is GETMETADATA. RFC 5464 4.2
type GetMetadata struct {
	Mailbox string   // "" for the server
	Entries []string // at least one, in lower case: entries have no case
	Depth   MetadataDepth
	// Limited says that values of more than MaxSize bytes are not wanted.
	Limited bool
	MaxSize uint64
}

// SetMetadata is SETMETADATA. RFC 5464 4.3
type SetMetadata struct {
	Mailbox string // "" for the server
	Entries []MetadataValue
}

// MetadataValue is an entry and what it is to have; a nil Value takes it away.
type MetadataValue struct {
	Entry string // in lower case
	Value []byte
}

func (*GetMetadata) command() {}
func (*SetMetadata) command() {}

// getMetadata reads GETMETADATA. The options stand before the mailbox; examples
// of the RFC have them behind it, and so have clients. RFC 5464 5
func (r *Reader) getMetadata() Command {
	c := &GetMetadata{}
	r.space()
	if r.peek() == '(' {
		r.metadataOptions(c)
		r.space()
	}
	c.Mailbox = r.mailbox()
	r.space()
	if r.optionsNext() {
		r.metadataOptions(c)
		r.space()
	}
	entry := func() { c.Entries = append(c.Entries, r.entry()) }
	if r.peek() == '(' {
		r.list(entry)
	} else {
		entry()
	}
	if r.err == nil && len(c.Entries) == 0 {
		r.bad("GETMETADATA needs an entry")
	}
	return c
}

// optionsNext tells a list of options from a list of entries, which begin with a
// slash.
func (r *Reader) optionsNext() bool {
	return r.peek() == '(' && r.pos+1 < r.eol && strings.IndexByte("DdMm", r.buf[r.pos+1]) >= 0
}

func (r *Reader) metadataOptions(c *GetMetadata) {
	r.list(func() {
		name := string(r.word())
		r.space()
		switch name {
		case "MAXSIZE":
			c.Limited, c.MaxSize = true, r.number(maxNumber)
		case "DEPTH":
			c.Depth = r.depthOption()
		default:
			r.bad("GETMETADATA takes MAXSIZE and DEPTH")
		}
	})
}

func (r *Reader) depthOption() MetadataDepth {
	switch r.upperAtom("A depth is missing") {
	case "0":
		return DepthNone
	case "1":
		return DepthOne
	case "INFINITY":
		return DepthInfinity
	}
	r.bad("DEPTH is 0, 1 or infinity")
	return DepthNone
}

// entry takes the name of an annotation. RFC 5464 4.1
func (r *Reader) entry() string {
	name := strings.ToLower(r.astring())
	if r.err == nil && (!strings.HasPrefix(name, "/") || strings.ContainsAny(name, "*%")) {
		r.bad("The name of an entry begins with / and has no wildcards")
	}
	return name
}

// setMetadata reads SETMETADATA. RFC 5464 4.3
func (r *Reader) setMetadata() Command {
	c := &SetMetadata{Mailbox: r.spMailbox()}
	r.space()
	r.list(func() {
		v := MetadataValue{Entry: r.entry()}
		r.space()
		v.Value = r.metadataValue()
		c.Entries = append(c.Entries, v)
	})
	if r.err == nil && len(c.Entries) == 0 {
		r.bad("SETMETADATA needs an entry")
	}
	return c
}

// metadataValue takes NIL, a string or a literal of any bytes. RFC 5464 5
func (r *Reader) metadataValue() []byte {
	if r.acceptWord("NIL") {
		return nil
	}
	if r.peek() != '~' {
		return []byte(r.str())
	}
	h, ok := r.literalHeader()
	if !ok {
		return nil
	}
	s, err := r.literalString(h)
	if err != nil {
		r.fail(err)
	}
	return []byte(s)
}
