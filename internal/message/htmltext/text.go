package htmltext

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// textBuffer collects one kind of text within its limit. White space is put off until something follows it.
type textBuffer struct {
	b    []byte
	gap  byte // what is due before the next text: 0, ' ' or '\n'
	most int
	cut  bool
}

func (t *textBuffer) reset(b []byte, most int) { *t = textBuffer{b: b[:0], most: most} }

// space asks for white space before the next text; a line end is more than a space.
func (t *textBuffer) space(c byte) {
	if t.gap != '\n' {
		t.gap = c
	}
}

func (t *textBuffer) write(b []byte) {
	if t.cut {
		return
	}
	if t.gap != 0 {
		if len(t.b) > 0 && len(t.b) < t.most {
			t.b = append(t.b, t.gap)
		}
		t.gap = 0
	}
	if room := t.most - len(t.b); len(b) > room {
		b, t.cut = b[:room], true
	}
	t.b = append(t.b, b...)
}

// Classes of bytes in text.
const (
	plain   = iota
	white   // collapses
	control // is dropped
	markup  // "<"
	amp     // "&"
	lead    // may begin a character without width or another white space
)

var classes = func() (c [256]uint8) {
	for i := range 0x20 {
		c[i] = control
	}
	c[0x7f] = control
	for _, b := range " \t\r\n\f" {
		c[b] = white
	}
	c['<'], c['&'] = markup, amp
	// The first bytes of the characters that widthless and blank know.
	for _, b := range []byte{0xc2, 0xcd, 0xe1, 0xe2, 0xe3, 0xef, 0xf3} {
		c[b] = lead
	}
	return c
}()

// words reads text up to the next "<" or the end of the window.
func (s *scanner) words() {
	chunk := s.in.buf[s.in.pos:s.in.end]
	i := 0
	for i < len(chunk) && chunk[i] != '<' {
		n := 0
		switch classes[chunk[i]] {
		case plain:
			n = run(chunk[i:])
		case lead:
			n = beyond(chunk[i:])
		case white:
			s.out.space(' ')
			for i++; i < len(chunk) && classes[chunk[i]] == white; i++ {
			}
			continue
		case control:
			s.d.ControlBytes++
			i++
			continue
		}
		if n > 0 {
			s.writeRun(chunk[i : i+n])
			i += n
			continue
		}
		s.in.pos += i
		if chunk[i] == '&' {
			s.entity()
		} else {
			s.in.pos += s.wide(s.in.look(utf8.UTFMax))
		}
		chunk, i = s.in.buf[s.in.pos:s.in.end], 0
	}
	s.in.pos += i
}

// run is the length of the words at the beginning of b that have single spaces between them, so that they can be written
// as they are. The first byte is plain.
func run(b []byte) int {
	i, space := 0, uint64(0) // the mark of a space in front of b[i]
	for {
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			spaces := allZeros(x ^ lows*' ')
			if stops := mayStop(x) | spaces&(spaces<<8|space); stops != 0 {
				i += bits.TrailingZeros64(stops) / 8
				break
			}
			i, space = i+8, spaces>>56
		}
		if len(b)-i >= 8 && b[i] < utf8.RuneSelf {
			break // most runs
		}
		n := beyond(b[i:])
		if n == 0 {
			break
		}
		i, space = i+n, 0
	}
	if b[i-1] == ' ' {
		i--
	}
	return i
}

// mayStop marks bytes that are no plain ones of ASCII. Only the lowest mark can be relied on.
func mayStop(x uint64) uint64 {
	return ((x-lows*' ')&^x|x|(x+lows))&highs | zeros(x^lows*'<') | zeros(x^lows*'&')
}

// beyond is the length of the text beyond ASCII at the beginning of b that is written as it is, or near the end of the
// window of any plain text.
func beyond(b []byte) int {
	i := 0
	for i < len(b) {
		switch c := classes[b[i]]; {
		case c == plain && (b[i] >= utf8.RuneSelf || len(b) < 8):
			i++
			continue
		case c == lead && len(b)-i >= utf8.UTFMax:
			if r, n := utf8.DecodeRune(b[i:]); !isBlank(r) && !isWidthless(r) {
				i += n
				continue
			}
		}
		break
	}
	return i
}

// writeRun writes a run of words.
func (s *scanner) writeRun(b []byte) {
	if t := s.out; !t.cut && len(b) < t.most-len(t.b) {
		if s.broken {
			s.write(b)
			return
		}
		if t.gap != 0 && len(t.b) > 0 {
			t.b = append(t.b, t.gap)
		}
		t.gap = 0
		t.b = append(t.b, b...)
		return
	}
	for i := bytes.IndexByte(b, ' '); i >= 0; i = bytes.IndexByte(b, ' ') { // the limit is near: what is due behind it matters
		s.write(b[:i])
		s.out.space(' ')
		b = b[i+1:]
	}
	s.write(b)
}

// wide handles a character that may be special, or writes it, and gives its length.
func (s *scanner) wide(b []byte) int {
	r, n := utf8.DecodeRune(b)
	switch {
	case r == utf8.RuneError:
		s.write(b[:1])
		return 1
	case isBlank(r):
		s.out.space(' ')
	case isWidthless(r):
		s.d.ZeroWidth++
	default:
		s.write(b[:n])
	}
	return n
}

// isBlank tells white space of Unicode; U+3164 and U+2800 are drawn as blanks too.
func isBlank(r rune) bool {
	switch {
	case r == 0xa0, r == 0x1680, 0x2000 <= r && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f, r == 0x2800, r == 0x3000, r == 0x3164:
		return true
	}
	return false
}

// isWidthless tells characters that are drawn as nothing.
func isWidthless(r rune) bool {
	switch {
	case r == 0xad, r == 0x34f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, 0x180b <= r && r <= 0x180e,
		0x200b <= r && r <= 0x200f, 0x202a <= r && r <= 0x202e, 0x2060 <= r && r <= 0x206f, 0xfe00 <= r && r <= 0xfe0f,
		r == 0xfeff, r == 0xffa0, 0xe0000 <= r && r <= 0xe0fff:
		return true
	}
	return false
}

// write adds text to what is visible or to what is hidden, as the innermost element wants it.
func (s *scanner) write(b []byte) {
	if s.broken {
		if s.out.gap == 0 && isLetter(b[0]) {
			s.d.BrokenWords++
		}
		s.broken = false
	}
	s.out.write(b)
}

// breaksWord notes that something stands here that a reader does not see. It counts when there are letters before and
// behind.
func (s *scanner) breaksWord() {
	t := s.out
	s.broken = t == &s.visible && t.gap == 0 && len(t.b) > 0 && isLetter(t.b[len(t.b)-1])
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
