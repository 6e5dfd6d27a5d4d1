package main

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"postern/platform/admin"
)

// whose are the flags that say whose scripts are meant.
type whose struct {
	user, domain                   string
	server                         bool
	before, after, changed, global bool
}

func (w *whose) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.user, "user", "", "the scripts of this user")
	cmd.Flags().StringVar(&w.domain, "domain", "", "those for the mail of all users of this domain")
	cmd.Flags().BoolVar(&w.server, "server", false, "those for everybody's mail")
	cmd.Flags().BoolVar(&w.before, "before", false, "of a domain or the server, those that are run before the users' own")
	cmd.Flags().BoolVar(&w.after, "after", false, "those that are run after them")
	cmd.Flags().BoolVar(&w.changed, "changed", false, "those that are run for what users do with messages in their mailboxes")
	cmd.Flags().BoolVar(&w.global, "global", false, "those that others include with include :global")
}

// role is the one that is named, "" for none.
func (w *whose) role() (role string, err error) {
	for name, given := range map[string]bool{"before": w.before, "after": w.after, "changed": w.changed, "global": w.global} {
		switch {
		case given && role != "":
			return "", usage{errorf("--before, --after, --changed and --global exclude each other; give one")}
		case given:
			role = name
		}
	}
	return role, nil
}

// some is whose scripts are to be listed: nobody's in particular, or all of a domain or the server, are some too.
func (w *whose) some() (o admin.ScriptOwner, err error) {
	if o.Role, err = w.role(); err != nil {
		return o, err
	}
	scopes := 0
	for scope, given := range map[string]bool{w.user: w.user != "", w.domain: w.domain != "", "server": w.server} {
		if given {
			o.Scope = scope
			scopes++
		}
	}
	switch {
	case scopes > 1:
		return o, usage{errorf("--user, --domain and --server exclude each other; give one")}
	case w.user != "" && !strings.Contains(w.user, "@"):
		return o, usage{errorf("--user %q is no address; write one such as alice@example.org", w.user)}
	case strings.Contains(w.domain, "@") || w.domain == "server":
		return o, usage{errorf("--domain %q is no domain; write one such as example.org", w.domain)}
	case w.user != "" && o.Role != "":
		return o, usage{errorf("the scripts of a user have no --%s; leave it out", o.Role)}
	}
	return o, nil
}

// one is whose scripts are meant, of which role.
func (w *whose) one() (admin.ScriptOwner, error) {
	o, err := w.some()
	switch {
	case err != nil:
		return o, err
	case o.Scope == "":
		return o, usage{errorf("it is not said whose script is meant; give --user, --domain or --server")}
	case o.Role == "" && w.user == "":
		return o, usage{errorf("it is not said when the script is run; give --before, --after or --changed, or --global for one that others include")}
	}
	return o, nil
}

// scriptCommand makes a command about one script: its first argument is the name, flags say whose it is.
func scriptCommand(cmd *cobra.Command, run func(*cobra.Command, admin.ScriptName, []string) error) *cobra.Command {
	var w whose
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o, err := w.one()
		if err != nil {
			return err
		}
		n := admin.ScriptName{ScriptOwner: o}
		if len(args) > 0 {
			n.Name, args = args[0], args[1:]
		}
		return run(cmd, n, args)
	}
	w.flags(cmd)
	return cmd
}

func (c *command) sieveList() *cobra.Command {
	var w whose
	cmd := &cobra.Command{Use: "list", Short: "List the scripts of a user, a domain or the server", Args: takes(0, 0),
		Long:    `Lists scripts: those of the server and of all domains, or of one of them, or of a user.`,
		Example: "  postern sieve list\n  postern sieve list --user alice@example.org\n  postern sieve list --domain example.org --before",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := w.some()
			if err != nil {
				return err
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.ScriptInfo, error) { return a.Scripts(ctx, o) }, c.showScripts)
		}}
	w.flags(cmd)
	return cmd
}

func (c *command) showScripts(list []admin.ScriptInfo) {
	rows := make([][]string, len(list))
	for i, s := range list {
		active := ""
		if s.Active {
			active = "active"
		}
		rows[i] = []string{s.Scope, s.Role, plain(s.Name), active, bytesText(s.Size), s.Changed.Local().Format(time.DateTime)}
	}
	c.table("There is none; put one with `postern sieve put NAME FILE`.", []string{"FOR", "RUN", "NAME", "ACTIVE", "SIZE", "CHANGED"}, rows)
}

func (c *command) sieveShow() *cobra.Command {
	return scriptCommand(&cobra.Command{Use: "show NAME", Short: "Write a script out", Args: takes(1, 1),
		Long:    `Writes a script as it was put. On a terminal control characters are replaced.`,
		Example: "  postern sieve show main --user alice@example.org > main.sieve\n  postern sieve show first --server --before",
	}, func(cmd *cobra.Command, n admin.ScriptName, _ []string) error {
		return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Script, error) { return a.Script(ctx, n) }, func(s admin.Script) {
			if isTerminal(c.out) {
				s.Content = harmless(s.Content)
			}
			fmt.Fprint(c.out, s.Content)
		})
	})
}

