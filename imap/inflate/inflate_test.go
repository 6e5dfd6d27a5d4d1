package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"postern/internal/testenv"
)

func deflate(t testing.TB, level int, pieces ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		if _, err := io.WriteString(w, piece); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func text(n int) string {
	words := []string{"FETCH ", "1:* ", "(FLAGS UID)", "\r\n", "BODY.PEEK[] ", "a"}
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(words[random.IntN(len(words))])
		b.WriteByte(byte(random.IntN(256)))
	}
	return b.String()[:n]
}

func TestEveryLevelOfCompressionIsRead(t *testing.T) {
	want := text(200_000)
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		compressed := deflate(t, level, want[:10], want[10:100_000], want[100_000:])
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
		} {
			got, err := io.ReadAll(NewReader(wrap(bytes.NewReader(compressed))))
			if err != nil || string(got) != want {
				t.Errorf("level %d, %s: %d bytes, %v", level, name, len(got), err)
			}
		}
	}
}

func TestWhatWasFlushedIsGivenBeforeMoreIsAskedFor(t *testing.T) {
	ours, theirs := io.Pipe()
	r := NewReader(ours)
	w, _ := flate.NewWriter(theirs, 6)
	lines := make(chan string, 1)
	defer close(lines)
	go func() {
		for line := range lines {
			io.WriteString(w, line)
			w.Flush()
		}
	}()
	for _, line := range []string{"a1 NOOP\r\n", "a2 SELECT INBOX\r\n", text(5000)} {
		lines <- line
		got := make([]byte, len(line))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != line {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

// Z_PARTIAL_FLUSH leaves no stored block behind, only an empty block of the fixed code, whose last bits may still be
// with the sender.
func TestAPartialFlushIsEnough(t *testing.T) {
	python := testenv.Need(t, "python3")[0]
	out, err := exec.Command(python, "-c", `
import zlib, sys
z = zlib.compressobj(6, zlib.DEFLATED, -15)
for line in (b"a1 NOOP\r\n", b"a2 SELECT INBOX\r\n", b"a3 FETCH 1:* FLAGS\r\n"):
    part = z.compress(line) + z.flush(zlib.Z_PARTIAL_FLUSH)
    sys.stdout.write(part.hex() + "\n")
`).Output()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := io.Pipe()
	r := NewReader(ours)
	lines := []string{"a1 NOOP\r\n", "a2 SELECT INBOX\r\n", "a3 FETCH 1:* FLAGS\r\n"}
	parts := make(chan []byte, 1)
	defer close(parts)
	go func() {
		for part := range parts {
			theirs.Write(part)
		}
	}()
	for i, part := range strings.Fields(string(out)) {
		raw := make([]byte, len(part)/2)
		for j := range raw {
			raw[j] = unhex(part[2*j])<<4 | unhex(part[2*j+1])
		}
		parts <- raw
		got := make([]byte, len(lines[i]))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != lines[i] {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

func unhex(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

func TestTheEndOfTheStreamIsTheEnd(t *testing.T) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	io.WriteString(w, "bye")
	w.Close()
	b.WriteString("garbage behind")
	got, err := io.ReadAll(NewReader(&b))
	if string(got) != "bye" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestGarbageIsRefused(t *testing.T) {
	for name, input := range map[string]string{
		"block type 3":          "\x07",
		"stored length":         "\x00\x01\x00\x00\x00",
		"distance before start": "\x4b\x04\x12\x00\x00",
	} {
		_, err := io.ReadAll(NewReader(strings.NewReader(input)))
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The standard library is the judge: what both decode is the same, and what it refuses is not accepted.
func FuzzInflate(f *testing.F) {
	for level := -2; level <= 9; level++ {
		f.Add(deflate(f, level, "a1 NOOP\r\n", text(300)))
	}
	f.Add([]byte("\x4b\x04\x12\x00\x00"))
	f.Fuzz(func(t *testing.T, input []byte) {
		limit := int64(1 << 20)
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(input)), limit))
		got, gotErr := io.ReadAll(io.LimitReader(NewReader(bytes.NewReader(input)), limit))
		if wantErr == nil && (gotErr != nil || !bytes.Equal(got, want)) {
			t.Fatalf("got %d bytes and %v, want %d", len(got), gotErr, len(want))
		}
		if len(got) < len(want) && int64(len(want)) < limit {
			t.Fatalf("%d bytes decoded (%v), the other has %d (%v)", len(got), gotErr, len(want), wantErr)
		}
		var corrupt flate.CorruptInputError
		if errors.As(wantErr, &corrupt) && !errors.Is(gotErr, ErrCorrupt) {
			t.Fatalf("accepted what the other refuses: %v", wantErr)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	plain := text(1 << 20)
	compressed := deflate(b, 6, plain)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, NewReader(bytes.NewReader(compressed))); err != nil {
			b.Fatal(err)
		}
	}
}
