package inflate

// huffman is a canonical code as RFC 1951 3.2.2 has it: how many codes there are of each length, and the symbols in
// the order of their codes. Decoding walks bit by bit, which is fast enough for what clients send, and needs no table
// beyond the symbols.
type huffman struct {
	count   [maxBits + 1]uint16
	symbol  [288]uint16
	longest int
}

const maxBits = 15

// build makes the code with the given lengths; 0 means that a symbol does not occur. Codes that are over-full or leave
// gaps are refused, but for the empty one and the one with a single symbol of one bit, which encoders do send.
func (h *huffman) build(lengths []byte) bool {
	h.count = [maxBits + 1]uint16{}
	for _, l := range lengths {
		h.count[l]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	left := 1
	h.longest = 0
	var next [maxBits + 2]uint16
	for l := 1; l <= maxBits; l++ {
		left = left<<1 - int(h.count[l])
		if left < 0 {
			return false
		}
		next[l+1] = next[l] + h.count[l]
		if h.count[l] > 0 {
			h.longest = l
		}
	}
	for symbol, l := range lengths {
		if l != 0 {
			h.symbol[next[l]] = uint16(symbol)
			next[l]++
		}
	}
	return left == 0 || used == 0 || used == 1 && h.count[1] == 1
}

// decode reads one symbol.
func (r *Reader) decode(h *huffman) (int, error) {
	code, first, index := 0, 0, 0
	for l := 1; l <= h.longest; l++ {
		bit, ok := r.take(1)
		if !ok {
			return 0, errMore
		}
		code |= bit
		count := int(h.count[l])
		if code-first < count {
			return int(h.symbol[index+code-first]), nil
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, ErrCorrupt
}

// fixedTables is the code that needs no description (RFC 1951 3.2.6).
func (r *Reader) fixedTables() {
	var lengths [288]byte
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	r.literal.build(lengths[:])
	var distances [32]byte
	for i := range distances {
		distances[i] = 5
	}
	r.distance.build(distances[:])
}

// dynamicTables reads the code that stands before a block (RFC 1951 3.2.7).
func (r *Reader) dynamicTables() error {
	sizes, ok := r.take(14)
	if !ok {
		return errMore
	}
	literals, distances, codes := sizes&31+257, sizes>>5&31+1, sizes>>10+4
	if literals > 286 || distances > len(distanceBase) {
		return ErrCorrupt
	}
	var lengths [286 + 30]byte
	for _, at := range codeOrder[:codes] {
		l, ok := r.take(3)
		if !ok {
			return errMore
		}
		lengths[at] = byte(l)
	}
	var code huffman
	if !code.build(lengths[:len(codeOrder)]) {
		return ErrCorrupt
	}
	lengths = [286 + 30]byte{}
	for i := 0; i < literals+distances; {
		s, err := r.decode(&code)
		if err != nil {
			return err
		}
		if s < 16 {
			lengths[i] = byte(s)
			i++
			continue
		}
		value, repeat, err := r.repetition(s, lengths[:i])
		if err != nil {
			return err
		}
		if i+repeat > literals+distances {
			return ErrCorrupt
		}
		for range repeat {
			lengths[i] = value
			i++
		}
	}
	if !r.literal.build(lengths[:literals]) || !r.distance.build(lengths[literals:literals+distances]) {
		return ErrCorrupt
	}
	r.step = (*Reader).symbol
	return nil
}

// repetition reads how often a length repeats, and which.
func (r *Reader) repetition(symbol int, before []byte) (value byte, times int, err error) {
	bits, base := uint(2), 3
	switch symbol {
	case 16:
		if len(before) == 0 {
			return 0, 0, ErrCorrupt
		}
		value = before[len(before)-1]
	case 17:
		bits = 3
	default:
		bits, base = 7, 11
	}
	extra, ok := r.take(bits)
	if !ok {
		return 0, 0, errMore
	}
	return value, base + extra, nil
}

// codeOrder is the order in which the lengths of the code for lengths stand.
var codeOrder = [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

var (
	lengthBase = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115,
		131, 163, 195, 227, 258}
	lengthExtra  = [29]byte{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
		2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distanceExtra = [30]byte{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12,
		13, 13}
)
