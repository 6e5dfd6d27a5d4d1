package message

import "hash/maphash"

// maxBoundary is the longest boundary we look for. RFC 2046 5.1.1 allows 70.
const maxBoundary = 250

// boundaries are those of the multiparts that are open, innermost last. A line is looked up by its hash, so that a
// message of many nested multiparts and many lines that look like delimiters costs no more than any other.
type boundaries struct {
	seed  maphash.Seed
	open  []boundary
	heads [256]int16 // by hash: the innermost open boundary plus one, 0 for none
}

type boundary struct {
	text  string
	hash  uint64
	frame int   // whose it is
	next  int16 // as in heads
}

func (t *boundaries) reset() {
	t.open = t.open[:0]
	clear(t.heads[:])
}

// push opens a boundary.
func (t *boundaries) push(text string, frame int) {
	h := maphash.String(t.seed, text)
	head := &t.heads[h&255]
	t.open = append(t.open, boundary{text: text, hash: h, frame: frame, next: *head})
	*head = int16(len(t.open))
}

// cut closes the boundaries of frame and of all above it.
func (t *boundaries) cut(frame int) {
	for n := len(t.open); n > 0 && t.open[n-1].frame >= frame; n-- {
		b := &t.open[n-1]
		t.heads[b.hash&255] = b.next
		t.open = t.open[:n-1]
	}
}

// find gives the frame of the innermost open boundary with that text, or -1, and the number of comparisons.
func (t *boundaries) find(text []byte) (frame, steps int) {
	h := maphash.Bytes(t.seed, text)
	for i := t.heads[h&255]; i > 0; i = t.open[i-1].next {
		steps++
		if b := &t.open[i-1]; b.hash == h && b.text == string(text) {
			return b.frame, steps
		}
	}
	return -1, steps
}

// match takes a line that begins with "--" and tells whose delimiter it is, and whether it is the closing one. What
// follows the boundary may only be white space (RFC 2046 5.1.1: transport padding), so that "--inner" is not taken for the
// delimiter "--in".
func (t *boundaries) match(line []byte) (frame int, closing bool, steps int) {
	for n := len(line); n > 2; n-- {
		if c := line[n-1]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			break
		}
		line = line[:n-1]
	}
	text := line[2:]
	if len(text) == 0 || len(text) > maxBoundary+2 {
		return -1, false, 1
	}
	frame, steps = t.find(text)
	if n := len(text) - 2; frame < 0 && n > 0 && text[n] == '-' && text[n+1] == '-' {
		var more int
		frame, more = t.find(text[:n])
		return frame, frame >= 0, steps + more
	}
	return frame, false, steps
}
