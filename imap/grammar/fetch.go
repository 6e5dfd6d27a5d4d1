package grammar

import (
	"slices"
	"strconv"
)

// maxFetchItems bounds how often one FETCH can ask for the same message.
const maxFetchItems = 1000

// fetch reads FETCH. RFC 9051 6.4.5, RFC 7162 3.1.4, 3.2.6
func (r *Reader) fetch(uid bool) Command {
	c := &Fetch{UID: uid, Set: r.spSet()}
	r.space()
	if r.peek() == '(' {
		r.list(func() { r.fetchItem(c) })
		if r.err == nil && len(c.Items) == 0 {
			r.bad("FETCH needs an item")
		}
	} else if !r.fetchMacro(c) {
		r.fetchItem(c)
	}
	if r.optionalList() {
		r.list(func() { r.fetchModifier(c) })
	}
	// RFC 7162 3.2.6
	if c.Vanished && (!c.UID || c.ChangedSince == 0) {
		r.bad("VANISHED needs UID FETCH with CHANGEDSINCE")
	}
	return c
}

// fetchMacro takes ALL, FAST or FULL. RFC 9051 6.4.5
func (r *Reader) fetchMacro(c *Fetch) bool {
	var kinds []FetchKind
	switch {
	case r.acceptWord("ALL"):
		kinds = []FetchKind{FetchFlags, FetchInternalDate, FetchSize, FetchEnvelope}
	case r.acceptWord("FAST"):
		kinds = []FetchKind{FetchFlags, FetchInternalDate, FetchSize}
	case r.acceptWord("FULL"):
		kinds = []FetchKind{FetchFlags, FetchInternalDate, FetchSize, FetchEnvelope, FetchBody}
	default:
		return false
	}
	for _, k := range kinds {
		c.Items = append(c.Items, FetchItem{Kind: k, Peek: true})
	}
	return true
}

func (r *Reader) fetchModifier(c *Fetch) {
	switch string(r.word()) {
	case "CHANGEDSINCE":
		r.space()
		c.ChangedSince = r.positive(maxNumber64)
	case "VANISHED":
		c.Vanished = true
	default:
		r.bad("FETCH takes CHANGEDSINCE and VANISHED")
	}
}

// fetchItem takes one item and adds it if it is not there yet.
func (r *Reader) fetchItem(c *Fetch) {
	i := FetchItem{Peek: true}
	name := r.word()
	if r.peek() == '[' {
		r.sectionItem(name, &i)
	} else if !plainItem(name, &i) {
		r.bad("An item of FETCH is not known")
	}
	if r.err != nil || slices.ContainsFunc(c.Items, i.same) {
		return
	}
	if len(c.Items) == maxFetchItems {
		r.fail(refused("LIMIT", "FETCH has too many items"))
		return
	}
	c.Items = append(c.Items, i)
}

// plainItem recognises the items without a section.
func plainItem(name []byte, i *FetchItem) bool {
	switch string(name) {
	case "UID":
		i.Kind = FetchUID
	case "FLAGS":
		i.Kind = FetchFlags
	case "INTERNALDATE":
		i.Kind = FetchInternalDate
	case "RFC822.SIZE":
		i.Kind = FetchSize
	case "ENVELOPE":
		i.Kind = FetchEnvelope
	case "BODY":
		i.Kind = FetchBody
	case "BODYSTRUCTURE":
		i.Kind = FetchBodyStructure
	case "MODSEQ":
		i.Kind = FetchModSeq
	case "RFC822":
		i.Kind, i.Peek = FetchRFC822, false
	case "RFC822.HEADER":
		i.Kind, i.Section.Spec = FetchRFC822Header, SectionHeader
	case "RFC822.TEXT":
		i.Kind, i.Section.Spec, i.Peek = FetchRFC822Text, SectionText, false
	default:
		return false
	}
	return true
}

// sectionItem takes what follows BODY, BINARY and their variants.
func (r *Reader) sectionItem(name []byte, i *FetchItem) {
	switch string(name) {
	case "BODY":
		i.Kind, i.Peek = FetchBodySection, false
	case "BODY.PEEK":
		i.Kind = FetchBodySection
	case "BINARY":
		i.Kind, i.Peek = FetchBinary, false
	case "BINARY.PEEK":
		i.Kind = FetchBinary
	case "BINARY.SIZE":
		i.Kind = FetchBinarySize
	default:
		r.bad("An item of FETCH is not known")
		return
	}
	r.expect('[', "A section is missing")
	i.Section = r.section(i.Kind == FetchBodySection)
	r.expect(']', "A section must be closed with ]")
	if i.Kind == FetchBinarySize || !r.accept('<') {
		return
	}
	// RFC 9051 9 (partial). No message is larger than what 32 bits count.
	i.Partial = true
	i.Offset = uint32(min(r.number(maxNumber64), maxNumber))
	r.expect('.', "A partial is <offset.length>")
	i.Length = uint32(min(r.positive(maxNumber64), maxNumber))
	r.expect('>', "A partial must be closed with >")
}

