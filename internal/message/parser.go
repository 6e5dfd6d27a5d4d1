package message

import (
	"hash/maphash"
	"io"
	"strings"
	"sync"
)

// maxDepth bounds every recursion over a structure, also over one read from a damaged Meta.
const maxDepth = 250

// keepHeader is the largest header buffer that is kept for the next message.
const keepHeader = 64 << 10

// parsers keeps the buffers of parsers between messages.
var parsers = sync.Pool{New: func() any {
	return &parser{bounds: boundaries{seed: maphash.MakeSeed()}}
}}

// parser builds a Message in one pass. The parts that are open at any time are its frames, the message first; a line can
// only go on in the last one, or be the delimiter of a multipart among them, which closes those behind it.
type parser struct {
	lines
	m      *Message
	lim    Limits
	bounds boundaries
	frames []frame

	header      []byte // of the part whose header is being read
	inHeader    bool
	headerCount int64 // lines.count where the header began

	parts  int
	texts  int  // bytes of text remembered
	sealed bool // the last allowed part is open: it goes on to the end
}

type frame struct {
	part  *Part
	env   *Envelope // to fill from the header; nil for a part that is no message
	count int64     // lines.count where the content began
}

func (p *parser) reset(r io.ReaderAt, size int64, lim Limits) {
	p.lines.reset(r, size)
	p.m = &Message{Size: size, Envelope: new(Envelope)}
	p.lim = lim
	p.bounds.reset()
	p.frames = p.frames[:0]
	p.header = p.header[:0]
	p.parts, p.texts, p.sealed = 0, 0, false
}

// release forgets the message and gives the parser back.
func (p *parser) release() {
	p.r, p.window, p.m = nil, nil, nil
	clear(p.frames[:cap(p.frames)])
	clear(p.bounds.open[:cap(p.bounds.open)])
	if cap(p.header) > keepHeader {
		p.header = nil
	}
	parsers.Put(p)
}

func (p *parser) run() error {
	p.m.Root = p.open(0, p.m.Envelope)
	for {
		line, ok, err := p.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		p.m.steps += int64(len(line))
		if p.whole && len(p.bounds.open) > 0 && len(line) > 2 && line[0] == '-' && line[1] == '-' && !p.sealed {
			frame, closing, steps := p.bounds.match(line)
			p.m.steps += int64(steps)
			if frame >= 0 {
				p.delimiter(frame, closing, p.offset+int64(len(line)))
				continue
			}
		}
		if p.inHeader {
			p.headerLine(line)
		}
	}
	p.endHeaders(p.size, p.count)
	p.closeFrom(0, p.size, p.count)
	p.m.Has8Bit, p.m.HasNUL, p.m.HasBareCR, p.m.HasBareLF = p.eightBit, p.nul, p.bareCR(), p.bareLF
	return nil
}

// open starts a part whose header is at the given offset.
func (p *parser) open(at int64, env *Envelope) *Part {
	part := &Part{HeaderStart: at}
	p.frames = append(p.frames, frame{part: part, env: env})
	p.parts++
	if p.parts >= p.lim.Parts {
		p.sealed = true
		p.m.Truncated = true
	}
	p.header = p.header[:0]
	p.inHeader = true
	p.headerCount = p.count
	return part
}

func (p *parser) headerLine(line []byte) {
	if p.whole && isEmptyLine(line) {
		p.endHeader(p.offset+int64(len(line)), p.count)
		return
	}
	if room := p.lim.HeaderBytes - len(p.header); len(line) > room {
		p.headerTooBig()
		line = line[:room]
	}
	p.header = append(p.header, line...)
}

func (p *parser) headerTooBig() {
	p.m.Truncated = true
	if len(p.frames) == 1 {
		p.m.HeaderTooBig = true
	}
}

// delimiter handles a delimiter line of the multipart in frames[k]; next is the offset behind the line.
func (p *parser) delimiter(k int, closing bool, next int64) {
	// RFC 2046 5.1.1: the line end before the delimiter belongs to it. One that ends a header belongs to the header.
	count := p.count
	if p.eol > 0 {
		count-- // the delimiter's own
	}
	at := p.offset
	if p.inHeader {
		p.endHeaders(at, count)
	} else if last := p.frames[len(p.frames)-1].part; at > last.BodyStart {
		at -= int64(p.before)
		count--
	}
	p.closeFrom(k+1, at, count)
	if closing {
		p.bounds.cut(k) // what follows is epilogue
		return
	}
	multipart := p.frames[k].part
	child := p.open(next, nil)
	if multipart.Children == nil {
		multipart.Children = make([]*Part, 0, 4)
	}
	multipart.Children = append(multipart.Children, child)
}

