package htmltext

import (
	"encoding/binary"
	"math/bits"
)

// maxName is more than the longest name of an element or attribute that matters.
const maxName = 16

// name is an element's or attribute's name in lower case, cut at maxName, the first byte lowest. Most names are read and
// compared as one word.
type name struct{ low, high uint64 }

// nameOf gives a name of lower-case letters.
func nameOf(s string) (n name) {
	for i := range min(len(s), maxName) {
		n.set(i, s[i])
	}
	return n
}

func (n *name) set(i int, c byte) {
	if i < 8 {
		n.low |= uint64(c) << (i * 8)
	} else {
		n.high |= uint64(c) << (i*8 - 64)
	}
}

// append appends so many bytes of the name.
func (n name) append(dst []byte, size int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, n.low)
	dst = binary.LittleEndian.AppendUint64(dst, n.high)
	return dst[:len(dst)-maxName+size]
}

// Where names and values end.
const (
	endsTag   = 1 << iota // white space, "/" and ">"
	endsAttr              // these and "="
	endsValue             // white space and ">"
)

var ends = func() (t [256]uint8) {
	for c := range t {
		if classes[c] == white {
			t[c] = endsTag | endsAttr | endsValue
		}
	}
	t['>'] = endsTag | endsAttr | endsValue
	t['/'] = endsTag | endsAttr
	t['='] = endsAttr
	return t
}()

// readName reads a name up to what ends it and gives its length, at most maxName. The byte that is next belongs to the
// name, whatever it is.
func (in *input) readName(end uint8) (n name, size int) {
	for first := 1; in.more(); first = 0 {
		b := in.buf[in.pos:in.end]
		i := 0
		for ; i < len(b) && (i < first || ends[b[i]]&end == 0); i++ {
			if size < maxName {
				n.set(size, lowerByte(b[i]))
				size++
			}
		}
		in.pos += i
		if i < len(b) {
			break
		}
	}
	return n, size
}

// nameTable finds names of HTML. It has room for several times as many, so that most of those that it does not have meet
// an empty slot at once.
type nameTable[T any] []nameSlot[T]

type nameSlot[T any] struct {
	name  name
	size  int32
	value T
}

// newNameTable makes a table with a power of two of slots.
func newNameTable[T any](slots int) nameTable[T] { return make(nameTable[T], slots) }

func (t nameTable[T]) put(s string, value T) {
	n := nameOf(s)
	i := t.slot(n)
	for t[i].size > 0 {
		i = (i + 1) & (len(t) - 1)
	}
	t[i] = nameSlot[T]{n, int32(len(s)), value}
}

// slot is where a name is, or one of those behind it.
func (t nameTable[T]) slot(n name) int {
	return int((n.low^n.high)*0x9e3779b97f4a7c15>>51) & (len(t) - 1) // Fibonacci hashing
}

// get gives the value of a name of that size, the zero value when it is not in the table.
func (t nameTable[T]) get(n name, size int) T {
	for i := t.slot(n); ; i = (i + 1) & (len(t) - 1) {
		if e := &t[i]; e.size == 0 || e.name == n && e.size == int32(size) {
			return e.value
		}
	}
}

// shortName reads a name of less than maxName bytes at the beginning of b. The size is 0 when it is longer, may go on behind
// b, or has an odd character.
func shortName(b []byte, end uint8) (n name, size int) {
	if len(b) < maxName {
		return n, 0
	}
	x := binary.LittleEndian.Uint64(b)
	if size = bits.TrailingZeros64(allLetters(x)^highs) / 8; size < 8 && ends[b[size]]&end != 0 && size > 0 {
		n.low = (x | lows*0x20) & (1<<(size*8) - 1)
		return n, size // most names are a few letters
	}
	size = bits.TrailingZeros64(mayEnd(x)&^0xff) / 8 // the first byte belongs to the name
	if size < 8 {
		n.low = toLower(x) & (1<<(size*8) - 1)
	} else {
		y := binary.LittleEndian.Uint64(b[8:])
		size = bits.TrailingZeros64(mayEnd(y)) / 8
		n = name{toLower(x), toLower(y) & (1<<(size*8) - 1)}
		size += 8
	}
	if size == maxName || ends[b[size]]&end == 0 {
		return n, 0
	}
	return n, size
}
