package message

import (
	"errors"
	"io"
)

// ErrUnknownEncoding says that a part's Content-Transfer-Encoding is none we know (RFC 3516 4.3: UNKNOWN-CTE).
var ErrUnknownEncoding = errors.New("message: unknown content transfer encoding")

// KnownEncoding reports whether DecodePart can decode the part.
func (p *Part) KnownEncoding() bool {
	switch p.Encoding {
	case "", "7bit", "8bit", "binary", "base64", "quoted-printable":
		return true
	}
	return false
}

// DecodePart reads the content of a part with its transfer encoding undone. r is the message that p belongs to. Damaged
// encodings are read as far as they make sense; with an unknown one the first Read gives ErrUnknownEncoding.
func DecodePart(p *Part, r io.ReaderAt) io.Reader {
	body := io.NewSectionReader(r, p.BodyStart, p.End-p.BodyStart)
	switch p.Encoding {
	case "base64":
		return newCodecReader(new(base64Codec), body)
	case "quoted-printable":
		return newCodecReader(new(quotedCodec), body)
	}
	if !p.KnownEncoding() {
		return failingReader{ErrUnknownEncoding}
	}
	return body
}

// DecodedSize is the length of what DecodePart gives (RFC 3516: BINARY.SIZE).
func DecodedSize(p *Part, r io.ReaderAt) (int64, error) {
	if p.KnownEncoding() && p.Encoding != "base64" && p.Encoding != "quoted-printable" {
		return p.End - p.BodyStart, nil
	}
	return io.Copy(io.Discard, DecodePart(p, r))
}

// TextReader reads a text part as UTF-8, for searching and judging; what it gives is valid UTF-8. Text in a transfer encoding
// that we do not know is read as it is, text in an unknown charset as UTF-8, and bytes that are no UTF-8 as Windows-1252.
func TextReader(p *Part, r io.ReaderAt) io.Reader {
	body := io.Reader(io.NewSectionReader(r, p.BodyStart, p.End-p.BodyStart))
	if p.KnownEncoding() {
		body = DecodePart(p, r)
	}
	return charsetReader(body, p.Param("charset"))
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// codec undoes an encoding piece by piece.
type codec interface {
	decode(dst, src []byte) []byte // appends what src gives
	finish(dst []byte) []byte      // appends what is left at the end
}

// codecReader runs a codec over a reader.
type codecReader struct {
	codec codec
	r     io.Reader
	in    []byte
	out   []byte // decoded, from pos on not yet read
	pos   int
	err   error
}

const codecBuffer = 4 << 10

func newCodecReader(c codec, r io.Reader) *codecReader {
	return &codecReader{codec: c, r: r, in: make([]byte, codecBuffer)}
}

func (r *codecReader) Read(p []byte) (int, error) {
	for r.pos == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		n, err := r.r.Read(r.in)
		r.out, r.pos, r.err = r.codec.decode(r.out[:0], r.in[:n]), 0, err
		if err == io.EOF {
			r.out = r.codec.finish(r.out)
		}
	}
	n := copy(p, r.out[r.pos:])
	r.pos += n
	return n, nil
}

// base64Codec is RFC 2045 6.8: characters outside of the alphabet are ignored. Padding ends a group, not the text.
type base64Codec struct {
	bits  uint32
	count int // characters in bits
}

func (c *base64Codec) decode(dst, src []byte) []byte {
	for _, b := range src {
		v := base64Value(b)
		if v >= 0 {
			c.bits = c.bits<<6 | uint32(v)
			if c.count++; c.count == 4 {
				dst = append(dst, byte(c.bits>>16), byte(c.bits>>8), byte(c.bits))
				c.bits, c.count = 0, 0
			}
		} else if b == '=' {
			dst = c.finish(dst)
		}
	}
	return dst
}

// finish gives the bytes of a group that is not full.
func (c *base64Codec) finish(dst []byte) []byte {
	switch c.count {
	case 2:
		dst = append(dst, byte(c.bits>>4))
	case 3:
		dst = append(dst, byte(c.bits>>10), byte(c.bits>>2))
	}
	c.bits, c.count = 0, 0
	return dst
}

func base64Value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}

// quotedCodec is quoted-printable (RFC 2045 6.7). What is no encoding stands for itself.
type quotedCodec struct {
	state quotedState
	first byte   // the first digit behind an "="
	white []byte // white space that is dropped if the line ends behind it
}

type quotedState uint8

const (
	quotedText   quotedState = iota
	quotedEquals             // behind "="
	quotedDigit              // behind "=" and a digit
	quotedBreak              // behind "=" and white space
	quotedCR                 // behind "=" and CR
)

// maxWhite is the longest white space that is held back; transport adds no more.
const maxWhite = 1000

func (c *quotedCodec) decode(dst, src []byte) []byte {
	for _, b := range src {
		switch c.state {
		case quotedText:
			dst = c.text(dst, b)
		case quotedEquals:
			dst = c.equals(dst, b)
		case quotedDigit:
			c.state = quotedText
			if hi, lo := unhex(c.first), unhex(b); lo >= 0 {
				dst = append(dst, byte(hi<<4|lo))
			} else {
				dst = c.text(append(dst, '=', c.first), b)
			}
		case quotedBreak:
			switch {
			case b == '\n':
				c.state, c.white = quotedText, c.white[:0]
			case b == '\r':
				c.state = quotedCR
			case isWhite(b) && len(c.white) < maxWhite:
				c.white = append(c.white, b)
			default:
				c.state = quotedText
				dst = c.text(append(dst, '='), b)
			}
		case quotedCR:
			c.state, c.white = quotedText, c.white[:0]
			if b != '\n' {
				dst = c.text(dst, b)
			}
		}
	}
	return dst
}

func (c *quotedCodec) text(dst []byte, b byte) []byte {
	switch {
	case (b == ' ' || b == '\t') && len(c.white) < maxWhite:
		c.white = append(c.white, b)
		return dst
	case b == '\r' || b == '\n':
		c.white = c.white[:0] // RFC 2045 6.7 (3)
	}
	dst = append(dst, c.white...)
	c.white = c.white[:0]
	if b == '=' {
		c.state = quotedEquals
		return dst
	}
	return append(dst, b)
}

func (c *quotedCodec) equals(dst []byte, b byte) []byte {
	c.state = quotedText
	switch {
	case unhex(b) >= 0:
		c.state, c.first = quotedDigit, b
	case b == '\r':
		c.state = quotedCR
	case b == '\n':
	case b == ' ' || b == '\t':
		c.state = quotedBreak
		c.white = append(c.white, b)
	default:
		dst = c.text(append(dst, '='), b)
	}
	return dst
}

func (c *quotedCodec) finish(dst []byte) []byte {
	if c.state == quotedDigit {
		dst = append(dst, '=', c.first)
	}
	return dst // white space and "=" at the end are as at the end of a line
}
