package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"postern/internal/filter"
	"postern/sieve"
	"postern/sieve/grammar"
)

func (c *command) sieve() *cobra.Command {
	return parent("sieve", "Scripts that file mail: check and try them, and those that the server runs",
		`Sieve is the language in which people say what is to become of their mail: into which mailbox, on to whom, answered,
refused. "check" and "run" need no server, and change nothing. The others are about the scripts that the server keeps: users' own,
which they change themselves by ManageSieve, and those of a domain and of the server, which are run before and after them.`,
		c.sieveCheck(), c.sieveRun(), c.sieveList(), c.sieveShow(), c.sievePut(), c.sieveActivate(), c.sieveDeactivate(), c.sieveRename(), c.sieveDelete(), c.sieveTrace())
}

// maxScript bounds what is read of a script.
const maxScript = 1 << 20

// readScript reads a script; "-" is standard input.
func (c *command) readScript(path string) ([]byte, error) {
	in, err := c.open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxScript+1))
	if err == nil && len(b) > maxScript {
		err = errorf("%s is longer than a script may be, %d bytes", path, maxScript)
	}
	return b, err
}

// open opens a file for reading; "-" is standard input.
func (c *command) open(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(c.in), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if s, err := f.Stat(); err == nil && s.IsDir() {
		f.Close()
		return nil, errorf("%s is a folder; name a file in it", path)
	}
	return f, nil
}

// unreadable says how to mend that a file cannot be opened.
func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errorf("there is no file %s; name one that is there, or - for standard input", path)
	case errors.Is(err, fs.ErrPermission):
		return errorf("%s may not be read; give yourself the right to read it", path)
	}
	return err
}

// hasFolder is an error where the folder of global scripts is none.
func hasFolder(global string) error {
	if global == "" {
		return nil
	}
	if s, err := os.Stat(global); err != nil || !s.IsDir() {
		return usage{errorf("--global %s is no folder; name the one in which the global scripts are", global)}
	}
	return nil
}

// note is a mistake or a warning, for JSON.
type note struct {
	// Script is the one that it is in, where that is another that is included.
	Script string `json:"script,omitempty"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

// place is where something stands in a file, or in a script that it includes.
func (n note) place(file string) string {
	at := fmt.Sprintf("%d:%d", n.Line, n.Column)
	if n.Script != "" {
		at = plain(n.Script) + ":" + at
	}
	return plain(file) + ":" + at
}

func notes(list []grammar.Problem) []note {
	out := make([]note, 0, len(list))
	for _, p := range list {
		out = append(out, note{p.Script, p.Line, p.Column, p.Text})
	}
	return out
}

// checked is what `sieve check` says of a script.
type checked struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Error is why the script could not be read.
	Error    string `json:"error,omitempty"`
	Mistakes []note `json:"mistakes"`
	Warnings []note `json:"warnings"`
}

func (c *command) sieveCheck() *cobra.Command {
	var global string
	cmd := &cobra.Command{Use: "check FILE...", Short: "Say what is wrong with scripts", Args: takes(1, -1),
		Long: `Reads each script, or standard input for "-", as the server does when one is stored, and names every mistake with its line
and how to mend it, and what its writer should know though it runs. Included scripts are files in the folder of the script, global ones
in that of --global; what is wrong with them is a warning, for they can be mended by themselves. The exit code is 1 if there is a mistake
or a script cannot be read.`,
		Example: "  postern sieve check filter.sieve\n  postern sieve check --json *.sieve | jq '.[] | select(.ok | not)'\n" +
			"  postern sieve check filter.sieve --global /etc/postern/sieve",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := hasFolder(global); err != nil {
				return err
			}
			list := make([]checked, 0, len(args))
			for _, path := range args {
				one, err := c.checkFile(path, global)
				if err != nil {
					return err
				}
				if !one.OK {
					c.exit = exitRefused
				}
				if list = append(list, one); !c.json {
					c.showChecked(one)
				}
			}
			if c.json {
				return c.writeJSON(list)
			}
			return nil
		}}
	globalFlag(cmd, &global)
	return cmd
}

// globalFlag says where global scripts are.
func globalFlag(cmd *cobra.Command, global *string) {
	cmd.Flags().StringVar(global, "global", "", "the folder of scripts that are included with :global")
	cmd.MarkFlagDirname("global")
}

// checkFile checks the script of a file. One that cannot be read is no reason to say nothing of the others.
func (c *command) checkFile(path, global string) (checked, error) {
	source, err := c.readScript(path)
	if err != nil {
		c.complain(err, false)
		return checked{Name: path, Error: err.Error(), Mistakes: []note{}, Warnings: []note{}}, nil
	}
	return checkScript(path, global, source)
}

func checkScript(name, global string, source []byte) (checked, error) {
	script, err := sieve.Compile(source, sieve.Options{Name: name, Edits: filter.Edits(nil), Include: beside(name, global), Lenient: true})
	var problems sieve.Problems
	if errors.As(err, &problems) {
		return mistaken(name, problems), nil
	}
	if err != nil {
		return checked{}, err
	}
	return checked{Name: name, OK: true, Mistakes: []note{}, Warnings: notes(script.Warnings)}, nil
}

func mistaken(name string, problems sieve.Problems) checked {
	return checked{Name: name, Mistakes: notes(problems), Warnings: []note{}}
}

func (c *command) showChecked(one checked) {
	if one.Error != "" {
		c.say("%s: not read", plain(one.Name))
		return
	}
	for _, n := range one.Mistakes {
		c.say("%s: %s", n.place(one.Name), plain(n.Text))
	}
	for _, n := range one.Warnings {
		c.say("%s: warning: %s", n.place(one.Name), plain(n.Text))
	}
	if one.OK {
		c.say("%s: no mistakes", plain(one.Name))
		return
	}
	c.say("%s: %s", plain(one.Name), counted(len(one.Mistakes), "mistake"))
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
