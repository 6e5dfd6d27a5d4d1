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
	command, isMake := strings.CutPrefix(strings.TrimSpace(b.text), "make ")
	if !isMake {
		t.Fatalf("README.md:%d does not start the server with make", b.line)
	}
	show := exec.Command("bash", "-c", "make --dry-run "+command)
	show.Dir = testenv.Repository()
	out, err := show.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "bin/postern demo --data "+tourData+"\n") {
		t.Errorf("README.md:%d would run %s (%v)", b.line, out, err)
	}
}
