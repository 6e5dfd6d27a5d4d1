package message

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// utf7 is UTF-7 (RFC 2152), which old mail and spam use. Only reading is known.
type utf7 struct{}

func (utf7) NewDecoder() *encoding.Decoder { return &encoding.Decoder{Transformer: new(utf7Decoder)} }

func (utf7) NewEncoder() *encoding.Encoder { return encoding.Nop.NewEncoder() }

// utf7Decoder undoes UTF-7. What is no valid encoding stands for itself, as far as it can be told.
type utf7Decoder struct {
	shifted bool // behind "+"
	fresh   bool // right behind "+"
	bits    uint32
	count   int  // of bits
	high    rune // the first half of a surrogate pair, 0 for none
}

func (d *utf7Decoder) Reset() { *d = utf7Decoder{} }

// Transform is [transform.Transformer]. A byte of src gives at most two characters.
func (d *utf7Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if len(dst)-nDst < 2*utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		out := d.next(dst[nDst:nDst], src[nSrc])
		nDst += len(out)
		nSrc++
	}
	if atEOF && d.high != 0 {
		if len(dst)-nDst < utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], utf8.RuneError)
		d.high = 0
	}
	return nDst, nSrc, nil
}

func (d *utf7Decoder) next(dst []byte, c byte) []byte {
	switch v := base64Value(c); {
	case !d.shifted && c == '+':
		*d = utf7Decoder{shifted: true, fresh: true}
		return dst
	case !d.shifted:
		return appendLatin1(dst, c)
	case v >= 0:
		d.fresh = false
		d.bits = d.bits<<6 | uint32(v)
		if d.count += 6; d.count < 16 {
			return dst
		}
		d.count -= 16
		return d.unit(dst, rune(d.bits>>d.count&0xffff))
	}
	if d.high != 0 {
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	fresh := d.fresh
	*d = utf7Decoder{}
	switch {
	case c == '-' && fresh:
		return append(dst, '+')
	case c == '-':
		return dst
	}
	return appendLatin1(dst, c)
}

// unit takes one unit of UTF-16.
func (d *utf7Decoder) unit(dst []byte, r rune) []byte {
	high := d.high
	d.high = 0
	if high != 0 {
		if pair := utf16.DecodeRune(high, r); pair != utf8.RuneError {
			return utf8.AppendRune(dst, pair)
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	if utf16.IsSurrogate(r) && r < 0xdc00 {
		d.high = r
		return dst
	}
	return utf8.AppendRune(dst, r)
}

// appendLatin1 appends what is not encoded; RFC 2152 has no bytes above 127 in it.
func appendLatin1(dst []byte, c byte) []byte { return utf8.AppendRune(dst, rune(c)) }
