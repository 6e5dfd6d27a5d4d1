package story_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/internal/testenv"
)

// TestWhatScriptsDidIsToldAsItWas has an administrator ask why a message went where it went, before and after somebody changed
// the scripts.
func TestWhatScriptsDidIsToldAsItWas(t *testing.T) {
	g := openGate(t, "")
	const alice = "alice@example.test"
	put := func(name, owner string, lines ...string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), name+".sieve")
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		g.Postern(append([]string{"sieve", "put", name, path}, strings.Fields(owner)...)...)
	}
	put("lists", "--domain example.test --global", `require ["fileinto", "mailbox"];`, `if header :contains "List-Id" "garden" {`, `    fileinto :create "Garden";`, `}`)
	put("first", "--server --before --activate", `require "imap4flags";`, `if size :over 1M {`, `    addflag "large";`, `}`)
	k := keepScripts(t, g.Server, alice)
	k.use("main", `require "include";`, `include :global "lists";`, `if anyof (header :is "Subject" "x", address :is "From" "y@example.com") {`, `    discard;`, `}`)

	if said := k.put("careless", `require "include";`, `include :global "nowhere";`, `include :global "lists";`); !strings.HasPrefix(said, `OK (WARNINGS) "line 2: there is no script `) {
		t.Errorf("a script that includes what is not there is answered %s", said)
	}
	s := g.stranger(t, true)
	id := g.accept(t, s.ip, s.author, g.letter(s.author, "Subject: roses", "List-Id: <garden.example.com>"), alice)
	g.Messages(t, alice, "Garden", 1)
	wants := func(text string, patterns ...string) {
		t.Helper()
		for _, p := range patterns {
			if !regexp.MustCompile("(?m)" + p).MatchString(text) {
				t.Errorf("nothing like %s in\n%s", p, text)
			}
		}
	}
	results := []string{
		`^in first \(before, of server\):\n  line   2  size → false `,
		`^in main:\n  line   2  include `,
		`^in lists \(global, of example\.test\):\n  line   2  header → true .*\n  line   3  fileinto `,
		`^in main:\n  line   3  anyof → false|^  line   3  header → false .*\n  line   3  address → false .*\n  line   3  anyof → false`,
		`^did        lists, line 3: fileinto Garden$`, `^went       into Garden, by lists, line 3$`,
	}
	told := g.Postern("sieve", "trace", id)
	wants(told, results...)
	wants(told, `^script     main$`, `header → true +if header :contains "List-Id" "garden" \{$`, `fileinto +fileinto :create "Garden";$`)

	// Scripts and the message go; what they did does not.
	k.use("main", `stop;`)
	g.Postern("sieve", "delete", "lists", "--domain", "example.test", "--global")
	told = g.Postern("sieve", "trace", "--last", "1", "--user", alice)
	wants(told, results...)
	wants(told, `^script     main, which has changed since: its lines of then are not kept$`, `^script     lists \(global, of example\.test\), which is not there any more`,
		`^script     first \(before, of server\)$`, `size → false +if size :over 1M \{$`)
	if strings.Contains(told, "garden") || strings.Contains(told, "discard") {
		t.Errorf("lines of scripts that are others now are shown:\n%s", told)
	}
	if told = g.Postern("sieve", "trace", "--last", "1", "--user", "bob@example.test"); !strings.Contains(told, "No script ran") {
		t.Errorf("bob is told\n%s", told)
	}
}

// TestTheExtensionsThatAreOfferedAreThoseOfThePage compares what ManageSieve says with docs/sieve.md.
func TestTheExtensionsThatAreOfferedAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testenv.Repository(), "docs", "sieve.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := func(text string) (list []string) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
			list = append(list, m[1])
		}
		return list
	}
	var listed []string
	table, _, _ := strings.Cut(string(page), "\nWhere the rules leave something open")
	for line := range strings.SplitSeq(table, "\n") {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") && len(cells) == 3 {
			listed = append(listed, names(cells[0])...)
		}
	}
	g := openGate(t, "")
	offered := regexp.MustCompile(`"SIEVE" "([^"]*)"`).FindStringSubmatch(keepScripts(t, g.Server, "alice@example.test").say("CAPABILITY"))
	if offered == nil {
		t.Fatal("there is no SIEVE capability")
	}
	there := strings.Fields(offered[1])
	slices.Sort(listed)
	slices.Sort(there)
	if len(listed) == 0 || !slices.Equal(listed, there) {
		t.Errorf("the page has\n%q\nManageSieve offers\n%q", listed, there)
	}
}
