package docs_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"postern/internal/testenv"
)

// block is a fenced block of a page. A block that runs is marked "sh"; the words behind that say how:
//
//	sh            run by TestTheCommandsInTheDocumentationWork
//	sh tour       a step of README.md's tour
//	sh server     what starts the server of the tour
//	sh norun      not run here: it needs root or changes the machine
//
// A "text" block that follows directly shows what the block before it prints.
type block struct {
	kind, text string
	line       int    // of the fence
	expected   string // of the text block behind it; "" when there is none
}

// blocks gives the fenced blocks of a page.
func blocks(t *testing.T, path string) []block {
	t.Helper()
	var list []block
	var open *block
	after := -1 // the line where the last block ended
	for i, line := range strings.Split(page(t, path), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{kind: strings.TrimSpace(fence), line: i + 1}
		case isFence && open.kind == "text" && len(list) > 0 && after+1 == open.line:
			list[len(list)-1].expected, open = open.text, nil
		case isFence:
			list, open, after = append(list, *open), nil, i+1
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Fatalf("%s: the block at line %d does not end", path, open.line)
	}
	return list
}

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Repository(), path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pages are all pages of the repository, relative to its root.
func pages(t *testing.T) []string {
	t.Helper()
	var list []string
	root := testenv.Repository()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			relative, _ := filepath.Rel(root, path)
			list = append(list, relative)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
)

func TestEveryLinkBetweenPagesLeadsSomewhere(t *testing.T) {
	for _, from := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(fenced.ReplaceAllString(page(t, from), ""), -1) {
			to, err := url.Parse(match[1])
			if err != nil {
				t.Errorf("%s: %q is no link: %v", from, match[1], err)
				continue
			}
			if to.IsAbs() {
				continue // the world's affair
			}
			target := from
			if to.Path != "" {
				target = filepath.Join(filepath.Dir(from), to.Path)
			}
			if _, err := os.Stat(filepath.Join(testenv.Repository(), target)); err != nil {
				t.Errorf("%s leads to %s, which is not there", from, match[1])
			} else if to.Fragment != "" && !hasHeading(page(t, target), to.Fragment) {
				t.Errorf("%s leads to %s, and %s has no such heading", from, match[1], target)
			}
		}
	}
}

// hasHeading looks for a heading by the name that sites which show Markdown give it.
func hasHeading(text, anchor string) bool {
	for _, match := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, match[1])
		if name == anchor {
			return true
		}
	}
	return false
}
