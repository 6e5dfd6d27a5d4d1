package sieve

import (
	"bytes"
	"io"

	"postern/internal/message"
)

// mail is the message as a script sees it, changes to its header included.
type mail struct {
	Message
	Envelope
	top header
	// whole is the top header alone, which is where most tests look.
	whole [1]*header
	// changed: a script edited the header; grown is by how many bytes.
	changed bool
	grown   int64
	written []byte // the changed header, until it changes again
	added   int    // bytes of all fields that were added
	shared  bool   // somebody remembers the fields
	isFixed bool   // there are more fields than can be changed
	inside  map[*message.Part]*header
	texts   bodyTexts
	came    *message.Message // with the header that it came with, nil until that is asked for
}

// newMail reads no byte of a message whose header was parsed already.
func newMail(m Message, e Envelope) (*mail, error) {
	fields := m.Parsed.Header.Fields
	switch {
	case m.Header != nil:
		fields = message.ParseHeader(m.Header).Fields
	case len(fields) == 0:
		header, err := readHeader(m)
		if err != nil {
			return nil, err
		}
		fields = header.Fields
	}
	l := &mail{Message: m, Envelope: e, top: newHeader(fields)}
	l.isFixed = m.Parsed.HeaderTooBig || len(fields) >= message.DefaultLimits.Fields
	l.whole[0] = &l.top
	return l, nil
}

// readRange reads the bytes of the message from one place to another.
func readRange(r io.ReaderAt, from, to int64) ([]byte, error) {
	b := make([]byte, max(to-from, 0))
	if n, err := r.ReadAt(b, from); err != nil && (err != io.EOF || n < len(b)) {
		return nil, err
	}
	return b, nil
}

// readHeader reads the header of a message again.
func readHeader(m Message) (message.Header, error) {
	header, err := readRange(m.Content, 0, m.Parsed.Root.BodyStart)
	return message.ParseHeader(header), err
}

// header is the changed header with its empty line, nil where it did not change.
func (m *mail) header() []byte {
	if m.changed && m.written == nil {
		var out bytes.Buffer
		for _, f := range m.top.fields {
			out.Write(f.Raw)
			if !bytes.HasSuffix(f.Raw, []byte("\n")) {
				out.WriteString("\r\n")
			}
		}
		out.WriteString("\r\n")
		m.written = out.Bytes()
	}
	if !m.changed {
		return nil
	}
	return m.written
}

// named gives the fields of a name in their order.
func (m *mail) named(name string) []*field {
	list, _ := m.top.named(nil, name)
	return list
}
