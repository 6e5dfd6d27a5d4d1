package smtp

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// plainScan is the same as textScanner, in the most obvious way: all at once.
func plainScan(stream []byte) (text []byte, taken int, done, bad bool) {
	rest := append([]byte("\r\n"), stream...) // the beginning is the beginning of a line
	i := bytes.Index(rest, []byte("\r\n.\r\n"))
	if done = i >= 0; done {
		rest, taken = rest[:i+2], i+3
	} else {
		taken = len(stream)
	}
	text = bytes.ReplaceAll(rest, []byte("\r\n."), []byte("\r\n"))
	if len(text) >= 2 {
		text = text[2:]
	}
	bare := bytes.ReplaceAll(text, []byte("\r\n"), nil)
	return text, taken, done, bytes.ContainsAny(bare, "\r\n\x00")
}

// scanInPieces runs textScanner as a session does: with what is not taken given again.
func scanInPieces(stream []byte, next func(left int) int) (text []byte, taken int, done, bad bool) {
	s := textScanner{check: byteCheck{maxLine: 1 << 20}}
	var buffer []byte
	for given := 0; !done && given < len(stream); {
		n := min(max(1, next(len(stream)-given)), len(stream)-given)
		buffer = append(buffer, stream[given:given+n]...)
		given += n
		n, done = s.scan(buffer, func(p []byte) { text = append(text, p...) })
		taken += n
		buffer = buffer[n:]
		if len(buffer) > 2 && !done {
			panic("left more than two bytes")
		}
	}
	return text, taken, done, s.check.finish() != nil
}

func checkScan(t *testing.T, stream []byte, next func(int) int) {
	t.Helper()
	text, taken, done, bad := scanInPieces(stream, next)
	wantText, wantTaken, wantDone, wantBad := plainScan(stream)
	if done != wantDone {
		t.Fatalf("%q: end found: %v, want %v", stream, done, wantDone)
	}
	if !done {
		return // the last two bytes may not be judged yet
	}
	if taken != wantTaken || !bytes.Equal(text, wantText) || bad != wantBad {
		t.Fatalf("%q: took %d, text %q, bad %v; want %d, %q, %v", stream, taken, text, bad, wantTaken, wantText, wantBad)
	}
}

// all four-letter words over the bytes that matter, whole and cut everywhere.
func TestScannerAgreesWithTheObviousOneOnAllShortStreams(t *testing.T) {
	const letters = "\r\n.a\x00"
	const length = 6
	stream := make([]byte, length, length+5)
	total := 1
	for range length {
		total *= len(letters)
	}
	for number := range total {
		for i, n := 0, number; i < length; i, n = i+1, n/len(letters) {
			stream[i] = letters[n%len(letters)]
		}
		whole := append(stream, "\r\n.\r\n"...)
		checkScan(t, whole, func(left int) int { return left })
		checkScan(t, whole, func(int) int { return 1 })
		checkScan(t, whole, func(int) int { return 1 + number%4 })
	}
}

func FuzzTextScanner(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\n", ".\r\n", "..\r\n.\r\n", "a\r\n.\rX\r\n.\r\n", "a\r\r\n.\r\n", "\n.\n\r\n.\r\n", "a\r\n.\r\nQUIT\r\n"} {
		f.Add([]byte(s), uint64(1))
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		checkScan(t, stream, func(left int) int { return 1 + r.IntN(8) })
		checkScan(t, append(stream, "\r\n.\r\n"...), func(left int) int { return 1 + r.IntN(left) })
	})
}

func TestLongLinesAreCountedAcrossPieces(t *testing.T) {
	for _, test := range []struct {
		pieces []string
		bad    bool
	}{
		{[]string{strings.Repeat("x", 98) + "\r\n"}, false},
		{[]string{strings.Repeat("x", 99) + "\r\n"}, true},
		{[]string{strings.Repeat("x", 50), strings.Repeat("x", 48) + "\r\n" + strings.Repeat("y", 90), "\r\n"}, false},
		{[]string{strings.Repeat("x", 50), strings.Repeat("x", 51)}, true},
	} {
		c := byteCheck{maxLine: 100}
		for _, p := range test.pieces {
			c.add([]byte(p))
		}
		if got := c.finish() != nil; got != test.bad {
			t.Errorf("%q: refused %v, want %v", test.pieces, got, test.bad)
		}
	}
}

func BenchmarkTextScanner(b *testing.B) {
	text := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog and runs away from it all.\r\n"), 450)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	s := textScanner{check: byteCheck{maxLine: 1 << 20}}
	for b.Loop() {
		s.scan(text, func([]byte) {})
	}
}
