package sieve

import (
	"bytes"
	"io"
	"strings"

	"postern/internal/message"
	"postern/internal/message/htmltext"
)

// bodyWords are of body (RFC 5173).
var bodyWords = []word{
	{name: "body", from: "body", tags: with(matchTags, []tag{{name: "raw", group: "transform"}, {name: "text", group: "transform"},
		{name: "content", takes: aList, group: "transform"}}), args: []parameter{{aList, "key list"}}, test: compileBody},
}

const (
	// maxBody is how much of a body one test looks at, in bytes as they were transferred.
	maxBody = 2 << 20
	// maxTexts is how much of what was read of bodies is kept for the next test.
	maxTexts = 6 << 20
)

// bodyTexts are texts that were read of the message already.
type bodyTexts struct {
	known map[bodyText]string
	size  int
	page  htmltext.Document
	room  []byte // for reading
}

// bodyText names one of them.
type bodyText struct {
	part *message.Part
	form bodyForm
}

type bodyForm uint8

const (
	asRaw      bodyForm = iota // the content as it came
	asContent                  // decoded, and text in UTF-8
	asText                     // what a reader sees
	asHeader                   // the header of the message inside
	asPrologue                 // what stands before the parts
	asEpilogue                 // what stands behind them
)

func compileBody(c *compiler, u *use) func(*machine) (bool, error) {
	match := c.matcher(u, &u.args[0])
	match.leaves = false // RFC 5173 6
	content := u.tags["content"]
	return func(m *machine) (bool, error) {
		test, err := match.begin(m, u.args[0].texts)
		if err != nil {
			return false, err
		}
		r := bodyReader{m: m, left: maxBody, see: test.see}
		switch {
		case !m.hasBody():
		case u.has("raw"):
			_, err = r.text(m.mail.Parsed.Root, asRaw)
		case content != nil:
			err = r.content(each(m, content.texts))
		default:
			err = r.seen()
		}
		if r.matched || err != nil {
			return r.matched, err
		}
		return test.end()
	}
}

// hasBody: an empty line ends the header; without one there is no body, not an empty one (RFC 5173 4).
func (m *machine) hasBody() bool {
	end := m.mail.Parsed.Root.BodyStart
	last, err := readRange(m.mail.Content, max(0, end-3), end)
	if err != nil {
		return false
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(last, []byte("\n")), []byte("\r"))
	return len(line) < len(last) && (len(line) == 0 || line[len(line)-1] == '\n')
}

// bodyReader shows texts of the body to a test until that has a result.
type bodyReader struct {
	m       *machine
	left    int64 // bytes that may be looked at
	see     func(string) (bool, error)
	matched bool
}

// seen shows what a reader sees, part by part (RFC 5173 5.3).
func (r *bodyReader) seen() error {
	for p := range r.m.mail.Parsed.Root.All() {
		if !p.IsText() {
			continue
		}
		if more, err := r.text(p, asText); !more {
			return err
		}
	}
	return nil
}

// content shows the parts whose type is among those asked for (RFC 5173 5.2). Of a multipart that is what stands around its parts,
// of a message its header.
func (r *bodyReader) content(types []string) error {
	for p := range r.m.mail.Parsed.Root.All() {
		if err := r.m.spend(1 + len(types)); err != nil {
			return err
		}
		if !isWanted(p, types) {
			continue
		}
		for _, form := range contentForms(p) {
			if more, err := r.text(p, form); !more {
				return err
			}
		}
	}
	return nil
}

var contentForm, headerForm, multipartForms = []bodyForm{asContent}, []bodyForm{asHeader}, []bodyForm{asPrologue, asEpilogue}

func contentForms(p *message.Part) []bodyForm {
	switch {
	case p.IsMultipart():
		return multipartForms
	case p.Type == "message" && (p.Embedded != nil || p.Subtype == "rfc822" || p.Subtype == "global"):
		return headerForm
	}
	return contentForm
}

// isWanted: "" is any type, one without a slash has any subtype, and one with a slash at its ends, or more than one, is none.
func isWanted(p *message.Part, types []string) bool {
	for _, t := range types {
		kind, subtype, isFull := strings.Cut(t, "/")
		switch {
		case t == "":
			return true
		case !isSameASCII(kind, p.Type):
		case !isFull, isSameASCII(subtype, p.Subtype):
			return true
		}
	}
	return false
}

