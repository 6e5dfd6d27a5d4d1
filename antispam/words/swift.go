package words

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes at a time: the same byte in each place.
const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
	caseBits = 0x20 * eachByte
)

// width is how many bytes are read at once.
const width = 8

// What may stand behind a word for swift to take it.
const (
	isOther = iota
	isGap   // separates, and is not counted
	isStop  // ends a clause
)

var behind = func() (t [256]uint8) {
	for c := range classes {
		switch {
		case classes[c] == separates && c != '$':
			t[c] = isGap
		case classes[c] == endsClause && c != '!':
			t[c] = isStop
		}
	}
	return t
}()

// gap is 1 for what separates and 0 for all others.
var gap = func() (t [256]uint8) {
	for c := range t {
		if behind[c] == isGap {
			t[c] = 1
		}
	}
	return t
}()

// swift takes the words that text begins with as long as they are of ASCII letters, with what separates them, and gives
// their length: 0 where there is none, or where a word is under way. It does what the other ways do, without asking of
// each byte what it is: where a word ends is what a processor cannot foresee, and each wrong guess costs as much as
// hashing a word.
func (s *splitter) swift(text []byte) int {
	if s.n > 0 || s.previous != 0 {
		return 0
	}
	at := 0
	for len(text)-at > MaxLength+1 {
		w, n := s.read(text[at:])
		kind := behind[text[at+n]]
		if kind == isOther || n > MaxLength-width {
			break
		}
		if n > 0 {
			s.swiftWord(n, w)
			if s.done {
				return at + n
			}
		}
		s.word.Break = s.word.Break || kind == isStop
		at += n + 1
		at += int(gap[text[at]]) // as behind commas and between CR and LF
	}
	return at
}

// lane is what read found.
type lane struct {
	hash  uint64
	upper int
}

// read puts the letters that text begins with into the buffer, and gives how many they are. Of more than MaxLength-width it reads
// only the first.
func (s *splitter) read(text []byte) (w lane, n int) {
	w.hash = offset64
	for {
		eight := binary.LittleEndian.Uint64(text[n:])
		more := bits.TrailingZeros64(^lettersOf(eight)&highBits) / 8
		small := eight | caseBits
		binary.LittleEndian.PutUint64(s.buf[n:], small)
		own := uint64(1)<<(8*more) - 1 // all bits where more is 8
		w.upper += bits.OnesCount64(^eight & caseBits & own)
		w.hash = hashOn(w.hash, small, more)
		if n += more; more < width || n > MaxLength-width {
			return w, n
		}
	}
}

// swiftWord emits a word of n letters, which is in the buffer.
func (s *splitter) swiftWord(n int, read lane) {
	s.stats.Letters += n
	s.stats.Latin += n
	s.stats.Upper += read.upper
	s.stats.Words++
	w := &s.word
	w.Text, w.Hash, w.Letters = s.buf[:n], read.hash, true
	s.done = !s.emit(w)
	w.Letters, w.Break = false, false
}

// lettersOf has the highest bit of each byte that is an ASCII letter.
func lettersOf(eight uint64) uint64 {
	low := (eight | caseBits) &^ highBits
	return (low + (0x80-'a')*eachByte) &^ (low + (0x80-'z'-1)*eachByte) &^ eight & highBits
}

// hashOn goes on with a hash by the first n of eight bytes. It does the same for each n and takes what it needs, for the reason
// that swift gives.
func hashOn(h uint64, eight uint64, n int) uint64 {
	h1 := (h ^ eight&0xff) * prime64
	h2 := (h1 ^ eight>>8&0xff) * prime64
	h3 := (h2 ^ eight>>16&0xff) * prime64
	h4 := (h3 ^ eight>>24&0xff) * prime64
	h5 := (h4 ^ eight>>32&0xff) * prime64
	h6 := (h5 ^ eight>>40&0xff) * prime64
	h7 := (h6 ^ eight>>48&0xff) * prime64
	h8 := (h7 ^ eight>>56) * prime64
	return [2 * width]uint64{h, h1, h2, h3, h4, h5, h6, h7, h8}[n&(2*width-1)]
}
