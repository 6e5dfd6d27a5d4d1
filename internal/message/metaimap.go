package message

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// maxQuoted is the longest text that is sent as a quoted string rather than a literal.
const maxQuoted = 1000

// appendString appends an IMAP string: quoted when it is 7-bit without line ends, else a literal (RFC 9051 4.3). A NUL,
// which IMAP cannot say, becomes a question mark.
func appendString(dst, s []byte) []byte {
	if len(s) <= maxQuoted {
		if isOrdinary(s) {
			return append(append(append(dst, '"'), s...), '"')
		}
		if !bytes.ContainsAny(s, "\x00\r\n") && !hasEightBit(s) {
			return appendEscaped(dst, s)
		}
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, "}\r\n"...)
	start := len(dst)
	dst = append(dst, s...)
	for i, c := range dst[start:] {
		if c == 0 {
			dst[start+i] = '?'
		}
	}
	return dst
}

func appendEscaped(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// isOrdinary reports whether s can stand between quotes as it is, eight bytes at a time.
func isOrdinary(s []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for len(s) >= 8 {
		v := binary.LittleEndian.Uint64(s)
		quote, backslash, cr, lf := v^ones*'"', v^ones*'\\', v^ones*'\r', v^ones*'\n'
		// x-ones &^ x has the high bit of a byte that is zero in x.
		found := v | (v-ones)&^v | (quote-ones)&^quote | (backslash-ones)&^backslash | (cr-ones)&^cr | (lf-ones)&^lf
		if found&highs != 0 {
			return false
		}
		s = s[8:]
	}
	for _, c := range s {
		if c >= 0x80 || c == '"' || c == '\\' || c == '\r' || c == '\n' || c == 0 {
			return false
		}
	}
	return true
}

func appendPiece(dst []byte, t piece) []byte {
	if t.raw != nil {
		return appendString(dst, t.raw)
	}
	return append(append(append(dst, '"'), t.word...), '"')
}

// appendOr appends a text, or NIL when it is not there.
func appendOr(dst []byte, there bool, s []byte) []byte {
	if !there {
		return append(dst, "NIL"...)
	}
	return appendString(dst, s)
}

func appendPieceOr(dst []byte, there bool, t piece) []byte {
	if !there {
		return append(dst, "NIL"...)
	}
	return appendPiece(dst, t)
}

// AppendEnvelope appends IMAP's ENVELOPE (RFC 9051 7.5.2).
func (m Meta) AppendEnvelope(dst []byte) []byte {
	d := m.begin()
	return d.appendEnvelope(dst)
}

func (d *decoder) appendEnvelope(dst []byte) []byte {
	e := d.envelope(true)
	dst = append(dst, '(')
	dst = appendOr(dst, e.flags&envDate != 0, e.date)
	dst = append(dst, ' ')
	dst = appendOr(dst, e.flags&envSubject != 0, e.subject)
	for i, list := range e.lists {
		if f := AddressField(i); len(list) == 0 && (f == Sender || f == ReplyTo) {
			list = e.lists[From] // "the server MUST NOT return NIL"; an empty field counts as none
		}
		dst = append(dst, ' ')
		dst = appendMembers(dst, list)
	}
	dst = append(dst, ' ')
	dst = appendOr(dst, e.flags&envInReplyTo != 0, e.inReplyTo)
	dst = append(dst, ' ')
	dst = appendOr(dst, e.flags&envMessageID != 0, e.messageID)
	return append(dst, ')')
}

func appendMembers(dst, list []byte) []byte {
	start := len(dst)
	dst = append(dst, '(')
	r := readMembers(list)
	for r.next() {
		// RFC 9051 7.5.2: a group begins with (NIL NIL name NIL) and ends with (NIL NIL NIL NIL); everything else has
		// a mailbox and a host, be they empty.
		dst = append(dst, '(')
		dst = appendOr(dst, r.hasName, r.raw)
		dst = append(dst, ' ')
		dst = appendOr(dst, len(r.adl) > 0, r.adl)
		dst = append(dst, ' ')
		dst = appendOr(dst, r.kind != GroupEnd, r.local)
		dst = append(dst, ' ')
		dst = appendOr(dst, r.kind == IsAddress, r.host)
		dst = append(dst, ')')
	}
	if len(dst) == start+1 {
		return append(dst[:start], "NIL"...)
	}
	return append(dst, ')')
}

// AppendBodyStructure appends IMAP's BODYSTRUCTURE, or BODY when it is not extended (RFC 9051 7.5.2).
func (m Meta) AppendBodyStructure(dst []byte, extended bool) []byte {
	d := m.structure()
	return d.appendBody(dst, extended, 0)
}

func (d *decoder) appendBody(dst []byte, extended bool, depth int) []byte {
	p := d.part(0)
	if d.bad || depth > maxDepth {
		d.fail()
		return append(dst, `("text" "plain" NIL NIL NIL "7bit" 0 0)`...)
	}
	dst = append(dst, '(')
	if p.flags&partMultipart != 0 {
		dst = d.appendMultipart(dst, &p, extended, depth)
	} else {
		dst = d.appendSingle(dst, &p, extended, depth)
	}
	return append(dst, ')')
}

func (d *decoder) appendMultipart(dst []byte, p *metaPart, extended bool, depth int) []byte {
	n := d.count()
	for ; n > 0; n-- {
		dst = d.appendBody(dst, extended, depth+1)
		if d.bad {
			break
		}
	}
	dst = append(dst, ' ')
	dst = appendPiece(dst, p.minor)
	if !extended {
		return dst
	}
	dst = append(dst, ' ')
	dst = appendParams(dst, p.params, p.nparams)
	return p.appendExtensions(dst)
}

func (d *decoder) appendSingle(dst []byte, p *metaPart, extended bool, depth int) []byte {
	major, minor := p.major, p.minor
	if p.flags&partOpaque != 0 {
		if major.is("multipart") {
			major, minor = piece{word: "text"}, piece{word: "plain"}
		} else {
			major, minor = piece{word: "application"}, piece{word: "octet-stream"}
		}
	}
	isText := major.is("text")
	dst = appendPiece(dst, major)
	dst = append(dst, ' ')
	dst = appendPiece(dst, minor)
	dst = append(dst, ' ')
	if isText && !p.hasCharset() {
		dst = appendParamsWithCharset(dst, p.params, p.nparams)
	} else {
		dst = appendParams(dst, p.params, p.nparams)
	}
	dst = append(dst, ' ')
	dst = appendPieceOr(dst, p.extensions&extID != 0, p.id)
	dst = append(dst, ' ')
	dst = appendPieceOr(dst, p.extensions&extDescription != 0, p.description)
	dst = append(dst, ' ')
	if p.encoding.len() == 0 {
		dst = append(dst, `"7bit"`...) // RFC 2045 6.1
	} else {
		dst = appendPiece(dst, p.encoding)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, p.end-p.bodyStart, 10)
	if p.flags&partMessage != 0 {
		dst = append(dst, ' ')
		dst = d.appendEnvelope(dst)
		dst = append(dst, ' ')
		dst = d.appendBody(dst, extended, depth+1)
	}
	if isText || p.flags&partMessage != 0 {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.lines, 10)
	}
	if !extended {
		return dst
	}
	dst = append(dst, ' ')
	dst = appendPieceOr(dst, p.extensions&extMD5 != 0, p.md5)
	return p.appendExtensions(dst)
}

