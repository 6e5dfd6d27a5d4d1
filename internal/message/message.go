// Package message turns the bytes of a mail message into what the server must know about it.
//
// The road starts at [Parse], which is run once on every message that comes in, before it is accepted: one pass over the
// bytes with a small buffer finds the header fields, the envelope and the MIME structure with the offsets of every part.
// It ends at [Meta], the compact binary form of envelope and structure that the store keeps beside the message, from
// which IMAP's ENVELOPE, BODYSTRUCTURE and sections are answered without opening the message again. Beside the road are
// the small readers that others need too: address lists, dates, encoded-words, raw header bytes, decoded text.
//
// The bytes come from strangers. Nothing here fails on bad MIME: it is read as far as it makes sense, and the rest is
// content. Work and memory are linear in the size of the message whatever its shape, and [Limits] bound what is remembered;
// a part beyond a limit is an opaque leaf.
package message

import "io"

// Limits bound the work and memory one message can ask for. A field that is not positive means its default.
type Limits struct {
	HeaderBytes int // of the message's header and of each part's
	Fields      int // in one header
	Depth       int // of nesting; the message itself is at depth 1
	Parts       int // in the whole message
	Addresses   int // in one field
	Params      int // in one field
}

// DefaultLimits are the limits for mail from outside.
var DefaultLimits = Limits{HeaderBytes: 1 << 20, Fields: 5000, Depth: 100, Parts: 1000, Addresses: 1000, Params: 100}

// Limits of what is remembered of texts, in bytes. They only matter for messages made to hurt.
const (
	maxText        = 16 << 10  // of a subject, a parameter, an identifier
	maxAddressText = 128 << 10 // of one address list
	maxTexts       = 512 << 10 // of all together
)

// fill replaces what is not set.
func (l Limits) fill() Limits {
	set := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&l.HeaderBytes, DefaultLimits.HeaderBytes)
	set(&l.Fields, DefaultLimits.Fields)
	set(&l.Depth, DefaultLimits.Depth)
	set(&l.Parts, DefaultLimits.Parts)
	set(&l.Addresses, DefaultLimits.Addresses)
	set(&l.Params, DefaultLimits.Params)
	l.Depth = min(l.Depth, maxDepth)
	return l
}

// Message is what one pass over the bytes found out. It keeps no reference to the reader.
type Message struct {
	Header   Header
	Envelope *Envelope
	Root     *Part
	Size     int64

	Has8Bit    bool // some byte above 127
	HasNUL     bool
	HasBareCR  bool // a CR without LF
	HasBareLF  bool // an LF without CR
	HasControl bool // a control character other than TAB in the message's own header

	HeaderTooBig bool // the message's own header is over Limits.HeaderBytes or Limits.Fields
	Truncated    bool // some limit made a part opaque or cut a list or a text

	ReceivedCount int // Received fields, for finding loops (RFC 5321 6.3)

	steps int64 // units of work done, for tests
}

// Parse reads a message once. It fails only when r does.
func Parse(r io.ReaderAt, size int64, lim Limits) (*Message, error) {
	p := parsers.Get().(*parser)
	defer p.release()
	p.reset(r, size, lim.fill())
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.m, nil
}
