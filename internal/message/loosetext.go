package message

import (
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// looseReader makes UTF-8 of text that should be it: a byte that is none is taken for Windows-1252, as in headers. Valid text
// is not copied.
type looseReader struct {
	r    io.Reader
	tail [utf8.UTFMax - 1]byte // the begin of a character whose end was not read yet
	n    int                   // bytes in tail
	out  []byte                // converted, not yet given
	err  error
}

func (l *looseReader) Read(p []byte) (int, error) {
	for len(l.out) == 0 {
		if l.err != nil && l.n == 0 {
			return 0, l.err
		}
		buf := p
		if len(p) < 2*utf8.UTFMax {
			buf = make([]byte, 64)
		}
		b := l.more(buf)
		if utf8.Valid(b) && len(p) >= len(b) {
			n := copy(p, b)
			if n > 0 || len(p) == 0 {
				return n, nil
			}
			continue
		}
		l.out = appendLoose(nil, b)
	}
	n := copy(p, l.out)
	l.out = l.out[n:]
	return n, nil
}

// more reads into buf behind what was kept, and keeps a character that is not whole, unless nothing follows.
func (l *looseReader) more(buf []byte) []byte {
	n := copy(buf, l.tail[:l.n])
	l.n = 0
	if l.err == nil {
		var got int
		got, l.err = l.r.Read(buf[n:])
		n += got
	}
	b := buf[:n]
	if l.err != nil {
		return b
	}
	for back := 1; back < utf8.UTFMax && back <= n; back++ {
		if c := b[n-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[n-back:]) {
				l.n = copy(l.tail[:], b[n-back:])
				b = b[:n-back]
			}
			break
		}
	}
	return b
}

// appendLoose appends b as UTF-8.
func appendLoose(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			dst = utf8.AppendRune(dst, charmap.Windows1252.DecodeByte(b[0]))
		} else {
			dst = append(dst, b[:n]...)
		}
		b = b[n:]
	}
	return dst
}
