package docs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/test/lab"
)

// terminal is a shell in a directory of its own, with the server's command at bin/postern, in which the blocks of a page
// are run one after the other.
type terminal struct {
	server *lab.Server
	dir    string
	env    []string
	// translate turns what the page says (ports, paths, names) into what is true of the server here.
	translate func(string) string
}

func newTerminal(t *testing.T, s *lab.Server, translate func(string) string) *terminal {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(lab.Binary(t), filepath.Join(dir, "bin", "postern")); err != nil {
		t.Fatal(err)
	}
	// Nothing of whoever runs the tests: no configuration of theirs, no proxy.
	return &terminal{server: s, dir: dir, translate: translate, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC", "LC_ALL=C.UTF-8",
	}}
}

// patience bounds a page; it is far more than any needs.
const patience = 3 * time.Minute

// run runs the blocks in one shell and compares what each prints with what the page shows.
func (term *terminal) run(t *testing.T, path string, list []block) {
	t.Helper()
	var script strings.Builder
	for i, b := range list {
		fmt.Fprintf(&script, "{\n%s} >%q 2>&1\n", term.translate(b.text), term.output(i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// From a file: the commands must not take the script for their input.
	file := filepath.Join(term.dir, "script")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(ctx, "bash", "-eu", file)
	shell.Dir, shell.Env = term.dir, term.env
	said, failed := shell.CombinedOutput()
	for i, b := range list {
		got, err := os.ReadFile(term.output(i))
		if errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s:%d was not reached", path, b.line)
			break
		}
		if b.expected != "" && !matches(term.translate(b.expected), string(got)) {
			t.Errorf("%s:%d prints\n%s\nand not\n%s", path, b.line, got, term.translate(b.expected))
		} else if b.expected == "" && failed != nil {
			t.Logf("%s:%d prints\n%s", path, b.line, got)
		}
	}
	if failed != nil {
		t.Errorf("%s: %v\n%s", path, failed, said)
	}
}

// types has every postern command in this terminal read the line where it would ask a person.
func (term *terminal) types(t *testing.T, line string) {
	t.Helper()
	command, typed := filepath.Join(term.dir, "bin", "postern"), filepath.Join(term.dir, "typed")
	err := errors.Join(os.WriteFile(typed, []byte(line+"\n"), 0o600), os.Remove(command),
		os.WriteFile(command, fmt.Appendf(nil, "#!/bin/sh\nexec %q \"$@\" <%q\n", lab.Binary(t), typed), 0o700))
	if err != nil {
		t.Fatal(err)
	}
}

func (term *terminal) output(i int) string {
	return filepath.Join(term.dir, "out."+strconv.Itoa(i))
}

var spaces = regexp.MustCompile(`[ \t]+`)

// matches compares an output with the page's, in which "…" stands for anything on a line, and alone on a line for any
// lines. How columns are filled up with spaces depends on what stands in them, so that it does not count.
func matches(expected, got string) bool {
	tidy := func(s string) string {
		s = spaces.ReplaceAllString(strings.ReplaceAll(s, "\r\n", "\n"), " ")
		return strings.TrimSpace(strings.ReplaceAll(s, " \n", "\n"))
	}
	pattern := regexp.QuoteMeta(tidy(expected))
	pattern = regexp.MustCompile(`(?m)^ ?…$`).ReplaceAllString(pattern, `(?s:.*?)`)
	pattern = strings.ReplaceAll(pattern, " … ", " (?:.*? )?")
	pattern = strings.ReplaceAll(pattern, "…", ".*?")
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(tidy(got))
}

func TestAnOutputIsComparedWithWhatThePageShows(t *testing.T) {
	for _, c := range []struct {
		expected, got string
		want          bool
	}{
		{"a  b", "a b\n", true},
		{"since …", "since 2026-11-23", true},
		{"a…", "a\nb", false},
		{"a … c", "a c", true},
		{"a … c", "a b c", true},
		{"a\n…\nd", "a\nb\nc\nd", true},
		{"a\n…", "a\nb\nc", true},
		{"a", "a\nb", false},
		{"(a)", "a", false},
		{"one\r\n\ttwo", "one\n  two", true},
	} {
		if got := matches(c.expected, c.got); got != c.want {
			t.Errorf("%q for %q: %v", c.got, c.expected, got)
		}
	}
}
