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

const (
	// packFrom is the length of JSON from which it is packed.
	packFrom = 256
	// maxTrace bounds the JSON of a trace: a group of a hundred thousand recipients fits.
	maxTrace = 64 << 20
)

// castagnoli is the polynomial of the rows' checksums. Read-only.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrTooLarge means that a trace cannot be kept because of its size.
var ErrTooLarge = errors.New("the judgement is larger than 64 MiB")

// ErrDamaged means that a row is not as it was written.
var ErrDamaged = errors.New("the stored judgement is damaged")

// codec turns traces into what a row holds: JSON, packed with S2 against a dictionary. That takes a few microseconds and leaves
// less than zstd does without one; with the same dictionary zstd would leave three quarters of it, at four times the cost of
// the whole.
type codec struct {
	dict    *s2.Dict
	buffers sync.Pool
}

func newCodec() *codec {
	c := &codec{dict: s2.MakeDict([]byte(dictionary), nil)}
	c.buffers.New = func() any { return new(room) }
	return c
}

// room is what packing needs on the way.
type room struct{ text, packed []byte }

// pack gives the stored form, which the caller keeps.
func (c *codec) pack(t *verdict.Trace) (stored []byte, err error) {
	r := c.buffers.Get().(*room)
	if r.text, err = t.AppendJSON(r.text[:0]); err != nil {
		return nil, err
	}
	if len(r.text) > maxTrace {
		return nil, ErrTooLarge
	}
	stored = r.text
	if len(r.text) >= packFrom {
		r.packed = c.dict.Encode(r.packed[:cap(r.packed)], r.text)
		if len(r.packed) < len(r.text) {
			stored = r.packed
		}
	}
	stored = slices.Clone(stored)
	if cap(r.text) <= 1<<20 { // what a huge one needed is not kept
		c.buffers.Put(r)
	}
	return stored, nil
}

// unpack gives the JSON of a stored form. JSON begins with a brace; what is packed begins with its length, of which the first
// byte is none since packFrom needs two.
func (c *codec) unpack(stored []byte) ([]byte, error) {
	if len(stored) > 0 && stored[0] == '{' {
		return stored, nil
	}
	if n, err := s2.DecodedLen(stored); err != nil || n > maxTrace {
		return nil, fmt.Errorf("%w: its length", ErrDamaged)
	}
	text, err := c.dict.Decode(nil, stored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return text, nil
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
// nobody. It fails only for a trace of more than 64 MiB.
func (a *Archive) Encode(t *verdict.Trace) ([]byte, error) { return a.codec.pack(t) }
