// Package testenv tells tests what this machine has. A test that lacks something says what and is skipped; in CI, where
// everything must be there, it fails instead.
package testenv

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// InCI reports whether nothing may be skipped.
func InCI() bool { return os.Getenv("CI") != "" }

// Missing skips the test, or fails it in CI, and says what is missing and how it is had.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if InCI() {
		t.Fatalf("missing in CI: "+format, args...)
	}
	t.Skipf("missing: "+format, args...)
}

// Testdata is the folder of a suite or corpus that others wrote: $POSTERN_TESTDATA/name, or ../shared/testdata/name
// beside the repository.
func Testdata(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("POSTERN_TESTDATA")
	if root == "" {
		root = filepath.Join(Repository(), "..", "shared", "testdata")
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err != nil {
		Missing(t, "test data %q: set POSTERN_TESTDATA to the folder that holds it (%v)", name, err)
	}
	return dir
}

// Files are all files below a folder whose names end in one of the endings, in the order of their names. A folder without any
// is no suite.
func Files(t testing.TB, dir string, endings ...string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(path, end) }) {
			list = append(list, path)
		}
		return err
	})
	if err != nil || len(list) == 0 {
		t.Fatalf("%s holds no file that ends in one of %q: %v", dir, endings, err)
	}
	return list
}

// Repository is the root of the source tree.
func Repository() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Need asks for programs in $PATH or in the system's sbin folders and gives their paths in the order asked.
func Need(t testing.TB, programs ...string) []string {
	t.Helper()
	paths := make([]string, 0, len(programs))
	for _, name := range programs {
		path := find(name)
		if path == "" {
			Missing(t, "program %q: `make test` as root installs it on Debian", name)
		}
		paths = append(paths, path)
	}
	return paths
}

func find(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// Root asks for root's rights: loop mounts, namespaces, other users' processes.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "root: run `make test` as root")
	}
}
