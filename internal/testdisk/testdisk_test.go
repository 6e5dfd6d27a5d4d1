package testdisk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func write(t *testing.T, path, text string, flush bool) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if flush {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOnlyWhatWasFlushedSurvivesACut(t *testing.T) {
	d := New(t, 16<<20)
	kept, lost := filepath.Join(d.Path(), "kept"), filepath.Join(d.Path(), "lost")
	write(t, kept, "kept", true)
	write(t, lost, "lost", false)
	if err := d.CutPower(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Create(filepath.Join(d.Path(), "late")); !errors.Is(err, syscall.EIO) {
		t.Fatalf("a file was made after the cut: %v", err)
	}
	if err := d.Restore(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(kept); err != nil || string(b) != "kept" {
		t.Fatalf("%q, %v", b, err)
	}
	if b, err := os.ReadFile(lost); err == nil && len(b) > 0 {
		t.Fatalf("what was not flushed is there: %q", b)
	}
}

func TestAFullDiskIsFull(t *testing.T) {
	d := New(t, 16<<20)
	release, err := d.Fill(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Path(), "more"), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	release()
	if err := os.WriteFile(filepath.Join(d.Path(), "more"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
}