// harmless is a text of several lines as a terminal may be shown it.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			return r
		case r == '\r':
			return -1
		}
		return '?'
	}, s)
}

func (c *command) sievePut() *cobra.Command {
	var activate bool
	cmd := scriptCommand(&cobra.Command{Use: "put NAME FILE", Short: "Keep a script, in place of what has its name", Args: takes(2, 2),
		Long: `Reads a script from a file, or standard input for "-", checks it with all that it includes, and keeps it. Nothing is changed if it
has a mistake; each is named with its line and column. One that was active stays so, and is in force for the next message.

Those of the server and of domains are run for the mail of all their users: --before and --after the users' own. --changed are run for
what their users do with messages that are in a mailbox: put them there, or change their flags (RFC 6785). --global are not run by
themselves: scripts of users include them with include :global, of their domain first and else of the server.`,
		Example: "  postern sieve put first first.sieve --server --before --activate\n  postern sieve put lists lists.sieve --domain example.org --global\n" +
			"  postern sieve put main - --user alice@example.org < main.sieve",
	}, func(cmd *cobra.Command, n admin.ScriptName, args []string) error {
		if activate && n.Role == "global" {
			return usage{errorf("global scripts are not run by themselves, so --activate does not go with --global; leave one of them out")}
		}
		source, err := c.readScript(args[0])
		if err != nil {
			return err
		}
		if !utf8.Valid(source) {
			return errorf("%s is not UTF-8; save it as UTF-8", args[0])
		}
		return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.StoredScript, error) {
			return a.PutScript(ctx, admin.NewScript{ScriptName: n, Content: string(source), Activate: activate})
		}, func(s admin.StoredScript) {
			for _, w := range s.Warnings {
				c.say("warning: %s", plain(w.String()))
			}
			c.showScript(s.ScriptInfo)
		})
	})
	cmd.Flags().BoolVar(&activate, "activate", false, "make it the one that is run")
	return cmd
}

// showScript says how it is with a script now.
func (c *command) showScript(s admin.ScriptInfo) {
	how := "is kept, and not the active one"
	switch {
	case s.Active:
		how = "is active"
	case s.Role == "global":
		how = "is there for scripts that include it"
	}
	c.say("%s of %s %s.", plain(s.Name), s.Scope, how)
}

func (c *command) sieveActivate() *cobra.Command {
	return scriptCommand(&cobra.Command{Use: "activate NAME", Short: "Make a script the one that is run", Args: takes(1, 1),
		Long:    `Makes a script the one that is run, in place of the one that was. A user has one at a time; a domain and the server have one before, one after and one for changes.`,
		Example: "  postern sieve activate main --user alice@example.org",
	}, func(cmd *cobra.Command, n admin.ScriptName, _ []string) error {
		return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.ScriptInfo, error) { return a.ActivateScript(ctx, n) }, c.showScript)
	})
}

func (c *command) sieveDeactivate() *cobra.Command {
	return scriptCommand(&cobra.Command{Use: "deactivate", Short: "Have no script run", Args: takes(0, 0),
		Long:    `Has none of the scripts run; they are kept.`,
		Example: "  postern sieve deactivate --user alice@example.org\n  postern sieve deactivate --server --before",
	}, func(cmd *cobra.Command, n admin.ScriptName, _ []string) error {
		return c.tell(cmd, "No script of "+n.Scope+" is run now"+runWhen(n.Role)+".", func(ctx context.Context, a *admin.Client) error {
			return a.DeactivateScripts(ctx, n.ScriptOwner)
		})
	})
}

// runWhen says of which role scripts are.
func runWhen(role string) string {
	switch role {
	case "":
		return ""
	case "changed":
		return " for what users do in their mailboxes"
	}
	return " " + role + " those of users"
}

func (c *command) sieveRename() *cobra.Command {
	return scriptCommand(&cobra.Command{Use: "rename NAME NEW-NAME", Short: "Give a script another name", Args: takes(2, 2),
		Long:    `Gives a script another name; one that is active stays so. Scripts that include it have to be changed by hand.`,
		Example: "  postern sieve rename main old --user alice@example.org",
	}, func(cmd *cobra.Command, n admin.ScriptName, args []string) error {
		return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.ScriptInfo, error) {
			return a.RenameScript(ctx, admin.ScriptRename{ScriptName: n, To: args[0]})
		}, c.showScript)
	})
}

func (c *command) sieveDelete() *cobra.Command {
	return scriptCommand(&cobra.Command{Use: "delete NAME", Short: "Remove a script that is not active", Args: takes(1, 1),
		Example: "  postern sieve delete old --user alice@example.org",
	}, func(cmd *cobra.Command, n admin.ScriptName, _ []string) error {
		return c.tell(cmd, plain(n.Name)+" of "+n.Scope+" is gone.", func(ctx context.Context, a *admin.Client) error { return a.DeleteScript(ctx, n) })
	})
}
