package managesieve

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/internal/testenv"
)

// rfcCodes are the response codes of RFC 5804 1.3.
var rfcCodes = []string{
	"ACTIVE", "ALREADYEXISTS", "AUTH-TOO-WEAK", "ENCRYPT-NEEDED", "NONEXISTENT", "QUOTA", "QUOTA/MAXSCRIPTS", "QUOTA/MAXSIZE", "REFERRAL", "SASL", "TAG",
	"TRANSITION-NEEDED", "TRYLATER", "WARNINGS",
}

// TestEachResponseCodeIsGivenWhereThePageSaysSo has a dialogue for every code that the page says is given; those that it says are
// not are none of ours, and both together are all that there are.
func TestEachResponseCodeIsGivenWhereThePageSaysSo(t *testing.T) {
	w := newWorld(t)
	for name, value := range map[string]string{"sieve.max_scripts": "2", "sieve.max_script_size": "2KiB", "sieve.max_storage": "3KiB"} {
		if err := w.settings.Set(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	full := "C: PUTSCRIPT \"one\" \"keep;\"\nS: OK …\nC: PUTSCRIPT \"two\" \"keep;\"\nS: OK …\nC: SETACTIVE \"one\"\nS: OK …\n"
	w.user().talk(t, full)
	long := strings.Repeat("#", 2048)
	given := map[string]func(t *testing.T){
		"ACTIVE":         func(t *testing.T) { w.user().talk(t, "C: DELETESCRIPT \"one\"\nS: NO (ACTIVE) …") },
		"ALREADYEXISTS":  func(t *testing.T) { w.user().talk(t, "C: RENAMESCRIPT \"one\" \"two\"\nS: NO (ALREADYEXISTS) …") },
		"AUTH-TOO-WEAK":  func(t *testing.T) { w.enter().talk(t, "C: AUTHENTICATE \"DIGEST-MD5\"\nS: NO (AUTH-TOO-WEAK) …") },
		"ENCRYPT-NEEDED": func(t *testing.T) { w.dial().talk(t, greeting+"C: AUTHENTICATE \"PLAIN\"\nS: NO (ENCRYPT-NEEDED) …") },
		"NONEXISTENT": func(t *testing.T) {
			w.user().talk(t, "C: GETSCRIPT \"x\"\nS: NO (NONEXISTENT) …\nC: SETACTIVE \"x\"\nS: NO (NONEXISTENT) …\nC: DELETESCRIPT \"x\"\nS: NO (NONEXISTENT) …\nC: RENAMESCRIPT \"x\" \"y\"\nS: NO (NONEXISTENT) …")
		},
		"QUOTA": func(t *testing.T) {
			w.user().talk(t, "C: PUTSCRIPT \"one\" {2048+}\\r\\n"+long+"\nS: OK …\nC: PUTSCRIPT \"two\" {2048+}\\r\\n"+long+"\nS: NO (QUOTA) …\nC: HAVESPACE \"two\" 2048\nS: NO (QUOTA) …")
		},
		"QUOTA/MAXSCRIPTS": func(t *testing.T) {
			w.user().talk(t, "C: HAVESPACE \"three\" 1\nS: NO (QUOTA/MAXSCRIPTS) …\nC: PUTSCRIPT \"three\" \"keep;\"\nS: NO (QUOTA/MAXSCRIPTS) …")
		},
		"QUOTA/MAXSIZE": func(t *testing.T) { w.user().talk(t, "C: HAVESPACE \"one\" 2049\nS: NO (QUOTA/MAXSIZE) …") },
		"SASL":          func(t *testing.T) { scram(t, newWorld(t).enter(), "SCRAM-SHA-256", testPassword, true) },
		"TAG":           func(t *testing.T) { w.user().talk(t, "C: NOOP \"x y\"\nS: OK (TAG \"x y\") \"Done\"") },
		"TRYLATER": func(t *testing.T) {
			w.user().talk(t, "C: CHECKSCRIPT \"trouble\"\nS: NO (TRYLATER) …")
			w.enter().talk(t, "C: AUTHENTICATE \"PLAIN\" \""+plain("busy", testPassword)+"\"\nS: NO (TRYLATER) …")
		},
		"WARNINGS": func(t *testing.T) {
			w.user().talk(t, "C: CHECKSCRIPT \"warning\"\nS: OK (WARNINGS) {48}\nS: line 1: …\nS: line 3: …\nC: PUTSCRIPT \"two\" \"warning\"\nS: OK (WARNINGS) {48}\nS: line 1: …\nS: line 3: …")
		},
	}
	yes, no := codesOfThePage(t)
	for _, code := range yes {
		if given[code] == nil {
			t.Errorf("the page says that %s is given; no dialogue shows it", code)
			continue
		}
		t.Run(code, given[code])
	}
	if len(yes) != len(given) {
		t.Errorf("the page has %q, there are dialogues for %d", yes, len(given))
	}
	all := append(yes, no...)
	if slices.Sort(all); !slices.Equal(all, rfcCodes) {
		t.Errorf("the page has %q, the RFC %q", all, rfcCodes)
	}
}

// codesOfThePage are the response codes that docs/sieve.md says are given, and those that it says are not.
func codesOfThePage(t *testing.T) (yes, no []string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(testenv.Repository(), "docs", "sieve.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## By ManageSieve\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z/-]+)` \\| (.*) \\|$").FindAllStringSubmatch(section, -1) {
		if strings.HasPrefix(row[2], "never: ") {
			no = append(no, row[1])
		} else {
			yes = append(yes, row[1])
		}
	}
	if len(yes) == 0 {
		t.Fatal("the page lists no response codes")
	}
	return yes, no
}
