// Package docs_test holds the documentation to the code.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"postern/internal/testenv"
)

var rfcMention = regexp.MustCompile(`RFC (\d{3,5})`)

// eachFile calls fn with the path, relative to the root, and the text of every Go file outside tests.
func eachFile(t *testing.T, fn func(path, text string)) {
	t.Helper()
	root := testenv.Repository()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != root || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(root, path)
		fn(relative, string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// mentioned gives the RFCs that Go files outside tests name, with one file for each.
func mentioned(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	eachFile(t, func(path, text string) {
		for _, match := range rfcMention.FindAllStringSubmatch(text, -1) {
			found[match[1]] = path
		}
	})
	return found
}

// TestTheRFCStatusListAndTheCodeAgree: what the code follows is listed, and what is listed as supported is named where it
// is followed.
func TestTheRFCStatusListAndTheCodeAgree(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testenv.Repository(), "docs", "rfc.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	found := mentioned(t)
	listed := map[string]bool{}
	previous := ""
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		fields := strings.Split(line, "\t")
		if len(fields) != 4 {
			t.Fatalf("line %d has %d columns, not 4: %q", i+1, len(fields), line)
		}
		if i == 0 {
			continue
		}
		number, status := fields[0], fields[2]
		if len(number) < len(previous) || len(number) == len(previous) && number <= previous {
			t.Errorf("line %d: RFC %s stands after RFC %s", i+1, number, previous)
		}
		previous = number
		listed[number] = true
		switch status {
		case "yes", "partly":
			if found[number] == "" {
				t.Errorf("RFC %s is listed as supported (%s), and no code names it", number, status)
			}
		case "no", "reference":
		default:
			t.Errorf("line %d: status %q is none of yes, partly, no, reference", i+1, status)
		}
		if status == "partly" && fields[3] == "" {
			t.Errorf("RFC %s is supported partly: say what is missing", number)
		}
	}
	var missing []string
	for number, path := range found {
		if !listed[number] {
			missing = append(missing, "RFC "+number+" in "+path)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("named in code, not in docs/rfc.tsv:\n%s", strings.Join(missing, "\n"))
	}
}
