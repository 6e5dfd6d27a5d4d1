// Package inflate reads a DEFLATE stream (RFC 1951) the way a conversation needs it.
//
// COMPRESS=DEFLATE (RFC 4978) turns both directions of an IMAP connection into one endless DEFLATE stream each. The
// decoder of the standard library serves files: it holds decoded bytes back until a stored block or a full window
// comes by, so a client that ends its commands with a partial flush (mutt does) would wait forever for its answer. And
// it keeps some 45 KiB for as long as the connection lives. The [Reader] here gives out every byte that the input
// allows before it asks for more input, and its memory is what the peer has really sent, up to the 32 KiB of history
// that the format demands.
package inflate

import (
	"errors"
	"io"
)

// ErrCorrupt says that the input is not a DEFLATE stream.
var ErrCorrupt = errors.New("inflate: corrupt stream")

// errMore is a step's way to say that the buffered input ends before the step does.
var errMore = errors.New("inflate: more input needed")

const (
	historyBytes = 32 << 10
	// A dynamic block's header is at most 17 + 19*3 + 316*(7+7) bits long, and must fit the input buffer whole.
	inputBytes = 1 << 10
)

// Reader decodes a stream. It is not safe for concurrent use.
type Reader struct {
	src io.Reader
	err error

	in       [inputBytes]byte
	pos, end int
	bits     uint32
	nbits    uint

	step  func(*Reader) error
	final bool

	literal  huffman // literals and lengths
	distance huffman

	stored   int // bytes left of a stored block
	copyLen  int // bytes left of a match
	copyDist int

	history []byte // a ring once it has historyBytes, before that as long as what was decoded
	head    int    // where the next byte goes

	out []byte // what the Read under way has room for
	n   int
}

// NewReader decodes what src gives.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, step: (*Reader).blockHeader}
}

// Read fills p with what can be decoded, and blocks only while nothing can.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.out, r.n = p, 0
	defer func() { r.out = nil }()
	for r.n < len(p) {
		if r.err != nil {
			break
		}
		// A step that runs out of input is undone, and done again when there is more.
		pos, bits, nbits := r.pos, r.bits, r.nbits
		err := r.step(r)
		if err == nil {
			continue
		}
		if err != errMore {
			r.err = err
			break
		}
		r.pos, r.bits, r.nbits = pos, bits, nbits
		if r.n > 0 {
			return r.n, nil
		}
		r.err = r.fill()
	}
	if r.n > 0 {
		return r.n, nil
	}
	return 0, r.err
}

// fill reads more input behind what is left.
func (r *Reader) fill() error {
	if r.pos > 0 {
		copy(r.in[:], r.in[r.pos:r.end])
		r.end -= r.pos
		r.pos = 0
	}
	if r.end == len(r.in) {
		return ErrCorrupt
	}
	n, err := r.src.Read(r.in[r.end:])
	r.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// take gives the next n bits, n ≤ 16, lowest first (RFC 1951 3.1.1).
func (r *Reader) take(n uint) (int, bool) {
	for r.nbits < n {
		if r.pos == r.end {
			return 0, false
		}
		r.bits |= uint32(r.in[r.pos]) << r.nbits
		r.pos++
		r.nbits += 8
	}
	v := r.bits & (1<<n - 1)
	r.bits >>= n
	r.nbits -= n
	return int(v), true
}

// blockHeader begins a block (RFC 1951 3.2.3).
func (r *Reader) blockHeader() error {
	if r.final {
		return io.EOF
	}
	v, ok := r.take(3)
	if !ok {
		return errMore
	}
	var err error
	switch v >> 1 {
	case 0:
		err = r.storedHeader()
	case 1:
		r.fixedTables()
		r.step = (*Reader).symbol
	case 2:
		err = r.dynamicTables()
	default:
		err = ErrCorrupt
	}
	if err == nil {
		r.final = v&1 != 0
	}
	return err
}

// storedHeader reads the length of a stored block, which starts on a byte (RFC 1951 3.2.4).
func (r *Reader) storedHeader() error {
	r.bits >>= r.nbits % 8
	r.nbits -= r.nbits % 8
	length, ok := r.take(16)
	if !ok {
		return errMore
	}
	inverse, ok := r.take(16)
	if !ok {
		return errMore
	}
	if length != ^inverse&0xffff {
		return ErrCorrupt
	}
	r.stored = length
	r.step = (*Reader).storedByte
	return nil
}

// storedByte gives one byte of a stored block.
func (r *Reader) storedByte() error {
	if r.stored == 0 {
		r.step = (*Reader).blockHeader
		return nil
	}
	v, ok := r.take(8)
	if !ok {
		return errMore
	}
	r.emit(byte(v))
	r.stored--
	return nil
}

// symbol decodes one literal, or one match, or the end of the block (RFC 1951 3.2.5).
func (r *Reader) symbol() error {
	s, err := r.decode(&r.literal)
	if err != nil {
		return err
	}
	if s < 256 {
		r.emit(byte(s))
		return nil
	}
	if s == 256 {
		r.step = (*Reader).blockHeader
		return nil
	}
	s -= 257
	if s >= len(lengthBase) {
		return ErrCorrupt
	}
	extra, ok := r.take(uint(lengthExtra[s]))
	if !ok {
		return errMore
	}
	length := int(lengthBase[s]) + extra
	d, err := r.decode(&r.distance)
	if err != nil {
		return err
	}
	if d >= len(distanceBase) {
		return ErrCorrupt
	}
	extra, ok = r.take(uint(distanceExtra[d]))
	if !ok {
		return errMore
	}
	distance := int(distanceBase[d]) + extra
	if distance > len(r.history) {
		return ErrCorrupt
	}
	r.copyLen, r.copyDist = length, distance
	r.step = (*Reader).match
	return nil
}

// match repeats what came copyDist bytes before.
func (r *Reader) match() error {
	for r.copyLen > 0 && r.n < len(r.out) {
		at := r.head - r.copyDist
		if at < 0 {
			at += len(r.history)
		}
		r.emit(r.history[at])
		r.copyLen--
	}
	if r.copyLen == 0 {
		r.step = (*Reader).symbol
	}
	return nil
}

// emit gives a byte out and remembers it.
func (r *Reader) emit(b byte) {
	r.out[r.n] = b
	r.n++
	if len(r.history) < historyBytes {
		r.history = append(r.history, b)
		r.head = len(r.history) % historyBytes
		return
	}
	r.history[r.head] = b
	r.head = (r.head + 1) % historyBytes
}
