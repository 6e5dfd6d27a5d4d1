package message

import "strings"

// fieldCode is a field that the structure or the envelope is made of.
type fieldCode uint8

const (
	fieldOther fieldCode = iota
	fieldReceived
	fieldDate
	fieldSubject
	fieldFrom
	fieldSender
	fieldReplyTo
	fieldTo
	fieldCc
	fieldBcc
	fieldInReplyTo
	fieldMessageID
	fieldReferences
	fieldContentType
	fieldContentEncoding
	fieldContentID
	fieldContentDescription
	fieldContentDisposition
	fieldContentMD5
	fieldContentLanguage
	fieldContentLocation
)

func codeOf(name string) fieldCode {
	var b [25]byte // the longest name below
	if len(name) > len(b) {
		return fieldOther
	}
	for i := range len(name) {
		b[i] = lowerByte(name[i])
	}
	switch string(b[:len(name)]) {
	case "received":
		return fieldReceived
	case "date":
		return fieldDate
	case "subject":
		return fieldSubject
	case "from":
		return fieldFrom
	case "sender":
		return fieldSender
	case "reply-to":
		return fieldReplyTo
	case "to":
		return fieldTo
	case "cc":
		return fieldCc
	case "bcc":
		return fieldBcc
	case "in-reply-to":
		return fieldInReplyTo
	case "message-id":
		return fieldMessageID
	case "references":
		return fieldReferences
	case "content-type":
		return fieldContentType
	case "content-transfer-encoding":
		return fieldContentEncoding
	case "content-id":
		return fieldContentID
	case "content-description":
		return fieldContentDescription
	case "content-disposition":
		return fieldContentDisposition
	case "content-md5":
		return fieldContentMD5
	case "content-language":
		return fieldContentLanguage
	case "content-location":
		return fieldContentLocation
	}
	return fieldOther
}

// readFields fills the part, and the envelope when the part is the root of a message. Of a field that may stand only
// once, the first counts; address lists are joined.
func (p *parser) readFields(h Header, part *Part, env *Envelope) {
	for i := range h.Fields {
		f := &h.Fields[i]
		code := codeOf(f.Name)
		switch {
		case code == fieldOther:
		case code == fieldReceived:
			if len(p.frames) == 1 {
				p.m.ReceivedCount++
			}
		case code >= fieldContentType:
			p.readMIMEField(part, code, f.Value())
		case env != nil:
			p.readEnvelopeField(env, code, f.Value())
		}
	}
}

func (p *parser) readMIMEField(part *Part, code fieldCode, value string) {
	value = p.keep(value, maxText)
	switch code {
	case fieldContentType:
		if part.Type == "" {
			p.readContentType(part, value)
		}
	case fieldContentEncoding:
		if part.Encoding == "" {
			f := mimeField{value}
			part.Encoding = lower(f.token())
		}
	case fieldContentDisposition:
		if part.Disposition == "" {
			f := mimeField{value}
			part.Disposition = lower(f.token())
			part.DispositionParams = p.params(&f)
		}
	case fieldContentLanguage:
		if part.Language == nil {
			part.Language = p.languages(value)
		}
	case fieldContentID:
		setOnce(&part.ID, value)
	case fieldContentDescription:
		setOnce(&part.Description, value)
	case fieldContentMD5:
		setOnce(&part.MD5, value)
	case fieldContentLocation:
		setOnce(&part.Location, value)
	}
}

func setOnce(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// keep remembers a text, within the limits.
func (p *parser) keep(s string, most int) string {
	if len(s) > most {
		s = s[:most]
		p.m.Truncated = true
	}
	if p.texts+len(s) > maxTexts {
		p.m.Truncated = true
		return ""
	}
	p.texts += len(s)
	return s
}

func (p *parser) readContentType(part *Part, value string) {
	f := mimeField{value}
	major := f.token()
	if major == "" || !f.accept('/') {
		return
	}
	minor := f.token()
	if minor == "" {
		return
	}
	part.Type, part.Subtype = lower(major), lower(minor)
	part.Params = p.params(&f)
}

func (p *parser) params(f *mimeField) []Param {
	params, more := f.params(p.lim.Params)
	p.m.Truncated = p.m.Truncated || more
	return params
}

// languages reads Content-Language (RFC 3282).
func (p *parser) languages(value string) []string {
	var tags []string
	f := mimeField{value}
	for f.space(); f.rest != ""; f.space() {
		if tag := f.token(); tag != "" {
			if len(tags) == p.lim.Params {
				p.m.Truncated = true
				return tags
			}
			tags = append(tags, tag)
			continue
		}
		f.rest = f.rest[1:] // a comma, or junk
	}
	return tags
}

func (p *parser) readEnvelopeField(env *Envelope, code fieldCode, value string) {
	if list := env.list(code); list != nil {
		value = p.keep(value, maxAddressText)
		more, cut := appendAddresses(*list, value, p.lim.Addresses)
		*list = more
		p.m.Truncated = p.m.Truncated || cut
		return
	}
	set := func(s *string, has *bool) {
		if !*has {
			*s, *has = p.keep(value, maxText), true
		}
	}
	switch code {
	case fieldDate:
		if !env.HasDate {
			set(&env.Date, &env.HasDate)
			if sent, err := ParseDate(env.Date); err == nil {
				env.Sent = sent
			}
		}
	case fieldSubject:
		set(&env.Subject, &env.HasSubject)
	case fieldInReplyTo:
		set(&env.InReplyTo, &env.HasInReplyTo)
	case fieldMessageID:
		set(&env.MessageID, &env.HasMessageID)
	case fieldReferences:
		if env.References == "" {
			env.References = p.keep(lastPart(value, maxText), maxText)
		}
	}
}

// lastPart is the end of s from a space on: of a long list of references the last ones matter.
func lastPart(s string, most int) string {
	if len(s) <= most {
		return s
	}
	s = s[len(s)-most:]
	return s[strings.IndexByte(s, ' ')+1:]
}
