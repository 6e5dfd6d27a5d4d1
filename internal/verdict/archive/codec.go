package archive

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"

	"postern/internal/verdict"
)

const (
	// packFrom is the length of JSON from which packing is tried.
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

// codec turns traces into what a row holds.
type codec struct {
	enc     *zstd.Encoder
	dec     *zstd.Decoder
	buffers sync.Pool
}

func newCodec() *codec {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithWindowSize(128<<10), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true),
		zstd.WithEncoderDictRaw(dictionaryID, []byte(dictionary)))
	if err != nil {
		panic(err) // the options are constants
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecoderMaxMemory(maxTrace),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderDictRaw(dictionaryID, []byte(dictionary)))
	if err != nil {
		panic(err)
	}
	c := &codec{enc: enc, dec: dec}
	c.buffers.New = func() any { return new([]byte) }
	return c
}

// pack gives the stored form, which the caller keeps.
func (c *codec) pack(t *verdict.Trace) ([]byte, error) {
	buffer := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buffer)
	text, err := t.AppendJSON((*buffer)[:0])
	if err != nil {
		return nil, err
	}
	if len(text) > maxTrace {
		return nil, ErrTooLarge
	}
	if cap(text) <= 1<<20 { // what a huge one needed is not kept
		*buffer = text
	}
	if len(text) >= packFrom {
		if packed := c.enc.EncodeAll(text, make([]byte, 0, len(text)/3)); len(packed) < len(text) {
			return packed, nil
		}
	}
	return append([]byte(nil), text...), nil
}

// unpack gives the JSON of a stored form. JSON begins with a brace, which no frame of zstd does.
func (c *codec) unpack(stored []byte) ([]byte, error) {
	if len(stored) > 0 && stored[0] == '{' {
		return stored, nil
	}
	text, err := c.dec.DecodeAll(stored, nil)
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
