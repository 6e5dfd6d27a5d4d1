package words

// Filter tells of most hashes that are not in a set that they are not, from a few kilobytes that stay in the processor's
// cache, so that what is looked up in vain, as most words are, does not reach out to the memory of the set itself. The zero
// value is the filter of the empty set.
type Filter struct {
	bits  []uint64
	shift uint8
}

// filterBits is how many bits a filter has for each hash, at least: of those that are not in the set, so many let one pass.
const filterBits = 32

// NewFilter gives a filter for so many hashes.
func NewFilter(count int) Filter {
	f := Filter{shift: 64 - 9}
	for n := 512; n < filterBits*count; n *= 2 {
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
	at := f.place(hash)
	return f.bits[at/64]&(1<<(at%64)) != 0
}
