package archive

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// packed packs a text as a trace's is, and gives what the library makes of that.
func packed(c *codec, text []byte) (form, back []byte, err error) {
	seen := *c.known
	form = pack(nil, append([]byte(dictionary), text...), len(dictionary), &seen)
	back, err = c.dict.Decode(nil, form)
	return form, back, err
}

func TestTheLibraryUnpacksWhatIsPacked(t *testing.T) {
	c, random := newCodec(), rand.New(rand.NewPCG(1, 2))
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	for name, text := range map[string]string{
		"nothing": "", "short": "{}", "the dictionary": dictionary, "its end and what follows": dictionary[len(dictionary)-40:] + dictionary[:40],
		"noise": noise(3000), "one byte": strings.Repeat("x", 50_000), "long runs": strings.Repeat(noise(40), 1400),
		"all of a window": noise(packAtMost - len(dictionary)), "words": strings.Repeat(`{"name":"spf","result":"pass"},`+noise(3), 900),
	} {
		if _, back, err := packed(c, []byte(text)); err != nil || string(back) != text {
			t.Errorf("%s: %d bytes became %d: %v", name, len(text), len(back), err)
		}
	}
	// Each length of a run is another way to write the copies of it.
	for n := range 1200 {
		text := []byte(noise(20) + strings.Repeat("y", n) + noise(20) + strings.Repeat("ab", n/2) + noise(20))
		if _, back, err := packed(c, text); err != nil || !bytes.Equal(back, text) {
			t.Fatalf("a run of %d: %v", n, err)
		}
	}
}

func TestATraceIsPackedAsTightlyAsTheLibraryDoes(t *testing.T) {
	c := newCodec()
	ours, theirs := 0, 0
	for n := range 100 {
		text, err := typical(n).AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		form, _, _ := packed(c, text)
		ours, theirs = ours+len(form), theirs+len(c.dict.Encode(nil, text))
	}
	if ours > theirs+theirs/20 {
		t.Errorf("%d bytes, and %d by the library", ours, theirs)
	}
}

func FuzzPack(f *testing.F) {
	c := newCodec()
	text, _ := typical(3).AppendJSON(nil)
	f.Add(text)
	f.Add([]byte(strings.Repeat("a", 300)))
	f.Fuzz(func(t *testing.T, text []byte) {
		text = text[:min(len(text), packAtMost-len(dictionary))]
		if _, back, err := packed(c, text); err != nil || !bytes.Equal(back, text) {
			t.Errorf("%q became %q: %v", text, back, err)
		}
	})
}
