package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A blob is stored as zstd frames, each of frameSize bytes of the original (the last of what remains), so that a part of
// a large message is read without unpacking what stands before it. A blob of more than one frame ends in a trailer:
// for each frame its stored length and the CRC-32C of its stored bytes (4 bytes each, little endian), then the CRC-32C
// of that table.
const (
	frameSize  = 256 << 10
	frameEntry = 8
	tableCRC   = 4
)

// castagnoli is the polynomial of every checksum here. Read-only.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// codec packs and unpacks frames; its encoders and decoders are pooled.
type codec struct {
	enc    *zstd.Encoder
	dec    *zstd.Decoder
	frames sync.Pool
}

func newCodec() *codec {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(frameSize), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // the options are constants
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecoderMaxMemory(4*frameSize),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	c := &codec{enc: enc, dec: dec}
	c.frames.New = func() any { b := make([]byte, frameSize); return &b }
	return c
}

func frameCount(size int64) int { return int((size + frameSize - 1) / frameSize) }

func trailerLen(size int64) int64 {
	if n := frameCount(size); n > 1 {
		return int64(n)*frameEntry + tableCRC
	}
	return 0
}

// pack writes the stored form of size bytes from r to w and returns its checksum.
func (c *codec) pack(w io.Writer, r io.ReaderAt, size int64) (crc uint32, err error) {
	raw := c.frames.Get().(*[]byte)
	defer c.frames.Put(raw)
	var packed, table []byte
	for off := int64(0); off < size; off += frameSize {
		b := (*raw)[:min(frameSize, size-off)]
		if n, err := r.ReadAt(b, off); n < len(b) {
			return 0, fmt.Errorf("reading the message: %w", err)
		}
		packed = c.enc.EncodeAll(b, packed[:0])
		crc = crc32.Update(crc, castagnoli, packed)
		table = binary.LittleEndian.AppendUint32(table, uint32(len(packed)))
		table = binary.LittleEndian.AppendUint32(table, crc32.Checksum(packed, castagnoli))
		if _, err := w.Write(packed); err != nil {
			return 0, err
		}
	}
	if trailerLen(size) == 0 {
		return crc, nil
	}
	table = binary.LittleEndian.AppendUint32(table, crc32.Checksum(table, castagnoli))
	_, err = w.Write(table)
	return crc32.Update(crc, castagnoli, table), err
}

// unpack gives the bytes of a blob of one frame.
func (c *codec) unpack(stored []byte, size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	out, err := c.dec.DecodeAll(stored, make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if int64(len(out)) != size {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrDamaged, len(out), size)
	}
	return out, nil
}

// frameTable tells where each frame of a stored form lies.
type frameTable struct {
	offsets []int64 // one more than frames
	crcs    []uint32
}

// readTable reads the trailer from a stored form of the given length.
func readTable(r io.ReaderAt, stored, size int64) (frameTable, error) {
	n := frameCount(size)
	tail := make([]byte, trailerLen(size))
	if _, err := r.ReadAt(tail, stored-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return frameTable{}, err
	}
	table := tail[:len(tail)-tableCRC]
	if crc32.Checksum(table, castagnoli) != binary.LittleEndian.Uint32(tail[len(tail)-tableCRC:]) {
		return frameTable{}, fmt.Errorf("%w: frame table", ErrDamaged)
	}
	t := frameTable{offsets: make([]int64, 1, n+1), crcs: make([]uint32, 0, n)}
	for i := range n {
		length := int64(binary.LittleEndian.Uint32(table[i*frameEntry:]))
		t.offsets = append(t.offsets, t.offsets[i]+length)
		t.crcs = append(t.crcs, binary.LittleEndian.Uint32(table[i*frameEntry+4:]))
	}
	if t.offsets[n]+int64(len(tail)) != stored {
		return frameTable{}, fmt.Errorf("%w: stored form has the wrong length", ErrDamaged)
	}
	return t, nil
}

// framed reads a blob from its file, frame by frame, keeping the last one unpacked.
type framed struct {
	c      *codec
	f      io.ReaderAt
	size   int64
	table  frameTable
	mu     sync.Mutex
	frame  int // the one in buf, -1 none
	buf    *[]byte
	packed []byte
}

func (r *framed) ReadAt(p []byte, off int64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		frame := int(off / frameSize)
		if err := r.load(frame); err != nil {
			return n, err
		}
		have := (*r.buf)[:min(frameSize, r.size-int64(frame)*frameSize)]
		k := copy(p[n:], have[off-int64(frame)*frameSize:])
		n, off = n+k, off+int64(k)
	}
	return n, nil
}

func (r *framed) load(frame int) error {
	if r.buf == nil {
		if r.c == nil {
			return ErrGone
		}
		r.buf, r.frame = r.c.frames.Get().(*[]byte), -1
	}
	if r.frame == frame {
		return nil
	}
	r.frame = -1
	length := r.table.offsets[frame+1] - r.table.offsets[frame]
	if int64(cap(r.packed)) < length {
		r.packed = make([]byte, length)
	}
	r.packed = r.packed[:length]
	if n, err := r.f.ReadAt(r.packed, r.table.offsets[frame]); n < len(r.packed) {
		return fmt.Errorf("reading a blob: %w", err)
	}
	if crc32.Checksum(r.packed, castagnoli) != r.table.crcs[frame] {
		return fmt.Errorf("%w: frame %d", ErrDamaged, frame)
	}
	out, err := r.c.dec.DecodeAll(r.packed, (*r.buf)[:0])
	if err != nil {
		return fmt.Errorf("%w: frame %d: %w", ErrDamaged, frame, err)
	}
	if int64(len(out)) != min(frameSize, r.size-int64(frame)*frameSize) || &out[0] != &(*r.buf)[0] {
		return fmt.Errorf("%w: frame %d has the wrong length", ErrDamaged, frame)
	}
	r.frame = frame
	return nil
}

// close gives the buffer back; later reads fail.
func (r *framed) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buf != nil {
		r.c.frames.Put(r.buf)
	}
	r.buf, r.c = nil, nil
}
