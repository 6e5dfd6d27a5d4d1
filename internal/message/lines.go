package message

import (
	"bytes"
	"encoding/binary"
	"io"
)

// windowSize is how much of a message is in memory at a time, unless all of it is already.
const windowSize = 32 << 10

// lines walks a message line by line and notes, over whole windows at once, what kinds of bytes it has.
type lines struct {
	r      io.ReaderAt
	size   int64
	own    []byte // the window's memory, kept between messages
	window []byte
	start  int   // of the next line in window
	filled int64 // bytes of the message read so far

	// About the line that next gave.
	offset int64 // of its first byte in the message
	whole  bool  // it begins at a line's begin and is not cut by the size of the window
	eol    int   // length of its line end: 2 for CRLF, 1 for LF, 0 when cut or at the end
	before int   // eol of the line before it

	count     int64 // line ends so far
	crlf      int64 // those that are CRLF
	cr        int64 // CRs in what was read
	eightBit  bool
	nul       bool
	bareLF    bool
	lastWasCR bool // the piece before ended in CR
}

// inMemory is implemented by contents that can show their bytes.
type inMemory interface{ Bytes() ([]byte, bool) }

func (s *lines) reset(r io.ReaderAt, size int64) {
	own := s.own
	*s = lines{r: r, size: size, own: own, eol: 1}
	if m, ok := r.(inMemory); ok {
		if b, ok := m.Bytes(); ok && int64(len(b)) == size {
			s.window = b
			s.filled = size
			s.examine(b)
			return
		}
	}
	if s.own == nil {
		s.own = make([]byte, windowSize)
	}
	s.window = s.own[:0]
}

// next gives the next line with its line end, or a piece of one that is longer than the window. It is valid until the
// next call. ok is false at the end.
func (s *lines) next() (line []byte, ok bool, err error) {
	i := bytes.IndexByte(s.window[s.start:], '\n')
	if i < 0 && s.filled < s.size && (s.start > 0 || len(s.window) < len(s.own)) {
		if err := s.refill(); err != nil {
			return nil, false, err
		}
		i = bytes.IndexByte(s.window, '\n')
	}
	s.offset = s.filled - int64(len(s.window)-s.start)
	begins := s.eol > 0
	s.before = s.eol
	if i < 0 {
		line = s.window[s.start:]
		s.start = len(s.window)
		s.eol = 0
		s.whole = begins && s.filled == s.size
		if len(line) == 0 {
			return nil, false, nil
		}
		s.lastWasCR = line[len(line)-1] == '\r'
		return line, true, nil
	}
	line = s.window[s.start : s.start+i+1]
	s.start += i + 1
	s.whole = begins
	s.count++
	if i > 0 && line[i-1] == '\r' || i == 0 && s.lastWasCR {
		s.eol = 2
		s.crlf++
	} else {
		s.eol = 1
		s.bareLF = true
	}
	s.lastWasCR = false
	return line, true, nil
}

// refill moves the rest of the window to its front and reads behind it.
func (s *lines) refill() error {
	n := copy(s.own, s.window[s.start:])
	s.start = 0
	want := int(min(int64(len(s.own)-n), s.size-s.filled))
	got, err := s.r.ReadAt(s.own[n:n+want], s.filled)
	if got < want {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF // the message is shorter than was said
		}
		return err
	}
	s.window = s.own[:n+got]
	s.filled += int64(got)
	s.examine(s.window[n:])
	return nil
}

// examine looks at new bytes in bulk.
func (s *lines) examine(b []byte) {
	s.cr += int64(bytes.Count(b, []byte{'\r'}))
	if !s.nul {
		s.nul = bytes.IndexByte(b, 0) >= 0
	}
	if !s.eightBit {
		s.eightBit = hasEightBit(b)
	}
}

func hasEightBit(b []byte) bool {
	const high = 0x8080808080808080
	for len(b) >= 32 {
		if (binary.LittleEndian.Uint64(b)|binary.LittleEndian.Uint64(b[8:])|
			binary.LittleEndian.Uint64(b[16:])|binary.LittleEndian.Uint64(b[24:]))&high != 0 {
			return true
		}
		b = b[32:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// bareCR is known at the end.
func (s *lines) bareCR() bool { return s.cr != s.crlf }
