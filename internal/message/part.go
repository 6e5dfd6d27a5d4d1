package message

import (
	"errors"
	"iter"
)

// ErrNoPart says that the message has no such part or section.
var ErrNoPart = errors.New("message: no such part")

// Part is one part of the MIME structure. Offsets are those of the message's bytes: [HeaderStart, BodyStart) is the
// header with its empty line, [BodyStart, End) the content as it was transferred. What is between parts (boundary lines,
// preamble, epilogue) is content of the multipart around them.
type Part struct {
	HeaderStart, BodyStart, End int64
	HeaderLines, Lines          int64 // line ends in the header, in the content

	Type, Subtype     string // lower case; "text", "plain" when the header names none that can be read
	Params            []Param
	ID, Description   string
	Encoding          string // lower case, "" when not given
	MD5               string
	Disposition       string // lower case
	DispositionParams []Param
	Language          []string
	Location          string

	// Opaque marks a multipart or message whose inside is unknown: a limit was reached, it is encoded, there is no
	// boundary. It is a leaf, and IMAP shows it as text/plain or application/octet-stream.
	Opaque bool

	Children []*Part   // of a multipart
	Embedded *Part     // of message/rfc822 and message/global: the root of the message inside
	Envelope *Envelope // of message/rfc822 and message/global: the envelope of the message inside
}

// IsMultipart reports whether the part consists of children. There may be none when no boundary line was found.
func (p *Part) IsMultipart() bool { return p.Type == "multipart" && !p.Opaque }

// IsText reports whether the content is text.
func (p *Part) IsText() bool { return p.Type == "text" }

// Param gives a parameter of the content type, decoded to UTF-8 (RFC 2231; RFC 2047 too, where it does not belong), or "".
func (p *Part) Param(name string) string { return paramValue(p.Params, name) }

// Filename is the name that the sender gave the part, decoded, or "". It may hold anything, slashes included.
func (p *Part) Filename() string {
	if name := paramValue(p.DispositionParams, "filename"); name != "" {
		return name
	}
	return p.Param("name")
}

// All walks the part and everything below it, embedded messages included, in the order of the bytes.
func (p *Part) All() iter.Seq[*Part] {
	return func(yield func(*Part) bool) { p.walk(yield) }
}

func (p *Part) walk(yield func(*Part) bool) bool {
	if !yield(p) {
		return false
	}
	for _, c := range p.Children {
		if !c.walk(yield) {
			return false
		}
	}
	return p.Embedded == nil || p.Embedded.walk(yield)
}

// Find gives the part with the IMAP section number path (RFC 9051 6.4.5.1); an empty path is the part itself, which
// must be the root of a message.
func (p *Part) Find(path []int) (*Part, error) {
	found, container := p, p
	for _, n := range path {
		switch {
		case container == nil || n < 1:
			return nil, ErrNoPart
		case container.IsMultipart():
			if n > len(container.Children) {
				return nil, ErrNoPart
			}
			found = container.Children[n-1]
		case n > 1:
			return nil, ErrNoPart
		default:
			found = container // "every message has at least one part number"
		}
		switch {
		case found.Embedded != nil:
			container = found.Embedded
		case found.IsMultipart():
			container = found
		default:
			container = nil
		}
	}
	return found, nil
}
