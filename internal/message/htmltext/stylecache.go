package htmltext

import (
	"bytes"
	"encoding/binary"
)

// Limits of the style attributes that are remembered.
const (
	cachedStyles = 32
	cachedText   = 8 << 10 // bytes of all of them
)

// styleCache remembers what the style attributes seen last set: newsletters write the same few hundreds of times.
type styleCache struct {
	text  []byte // of all that are remembered
	slots [cachedStyles]cachedStyle
}

// cachedStyle is what a style attribute made of the style that was there before it.
type cachedStyle struct {
	text          span // empty when the slot is
	before, after style
}

func (c *styleCache) reset() {
	if len(c.text) > 0 {
		c.text = c.text[:0]
		clear(c.slots[:])
	}
}

// read is readDeclarations.
func (c *styleCache) read(text []byte, own *style) {
	if len(text) < 8 || len(text) > cachedText/8 {
		readDeclarations(text, own)
		return
	}
	slot := &c.slots[styleSlot(text)]
	if bytes.Equal(c.text[slot.text.begin:slot.text.end], text) && slot.before == *own {
		*own = slot.after
		return
	}
	before := *own
	readDeclarations(text, own)
	if len(c.text)+len(text) > cachedText {
		c.reset()
	}
	begin := len(c.text)
	c.text = append(c.text, text...)
	*slot = cachedStyle{span{begin, len(c.text)}, before, *own}
}

// styleSlot is where a style attribute of at least eight bytes is remembered.
func styleSlot(text []byte) int {
	middle := len(text)/2 - 4
	x := binary.LittleEndian.Uint64(text) ^ binary.LittleEndian.Uint64(text[middle:])<<1 ^
		binary.LittleEndian.Uint64(text[len(text)-8:])<<2 ^ uint64(len(text))
	return int(x * 0x9e3779b97f4a7c15 >> 59) // Fibonacci hashing to cachedStyles
}
