package words

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func split(text string) (list []string, stats Stats) {
	Split([]byte(text), &stats, func(w *Word) bool {
		list = append(list, string(w.Text))
		return true
	})
	return list, stats
}

func TestWordsAreWhatAReaderReads(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, World!":                "hello world",
		"Don't  stop—now":              "dont stop now",
		"Größe café naïve Øre":         "grosse cafe naive ore",
		"p\u0430yp\u0430l":             "paypal",      // Cyrillic а
		"в\u0430ша карта":              "ваша карта",  // Cyrillic all through stays
		"vi\u200bag\u00adra":           "viagra",      // without width
		"𝐅𝐑𝐄𝐄 ⓜⓞⓝⓔⓨ":                   "free money",  // mathematical, enclosed
		"ｆｕｌｌ ｗｉｄｔｈ":                   "full width",  // full width
		"日本語です":                        "日本 本語 語で です", // pairs
		"abc日本def":                     "abc 日本 def",  // pairs end at letters
		"a.b.c@example.com $100,000":   "a b c example com 100 000",
		"e\u0301te\u0301":              "ete", // combining accents
		strings.Repeat("x", 41) + " y": "y",   // too long is no word
		"\u200b\u200b":                 "",    // nothing but nothing
		"𝟏𝟎𝟎 now":                      "100 now",
	} {
		got, _ := split(text)
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %q, not %q", text, s, want)
		}
	}
}

func TestDisguisesAreCounted(t *testing.T) {
	for text, want := range map[string]int{
		"plain English text, café, naïve":       0,
		"обычный русский текст":                 0,
		"Ελληνικά κείμενο":                      0,
		"p\u0430ypal l\u043egin":                2,
		"vi\u200bagra":                          1,
		"𝐅𝐑𝐄𝐄":                                  1,
		"ｆｕｌｌ":                                  0,
		"می\u200cخواهم":                         0, // Persian needs its joiner
		"👨\u200d👩\u200d👧 family":                0,
		"µm and Ω and 5 μA":                     0,
		"ru\u0441\u0441\u043a\u0438й mixed bad": 0, // two alphabets, but not to look Latin
	} {
		if _, stats := split(text); stats.Disguised != want {
			t.Errorf("%q: %d disguised words, not %d", text, stats.Disguised, want)
		}
	}
}

func TestWhatTextsAreMadeOfIsCounted(t *testing.T) {
	_, s := split("WIN $$$ now!!! 100% 😀 Привет 日本 " + strings.Repeat("y", 99))
	want := Stats{Words: 6, Long: 1, Letters: 3 + 3 + 6 + 2 + 99, Upper: 3 + 1, Latin: 3 + 3 + 99, Cyr: 6, Block: 2, Digits: 3, Exclaims: 3, Emoji: 1, Currency: 3}
	want.Words = 5
	if s != want {
		t.Errorf("%+v\nnot %+v", s, want)
	}
}

func TestAHashIsTheWords(t *testing.T) {
	Split([]byte("One p\u0430ypal Größe 日本"), new(Stats), func(w *Word) bool {
		if w.Hash != Hash(string(w.Text)) {
			t.Errorf("%q has another hash", w.Text)
		}
		return true
	})
	if Hash("viagra") != 0x2c8ae1b41b2c6b6d && Hash("a") != 0xaf63dc4c8601ec8c {
		t.Error("the hash is no longer FNV-1a: everything that was learnt would be lost")
	}
	if Join(Hash("a"), Hash("b")) == Join(Hash("b"), Hash("a")) {
		t.Error("two words in a row are the same in the other order")
	}
}

func TestSplittingStopsWhenTold(t *testing.T) {
	n := 0
	Split([]byte(strings.Repeat("word ", 1000)), new(Stats), func(*Word) bool { n++; return n < 10 })
	if n != 10 {
		t.Errorf("%d words came", n)
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"Hello", "p\u0430ypal", "日本語", "\xff\xfe", "a\u200b", "𝐅", "'''", "e\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, _ := split(text)
		total := 0
		for _, w := range first {
			if total += len(w); w == "" || len(w) > MaxLength {
				t.Fatalf("a word %q", w)
			}
		}
		// What is folded already stays as it is.
		joined := strings.Join(first, " ")
		if again, _ := split(joined); !strings.ContainsFunc(joined, isBlock) && !slices.Equal(first, again) {
			t.Fatalf("%q, and again %q", first, again)
		}
	})
}

// BenchmarkSplit splits a text of which no two pieces are alike: of one that is repeated the processor learns by heart where
// the words end.
func BenchmarkSplit(b *testing.B) {
	text := randomText(rand.New(rand.NewPCG(1, 2)), 1<<20)
	const piece = 4 << 10
	b.SetBytes(piece)
	b.ReportAllocs()
	var stats Stats
	at := 0
	for b.Loop() {
		Split(text[at:at+piece], &stats, func(*Word) bool { return true })
		at = (at + piece) % (len(text) - piece)
	}
}

// randomText is of words and of what stands between them.
func randomText(random *rand.Rand, size int) []byte {
	vocabulary := strings.Fields("The quick brown fox don't you see jumps over 12 lazy dogs and a parcel for which somebody had paid, Anna! " +
		"It's HERE: Wirtschaftsprüfungsgesellschaften disestablishmentarianism incomprehensibility $15 WIN!!! a1b2 \r\n . ,, \u200b 日本語 abcdefgh ijklmnop " +
		strings.Repeat("x", MaxLength-1) + " " + strings.Repeat("y", MaxLength) + " " + strings.Repeat("z", MaxLength+1))
	separators := []string{" ", " ", " ", " ", "\r\n", ", ", ". ", "", "-", "\u00a0"}
	var text []byte
	for len(text) < size {
		// Mostly of the first words, as texts are.
		w := vocabulary[min(random.IntN(len(vocabulary)), random.IntN(len(vocabulary)), random.IntN(len(vocabulary)))]
		text = append(append(text, w...), separators[min(random.IntN(len(separators)), random.IntN(len(separators)))]...)
	}
	return text
}

// TestEightBytesAtATimeIsAsOneByOne compares the quick way with the one that is taken at the end of a text.
func TestEightBytesAtATimeIsAsOneByOne(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	swift := 0
	for range 2000 {
		text := randomText(random, 1+random.IntN(300))
		var fast, slow []string
		var stats, want Stats
		note := func(list *[]string) func(w *Word) bool {
			return func(w *Word) bool {
				*list = append(*list, fmt.Sprintf("%s %x %t %t %t %t", w.Text, w.Hash, w.Disguised, w.Digits, w.Letters, w.Break))
				return true
			}
		}
		Split(text, &stats, note(&fast))
		s := splitter{stats: &want, emit: note(&slow)}
		for i := 0; i < len(text); {
			i += s.step(text[i:])
		}
		s.end()
		if !slices.Equal(fast, slow) || stats != want {
			t.Fatalf("%q:\n%q %+v\n%q %+v", text, fast, stats, slow, want)
		}
		swift += (&splitter{stats: new(Stats), emit: func(*Word) bool { return true }}).swift(text)
	}
	if swift < 10000 {
		t.Errorf("only %d bytes were read eight at a time", swift)
	}
}
