// Command bench measures a real server over loopback TLS and prints each figure beside the aim it was designed for, with
// the disk's own flush rate of the same run.
//
// It starts `postern demo` with a data directory of its own, drives it as mail clients do, and ends it. Every load is
// bounded in count. Rates depend on the machine, so read them as ratios to the disk's flush rate and to each other.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
)

// row is one measurement: what it does, what it aims at, and the work itself.
type row struct {
	name string
	aim  string
	run  func(*lab) (string, error)
}

func main() {
	binary := flag.String("postern", "bin/postern", "the server to measure")
	only := flag.String("run", ".", "measure only rows whose name matches this regular expression")
	portBase := flag.Int("port-base", 22000, "first of the demo's ports")
	messages := flag.Int("messages", 20000, "messages in the mailbox that is read")
	scale := flag.Int("scale", 1, "send so many times as many messages as usual, for longer runs")
	dir := flag.String("dir", "", "directory for the server's data (default: a temporary one)")
	flag.Parse()
	if err := bench(*binary, *only, labOptions{*portBase, *messages, *scale}, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(binary, only string, o labOptions, dir string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "postern-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	one, err := flushRate(dir, 1)
	if err != nil {
		return err
	}
	sixteen, err := flushRate(dir, 16)
	if err != nil {
		return err
	}
	fmt.Printf("disk: 4 KiB append + fdatasync %.0f/s on one file, %.0f/s on sixteen\n", one, sixteen)
	out := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "work\tmeasured\taim")
	failed := 0
	for _, group := range groups() {
		failed += group.measure(match, binary, o, dir, out)
	}
	out.Flush()
	if failed > 0 {
		return fmt.Errorf("%d rows could not be measured", failed)
	}
	return nil
}

// group is rows that share one server, so that what one leaves behind does not weigh on the next group.
type group struct {
	name string
	rows []row
	// names: there is a DNS, whose answers are remembered; without it the server asks none.
	names bool
}

func groups() []group {
	return []group{
		{name: "accept", rows: acceptRows()},
		{name: "accept-large", rows: acceptLargeRows()},
		{name: "judge", rows: judgeRows(), names: true},
		{name: "sieve", rows: sieveRows()},
		{name: "submission", rows: submissionRows()},
		{name: "append", rows: appendRows()},
		{name: "read", rows: readRows()},
		{name: "change", rows: changeRows()},
		{name: "login", rows: loginRows()},
		{name: "sync", rows: syncRows()},
		{name: "disk", rows: diskRows()},
		{name: "flat", rows: flatRows()},
		{name: "idle", rows: idleRows()},
	}
}

func (g group) measure(match *regexp.Regexp, binary string, o labOptions, dir string, out *tabwriter.Writer) int {
	var wanted []row
	for _, r := range g.rows {
		if match.MatchString(r.name) || match.MatchString(g.name) {
			wanted = append(wanted, r)
		}
	}
	if len(wanted) == 0 {
		return 0
	}
	l, err := startLab(binary, o, dir, g.names)
	if err != nil {
		fmt.Fprintf(out, "%s\tno server: %v\t\n", g.name, err)
		return len(wanted)
	}
	defer l.stop()
	failed := 0
	for _, r := range wanted {
		got, err := r.run(l)
		if err != nil {
			got, failed = "failed: "+strings.ReplaceAll(err.Error(), "\n", " "), failed+1
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", r.name, got, r.aim)
		out.Flush()
	}
	return failed
}
