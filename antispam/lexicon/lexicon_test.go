package lexicon

import (
	"slices"
	"strings"
	"testing"

	"postern/antispam/words"
)

func TestTheListIsWellFormed(t *testing.T) {
	l, err := parse(list)
	if err != nil {
		t.Fatal(err)
	}
	if l.Phrases() < 1000 {
		t.Errorf("%d phrases only", l.Phrases())
	}
	for _, p := range l.phrases {
		m := match(l, "and "+strings.ReplaceAll(p.text, "#", "24")+" but")
		if !slices.Contains(m.Found(p.kind), p.text) {
			t.Errorf("%q is not found in itself", p.text)
		}
	}
}

func match(l *Lexicon, texts ...string) *Matcher {
	m := &Matcher{Lexicon: l}
	m.Reset()
	for _, text := range texts {
		words.Split([]byte(text), new(words.Stats), func(w *words.Word) bool { m.Word(w); return true })
		m.End()
	}
	return m
}

func TestPhrasesAreMetOnceEachAndNotAcrossTexts(t *testing.T) {
	l, err := parse("fraud\t10\tnext of kin\nfraud\t5\tof kin and\npharma\t8\tpills\nfraud\t7\t# million dollars\n")
	if err != nil {
		t.Fatal(err)
	}
	m := match(l, "Next of kin. NEXT OF KIN and $15,5 Million dollars! Pills", "next of", "kin")
	if m.Count(Fraud) != 3 || m.Weight(Fraud) != 22 || m.Weight(Pharma) != 8 {
		t.Errorf("%v %v", m.Found(Fraud), m.Found(Pharma))
	}
	m.Reset()
	if m.Count(Fraud) != 0 || m.Weight(Pharma) != 0 || m.Found(Fraud) != nil {
		t.Error("it remembers")
	}
	if m := match(l, "next of", "kin"); m.Count(Fraud) != 0 {
		t.Error("a phrase went on in the next text")
	}
}

func TestABadListIsRefused(t *testing.T) {
	for _, bad := range []string{"fraud\t10", "nothing\t1\tx", "fraud\t0\tx", "fraud\t99\tx", "fraud\tx\tx", "fraud\t1\tDon't", "fraud\t1\tx\nfraud\t1\tx"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	l := New()
	text := []byte(strings.Repeat("Dear customer, the quick brown fox jumps over your account and has been in the mailbox. ", 50))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	m := &Matcher{Lexicon: l}
	var stats words.Stats
	for b.Loop() {
		m.Reset()
		words.Split(text, &stats, func(w *words.Word) bool { m.Word(w); return true })
	}
}
