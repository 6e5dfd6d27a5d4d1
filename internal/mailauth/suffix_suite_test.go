package mailauth_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern/internal/mailauth"
	"postern/internal/mailauth/dmarc"
	"postern/internal/testenv"
)

var checkLine = regexp.MustCompile(`^checkPublicSuffix\(('([^']*)'|null), ('([^']*)'|null)\);`)

// TestPublicSuffixSuite runs every pair of a name and its registrable domain in the texts of the list's folder, in either form:
// plain pairs, or calls of checkPublicSuffix. A line that is neither, nor a comment, is an error: nothing is passed over.
func TestPublicSuffixSuite(t *testing.T) {
	ran := 0
	for _, file := range testenv.Files(t, testenv.Testdata(t, "public-suffix-list"), ".txt") {
		base := filepath.Base(file)
		if strings.HasPrefix(strings.ToUpper(base), "LICENSE") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "//") {
				continue
			}
			name, want, ok := pair(line)
			if !ok {
				t.Errorf("%s: %q cannot be read", base, line)
				continue
			}
			ran++
			t.Run(base+"/"+name, func(t *testing.T) { checkSuffix(t, name, want) })
		}
	}
	if ran == 0 {
		t.Fatal("the folder holds no case")
	}
	t.Logf("%d cases", ran)
}

// pair reads "name registrable" or "checkPublicSuffix('name', 'registrable');", where null stands for none.
func pair(line string) (name, want string, ok bool) {
	if m := checkLine.FindStringSubmatch(line); m != nil {
		return m[2], m[4], true
	}
	words := strings.Fields(line)
	if len(words) != 2 || strings.Contains(line, "(") {
		return "", "", false
	}
	for i := range words {
		if words[i] == "null" {
			words[i] = ""
		}
	}
	return words[0], words[1], true
}

// checkSuffix: where the list knows no registrable domain, a name is its own organization or none at all.
func checkSuffix(t *testing.T, name, want string) {
	got := mailauth.OrganizationalDomain(name)
	if want == "" {
		if got != "" && (got != dmarc.Normalize(name) || !dmarc.IsPublicSuffix(name)) {
			t.Errorf("%q, want it to be a public suffix", got)
		}
		return
	}
	if got != dmarc.Normalize(want) {
		t.Errorf("%q, want %q", got, dmarc.Normalize(want))
	}
	if !mailauth.SameOrganization(name, want) || mailauth.SameOrganization(name, "other-"+want) {
		t.Errorf("%q is not of the one organization of %q", name, want)
	}
}
