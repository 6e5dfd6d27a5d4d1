package dkim

import (
	"bytes"
	"hash"
)

// relaxedField appends a header field, with its CRLF, in relaxed form: lower-case name, unfolded, runs of white space as
// one space, none at the ends (RFC 6376 3.4.2).
func relaxedField(dst, field []byte) []byte {
	name, value, _ := bytes.Cut(field, []byte{':'})
	for _, c := range bytes.TrimRight(name, " \t\r\n") {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	dst = append(dst, ':')
	space, any := false, false
	for _, c := range value {
		switch c {
		case ' ', '\t', '\r', '\n':
			space = any
		default:
			if space {
				dst = append(dst, ' ')
				space = false
			}
			dst = append(dst, c)
			any = true
		}
	}
	return append(dst, '\r', '\n')
}

// canonicalField appends a header field in the form that a signature asks for.
func canonicalField(dst, field []byte, relaxed bool) []byte {
	if relaxed {
		return relaxedField(dst, field)
	}
	return append(dst, field...)
}

// bodyHash hashes a body in canonical form as it streams past (RFC 6376 3.4.3, 3.4.4). White space and empty lines that
// may turn out to be at an end are counted, not kept, so that no body makes it grow.
type bodyHash struct {
	h       hash.Hash
	relaxed bool

	out   []byte
	ends  int64 // line ends seen and not yet known to be followed by something
	cr    bool  // the last byte was a CR
	space bool  // relaxed: white space since the last other byte of the line
	any   bool  // something was written
	bare  bool  // a CR or LF stood alone
}

func newBodyHash(h hash.Hash, relaxed bool) *bodyHash {
	return &bodyHash{h: h, relaxed: relaxed, out: make([]byte, 0, 1024)}
}

// Write never fails.
func (b *bodyHash) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if run := b.plain(p); run > 0 {
			b.emit(p[:run])
			p = p[run:]
			continue
		}
		c := p[0]
		p = p[1:]
		if b.cr {
			b.cr = false
			if c == '\n' {
				b.ends++
				b.space = false
				continue
			}
			b.bare = true
			b.emit([]byte{'\r'})
		}
		switch {
		case c == '\r':
			b.cr = true
		case c == '\n':
			b.bare = true
			b.emit([]byte{'\n'})
		case b.relaxed && (c == ' ' || c == '\t'):
			b.space = true
		default:
			b.emit([]byte{c})
		}
	}
	return n, nil
}

// plain is the length of the run of bytes at p's start that stay as they are. One space between two words does.
func (b *bodyHash) plain(p []byte) int {
	if b.cr {
		return 0
	}
	for i, c := range p {
		if c > ' ' || c == ' ' && i > 0 && i+1 < len(p) && p[i+1] > ' ' {
			continue
		}
		if c == '\r' || c == '\n' || b.relaxed && (c == ' ' || c == '\t') {
			return i
		}
	}
	return len(p)
}

// emit hashes bytes of a line, after the line ends and white space that were held back before them.
func (b *bodyHash) emit(p []byte) {
	for ; b.ends > 0; b.ends-- {
		b.put('\r', '\n')
	}
	if b.space {
		b.put(' ')
		b.space = false
	}
	b.any = true
	if len(b.out)+len(p) > cap(b.out) {
		b.flush()
	}
	if len(p) > cap(b.out) {
		b.h.Write(p)
		return
	}
	b.out = append(b.out, p...)
}

func (b *bodyHash) put(p ...byte) {
	if len(b.out)+len(p) > cap(b.out) {
		b.flush()
	}
	b.out = append(b.out, p...)
}

func (b *bodyHash) flush() {
	b.h.Write(b.out)
	b.out = b.out[:0]
}

// Sum ends the body and gives its hash.
func (b *bodyHash) Sum() []byte {
	if b.cr {
		b.cr, b.bare = false, true
		b.emit([]byte{'\r'})
	}
	b.ends, b.space = 0, false
	// A body ends in one line end; an empty one stays empty when relaxed and is one line end when simple.
	if b.any || !b.relaxed {
		b.put('\r', '\n')
	}
	b.flush()
	return b.h.Sum(nil)
}
