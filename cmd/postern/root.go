package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"postern/internal/config"
	"postern/platform/admin"
)

// Exit codes: scripts rely on them.
const (
	exitDone    = 0
	exitRefused = 1
	exitUsage   = 2
)

// command is what all commands share: the streams, the flags that each has, and what was found out on the way.
type command struct {
	in         io.Reader
	out, err   io.Writer
	json       bool
	configPath string
	// begun: the arguments were understood, so that an error is a refusal and not a mistake in usage.
	begun bool
	exit  int
}

// usage is a mistake in the arguments.
type usage struct{ error }

func run(args []string, in io.Reader, out, errOut io.Writer) int {
	c := &command{in: in, out: out, err: errOut}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		return c.exit
	}
	// A flag that is not known ends the reading of flags; --json behind it counts all the same.
	c.json = c.json || slices.Contains(args, "--json")
	var mistake usage
	code := exitRefused
	if !c.begun || errors.As(err, &mistake) {
		code = exitUsage
	} else if c.exit != 0 {
		code = c.exit
	}
	c.complain(err, code == exitUsage)
	return code
}

// complain writes an error: what, where, how to mend it.
func (c *command) complain(err error, isUsage bool) {
	var e *admin.Error
	if !errors.As(err, &e) {
		message, fix, _ := strings.Cut(err.Error(), "; ")
		e = &admin.Error{Code: "refused", Message: message, Fix: fix}
		var problems config.Problems
		if errors.As(err, &problems) && len(problems) > 1 {
			e.Message, e.Fix = err.Error(), ""
		}
	}
	if isUsage {
		e.Code = "usage"
	}
	if c.json {
		json.NewEncoder(c.err).Encode(e)
		return
	}
	fmt.Fprintf(c.err, "postern: %s\n", e.Message)
	if e.Fix != "" {
		fmt.Fprintf(c.err, "  fix: %s\n", e.Fix)
	}
	if isUsage && e.Fix == "" {
		fmt.Fprintf(c.err, "  fix: see `postern help` or --help after the command\n")
	}
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "postern",
		Short: "A mail server that is secure without configuration",
		Long: `Postern is a mail server for a person or a small organisation: SMTP, submission and IMAP over TLS,
with DKIM, SPF and block lists, in one program.

Try it on this machine:       postern demo
Make a server:                postern init --data /var/lib/postern --hostname mail.example.org
Start it:                     postern serve --config /var/lib/postern/postern.toml
See whether all is well:      postern check

The other commands speak to the running server over a socket in its data directory; only root and the
server's own user may. They find it by its configuration: --config, $POSTERN_CONFIG,
/etc/postern/postern.toml or /var/lib/postern/postern.toml.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			c.begun = true
		},
	}
	root.SetVersionTemplate("postern {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.BoolVar(&c.json, "json", false, "write JSON, errors too")
	flags.StringVar(&c.configPath, "config", "", "configuration of the server (default $POSTERN_CONFIG)")
	root.MarkPersistentFlagFilename("config", "toml")
	root.AddCommand(c.demo(), c.init(), c.serve(), c.domain(), c.user(), c.alias(), c.group(), c.grant(), c.queue(),
		c.settings(), c.spam(), c.sieve(), c.verify(), c.check(), c.versionCommand())
	return root
}

// parent is a command that only has others below it. Without one of them, or with an unknown one, it says which there
// are.
func parent(use, short, long string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long,
		Args: func(cmd *cobra.Command, args []string) error {
			names := make([]string, 0, len(children))
			for _, child := range children {
				names = append(names, child.Name())
			}
			known := strings.Join(names, ", ")
			if len(args) == 0 {
				return usage{fmt.Errorf("%s needs a command; one of %s", cmd.CommandPath(), known)}
			}
			return usage{fmt.Errorf("%s knows no %q; its commands are %s", cmd.CommandPath(), args[0], known)}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	cmd.AddCommand(children...)
	return cmd
}

// takes checks the number of arguments and says what is expected.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			arguments := "arguments"
			if len(args) == 1 {
				arguments = "argument"
			}
			return usage{fmt.Errorf("%s got %d %s; write %s", cmd.CommandPath(), len(args), arguments, cmd.UseLine())}
		}
		return nil
	}
}

// load finds and reads the configuration.
func (c *command) load() (*config.Config, error) {
	path, err := c.findConfig()
	if err != nil {
		return nil, err
	}
	return config.Load(path)
}

func (c *command) findConfig() (string, error) {
	if c.configPath != "" {
		return c.configPath, nil
	}
	if path := os.Getenv("POSTERN_CONFIG"); path != "" {
		return path, nil
	}
	usual := []string{"/etc/postern/postern.toml", "/var/lib/postern/postern.toml"}
	for _, path := range usual {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no configuration at %s; name one with --config or $POSTERN_CONFIG, or make one with `postern init`", strings.Join(usual, " or "))
}

// client is the administration of the running server.
func (c *command) client() (*admin.Client, error) {
	conf, err := c.load()
	if err != nil {
		return nil, err
	}
	return admin.Dial(conf.AdminSocket()), nil
}

// ask runs a call on the running server and shows its answer: as JSON, or by show.
func ask[T any](cmd *cobra.Command, c *command, call func(context.Context, *admin.Client) (T, error), show func(T)) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := call(cmd.Context(), client)
	if err != nil {
		return err
	}
	if c.json {
		return c.writeJSON(answer)
	}
	show(answer)
	return nil
}

// tell runs a call that has no answer; done is what is said then.
func (c *command) tell(cmd *cobra.Command, done string, call func(context.Context, *admin.Client) error) error {
	return ask(cmd, c, func(ctx context.Context, client *admin.Client) (admin.Nothing, error) {
		return admin.Nothing{}, call(ctx, client)
	}, func(admin.Nothing) { c.say("%s", done) })
}

func (c *command) writeJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (c *command) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// table writes rows in columns under a heading; empty says what it means that there are none.
func (c *command) table(empty string, heading []string, rows [][]string) {
	if len(rows) == 0 {
		c.say("%s", empty)
		return
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heading, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			if cell == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
}

func (c *command) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Say which version this is", Args: takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			if c.json {
				return c.writeJSON(map[string]string{"version": version})
			}
			c.say("postern %s", version)
			return nil
		}}
}
