package archive

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"

	"postern/internal/verdict"
)

// What a row begins with tells its form. Before there were others a row was JSON, which begins with a brace, or JSON packed
// against the dictionary, which begins with a length whose first byte has its highest bit set.
const (
	formCompact byte = 1
	formPacked  byte = 2 // compact, and packed with S2
)

const (
	// packFrom is the length from which the compact form is packed: that of a message to very many.
	packFrom = 8 << 10
	// maxTrace bounds the form before it is packed: a group of a hundred thousand recipients fits, with all that may be said of
	// each. It bounded JSON too, of which there are rows.
	maxTrace = 64 << 20
)

// castagnoli is the polynomial of the rows' checksums. Read-only.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrTooLarge means that a trace cannot be kept because of its size.
var ErrTooLarge = errors.New("the judgement is larger than 64 MiB")

// ErrDamaged means that a row is not as it was written.
var ErrDamaged = errors.New("the stored judgement is damaged")

// codec turns traces into what a row holds. Every message that arrives is written so, in a microsecond or two; an ordinary
// trace of 1,550 bytes of JSON takes 520. Packed against a dictionary JSON took 512, but three times as long, and in a server,
// where the packer's tables lie in no cache, ten to thirty times. CBOR with numbers for names takes 755, and three times as long.
type codec struct {
	old     *s2.Dict
	buffers sync.Pool
}

func newCodec() *codec {
	c := &codec{old: s2.MakeDict([]byte(dictionary), nil)}
	c.buffers.New = func() any { return new([]byte) }
	return c
}

// pack gives the stored form, which the caller keeps.
func (c *codec) pack(t *verdict.Trace) (stored []byte, err error) {
	buffer := c.buffers.Get().(*[]byte)
	b, err := appendTrace(append((*buffer)[:0], formCompact), t)
	if err != nil {
		return nil, err
	}
	if len(b) > maxTrace {
		return nil, ErrTooLarge
	}
	if len(b) < packFrom {
		stored = slices.Clone(b)
	} else {
		stored = slices.Insert(s2.Encode(nil, b[1:]), 0, formPacked)
	}
	if cap(b) <= 1<<20 { // what a huge one needed is not kept
		*buffer = b
		c.buffers.Put(buffer)
	}
	return stored, nil
}

// unpack gives the trace of a stored form.
func (c *codec) unpack(stored []byte) (*verdict.Trace, error) {
	switch {
	case len(stored) == 0:
		return nil, fmt.Errorf("%w: empty", ErrDamaged)
	case stored[0] == formCompact:
		return readTrace(stored[1:])
	case stored[0] == formPacked:
		b, err := unpackS2(stored[1:], func(b []byte) ([]byte, error) { return s2.Decode(nil, b) })
		if err != nil {
			return nil, err
		}
		return readTrace(b)
	case stored[0] == '{':
		return parse(stored)
	}
	text, err := unpackS2(stored, func(b []byte) ([]byte, error) { return c.old.Decode(nil, b) })
	if err != nil {
		return nil, err
	}
	return parse(text)
}

func unpackS2(packed []byte, decode func([]byte) ([]byte, error)) ([]byte, error) {
	if n, err := s2.DecodedLen(packed); err != nil || n > maxTrace {
		return nil, fmt.Errorf("%w: its length", ErrDamaged)
	}
	b, err := decode(packed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return b, nil
}

// parse reads a trace from its JSON.
func parse(text []byte) (*verdict.Trace, error) {
	t := new(verdict.Trace)
	if err := json.Unmarshal(text, t); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return t, nil
}

func rowCRC(id, at int64, stored []byte) int64 {
	var numbers [16]byte
	binary.LittleEndian.PutUint64(numbers[:], uint64(id))
	binary.LittleEndian.PutUint64(numbers[8:], uint64(at))
	return int64(crc32.Update(crc32.Checksum(numbers[:], castagnoli), castagnoli, stored))
}

// Encode writes a trace down as [Archive.StoreTx] takes it: for before the transaction, where the time it takes holds up
// nobody. It fails only for a trace of more than 64 MiB, or of a year that has not four digits.
func (a *Archive) Encode(t *verdict.Trace) ([]byte, error) { return a.codec.pack(t) }