// text shows one text. more is false when that was the last.
func (r *bodyReader) text(p *message.Part, form bodyForm) (more bool, err error) {
	from, to := extent(p, form)
	to = min(to, from+r.left)
	if r.left -= to - from; from > to || to == from && (form == asPrologue || form == asEpilogue) {
		return true, nil
	}
	text, err := r.m.bodyText(p, form, from, to)
	if err != nil {
		return false, err
	}
	if text == "" && (form == asPrologue || form == asEpilogue) {
		return true, nil
	}
	r.matched, err = r.see(text)
	return !r.matched && err == nil && r.left > 0, err
}

// extent is where the bytes of a text lie.
func extent(p *message.Part, form bodyForm) (from, to int64) {
	switch {
	case form == asHeader && p.Embedded != nil:
		return p.Embedded.HeaderStart, p.Embedded.BodyStart
	case form == asPrologue:
		return p.BodyStart, p.Children[0].HeaderStart
	case form == asEpilogue:
		return p.Children[len(p.Children)-1].End, p.End
	}
	return p.BodyStart, p.End
}

// What reading a byte of a body costs, in bytes that are looked at.
const (
	bodyCost = 8
	htmlCost = 16
)

// bodyText reads a text, or takes it from those that are known.
func (m *machine) bodyText(p *message.Part, form bodyForm, from, to int64) (string, error) {
	t := &m.mail.texts
	if text, ok := t.known[bodyText{p, form}]; ok {
		return text, nil
	}
	factor := bodyCost
	if form == asText && p.Subtype == "html" {
		factor = htmlCost
	}
	if err := m.spend(bytesCost(factor * int(to-from))); err != nil {
		return "", err
	}
	text, err := m.readBody(p, form, from, to)
	if err != nil {
		return "", m.failed(err, "the message cannot be read")
	}
	if t.size+len(text) > maxTexts {
		return text, nil
	}
	if t.known == nil {
		t.known = map[bodyText]string{}
	}
	t.known[bodyText{p, form}] = text
	t.size += len(text)
	return text, m.take(len(text))
}

func (m *machine) readBody(p *message.Part, form bodyForm, from, to int64) (string, error) {
	part := *p
	part.BodyStart, part.End = from, to
	content := io.Reader(io.NewSectionReader(m.mail.Content, from, to-from))
	switch {
	case form == asText && p.Subtype == "html":
		err := m.mail.texts.page.Scan(message.TextReader(&part, m.mail.Content), htmltext.Limits{})
		return string(m.mail.texts.page.Visible), err
	case (form == asText || form == asContent) && p.IsText():
		content = message.TextReader(&part, m.mail.Content)
	case form == asContent && p.KnownEncoding(), form == asHeader && p.Embedded == nil && p.KnownEncoding():
		content = message.DecodePart(&part, m.mail.Content)
	}
	var out strings.Builder
	out.Grow(int(to - from))
	if m.mail.texts.room == nil {
		m.mail.texts.room = make([]byte, 8<<10)
	}
	if _, err := io.CopyBuffer(&out, io.LimitReader(content, maxBody), m.mail.texts.room); err != nil {
		return "", err
	}
	switch text := out.String(); form {
	case asHeader:
		return headerText(text), nil
	case asPrologue:
		return prologue(text), nil
	case asEpilogue:
		return epilogue(text), nil
	default:
		return text, nil
	}
}

// headerText cuts a message behind its header, without the empty line.
func headerText(s string) string {
	for at := 0; at < len(s); {
		line := s[at:]
		if strings.HasPrefix(line, "\r\n") || line[0] == '\n' {
			return s[:at]
		}
		n := strings.IndexByte(line, '\n')
		if n < 0 {
			break
		}
		at += n + 1
	}
	return s
}

// prologue cuts off the delimiter with the line end before it, which belongs to it (RFC 2046 5.1.1).
func prologue(s string) string {
	s = strings.TrimSuffix(s, "\n")
	return strings.TrimSuffix(s[:max(strings.LastIndexByte(s, '\n'), 0)], "\r")
}

// epilogue cuts off the delimiter that it follows; where there is none, nothing follows.
func epilogue(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "\r"), "\n")
	delimiter, rest, ok := strings.Cut(s, "\n")
	if !ok || !strings.HasPrefix(delimiter, "--") {
		return ""
	}
	return rest
}
