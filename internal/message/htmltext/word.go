package htmltext

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Text is looked at eight bytes at a time, as a word with the first byte lowest: each byte's highest bit, each one's lowest.
const (
	highs = 0x8080808080808080
	lows  = 0x0101010101010101
)

// zeros marks the highest bits of the bytes that are zero. Only the lowest mark can be relied on.
func zeros(x uint64) uint64 { return (x - lows) &^ x & highs }

// allZeros marks the highest bits of all bytes that are zero, and of no others.
func allZeros(x uint64) uint64 { return ^(x&^highs + ^uint64(highs) | x) & highs }

// indexNear is bytes.IndexByte for what is near most of the time.
func indexNear(b []byte, c byte) int {
	if len(b) >= 8 {
		if found := zeros(binary.LittleEndian.Uint64(b) ^ lows*uint64(c)); found != 0 {
			return bits.TrailingZeros64(found) / 8
		}
	}
	return bytes.IndexByte(b, c)
}

// allLetters marks the highest bits of the letters of ASCII.
func allLetters(x uint64) uint64 {
	low := (x | lows*0x20) &^ highs
	return (low + lows*(0x80-'a')) &^ (low + lows*(0x80-'z'-1)) &^ x & highs
}

// mayEnd marks bytes up to the space, "/", "=" and ">". Only the lowest mark can be relied on.
func mayEnd(x uint64) uint64 {
	return (x-lows*(' '+1))&^x&highs | zeros(x^lows*'/') | zeros(x^lows*'=') | zeros(x^lows*'>')
}

// toLower puts ASCII letters in lower case.
func toLower(x uint64) uint64 {
	low := x &^ highs
	upper := (low + lows*(0x80-'A')) &^ (low + lows*(0x80-'Z'-1)) &^ x & highs
	return x | upper>>2
}