// closeFrom ends the content of frames[k] and of all behind it.
func (p *parser) closeFrom(k int, end, count int64) {
	for i := len(p.frames) - 1; i >= k; i-- {
		f := &p.frames[i]
		f.part.End = end
		f.part.Lines = count - f.count
		if f.part.Type == "multipart" && len(f.part.Children) == 0 {
			f.part.Opaque = true // no delimiter came: as good as no boundary
		}
		p.m.steps++
	}
	p.bounds.cut(k)
	p.frames = p.frames[:k]
}

// endHeaders ends a header that has no empty line, and the empty one of a message inside, if it announced one.
func (p *parser) endHeaders(at, count int64) {
	for p.inHeader {
		p.endHeader(at, count)
	}
}

// endHeader ends the header of the last frame; its content begins at the given offset, after count line ends.
func (p *parser) endHeader(at, count int64) {
	p.inHeader = false
	f := &p.frames[len(p.frames)-1]
	part := f.part
	part.BodyStart = at
	part.HeaderLines = count - p.headerCount
	f.count = count
	p.m.steps += int64(len(p.header))
	if len(p.frames) == 1 {
		p.readRootHeader(part, f.env)
	} else {
		h, more := parseHeader(p.header, p.lim.Fields)
		p.m.Truncated = p.m.Truncated || more
		p.readFields(h, part, f.env)
	}
	if part.Type == "" {
		part.Type, part.Subtype = p.defaultType()
	}
	switch {
	case part.Type == "multipart":
		p.enterMultipart(part)
	case part.isMessage():
		p.enterMessage(part, at, count)
	}
}

// readRootHeader reads the header of the message itself, of which everything is kept.
func (p *parser) readRootHeader(part *Part, env *Envelope) {
	block := make([]byte, len(p.header))
	copy(block, p.header)
	h, more := parseHeader(block, p.lim.Fields)
	if more {
		p.headerTooBig()
	}
	p.m.Header = h
	p.m.HasControl = hasControl(block)
	p.readFields(h, part, env)
}

func hasControl(b []byte) bool {
	for i, c := range b {
		if c < ' ' && c != '\t' && c != '\n' || c == 0x7f {
			if c == '\r' && i+1 < len(b) && b[i+1] == '\n' {
				continue
			}
			return true
		}
	}
	return false
}

// defaultType is that of the last frame when its header has no Content-Type that can be read.
func (p *parser) defaultType() (string, string) {
	if n := len(p.frames); n > 1 && p.frames[n-1].env == nil {
		if parent := p.frames[n-2].part; parent.Type == "multipart" && parent.Subtype == "digest" {
			return "message", "rfc822" // RFC 2046 5.1.5
		}
	}
	return "text", "plain" // RFC 2045 5.2
}

func (p *Part) isMessage() bool {
	return p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global")
}

// isEncoded reports whether the content must be decoded before it can be looked into.
func (p *Part) isEncoded() bool { return p.Encoding == "base64" || p.Encoding == "quoted-printable" }

// full reports whether the last frame may not have anything inside.
func (p *parser) full() bool { return p.sealed || len(p.frames) >= p.lim.Depth }

func (p *parser) enterMultipart(part *Part) {
	// An encoding of a multipart is forbidden (RFC 2045 6.4) and in practice not meant.
	text := strings.TrimRight(paramValue(part.Params, "boundary"), " \t")
	switch {
	case text == "" || len(text) > maxBoundary:
		part.Opaque = true
	case p.full():
		part.Opaque = true
		p.m.Truncated = true
	default:
		p.bounds.push(text, len(p.frames)-1)
	}
}

func (p *parser) enterMessage(part *Part, at, count int64) {
	switch {
	case part.isEncoded():
		part.Opaque = true
	case p.full():
		part.Opaque = true
		p.m.Truncated = true
	default:
		part.Envelope = new(Envelope)
		part.Embedded = p.open(at, part.Envelope)
		p.headerCount = count
	}
}
