package archive

import (
	"encoding/binary"
	"math/bits"
)

// The library packs a block of any size, for which it clears a table of 64 KiB on the stack and reads another of 32 KiB: more
// than the rest of what is done with a trace, and it leaves the processor's cache without anything else. A trace has two or
// three kilobytes, for which a table of eight is enough. What is written here is the same form, which the library unpacks.

const (
	tableBits = 12
	// packAtMost bounds what is packed so, the dictionary included: any place fits 16 bits.
	packAtMost = 1<<16 - 1
	// margin is how near to its end a text is not looked into any more.
	margin = 16
)

// places leads from a hash of six bytes to where these stood last.
type places [1 << tableBits]uint16

func at(text []byte, i int) uint64 { return binary.LittleEndian.Uint64(text[i:]) }

func placeOf(next8 uint64) uint64 { return next8 << 16 * 0x9e3779b97f4a7c15 >> (64 - tableBits) }

// known are the places of a dictionary.
func known(dictionary string) *places {
	p := new(places)
	text := []byte(dictionary)
	for i := range len(text) - 8 {
		p[placeOf(at(text, i))] = uint16(i)
	}
	return p
}

// pack appends the S2 form of what stands in window behind the dictionary, which is its first bytes. seen are the dictionary's
// places, and change.
func pack(packed, window []byte, dictionary int, seen *places) []byte {
	packed = binary.AppendUvarint(packed, uint64(len(window)-dictionary))
	rest, last := dictionary, 0 // what is not written yet; the distance of the copy before
	for i := dictionary; i+margin < len(window); {
		next := at(window, i)
		place := &seen[placeOf(next)]
		from := int(*place)
		*place = uint16(i)
		if diff := at(window, from) ^ next; diff<<16 != 0 || from == i {
			i += 1 + (i-rest)>>4
			continue
		}
		low, high := 0, dictionary // a copy is of the dictionary, or of the text
		if from >= dictionary {
			low, high = dictionary, len(window)
		}
		for i > rest && from > low && window[i-1] == window[from-1] {
			i, from = i-1, from-1
		}
		n := alike(window, from, i, min(high-from, len(window)-i))
		if n < 4 { // it would reach over the dictionary's end
			i++
			continue
		}
		packed = appendLiteral(packed, window[rest:i])
		packed = appendCopy(packed, i-from, n, i-from == last)
		last = i - from
		i += n
		rest = i
		if i+margin < len(window) {
			seen[placeOf(at(window, i-2))] = uint16(i - 2)
			seen[placeOf(at(window, i-1))] = uint16(i - 1)
		}
	}
	return appendLiteral(packed, window[rest:])
}

// alike is how many bytes, at most so many, are the same at two places.
func alike(window []byte, a, b, most int) (n int) {
	for n+8 <= most {
		if diff := at(window, a+n) ^ at(window, b+n); diff != 0 {
			return n + bits.TrailingZeros64(diff)/8
		}
		n += 8
	}
	for n < most && window[a+n] == window[b+n] {
		n++
	}
	return n
}

// appendLiteral appends an element that stands for itself.
func appendLiteral(packed, text []byte) []byte {
	switch n := len(text) - 1; {
	case n < 0:
		return packed
	case n < 60:
		packed = append(packed, byte(n)<<2)
	case n < 1<<8:
		packed = append(packed, 60<<2, byte(n))
	default:
		packed = append(packed, 61<<2, byte(n), byte(n>>8))
	}
	return append(packed, text...)
}

// appendCopy appends an element that stands for n bytes, at least 4, that stood so far before; again: as did those that the
// copy before took.
func appendCopy(packed []byte, distance, n int, again bool) []byte {
	const short, long = 1, 2 // the kinds of copies
	switch {
	case again:
	case n < 12 && distance < 1<<11:
		return append(packed, byte(distance>>8)<<5|byte(n-4)<<2|short, byte(distance))
	default:
		first := min(n, 64)
		if n > 64 && n < 68 {
			first = 60 // for the rest there must be four
		}
		packed = append(packed, byte(first-1)<<2|long, byte(distance), byte(distance>>8))
		if n -= first; n == 0 {
			return packed
		}
	}
	// The same distance again is a short copy from nowhere.
	switch n -= 4; {
	case n < 5:
		return append(packed, byte(n)<<2|short, 0)
	case n < 4+1<<8:
		return append(packed, 5<<2|short, 0, byte(n-4))
	default:
		n -= 1 << 8
		return append(packed, 6<<2|short, 0, byte(n), byte(n>>8))
	}
}
