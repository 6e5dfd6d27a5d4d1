package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern/internal/testenv"
)

var roomName = regexp.MustCompile("`([a-z/]+)`")

// rooms reads the table of docs/architecture.md: the row of each package.
func rooms(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Repository(), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	floor := map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !ok || !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, name := range roomName.FindAllStringSubmatch(first, -1) {
			floor[name[1]] = i
		}
	}
	return floor
}

func TestImportsPointDownTheListOfRooms(t *testing.T) {
	floor := rooms(t)
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = testenv.Repository()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(strings.ReplaceAll(line, "postern/", ""))
		name := words[0]
		if strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "scripts/") || strings.HasPrefix(name, "internal/test") {
			continue
		}
		from, listed := floor[name]
		if !listed {
			t.Errorf("%s is not in the table of docs/architecture.md", name)
			continue
		}
		for _, imported := range words[1:] {
			if to, ours := floor[imported]; ours && to < from {
				t.Errorf("%s imports %s, which stands above it", name, imported)
			}
		}
	}
}
