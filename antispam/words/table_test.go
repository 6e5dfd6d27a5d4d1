package words

import (
	"math/rand/v2"
	"testing"
)

func TestATableGivesWhatWasPutIntoIt(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var table Table[int]
	if _, ok := table.Get(7); ok {
		t.Error("an empty table has something")
	}
	model := map[uint64]int{}
	for i := range 5000 {
		hash := random.Uint64() >> (random.IntN(7) * 8) // also ones that lie close together
		if i == 0 {
			hash = 0
		}
		table.Put(hash, i)
		model[max(hash, 1)] = i
	}
	for hash, want := range model {
		if got, ok := table.Get(hash); !ok || got != want {
			t.Fatalf("%x: %d, %t, not %d", hash, got, ok, want)
		}
	}
	for range 5000 {
		hash := random.Uint64()
		_, known := model[hash]
		if _, ok := table.Get(hash); ok != known {
			t.Fatalf("%x is found: %t", hash, ok)
		}
	}
}

func TestATableThatWasEmptiedHasNothing(t *testing.T) {
	var table Table[int]
	for _, size := range []int{10, 2 * keptSlots, 10} {
		for i := uint64(1); i <= uint64(size); i++ {
			table.Put(i, 1)
		}
		if table.Len() != size {
			t.Errorf("%d values, not %d", table.Len(), size)
		}
		table.Reset()
		for i := uint64(1); i <= uint64(size); i++ {
			if _, ok := table.Get(i); ok || table.Len() != 0 {
				t.Fatalf("%d is there, one of %d", i, table.Len())
			}
		}
	}
}

func TestAFilterPassesWhatWasAddedAndLittleElse(t *testing.T) {
	const count = 5000
	random := rand.New(rand.NewPCG(3, 4))
	if new(Filter).Passes(7) {
		t.Error("the filter of the empty set lets something pass")
	}
	const bits = 8
	f := NewFilter(count, bits)
	for i := range uint64(count) {
		f.Add(i)
	}
	for i := range uint64(count) {
		if !f.Passes(i) {
			t.Fatalf("%d was added and does not pass", i)
		}
	}
	passed := 0
	for range 10 * count {
		if f.Passes(random.Uint64()) {
			passed++
		}
	}
	if passed > 10*count*2/bits {
		t.Errorf("%d of %d pass that were not added", passed, 10*count)
	}
}
