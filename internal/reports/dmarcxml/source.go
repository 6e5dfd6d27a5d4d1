package dmarcxml

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// source feeds the XML decoder byte by byte, since only so it can be told when one token has grown too long. What it gives
// is UTF-8 whatever the report's first line says: bytes that are none are taken for Windows-1252, which reads anything,
// and control characters, which XML does not allow, for spaces.
type source struct {
	r       *bufio.Reader
	pending [utf8.UTFMax]byte // a converted byte's UTF-8, from at to have
	at      int
	have    int
	whole   int // bytes of a valid sequence still to be passed on as they are
	budget  int // bytes left for the present token
}

func newSource(r io.Reader) *source {
	s := &source{r: bufio.NewReaderSize(r, 8<<10), budget: maxToken}
	if order, is16 := utf16Order(s.r); is16 {
		s.r = bufio.NewReader(transform.NewReader(s.r, unicode.UTF16(order, unicode.UseBOM).NewDecoder()))
	}
	s.skipProlog()
	return s
}

// utf16Order knows UTF-16 by its mark, or by the halves of a first "<" where the mark is missing (XML 1.0 appendix F).
func utf16Order(r *bufio.Reader) (order unicode.Endianness, is16 bool) {
	mark, _ := r.Peek(2)
	switch string(mark) {
	case "\xfe\xff", "\xff\xfe", "\x00<":
		return unicode.BigEndian, true // a mark outweighs it
	case "<\x00":
		return unicode.LittleEndian, true
	}
	return order, false
}

// skipProlog passes over the byte order mark and <?xml … ?>: its version and its character set are not to be relied on.
func (s *source) skipProlog() {
	if mark, _ := s.r.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = s.r.Discard(3)
	}
	head, _ := s.r.Peek(1000)
	white := len(head) - len(bytes.TrimLeft(head, " \t\r\n"))
	if !bytes.HasPrefix(head[white:], []byte("<?xml")) {
		return
	}
	if end := bytes.Index(head, []byte("?>")); end > 0 {
		_, _ = s.r.Discard(end + 2)
	}
}

// nextToken allows another token.
func (s *source) nextToken() { s.budget = maxToken }

// Read is there because the decoder wants an io.Reader; it calls ReadByte only.
func (s *source) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := s.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// ReadByte gives the next byte of the text as UTF-8.
func (s *source) ReadByte() (byte, error) {
	if s.budget--; s.budget < 0 {
		return 0, ErrTooLarge
	}
	if s.at < s.have {
		s.at++
		return s.pending[s.at-1], nil
	}
	b, err := s.r.ReadByte()
	switch {
	case err != nil:
		return 0, err
	case s.whole > 0:
		s.whole--
		return b, nil
	case b < ' ' && b != '\t' && b != '\n' && b != '\r':
		return ' ', nil
	case b < utf8.RuneSelf:
		return b, nil
	}
	return s.beyondASCII(b), nil
}

func (s *source) beyondASCII(b byte) byte {
	rest, _ := s.r.Peek(utf8.UTFMax - 1)
	if char, n := utf8.DecodeRune(append([]byte{b}, rest...)); n > 1 && char != 0xfffe && char != 0xffff {
		s.whole = n - 1
		return b
	}
	s.have = utf8.EncodeRune(s.pending[:], charmap.Windows1252.DecodeByte(b))
	s.at = 1
	return s.pending[0]
}
