package sieve

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/internal/testenv"
)

func TestThePageListsTheExtensionsThatThereAre(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testenv.Repository(), "docs", "sieve.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.SplitSeq(string(page), "\n") {
		if first, rest, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && strings.Contains(rest, " | ") {
			for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
				listed = append(listed, name[1])
			}
		}
	}
	slices.Sort(listed)
	if there := Extensions(); !slices.Equal(listed, there) {
		t.Errorf("listed:\n%q\nthere are:\n%q", listed, there)
	}
}
