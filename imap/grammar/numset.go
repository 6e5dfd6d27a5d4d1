package grammar

import "iter"

// NumRange is first:last, both included. In a set as a client wrote it, 0 is
// "*", the largest number in use, and the two may stand in either order.
type NumRange struct{ First, Last uint32 }

// NumSet is a set of sequence numbers or UIDs. RFC 9051 9 (sequence-set)
//
// As parsed it holds the ranges in the order they were written. Normalize gives
// the form on which Contains, Count, All and Append work: no "*", ascending, merged.
type NumSet struct {
	Ranges []NumRange
	Saved  bool // "$", the saved result of a search; Ranges is empty. RFC 5182
}

// IsZero reports a set that names nothing, as an absent argument does.
func (s NumSet) IsZero() bool { return len(s.Ranges) == 0 && !s.Saved }

// HasStar reports whether "*" is in the set as parsed.
func (s NumSet) HasStar() bool { panic("not yet") }

// Normalize resolves "*" to largest, and sorts and merges the ranges, in
// O(n log n) of the ranges, O(n) when they came in order. Largest is the number of messages for sequence
// numbers, or the largest UID; with 0 (an empty mailbox) "*" names nothing.
func (s NumSet) Normalize(largest uint32) NumSet { panic("not yet") }

// Largest is the highest number in a normalised set, 0 if it is empty. A session
// compares it with the number of messages to refuse a number out of range.
func (s NumSet) Largest() uint32 { panic("not yet") }

// Contains reports whether n is in a normalised set, in O(log n) of the ranges.
func (s NumSet) Contains(n uint32) bool { panic("not yet") }

// Count is how many numbers a normalised set holds.
func (s NumSet) Count() uint64 { panic("not yet") }

// All gives the numbers of a normalised set in ascending order. Its length may
// be 2³²: walk Intersect's result rather than All of a client's set.
func (s NumSet) All() iter.Seq[uint32] { panic("not yet") }

// Intersect gives the members of sorted (ascending UIDs) that are in a
// normalised set, appended to dst, in time of the ranges plus the result.
func (s NumSet) Intersect(dst, sorted []uint32) []uint32 { panic("not yet") }

// NumSetOf is the normalised set of ascending numbers.
func NumSetOf(sorted []uint32) NumSet { panic("not yet") }

// ParseNumSet reads a whole string as a sequence set, "$" included.
func ParseNumSet(s string) (NumSet, error) { panic("not yet") }

// Append writes the set in wire form ("1:3,7"); an empty one writes nothing.
func (s NumSet) Append(dst []byte) []byte { panic("not yet") }

// AppendNums writes ascending numbers as a compact set, without making a NumSet.
func AppendNums(dst []byte, sorted []uint32) []byte { panic("not yet") }
