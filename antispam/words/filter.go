package words

// Filter tells of most hashes that are not in a set that they are not, from a few kilobytes that stay in the processor's
// cache, so that what is looked up in vain, as most words are, does not reach out to the memory of the set itself. The zero
// value is the filter of the empty set.
type Filter struct {
	bits  []uint64
	shift uint8
}

// NewFilter gives a filter for so many hashes that has at least so many bits for each: of what is not in the set, one in so
// many passes, at most.
func NewFilter(count, bits int) Filter {
	f := Filter{shift: 64 - 9}
	for n := 512; n < bits*count; n *= 2 {
		f.shift--
	}
	f.bits = make([]uint64, 1<<(64-f.shift)/64)
	return f
}

// place spreads a hash over the bits; hashes of words differ in their low bits more than in the high ones.
func (f *Filter) place(hash uint64) uint64 { return hash * 0x9e3779b97f4a7c15 >> f.shift }

// Add puts a hash into the set.
func (f *Filter) Add(hash uint64) {
	at := f.place(hash)
	f.bits[at/64] |= 1 << (at % 64)
}

// Passes is false only for what is not in the set.
func (f *Filter) Passes(hash uint64) bool {
	if len(f.bits) == 0 {
		return false
	}
	return f.Bit(hash) != 0
}

// Bit is 1 for what passes and 0 for all else, of a filter that NewFilter gave.
func (f *Filter) Bit(hash uint64) uint64 {
	at := f.place(hash)
	return f.bits[at/64] >> (at % 64) & 1
}
