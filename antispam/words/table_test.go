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

func TestAFilterPassesWhatWasAddedAndLittleElse(t *testing.T) {
	const count = 5000
	random := rand.New(rand.NewPCG(3, 4))
	if new(Filter).Passes(7) {
		t.Error("the filter of the empty set lets something pass")
	}
	f := NewFilter(count)
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
	if passed > 10*count*2/filterBits {
		t.Errorf("%d of %d pass that were not added", passed, 10*count)
	}
}
