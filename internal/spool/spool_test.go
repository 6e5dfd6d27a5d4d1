package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"postern/internal/testenv"
)

func newDir(t testing.TB) *Dir {
	t.Helper()
	d, err := NewDir(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pattern is n bytes that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestContentIsWhatWasWritten(t *testing.T) {
	d := newDir(t)
	for _, size := range []int{0, 1, smallSize - 1, smallSize, smallSize + 1, memorySize - 1, memorySize, memorySize + 1, 3*memorySize + 5} {
		for _, step := range []int{1 << 30, 1000, memorySize, memorySize + 3} {
			want := pattern(size)
			w := d.NewWriter()
			for rest := want; len(rest) > 0; {
				n := min(step, len(rest))
				if _, err := w.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if w.Size() != int64(size) {
				t.Fatalf("size while writing %d, want %d", w.Size(), size)
			}
			c, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			checkContent(t, c, want)
			if _, inMemory := c.Bytes(); inMemory != (size <= memorySize) {
				t.Errorf("%d bytes in memory: %v", size, inMemory)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func checkContent(t *testing.T, c *Content, want []byte) {
	t.Helper()
	if c.Size() != int64(len(want)) || c.SHA256() != sha256.Sum256(want) {
		t.Fatalf("%d bytes: size %d or hash is wrong", len(want), c.Size())
	}
	for range 2 {
		got, err := io.ReadAll(c.NewReader())
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: read %d bytes back, error %v", len(want), len(got), err)
		}
	}
	if n, err := c.ReadAt(make([]byte, 2), c.Size()); n != 0 || err != io.EOF {
		t.Fatalf("read at the end: %d, %v", n, err)
	}
	if len(want) > 10 {
		p := make([]byte, 10)
		if n, err := c.ReadAt(p, int64(len(want)-4)); n != 4 || err != io.EOF || !bytes.Equal(p[:4], want[len(want)-4:]) {
			t.Fatalf("read across the end: %d, %v", n, err)
		}
	}
}

func TestLargeMessageLeavesNoNameInTheFolder(t *testing.T) {
	d := newDir(t)
	w := d.NewWriter()
	w.Write(pattern(2 * memorySize))
	entries, err := os.ReadDir(d.path)
	if err != nil || len(entries) != 0 {
		t.Fatalf("entries %v, error %v", entries, err)
	}
	w.Abort()
	w.Abort()
	if _, err := w.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("write after abort: %v", err)
	}
	if _, err := w.Finish(); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("finish after abort: %v", err)
	}
}

func TestLeftoversAreRemovedAndStrangersAreNot(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{prefix + "123", "keep.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewDir(dir); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 || entries[0].Name() != "keep.txt" {
		t.Fatalf("left: %v", entries)
	}
	if info, _ := os.Stat(dir); info.Mode().Perm() != 0o700 {
		t.Fatalf("mode %v", info.Mode())
	}
}

func TestDiskFullIsReportedAndStays(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		testenv.Missing(t, "/dev/full, which Linux has: %v", err)
	}
	w := newDir(t).NewWriter()
	w.file = full
	var last error
	for range 10 {
		if _, last = w.Write(pattern(memorySize)); last != nil {
			break
		}
	}
	if !errors.Is(last, syscall.ENOSPC) {
		t.Fatalf("error %v, want ENOSPC", last)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("second write: %v", err)
	}
	if _, err := w.Finish(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("finish: %v", err)
	}
}

func TestClosedContentCannotBeRead(t *testing.T) {
	c := FromBytes([]byte("hello"))
	checkContent(t, c, []byte("hello"))
	c.Close()
	c.Close()
	if _, err := c.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("read after close: %v", err)
	}
	if _, ok := c.Bytes(); ok {
		t.Fatal("bytes after close")
	}
}

func BenchmarkWriter4KiB(b *testing.B) {
	d := newDir(b)
	p := pattern(4096)
	b.ReportAllocs()
	b.SetBytes(4096)
	for b.Loop() {
		w := d.NewWriter()
		w.Write(p)
		c, _ := w.Finish()
		c.Close()
	}
}
