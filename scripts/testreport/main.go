// Command testreport runs `go test` with the arguments that it is given and tells at the end what counts: what failed,
// what was skipped and why, and the line "N passed, N failed, N skipped".
//
// `go test` alone says nothing of a skipped test, and a suite of which half was skipped looks like one that passed. With
// CI set in the environment a skipped test is a failed run.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(2)
	}
	r := newReport(os.Stdout)
	r.read(out)
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if !r.finish(err != nil, os.Getenv("CI") != "") {
		os.Exit(1)
	}
}

// event is one line of `go test -json` (cmd/test2json).
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// maxOutput bounds what is kept of one test's output, in bytes: its end tells why it failed.
const maxOutput = 64 << 10

type report struct {
	w               io.Writer
	output          map[string]*strings.Builder
	passed, failed  int
	failures, skips []string
	failedInPackage map[string]int
}

func newReport(w io.Writer) *report {
	return &report{w: w, output: make(map[string]*strings.Builder), failedInPackage: make(map[string]int)}
}

// read takes the events. Lines that are none (a panic of the tool itself) are printed as they are.
func (r *report) read(in io.Reader) {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(r.w, "%s", line)
			} else {
				r.take(e)
			}
		}
		if err != nil {
			return
		}
	}
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		kept := r.output[key]
		if kept == nil {
			kept = new(strings.Builder)
			r.output[key] = kept
		}
		if kept.Len() < maxOutput {
			kept.WriteString(e.Output)
		}
	case "build-output":
		fmt.Fprint(r.w, e.Output)
	case "pass":
		r.ended(e, key, "ok  ")
	case "fail":
		r.ended(e, key, "FAIL")
	case "skip":
		if e.Test == "" {
			return // a package without tests
		}
		r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(r.text(key))))
		delete(r.output, key)
	}
}

func (r *report) ended(e event, key, word string) {
	text := r.text(key)
	delete(r.output, key)
	if e.Test != "" {
		if word == "ok  " {
			r.passed++
			return
		}
		r.failed++
		r.failedInPackage[e.Package]++
		r.failures = append(r.failures, e.Package+" "+e.Test)
		fmt.Fprintf(r.w, "--- %s %s\n%s", e.Package, e.Test, text)
		return
	}
	if word == "FAIL" {
		if r.failedInPackage[e.Package] == 0 {
			// It does not build, its TestMain failed, or it was killed: that is a failure too.
			r.failed++
			r.failures = append(r.failures, e.Package)
		}
		r.unfinished(e.Package)
		fmt.Fprint(r.w, text)
	}
	fmt.Fprintf(r.w, "%s %s %.1fs\n", word, e.Package, e.Elapsed)
}

// unfinished prints what the tests said that were running when their package failed: of one that ran out of time or took
// the process with it, `go test` tells no end.
func (r *report) unfinished(pkg string) {
	var keys []string
	for key := range r.output {
		if strings.HasPrefix(key, pkg+" Test") {
			keys = append(keys, key)
		}
	}
	sort.Strings(keys)
	for _, key := range keys {
		fmt.Fprintf(r.w, "--- unfinished %s\n%s", key, r.text(key))
		r.failures = append(r.failures, key+" did not end")
		delete(r.output, key)
	}
}

func (r *report) text(key string) string {
	if kept := r.output[key]; kept != nil {
		return kept.String()
	}
	return ""
}

// reason is what a skipped test said: its output without go test's own lines and the place in the source.
func reason(output string) string {
	var said []string
	for _, line := range strings.Split(output, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		if file, rest, ok := strings.Cut(line, ": "); ok && strings.Contains(file, ".go:") {
			line = rest
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

// finish prints the summary and reports whether the run is good.
func (r *report) finish(goFailed, ci bool) bool {
	if len(r.skips) > 0 {
		sort.Strings(r.skips)
		fmt.Fprintf(r.w, "\nleft out on this machine:\n")
		for _, s := range r.skips {
			fmt.Fprintf(r.w, "  %s\n", s)
		}
	}
	if len(r.failures) > 0 {
		fmt.Fprintf(r.w, "\nfailed:\n")
		for _, s := range r.failures {
			fmt.Fprintf(r.w, "  %s\n", s)
		}
	}
	good := !goFailed && r.failed == 0
	if goFailed && r.failed == 0 {
		fmt.Fprintf(r.w, "\ngo test failed without a failed test\n")
	}
	if good && r.passed == 0 {
		fmt.Fprintf(r.w, "\nno test was run\n")
		good = false
	}
	if ci && len(r.skips) > 0 {
		fmt.Fprintf(r.w, "\nin CI nothing may be left out\n")
		good = false
	}
	fmt.Fprintf(r.w, "\n%d passed, %d failed", r.passed, r.failed)
	if len(r.skips) > 0 {
		fmt.Fprintf(r.w, ", %d skipped", len(r.skips))
	}
	fmt.Fprintln(r.w)
	return good
}
