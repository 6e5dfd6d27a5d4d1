package docs_test

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"postern/internal/testenv"
	"postern/test/lab"
)

// tourData and tourBase are where README.md's tour has the demo.
const (
	tourData = "/tmp/postern-demo"
	tourBase = 2000
)

var port = regexp.MustCompile(`(localhost|127\.0\.0\.1):(\d+)`)

// TestTheTourInTheREADMEDoesWhatItSays does the tour as a reader would, with the demo at other ports and in another
// directory.
func TestTheTourInTheREADMEDoesWhatItSays(t *testing.T) {
	testenv.Need(t, "bash", "curl", "make")
	s := lab.Start(t)
	translate := func(text string) string {
		text = strings.ReplaceAll(text, tourData, s.Data)
		return port.ReplaceAllStringFunc(text, func(at string) string {
			host, number, _ := strings.Cut(at, ":")
			n, _ := strconv.Atoi(number)
			return host + ":" + strconv.Itoa(s.Port(n-tourBase))
		})
	}
	var steps []block
	started := false
	for _, b := range blocks(t, "README.md") {
		switch b.kind {
		case "sh server":
			started = true
			startsDemo(t, b)
			if want := translate(b.expected); !matches(want, s.Output()) {
				t.Errorf("README.md:%d starts a server that prints\n%s\nand not\n%s", b.line, s.Output(), want)
			}
		case "sh tour":
			steps = append(steps, b)
		}
	}
	if !started || len(steps) < 5 {
		t.Fatalf("README.md has no tour: %d steps", len(steps))
	}
	newTerminal(t, s, translate).run(t, "README.md", steps)
}

// startsDemo asks make what the block that starts the server would run.
func startsDemo(t *testing.T, b block) {
	t.Helper()
	if would := dryRun(t, b, strings.TrimSpace(b.text)); !strings.Contains(would, "bin/postern demo --data "+tourData+"\n") {
		t.Errorf("README.md:%d would run\n%s", b.line, would)
	}
}

// dryRun gives what a make command would run.
func dryRun(t *testing.T, b block, command string) string {
	t.Helper()
	arguments, isMake := strings.CutPrefix(command, "make ")
	if !isMake {
		t.Fatalf("README.md:%d: %q is not for make", b.line, command)
	}
	show := exec.Command("bash", "-c", "make --dry-run "+arguments)
	show.Dir = testenv.Repository()
	out, err := show.CombinedOutput()
	if err != nil {
		t.Errorf("README.md:%d: %s: %v\n%s", b.line, command, err, out)
	}
	return string(out)
}

func TestMakeHasWhatTheREADMESays(t *testing.T) {
	testenv.Need(t, "bash", "make")
	for _, b := range blocks(t, "README.md") {
		if b.kind == "sh norun" {
			for command := range strings.Lines(b.text) {
				dryRun(t, b, strings.TrimSpace(command))
			}
		}
	}
}
