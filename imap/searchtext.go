package imap

import (
	"bytes"
	"io"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"postern/internal/message"
)

// matcher finds a text in others without regard to case, in the manner of i;unicode-casemap (RFC 5051). It keeps a scratch
// buffer and so is for one goroutine.
type matcher struct {
	needle  []byte // folded
	scratch []byte
}

func newMatcher(text string) *matcher { return &matcher{needle: fold(nil, []byte(text))} }

func (m *matcher) empty() bool { return len(m.needle) == 0 }

// in reports whether text, in UTF-8, contains what is searched for.
func (m *matcher) in(text []byte) bool {
	m.scratch = fold(m.scratch[:0], text)
	return bytes.Contains(m.scratch, m.needle)
}

// fold appends text as it is compared: decomposed, and in lower case by way of upper case.
func fold(dst, text []byte) []byte {
	at := len(dst)
	dst = append(dst, text...)
	folded := dst[at:]
	for i, c := range folded {
		if c >= utf8.RuneSelf {
			return foldUnicode(dst[:at], text)
		}
		if c >= 'A' && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	return dst
}

func foldUnicode(dst, text []byte) []byte {
	for _, r := range string(norm.NFKD.Bytes(text)) {
		dst = utf8.AppendRune(dst, unicode.ToLower(unicode.ToUpper(r)))
	}
	return dst
}

// inStream is in for a text of any length, of which it holds a buffer only.
func (m *matcher) inStream(r io.Reader) (bool, error) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	raw := (*buf)[:cap(*buf)]
	have := 0       // bytes of raw not yet folded
	var seen []byte // the end of what was folded, as long as a match can begin in it
	for {
		n, err := r.Read(raw[have:])
		have += n
		cut := have
		if err == nil {
			// A character whose marks may still come is folded with them.
			if b := norm.NFKD.LastBoundary(raw[:have]); b > 0 {
				cut = b
			} else if have < len(raw) {
				continue
			}
		}
		seen = fold(seen, raw[:cut])
		if bytes.Contains(seen, m.needle) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if keep := len(m.needle) - 1; len(seen) > keep {
			seen = append(seen[:0], seen[len(seen)-max(keep, 0):]...)
		}
		have = copy(raw, raw[cut:have])
	}
}

// loadHeader reads the message's own header, trace fields included.
func (c *candidate) loadHeader() bool {
	if c.header != nil || c.err != nil {
		return c.err == nil
	}
	_, end, err := c.meta.Section(nil, message.SectionHeader)
	if err == nil {
		size := min(end+c.content.PrefixLen(), c.content.Size(), headerBytes)
		c.header = make([]byte, size)
		if _, err = c.content.ReadAt(c.header, 0); err == io.EOF {
			err = nil
		}
	}
	c.err = err
	return err == nil
}

// fieldContains tests the fields of one name; with nothing to search for, that there is one. RFC 9051 6.4.4 (HEADER)
func (c *candidate) fieldContains(name string, m *matcher) bool {
	if !c.loadHeader() {
		return false
	}
	var value []byte
	for f := message.ScanHeader(c.header); f.Next(); {
		if !f.Is(name) {
			continue
		}
		if value = f.AppendValue(value[:0]); m.empty() || m.inField(value) {
			return true
		}
	}
	return false
}

// inField is in for the value of a field, which may hold encoded-words.
func (m *matcher) inField(value []byte) bool {
	if m.in(value) {
		return true
	}
	return bytes.Contains(value, []byte("=?")) && m.in([]byte(message.DecodeHeader(string(value))))
}

// inHeader tests all lines of a header.
func (m *matcher) inHeader(header []byte) bool {
	var line []byte
	for f := message.ScanHeader(header); f.Next(); {
		line = append(append(line[:0], f.Name()...), ": "...)
		if line = f.AppendValue(line); m.inField(line) {
			return true
		}
	}
	return false
}

// bodyContains is BODY, and TEXT with the header: the text parts decoded, and the headers of messages inside.
// RFC 9051 6.4.4
func (c *candidate) bodyContains(m *matcher, withHeader bool) bool {
	if withHeader && (!c.loadHeader() || m.inHeader(c.header)) {
		return c.err == nil
	}
	if c.err != nil {
		return false
	}
	_, root, err := c.meta.Decode()
	if err != nil {
		c.err = err
		return false
	}
	prefix := c.content.PrefixLen()
	body := io.NewSectionReader(c.content, prefix, c.content.Size()-prefix)
	for part := range root.All() {
		var found bool
		switch {
		case part.Embedded != nil:
			found, err = m.inRange(body, part.Embedded.HeaderStart, part.Embedded.BodyStart)
		case part.IsText() && len(part.Children) == 0:
			found, err = m.inStream(message.TextReader(part, body))
		}
		if err != nil {
			c.err = err
			return false
		}
		if found {
			return true
		}
	}
	return false
}

// inRange tests a header that lies within a message.
func (m *matcher) inRange(r io.ReaderAt, start, end int64) (bool, error) {
	header := make([]byte, min(end-start, headerBytes))
	if n, err := r.ReadAt(header, start); err != nil && n < len(header) {
		return false, err
	}
	return m.inHeader(header), nil
}