// section takes what stands between the brackets; a binary section has numbers
// only. RFC 9051 9 (section-spec), 6.4.5.1
func (r *Reader) section(text bool) (s Section) {
	for is(r.peek(), digit) {
		s.Part = append(s.Part, int(r.positive(1<<31-1)))
		if len(s.Part) > maxPath {
			r.bad("A section is nested too deeply")
		}
		if !r.accept('.') {
			return s
		}
		if !text && !is(r.peek(), digit) {
			r.bad("A number is missing in a section")
		}
	}
	if r.peek() == ']' && len(s.Part) == 0 || !text {
		return s
	}
	switch string(r.word()) {
	case "HEADER":
		s.Spec = SectionHeader
	case "HEADER.FIELDS":
		s.Spec = SectionFields
	case "HEADER.FIELDS.NOT":
		s.Spec = SectionFieldsNot
	case "TEXT":
		s.Spec = SectionText
	case "MIME":
		s.Spec = SectionMIME
		if len(s.Part) == 0 {
			r.bad("MIME needs the number of a part")
		}
	default:
		r.bad("A section is not known")
	}
	if s.Spec == SectionFields || s.Spec == SectionFieldsNot {
		r.space()
		r.list(func() { s.Fields = append(s.Fields, r.astring()) })
		if r.err == nil && len(s.Fields) == 0 {
			r.bad("HEADER.FIELDS needs a name")
		}
	}
	return s
}

// maxPath is the longest path of part numbers; messages are not deeper.
const maxPath = 128

// same reports whether two items ask for the same.
func (i FetchItem) same(j FetchItem) bool {
	return i.Kind == j.Kind && i.Peek == j.Peek && i.Partial == j.Partial && i.Offset == j.Offset && i.Length == j.Length &&
		i.Section.Spec == j.Section.Spec && slices.Equal(i.Section.Part, j.Section.Part) && slices.Equal(i.Section.Fields, j.Section.Fields)
}

// AppendFetchItem writes the name under which a response gives the item, such as
// BODY[1.HEADER.FIELDS (SUBJECT)]<0>. RFC 9051 7.5.2
func AppendFetchItem(dst []byte, i FetchItem) []byte {
	dst = append(dst, fetchNames[i.Kind]...)
	switch i.Kind {
	case FetchBodySection, FetchBinary, FetchBinarySize:
	default:
		return dst
	}
	dst = append(dst, '[')
	for k, n := range i.Section.Part {
		if k > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	if len(i.Section.Part) > 0 && i.Section.Spec != SectionAll {
		dst = append(dst, '.')
	}
	dst = append(dst, sectionNames[i.Section.Spec]...)
	if i.Section.Spec == SectionFields || i.Section.Spec == SectionFieldsNot {
		dst = append(dst, " ("...)
		for k, f := range i.Section.Fields {
			if k > 0 {
				dst = append(dst, ' ')
			}
			dst = AppendAString(dst, f, false)
		}
		dst = append(dst, ')')
	}
	dst = append(dst, ']')
	if i.Partial {
		dst = append(dst, '<')
		dst = strconv.AppendUint(dst, uint64(i.Offset), 10)
		dst = append(dst, '>')
	}
	return dst
}

var fetchNames = [...]string{
	FetchUID: "UID", FetchFlags: "FLAGS", FetchInternalDate: "INTERNALDATE", FetchSize: "RFC822.SIZE",
	FetchEnvelope: "ENVELOPE", FetchBody: "BODY", FetchBodyStructure: "BODYSTRUCTURE", FetchModSeq: "MODSEQ",
	FetchBodySection: "BODY", FetchBinary: "BINARY", FetchBinarySize: "BINARY.SIZE",
	FetchRFC822: "RFC822", FetchRFC822Header: "RFC822.HEADER", FetchRFC822Text: "RFC822.TEXT",
}

var sectionNames = [...]string{
	SectionAll: "", SectionHeader: "HEADER", SectionFields: "HEADER.FIELDS",
	SectionFieldsNot: "HEADER.FIELDS.NOT", SectionText: "TEXT", SectionMIME: "MIME",
}
