package grammar

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"sort"
	"strconv"
)

// NumRange is first:last, both included. In a set as a client wrote it, 0 is
// "*", the largest number in use, and the two may stand in either order.
type NumRange struct{ First, Last uint32 }

// NumSet is a set of sequence numbers or UIDs. RFC 9051 9 (sequence-set)
//
// As parsed it holds ranges in the order they were written. Normalize gives the
// form on which Largest, Contains, Count, All and Intersect work: no "*",
// ascending, merged.
type NumSet struct {
	Ranges []NumRange
	Saved  bool // "$", the saved result of a search; Ranges is empty. RFC 5182
}

// IsZero reports a set that names nothing, as an absent argument does.
func (s NumSet) IsZero() bool { return len(s.Ranges) == 0 && !s.Saved }

// HasStar reports whether "*" is in the set as parsed.
func (s NumSet) HasStar() bool {
	for _, r := range s.Ranges {
		if r.First == 0 || r.Last == 0 {
			return true
		}
	}
	return false
}

// Normalize resolves "*" to largest, and sorts and merges the ranges: at once
// when they came in order, else in O(n log n). Largest is the number of messages
// for sequence numbers, or the largest UID; when it is 0, in an empty mailbox,
// "*" names nothing.
func (s NumSet) Normalize(largest uint32) NumSet {
	if s.Saved || s.isNormal() {
		return s
	}
	out := make([]NumRange, 0, len(s.Ranges))
	for _, r := range s.Ranges {
		if r.First == 0 {
			r.First = largest
		}
		if r.Last == 0 {
			r.Last = largest
		}
		if r.First > r.Last {
			r.First, r.Last = r.Last, r.First
		}
		// RFC 9051 9: "n:*" always includes the largest number, even below n.
		if r.Last == 0 {
			continue
		}
		if r.First == 0 {
			r.First = r.Last
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b NumRange) int { return cmp.Compare(a.First, b.First) })
	n := 0
	for _, r := range out {
		if n > 0 && uint64(r.First) <= uint64(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out[n] = r
		n++
	}
	return NumSet{Ranges: out[:n]}
}

func (s NumSet) isNormal() bool {
	var last uint64
	for i, r := range s.Ranges {
		if r.First == 0 || r.Last < r.First || i > 0 && uint64(r.First) <= last+1 {
			return false
		}
		last = uint64(r.Last)
	}
	return true
}

// Largest is the highest number in a normalised set, 0 if it is empty. A session
// compares it with the number of messages to refuse a number out of range.
func (s NumSet) Largest() uint32 {
	if len(s.Ranges) == 0 {
		return 0
	}
	return s.Ranges[len(s.Ranges)-1].Last
}

// Contains reports whether n is in a normalised set, in O(log n) of the ranges.
func (s NumSet) Contains(n uint32) bool {
	i := sort.Search(len(s.Ranges), func(i int) bool { return s.Ranges[i].Last >= n })
	return i < len(s.Ranges) && s.Ranges[i].First <= n
}

// Count is how many numbers a normalised set holds.
func (s NumSet) Count() uint64 {
	var n uint64
	for _, r := range s.Ranges {
		n += uint64(r.Last) - uint64(r.First) + 1
	}
	return n
}

// All gives the numbers of a normalised set in ascending order. They may be four
// billion when the set is a client's: Intersect is bounded by what there is.
func (s NumSet) All() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, r := range s.Ranges {
			for n := uint64(r.First); n <= uint64(r.Last); n++ {
				if !yield(uint32(n)) {
					return
				}
			}
		}
	}
}

// Intersect appends to dst the members of sorted (ascending) that are in a
// normalised set, in time of its ranges, each with a binary search, and of the
// result.
func (s NumSet) Intersect(dst, sorted []uint32) []uint32 {
	for _, r := range s.Ranges {
		from, _ := slices.BinarySearch(sorted, r.First)
		sorted = sorted[from:]
		if len(sorted) == 0 {
			break
		}
		n := len(sorted)
		if sorted[n-1] > r.Last {
			n, _ = slices.BinarySearch(sorted, r.Last+1)
		}
		dst = append(dst, sorted[:n]...)
		sorted = sorted[n:]
	}
	return dst
}

// NumSetOf is the normalised set of ascending numbers.
func NumSetOf(sorted []uint32) NumSet {
	var s NumSet
	for _, n := range sorted {
		s.add(NumRange{n, n})
	}
	return s
}

// add appends a range, joining it with the last one when it follows directly.
func (s *NumSet) add(r NumRange) {
	if k := len(s.Ranges) - 1; k >= 0 && r.First > 1 && r.Last >= r.First {
		if last := &s.Ranges[k]; last.First != 0 && last.First <= last.Last && last.Last == r.First-1 {
			last.Last = r.Last
			return
		}
	}
	s.Ranges = append(s.Ranges, r)
}

// Append writes the set as it is in wire form ("1:3,7", "$"); an empty one writes
// nothing.
func (s NumSet) Append(dst []byte) []byte {
	if s.Saved {
		return append(dst, '$')
	}
	for i, r := range s.Ranges {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSeqNumber(dst, r.First)
		if r.First != r.Last {
			dst = append(dst, ':')
			dst = appendSeqNumber(dst, r.Last)
		}
	}
	return dst
}

func appendSeqNumber(dst []byte, n uint32) []byte {
	if n == 0 {
		return append(dst, '*')
	}
	return strconv.AppendUint(dst, uint64(n), 10)
}

// AppendNums writes ascending numbers as a compact set, without making a NumSet.
func AppendNums(dst []byte, sorted []uint32) []byte {
	for i := 0; i < len(sorted); {
		first := sorted[i]
		last := first
		for i++; i < len(sorted) && sorted[i] == last+1; i++ {
			last++
		}
		dst = strconv.AppendUint(dst, uint64(first), 10)
		if last != first {
			dst = append(dst, ':')
			dst = strconv.AppendUint(dst, uint64(last), 10)
		}
		if i < len(sorted) {
			dst = append(dst, ',')
		}
	}
	return dst
}

// ParseNumSet reads a whole string as a sequence set, "$" included.
func ParseNumSet(s string) (NumSet, error) {
	r := &Reader{buf: []byte(s), eol: len(s), lim: Limits{Ranges: len(s)}}
	set := r.set()
	r.end()
	if r.err != nil || len(s) > 0 && s[len(s)-1] == ' ' {
		return NumSet{}, errors.New("not a sequence set")
	}
	return set, nil
}

// set takes a sequence set. RFC 9051 9 (sequence-set)
func (r *Reader) set() NumSet {
	var s NumSet
	if r.accept('$') {
		s.Saved = true
		return s
	}
	for r.err == nil {
		first := r.seqNumber()
		last := first
		if r.accept(':') {
			last = r.seqNumber()
		}
		r.ranges++
		if r.ranges > r.lim.Ranges {
			r.fail(refused("LIMIT", "The command has too many numbers"))
		}
		s.add(NumRange{first, last})
		if !r.accept(',') {
			break
		}
	}
	return s
}

// plainSet takes a set without "*" and "$", and normalises it.
func (r *Reader) plainSet() NumSet {
	s := r.set()
	if r.err == nil && (s.Saved || s.HasStar()) {
		r.bad("* and $ are not possible here")
	}
	return s.Normalize(0)
}

// seqNumber takes a number or "*", which is 0.
func (r *Reader) seqNumber() uint32 {
	if r.accept('*') {
		return 0
	}
	if !is(r.peek(), digit) {
		r.bad("A set of message numbers is missing")
		return 0
	}
	return uint32(r.positive(maxNumber))
}
