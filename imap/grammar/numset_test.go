package grammar

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNumSetIsNormalised(t *testing.T) {
	tests := []struct {
		in      string
		largest uint32
		want    string
	}{
		{"1", 10, "1"},
		{"3,1,2", 10, "1:3"},
		{"5:1", 10, "1:5"},
		{"1:3,2:8,10", 20, "1:8,10"},
		{"1:3,4:5", 20, "1:5"},
		{"*", 10, "10"},
		{"5:*", 10, "5:10"},
		{"*:5", 10, "5:10"},
		{"15:*", 10, "10:15"},
		{"*:*", 10, "10"},
		{"*", 0, ""},
		{"5:*", 0, "5"},
		{"1,1,1", 5, "1"},
		{"4294967295,1", 5, "1,4294967295"},
		{"4294967290:*,4294967295", 4294967295, "4294967290:4294967295"},
		{"$", 5, "$"},
	}
	for _, tt := range tests {
		s, err := ParseNumSet(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		n := s.Normalize(tt.largest)
		if got := string(n.Append(nil)); got != tt.want {
			t.Errorf("%s with %d: %s, want %s", tt.in, tt.largest, got, tt.want)
		}
		if !n.Saved && !n.isNormal() {
			t.Errorf("%s is not normal", tt.want)
		}
	}
	for _, bad := range []string{"", "0", "1,", ",1", "1:", ":1", "1 ", " 1", "a", "-1", "4294967296", "1:2:3", "$,1", "1,$", "**"} {
		if s, err := ParseNumSet(bad); err == nil {
			t.Errorf("%q gives %v", bad, s)
		}
	}
}

func TestNumSetAgreesWithAPlainList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var s NumSet
		in := map[uint32]bool{}
		for range rnd.IntN(8) {
			a, b := uint32(1+rnd.IntN(60)), uint32(1+rnd.IntN(60))
			s.Ranges = append(s.Ranges, NumRange{a, b})
			for n := min(a, b); n <= max(a, b); n++ {
				in[n] = true
			}
		}
		n := s.Normalize(60)
		var want, all, some []uint32
		for i := uint32(1); i <= 64; i++ {
			if in[i] {
				want = append(want, i)
			}
			if n.Contains(i) != in[i] {
				t.Fatalf("%v contains %d: %v", s, i, !in[i])
			}
			if i%3 == 0 {
				some = append(some, i)
			}
		}
		for i := range n.All() {
			all = append(all, i)
		}
		if !slices.Equal(all, want) || n.Count() != uint64(len(want)) {
			t.Fatalf("%v: %v, want %v", s, all, want)
		}
		var wantSome []uint32
		for _, i := range some {
			if in[i] {
				wantSome = append(wantSome, i)
			}
		}
		if got := n.Intersect(nil, some); !slices.Equal(got, wantSome) {
			t.Fatalf("%v among %v: %v, want %v", s, some, got, wantSome)
		}
		if len(want) > 0 && n.Largest() != want[len(want)-1] {
			t.Fatalf("%v: largest %d", s, n.Largest())
		}
		if a, b := string(AppendNums(nil, want)), string(n.Append(nil)); a != b {
			t.Fatalf("%s, %s", a, b)
		}
		if diff := cmp.Diff(n, NumSetOf(want), ignoreWire); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestIntersectAtTheEndOfTheNumbers(t *testing.T) {
	s := set(1<<32-2, 1<<32-1)
	if got := s.Intersect(nil, []uint32{1, 1<<32 - 2, 1<<32 - 1}); len(got) != 2 {
		t.Error(got)
	}
	n := 0
	for range s.All() {
		n++
	}
	if n != 2 || s.Largest() != 1<<32-1 || (NumSet{}).Largest() != 0 || !(NumSet{}).IsZero() {
		t.Error(n)
	}
}

func FuzzNumSet(f *testing.F) {
	for _, s := range []string{"1", "1:*", "*:4,5,7:9", "$", "4294967295:1", "3,2,1", "1:2,3:4", strings.Repeat("1,", 50) + "2"} {
		f.Add(s, uint32(10))
	}
	f.Fuzz(func(t *testing.T, in string, largest uint32) {
		s, err := ParseNumSet(in)
		if err != nil {
			return
		}
		n := s.Normalize(largest)
		if n.Saved {
			return
		}
		if !n.isNormal() || n.Largest() != 0 && !n.Contains(n.Largest()) {
			t.Fatalf("%q is not normal: %v", in, n)
		}
		text := string(n.Append(nil))
		if text == "" {
			return
		}
		again, err := ParseNumSet(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(n, again.Normalize(1), ignoreWire); diff != "" {
			t.Fatal(diff)
		}
	})
}
