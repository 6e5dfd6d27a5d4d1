package docs_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"postern/internal/settings"
	"postern/internal/testenv"
	"postern/test/lab"
)

var update = flag.Bool("update", false, "write the generated pages anew")

// isPage holds a generated page to what generates it: go test ./test/docs -run PageIs -update
func isPage(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join(testenv.Repository(), path), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, lines := strings.Split(page(t, path), "\n"), strings.Split(want, "\n")
	for i := range max(len(got), len(lines)) {
		if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
			t.Fatalf("%s is out of date from line %d on; write it anew: go test ./test/docs -run PageIs -update", path, i+1)
		}
	}
}

func TestTheSettingsPageIsTheCatalogue(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Settings

Policy is kept in the database and changed while the server runs, by ` + "`postern settings set`" + `; ` + "`postern settings list`" + ` shows
what is in force. A change holds at once: for SMTP sessions that are open from their next message on, for IMAP sessions
from the next connection on. What is needed to start the server is in [postern.toml](postern.toml.md) instead.

Sizes are written with a unit (` + "`64KiB`, `50MiB`, `1GiB`" + `), times too (` + "`90s`, `30m`, `4h`, `5d`" + `); a list's entries are
separated by commas. This page is made from the program's own catalogue.
`)
	group := ""
	for _, s := range settings.Defaults().List() {
		prefix, _, _ := strings.Cut(s.Name, ".")
		if prefix != group {
			group = prefix
			fmt.Fprintf(&b, "\n## %s\n\n| setting | default | range | what it is for |\n|---|---|---|---|\n", group)
		}
		value := "empty"
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		limits := s.Range
		if s.Kind == "count" { // the other kinds show theirs by the value's form
			limits += " " + s.Unit
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, value, limits, strings.ReplaceAll(s.Doc, "|", `\|`))
	}
	isPage(t, "docs/settings.md", b.String())
}

// settingKey is a key as internal/settings/catalogue.go declares it.
var settingKey = regexp.MustCompile(`(?m)^\t([A-Z]\w+) +\w+Key += iota$`)

func TestEverySettingIsReadSomewhere(t *testing.T) {
	code := map[string]string{}
	eachFile(t, func(path, text string) { code[path] = text })
	keys := settingKey.FindAllStringSubmatch(code["internal/settings/catalogue.go"], -1)
	if len(keys) < len(settings.Defaults().List()) {
		t.Fatalf("found %d keys of %d settings", len(keys), len(settings.Defaults().List()))
	}
	for _, key := range keys {
		read := regexp.MustCompile(`\bsettings\.` + key[1] + `\b`)
		found := false
		for _, text := range code {
			found = found || read.MatchString(text)
		}
		if !found {
			t.Errorf("settings.%s can be set and nothing reads it", key[1])
		}
	}
}

func TestTheCommandsPageIsTheHelp(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Commands

What ` + "`--help`" + ` says, on one page. Every command also takes ` + "`--json`, for JSON on standard output and in errors, and `--config`" + `,
which names the configuration of the server. Exit codes: 0 done, 1 refused, 2 wrong usage. Shell completion comes from
` + "`postern completion bash`, `zsh` or `fish`" + `.
`)
	describe(t, &b, nil)
	isPage(t, "docs/commands.md", b.String())
}

var (
	listed      = regexp.MustCompile(`(?m)^  ([a-z-]+) {2,}`)
	sharedFlags = regexp.MustCompile(`(?s)\nGlobal Flags:\n.*?(\n\n|$)`)
	helpFlag    = regexp.MustCompile(`(?m)^  -h, --help .*\n?`)
	moreHelp    = regexp.MustCompile(`(?m)^Use "postern .*\n?`)
)

// describe writes a command's help and then that of those below it, as cobra lists them.
func describe(t *testing.T, b *strings.Builder, command []string) {
	t.Helper()
	full := help(t, command)
	text := moreHelp.ReplaceAllString(helpFlag.ReplaceAllString(sharedFlags.ReplaceAllString(full, ""), ""), "")
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "Flags:"))
	fmt.Fprintf(b, "\n%s %s\n\n```text\n%s\n```\n", strings.Repeat("#", 2+min(len(command), 1)),
		strings.Join(append([]string{"postern"}, command...), " "), text)
	_, below, found := strings.Cut(full, "Available Commands:\n")
	if !found {
		return
	}
	below, _, _ = strings.Cut(below, "\n\n")
	for _, match := range listed.FindAllStringSubmatch(below, -1) {
		if name := match[1]; name != "completion" && name != "help" { // cobra's own
			describe(t, b, append(command[:len(command):len(command)], name))
		}
	}
}

// help is what a command says with --help.
func help(t *testing.T, command []string) string {
	t.Helper()
	out, err := exec.Command(lab.Binary(t), append(command[:len(command):len(command)], "--help")...).Output()
	if err != nil {
		t.Fatalf("postern %s --help: %v", strings.Join(command, " "), err)
	}
	return string(out)
}
