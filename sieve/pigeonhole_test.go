package sieve

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern/internal/testenv"
	"postern/sieve/grammar"
)

// TestPigeonhole runs the test scripts of Dovecot Pigeonhole, or whatever of their form lies there: each is a Sieve script with
// commands of vnd.dovecot.testsuite, which run cases, and look at what other scripts and their actions came to.
func TestPigeonhole(t *testing.T) {
	root := testenv.Testdata(t, "sieve-pigeonhole")
	cases := 0
	for folder, files := range suiteFiles(t, root) {
		t.Run(folder, func(t *testing.T) {
			before, failed := cases, 0
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".svtest"), func(t *testing.T) {
					n, wrong := runSuiteFile(t, file)
					cases, failed = cases+n, failed+wrong
				})
			}
			t.Logf("%s: %d cases, %d failed", folder, cases-before, failed)
		})
	}
	if cases == 0 {
		t.Fatalf("no case was found in %s", root)
	}
}

// suiteFiles gives the test scripts by their folders, in the order of the alphabet.
func suiteFiles(t *testing.T, root string) func(yield func(string, []string) bool) {
	byFolder := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".svtest") || strings.HasSuffix(path, ".svtest.in")) {
			folder, _ := filepath.Rel(root, filepath.Dir(path))
			byFolder[folder] = append(byFolder[folder], path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(string, []string) bool) {
		folders := make([]string, 0, len(byFolder))
		for f := range byFolder {
			folders = append(folders, f)
		}
		slices.Sort(folders)
		for _, f := range folders {
			if !yield(f, byFolder[f]) {
				return
			}
		}
	}
}

// runSuiteFile runs one test script and gives how many cases it has, and how many were not as they should be.
func runSuiteFile(t *testing.T, path string) (cases, wrong int) {
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".in") {
		source = withoutTemplate(source)
	}
	l := newLab(path)
	names := caseNames(source)
	script, err := l.compile(path, source)
	if err != nil {
		return refusedFile(t, l, names, err)
	}
	l.t, l.left = t, names
	m := l.machine()
	err = m.next(script)
	if err != nil {
		t.Errorf("the test script was broken off: %v", err)
	}
	for _, name := range l.left {
		t.Run(name, func(t *testing.T) { t.Errorf("the case was not run") })
		l.wrong++
	}
	return len(names), l.wrong
}

// refusedFile tells that no case of a file can be run; for one whose cases must fail that is right.
func refusedFile(t *testing.T, l *lab, names []string, err error) (cases, wrong int) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if !l.mustFail {
				wrong++
				t.Errorf("the test script cannot be read: %v", err)
			}
		})
	}
	if len(names) == 0 && !l.mustFail {
		t.Errorf("the test script cannot be read: %v", err)
	}
	return len(names), wrong
}

// withoutTemplate takes out the lines that hold for servers only that take addresses in bytes that are no UTF-8.
func withoutTemplate(source []byte) []byte {
	var out strings.Builder
	for line := range strings.SplitAfterSeq(string(source), "\n") {
		if !strings.HasPrefix(line, "#UTF8#") {
			out.WriteString(line)
		}
	}
	return []byte(out.String())
}

// caseNames are the names of the cases, in their order.
func caseNames(source []byte) (names []string) {
	commands, _ := grammar.Parse(source, grammar.Limits{})
	for _, c := range commands {
		if c.Name == "test" && len(c.Arguments) == 1 && len(c.Arguments[0].Texts) == 1 {
			names = append(names, c.Arguments[0].Texts[0].Value)
		}
	}
	return names
}

// caseFailed ends a case.
type caseFailed struct{ why string }

func (e caseFailed) Error() string { return e.why }

// run runs one case.
func (l *lab) run(m *machine, name string, block []step) {
	file := l.t
	defer func() { l.t = file }()
	if len(l.left) > 0 {
		l.left = l.left[1:]
	}
	file.Run(name, func(t *testing.T) {
		l.t = t
		err := m.run(block)
		switch {
		case ended(err) && l.mustFail:
			t.Errorf("the case should have failed")
		case !ended(err) && !l.mustFail:
			t.Errorf("line %d: %v", m.at.Line, err)
		default:
			return
		}
		l.wrong++
		if len(l.errors) > 0 {
			t.Logf("the last errors were:\n\t%s", strings.Join(l.errors, "\n\t"))
		}
	})
}

// problemsOf gives what is wrong with a script line by line, with a closing line as Pigeonhole has it.
func problemsOf(err error) (list []string) {
	var problems Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			list = append(list, p.Text)
		}
	} else {
		list = append(list, err.Error())
	}
	return append(list, "the script cannot be used")
}