// hasCharset reports whether there is a charset parameter in any form.
func (p *metaPart) hasCharset() bool {
	d := p.params
	for range p.nparams {
		if name := d.short(); name.is("charset") || name.is("charset*") {
			return true
		}
		d.short()
	}
	return false
}

// appendExtensions appends what BODYSTRUCTURE has at its end: disposition, language, location.
func (p *metaPart) appendExtensions(dst []byte) []byte {
	dst = append(dst, ' ')
	if p.extensions&extDisposition != 0 {
		dst = append(dst, '(')
		dst = appendPiece(dst, p.disposition)
		dst = append(dst, ' ')
		dst = appendParams(dst, p.dispositionParams, p.ndispositionParams)
		dst = append(dst, ')')
	} else {
		dst = append(dst, "NIL"...)
	}
	dst = append(dst, ' ')
	if p.nlanguages == 0 {
		dst = append(dst, "NIL"...)
	} else {
		dst = append(dst, '(')
		d := p.languages
		for i := range p.nlanguages {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = appendPiece(dst, d.short())
		}
		dst = append(dst, ')')
	}
	dst = append(dst, ' ')
	return appendPieceOr(dst, p.extensions&extLocation != 0, p.location)
}

func appendParams(dst []byte, d decoder, n int) []byte {
	if n == 0 {
		return append(dst, "NIL"...)
	}
	return append(appendPairs(append(dst, '('), d, n), ')')
}

// appendParamsWithCharset adds what text without a charset has (RFC 2046 4.1.2).
func appendParamsWithCharset(dst []byte, d decoder, n int) []byte {
	dst = appendPairs(append(dst, '('), d, n)
	if n > 0 {
		dst = append(dst, ' ')
	}
	return append(dst, `"charset" "us-ascii")`...)
}

func appendPairs(dst []byte, d decoder, n int) []byte {
	for i := range n {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = appendPiece(dst, d.short())
		dst = append(dst, ' ')
		dst = appendPiece(dst, d.short())
	}
	return dst
}
