package message

import (
	"encoding/binary"
	"errors"
	"time"
)

// Meta is envelope and structure of a message in a compact binary form, typically of 200 to 400 bytes. Everything that
// IMAP asks of a message but its bytes is answered from it.
//
// The format, version 1. Numbers are varints; a text is its length and its bytes; a short text is a number n and, when n
// is even, n/2 bytes, otherwise it is words[n/2].
//
//	meta      version(1 byte) length-of-envelope envelope part
//	envelope  flags(1 byte: see env…) [subject] [subject-decoded] [sent(zigzag s) zone(zigzag min)]
//	          list×6 (From Sender Reply-To To Cc Bcc) [date] [in-reply-to] [message-id] [references]
//	list      length-of-the-rest(0: no members) count text(all members, for searching) member×count
//	member    flags(1 byte: see member…) name-length [raw-name] [adl] local-length host-length
//	part      flags(1 byte: see part…) header-start(from the parent's content) header-length content-length
//	          header-lines lines type subtype [params] [encoding] [extensions(1 byte: see ext…) texts…]
//	          [count part×count | length-of-envelope envelope part]
//	params    count (name value)×count, short texts
//
// The text of a list is `Name <local@host>, group: a@b, c@d;` with the names decoded to UTF-8. A member's strings are found in
// it by their lengths; the raw name stands apart when it is another.
type Meta []byte

// ErrMeta says that the bytes are no Meta that this version can read.
var ErrMeta = errors.New("message: damaged or unknown meta")

const metaVersion = 1

// Flags of an envelope.
const (
	envDate = 1 << iota
	envSubject
	envSubjectText // a decoded form that differs
	envInReplyTo
	envMessageID
	envReferences
	envSent
)

// Flags of a member of an address list.
const (
	memberKind    = 3 // mask of a MailboxKind
	memberRawName = 1 << 2
	memberAdl     = 1 << 3
	memberBad     = 1 << 4
)

// Flags of a part.
const (
	partMultipart = 1 << iota
	partMessage
	partOpaque
	partParams
	partEncoding
	partExtensions
)

// Extensions of a part.
const (
	extID = 1 << iota
	extDescription
	extMD5
	extDisposition
	extDispositionParams
	extLanguage
	extLocation
)

// Meta gives the compact form.
func (m *Message) Meta() Meta {
	e := encoder{buf: make([]byte, 0, 1024)}
	e.byte(metaVersion)
	e.envelope(m.Envelope)
	e.part(m.Root, 0)
	return append(make(Meta, 0, len(e.buf)), e.buf...)
}

// EncodeMeta makes a Meta of its parts; it is the inverse of [Meta.Decode].
func EncodeMeta(env *Envelope, root *Part) Meta {
	m := Message{Envelope: env, Root: root}
	return m.Meta()
}

type encoder struct{ buf []byte }

func (e *encoder) byte(b byte)               { e.buf = append(e.buf, b) }
func (e *encoder) number(n int64)            { e.buf = binary.AppendUvarint(e.buf, uint64(max(n, 0))) }
func (e *encoder) signed(n int64)            { e.buf = binary.AppendVarint(e.buf, n) }
func (e *encoder) length(s string)           { e.number(int64(len(s))) }
func (e *encoder) text(s string)             { e.length(s); e.buf = append(e.buf, s...) }
func (e *encoder) setFlag(at int, flag byte) { e.buf[at] |= flag }

// short is a text that may be in words.
func (e *encoder) short(s string) {
	if i := wordCode(s); i >= 0 {
		e.number(int64(i)<<1 | 1)
		return
	}
	e.number(int64(len(s)) << 1)
	e.buf = append(e.buf, s...)
}

// prefixLength inserts the length of what was written since at.
func (e *encoder) prefixLength(at int) {
	var b [binary.MaxVarintLen64]byte
	size := len(e.buf) - at
	n := binary.PutUvarint(b[:], uint64(size))
	e.buf = append(e.buf, b[:n]...)
	copy(e.buf[at+n:], e.buf[at:at+size])
	copy(e.buf[at:], b[:n])
}

func (e *encoder) envelope(env *Envelope) {
	start := len(e.buf)
	e.byte(0)
	if env.HasSubject {
		e.setFlag(start, envSubject)
		e.text(env.Subject)
		if text := DecodeHeader(env.Subject); text != env.Subject {
			e.setFlag(start, envSubjectText)
			e.text(text)
		}
	}
	if !env.Sent.IsZero() {
		e.setFlag(start, envSent)
		_, offset := env.Sent.Zone()
		e.signed(env.Sent.Unix())
		e.signed(int64(offset / 60))
	}
	for _, list := range env.lists() {
		e.list(*list)
	}
	for _, t := range []struct {
		flag byte
		has  bool
		text string
	}{
		{envDate, env.HasDate, env.Date},
		{envInReplyTo, env.HasInReplyTo, env.InReplyTo},
		{envMessageID, env.HasMessageID, env.MessageID},
		{envReferences, env.References != "", env.References},
	} {
		if t.has {
			e.setFlag(start, t.flag)
			e.text(t.text)
		}
	}
	e.prefixLength(start)
}

