package dkim

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
)

// maxHeader bounds the header of a message that is signed or verified, in bytes.
const maxHeader = 1 << 20

var (
	// ErrHeaderTooBig: the header is larger than 1 MiB.
	ErrHeaderTooBig = errors.New("dkim: the message header is too big")
	// ErrBareNewline: the message holds a CR or LF alone; it would not arrive as it was signed.
	ErrBareNewline = errors.New("dkim: the message holds a bare CR or LF")
	// ErrHeaderFields: there is no From field, or more fields of the kinds that are signed than a signature can name.
	ErrHeaderFields = errors.New("dkim: no From field, or too many header fields of the kinds that are signed")
)

// field is one header field as it stands in the message, folds and line ends included.
type field struct {
	name string // lower case
	raw  []byte
}

// header are a message's fields in their order.
type header []field

// headerText is a header as it was read, and where its fields start.
type headerText struct {
	buf    []byte
	starts []int
}

// read reads up to and including the empty line, or to the end of a message without a body.
func (t *headerText) read(r *bufio.Reader) error {
	t.buf, t.starts = t.buf[:0], t.starts[:0]
	for {
		at := len(t.buf)
		for {
			part, err := r.ReadSlice('\n')
			t.buf = append(t.buf, part...)
			if len(t.buf) > maxHeader+len("\r\n") { // the empty line does not count
				return ErrHeaderTooBig
			}
			if err == nil {
				break
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if errors.Is(err, io.EOF) {
				t.starts = appendStart(t.starts, t.buf, at)
				return nil
			}
			return err
		}
		if line := t.buf[at:]; len(line) == 1 || string(line) == "\r\n" {
			t.buf = t.buf[:at]
			return nil
		}
		t.starts = appendStart(t.starts, t.buf, at)
	}
}

// readHeader reads a header that nobody else writes over.
func readHeader(r *bufio.Reader) (header, error) {
	var t headerText
	if err := t.read(r); err != nil {
		return nil, err
	}
	return t.fields(), nil
}

// appendStart notes where a field starts; a line that begins with white space continues the one before.
func appendStart(starts []int, buf []byte, at int) []int {
	if at == len(buf) || (len(starts) > 0 && (buf[at] == ' ' || buf[at] == '\t')) {
		return starts
	}
	return append(starts, at)
}

// fields splits the header; the fields hold as long as the text does.
func (t *headerText) fields() header {
	h := make(header, 0, len(t.starts))
	for i := range t.starts {
		raw := t.field(i)
		h = append(h, field{raw: raw, name: lowerName(fieldName(raw))})
	}
	return h
}

// lowerName is a field's name in lower case. Those that nearly every message has are always there.
func lowerName[text string | []byte](name text) string {
	var room [40]byte
	if len(name) > len(room) {
		return strings.ToLower(string(name))
	}
	lower := room[:len(name)]
	for i := range len(name) {
		c := name[i]
		if c >= 0x80 {
			return strings.ToLower(string(name))
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	for _, usual := range usualNames {
		if string(lower) == usual {
			return usual
		}
	}
	return string(lower)
}

// usualNames are names of fields, the commonest first. Read-only.
var usualNames = [...]string{"received", "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "content-transfer-encoding",
	"dkim-signature", "reply-to", "cc", "in-reply-to", "references", "list-unsubscribe", "list-unsubscribe-post", "list-id", "sender", "return-path",
	"user-agent", "feedback-id", "x-mailer", "authentication-results", "arc-seal", "arc-message-signature", "arc-authentication-results"}

func (t *headerText) field(i int) []byte {
	end := len(t.buf)
	if i+1 < len(t.starts) {
		end = t.starts[i+1]
	}
	return t.buf[t.starts[i]:end:end]
}

// fieldName is what stands before the colon; nil without one.
func fieldName(raw []byte) []byte {
	name, _, ok := bytes.Cut(raw, []byte{':'})
	if !ok {
		return nil
	}
	return bytes.TrimRight(name, " \t")
}

// isSigned reports whether there is any field that verifying looks for.
func (t *headerText) isSigned() bool {
	for i := range t.starts {
		name := fieldName(t.field(i))
		for _, signing := range [...]string{"dkim-signature", "arc-seal", "arc-message-signature", "arc-authentication-results"} {
			if len(name) == len(signing) && strings.EqualFold(string(name), signing) {
				return true
			}
		}
	}
	return false
}

// value is what stands after the colon, folds included.
func (f field) value() string {
	_, v, _ := bytes.Cut(f.raw, []byte{':'})
	return string(v)
}

// bare reports whether a CR or LF stands alone in the header, or its last line has no end.
func (h header) bare() bool {
	for _, f := range h {
		if bytes.Count(f.raw, []byte("\r\n")) != bytes.Count(f.raw, []byte{'\n'}) ||
			bytes.Count(f.raw, []byte{'\r'}) != bytes.Count(f.raw, []byte{'\n'}) || !bytes.HasSuffix(f.raw, []byte("\r\n")) {
			return true
		}
	}
	return false
}

// picker gives the fields of a name from the last to the first, each once (RFC 6376 5.4.2).
type picker struct {
	header header
	taken  uint64           // by place, in a header of few fields
	places map[string][]int // by name, in one of many
}

// fewFields is how many fields are looked through for each name; nearly all headers have no more.
const fewFields = 64

func (h header) picker() picker {
	p := picker{header: h}
	if len(h) <= fewFields {
		return p
	}
	p.places = make(map[string][]int)
	for i, f := range h {
		if f.name != "" {
			p.places[f.name] = append(p.places[f.name], i)
		}
	}
	return p
}

// find gives the place of the next field of a name, -1 when there is none left.
func (p *picker) find(name string) int {
	if list := p.places[name]; len(list) > 0 {
		return list[len(list)-1]
	}
	if p.places != nil || name == "" {
		return -1
	}
	for i := len(p.header) - 1; i >= 0; i-- {
		if p.taken&(1<<i) == 0 && p.header[i].name == name {
			return i
		}
	}
	return -1
}

// pick is find, and the field is taken.
func (p *picker) pick(name string) int {
	i := p.find(name)
	switch {
	case i < 0:
	case p.places == nil:
		p.taken |= 1 << i
	default:
		p.places[name] = p.places[name][:len(p.places[name])-1]
	}
	return i
}

func (p *picker) hasMore(name string) bool { return p.find(name) >= 0 }

var (
	readers = sync.Pool{New: func() any { return &reader{Reader: bufio.NewReaderSize(nil, 32<<10)} }}
	chunks  = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
	headers = sync.Pool{New: func() any { return new(headerText) }}
)

// reader reads a message.
type reader struct {
	*bufio.Reader
	section io.SectionReader
}

// begin starts at the beginning of a message of that size.
func (b *reader) begin(r io.ReaderAt, size int64) {
	b.section = *io.NewSectionReader(r, 0, size)
	b.Reset(&b.section)
}

// release gives the memory back, and holds nothing of the message.
func (b *reader) release() {
	b.section = io.SectionReader{}
	b.Reset(nil)
	readers.Put(b)
}

// release gives the memory back, unless a huge header made it huge.
func (t *headerText) release() {
	if cap(t.buf) <= 64<<10 && cap(t.starts) <= 1<<10 {
		headers.Put(t)
	}
}

// copyBody reads the rest of a message into the hashes.
func copyBody(r io.Reader, hashes []*bodyHash) error {
	buf := chunks.Get().(*[]byte)
	defer chunks.Put(buf)
	for {
		n, err := r.Read(*buf)
		for _, h := range hashes {
			_, _ = h.Write((*buf)[:n])
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
