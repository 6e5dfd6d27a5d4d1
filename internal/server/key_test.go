package server

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSecretKeyIsMadeOnceForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.key")
	// What a power cut in the middle of making it leaves behind.
	if err := os.WriteFile(path+".new", []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	key, err := openKey(path, log)
	if err != nil || len(key) != 32 {
		t.Fatalf("%d bytes, %v", len(key), err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != 32 {
		t.Errorf("%v, %v", info, err)
	}
	if again, err := openKey(path, log); err != nil || !bytes.Equal(again, key) {
		t.Errorf("the second time another key, %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if other, err := openKey(filepath.Join(t.TempDir(), "secret.key"), log); err != nil || bytes.Equal(other, key) {
		t.Errorf("two servers have one key, %v", err)
	}
}

func TestASecretKeyThatIsNotWhatItShouldBeIsRefusedAndKept(t *testing.T) {
	good := strings.Repeat("k", 32)
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		says    string
	}{
		"readable by others": {good, 0o640, "chmod go="},
		"empty":              {"", 0o600, "0 bytes"},
		"short":              {good[1:], 0o600, "31 bytes"},
		"long":               {good + "\n", 0o600, "33 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "secret.key")
		if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := openKey(path, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if content, err := os.ReadFile(path); err != nil || string(content) != c.content {
			t.Errorf("%s: changed to %q, %v", name, content, err)
		}
	}
	if _, err := openKey(t.TempDir(), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a directory: %v", err)
	}
}