func (e *encoder) list(list []Mailbox) {
	if len(list) == 0 {
		e.number(0)
		return
	}
	start := len(e.buf)
	e.number(int64(len(list)))
	text := len(e.buf)
	last := GroupEnd
	for i := range list {
		m := &list[i]
		if i > 0 {
			e.buf = append(e.buf, separator(last, m.Kind)...)
		}
		last = m.Kind
		e.mailbox(m)
	}
	e.prefixLength(text)
	for i := range list {
		e.member(&list[i])
	}
	e.prefixLength(start)
}

// separator is what stands between two members in the text of a list.
func separator(last, next MailboxKind) string {
	switch {
	case next == GroupEnd:
		return ""
	case last == GroupStart:
		return " "
	}
	return ", "
}

// mailbox writes a member's text.
func (e *encoder) mailbox(m *Mailbox) {
	switch m.Kind {
	case GroupStart:
		e.buf = append(append(e.buf, m.Local...), ':')
		return
	case GroupEnd:
		e.buf = append(e.buf, ';')
		return
	}
	if m.Name != "" {
		e.buf = append(append(e.buf, nameText(m.Name)...), " <"...)
	}
	e.buf = append(e.buf, m.Local...)
	if m.Host != "" {
		e.buf = append(append(e.buf, '@'), m.Host...)
	}
	if m.Name != "" {
		e.buf = append(e.buf, '>')
	}
}

// nameText is a name for searching.
func nameText(name string) string { return DecodeHeader(name) }

func (e *encoder) member(m *Mailbox) {
	at := len(e.buf)
	e.byte(byte(m.Kind))
	if m.Malformed {
		e.setFlag(at, memberBad)
	}
	if m.Kind == IsAddress {
		name := nameText(m.Name)
		e.length(name)
		if name != m.Name {
			e.setFlag(at, memberRawName)
			e.text(m.Name)
		}
		if m.Adl != "" {
			e.setFlag(at, memberAdl)
			e.text(m.Adl)
		}
	}
	if m.Kind != GroupEnd {
		e.length(m.Local)
	}
	if m.Kind == IsAddress {
		e.length(m.Host)
	}
}

func (e *encoder) part(p *Part, base int64) {
	at := len(e.buf)
	e.byte(0)
	if p.Opaque {
		e.setFlag(at, partOpaque)
	}
	e.number(p.HeaderStart - base)
	e.number(p.BodyStart - p.HeaderStart)
	e.number(p.End - p.BodyStart)
	e.number(p.HeaderLines)
	e.number(p.Lines)
	e.short(p.Type)
	e.short(p.Subtype)
	if len(p.Params) > 0 {
		e.setFlag(at, partParams)
		e.params(p.Params)
	}
	if p.Encoding != "" {
		e.setFlag(at, partEncoding)
		e.short(p.Encoding)
	}
	e.extensions(p, at)
	switch {
	case p.Embedded != nil && p.Envelope != nil:
		e.setFlag(at, partMessage)
		e.envelope(p.Envelope)
		e.part(p.Embedded, p.BodyStart)
	case p.IsMultipart():
		e.setFlag(at, partMultipart)
		e.number(int64(len(p.Children)))
		for _, c := range p.Children {
			e.part(c, p.BodyStart)
		}
	}
}

func (e *encoder) params(params []Param) {
	e.number(int64(len(params)))
	for _, p := range params {
		e.short(p.Name)
		e.short(p.Value)
	}
}

func (e *encoder) extensions(p *Part, flags int) {
	if p.ID == "" && p.Description == "" && p.MD5 == "" && p.Disposition == "" && len(p.DispositionParams) == 0 &&
		len(p.Language) == 0 && p.Location == "" {
		return
	}
	e.setFlag(flags, partExtensions)
	at := len(e.buf)
	e.byte(0)
	text := func(flag byte, s string) {
		if s != "" {
			e.setFlag(at, flag)
			e.short(s)
		}
	}
	text(extID, p.ID)
	text(extDescription, p.Description)
	text(extMD5, p.MD5)
	text(extDisposition, p.Disposition)
	if len(p.DispositionParams) > 0 {
		e.setFlag(at, extDispositionParams)
		e.params(p.DispositionParams)
	}
	if len(p.Language) > 0 {
		e.setFlag(at, extLanguage)
		e.number(int64(len(p.Language)))
		for _, tag := range p.Language {
			e.short(tag)
		}
	}
	text(extLocation, p.Location)
}

// validSeconds bounds the dates that a Meta may have, so that their arithmetic cannot overflow.
const validSeconds = 1 << 40

func sentTime(seconds, zone int64) time.Time {
	if seconds > validSeconds || seconds < -validSeconds || zone > 24*60 || zone < -24*60 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).In(zoneOf(int(zone) * 60))
}
