package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"postern/platform/admin"
	"postern/platform/doctor"
	"postern/platform/serve"
)

func (c *command) queue() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List what waits", Args: takes(0, 0), Example: "  postern queue list --domain example.com"}
	chosen := filterFlags(list)
	var limit int
	list.Flags().IntVar(&limit, "limit", 1000, "at most this many")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		f := chosen(cmd, nil)
		f.Limit = limit
		return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.QueueEntry, error) { return a.Queue(ctx, f) }, c.showQueue)
	}
	show := &cobra.Command{Use: "show MESSAGE", Short: "Show a message and how far it is", Args: takes(1, 1), Example: "  postern queue show 3K9",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.QueueMessage, error) { return a.Message(ctx, args[0]) }, c.showMessage)
		}}
	return parent("queue", "Mail that waits to leave",
		"What could not be delivered at once is tried again for days. These commands show it, try at once, or stop trying.",
		list, show,
		c.queueChange("retry", "Try again now", "will be tried now"),
		c.queueChange("hold", "Try no more until released", "are held"),
		c.queueChange("release", "Try those again that are held", "are released"),
		c.queueChange("drop", "Remove from the queue; nobody is told", "were dropped"))
}

// filterFlags gives a command the flags that choose recipients, and what reads them.
func filterFlags(cmd *cobra.Command) func(*cobra.Command, []string) admin.QueueFilter {
	var f admin.QueueFilter
	var held bool
	cmd.Flags().StringVar(&f.Domain, "domain", "", "the recipients' domain")
	cmd.Flags().StringVar(&f.From, "from", "", "the sender's address")
	cmd.Flags().StringVar(&f.To, "to", "", "the recipient's address")
	cmd.Flags().BoolVar(&held, "held", false, "only those that are held; --held=false those that are not")
	return func(cmd *cobra.Command, messages []string) admin.QueueFilter {
		f.Messages = messages
		if cmd.Flags().Changed("held") {
			f.Held = &held
		}
		return f
	}
}

func (c *command) queueChange(verb, short, done string) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " [MESSAGE...]", Short: short, Args: takes(0, -1),
		Long:    short + ". Choose by message ids, or by flags; --all is the whole queue.",
		Example: fmt.Sprintf("  postern queue %s 3K9 3KB\n  postern queue %[1]s --domain example.com\n  postern queue %[1]s --all", verb)}
	chosen := filterFlags(cmd)
	var all bool
	cmd.Flags().BoolVar(&all, "all", false, "the whole queue")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f := chosen(cmd, args)
		f.All = all
		return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.QueueChange, error) {
			change, err := a.ChangeQueue(ctx, verb, f)
			if err == nil && change.Changed == 0 && len(args) > 0 {
				err = &admin.Error{Code: "not_found", Message: "the queue holds no message " + strings.Join(args, ", "), Fix: "`postern queue list` shows all"}
			}
			return change, err
		}, func(q admin.QueueChange) { c.say("%d recipients %s.", q.Changed, done) })
	}
	return cmd
}

func (c *command) showQueue(list []admin.QueueEntry) {
	rows := make([][]string, len(list))
	for i, e := range list {
		rows[i] = []string{e.Message, or(e.From, "<>"), e.To, bytesText(e.Size), strconv.Itoa(e.Attempts), when(e), firstLine(e.LastError)}
	}
	c.table("Nothing waits.", []string{"MESSAGE", "FROM", "TO", "SIZE", "TRIES", "NEXT", "LAST ANSWER"}, rows)
}

func when(e admin.QueueEntry) string {
	switch {
	case e.Held:
		return "held"
	case e.Active:
		return "now"
	}
	return e.NextAttempt.Local().Format(time.DateTime)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func (c *command) showMessage(m admin.QueueMessage) {
	c.say("message   %s", m.ID)
	for i, e := range m.Recipients {
		if i == 0 {
			c.say("from      %s", or(e.From, "<>"))
			c.say("size      %s", bytesText(e.Size))
			c.say("arrived   %s", e.Arrived.Local().Format(time.DateTime))
			c.say("expires   %s", e.Expires.Local().Format(time.DateTime))
		}
		c.say("to        %s: %d tries, next %s", e.To, e.Attempts, when(e))
		if e.LastError != "" {
			c.say("          %s said: %s", or(e.LastHost, "we"), e.LastError)
		}
	}
}

func (c *command) settings() *cobra.Command {
	list := &cobra.Command{Use: "list [PREFIX]", Short: "List the settings with their documentation", Args: takes(0, 1),
		Example: "  postern settings list smtp.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.Setting, error) {
				all, err := a.Settings(ctx)
				if len(args) == 0 {
					return all, err
				}
				some := []admin.Setting{}
				for _, s := range all {
					if strings.HasPrefix(s.Name, args[0]) {
						some = append(some, s)
					}
				}
				return some, err
			}, func(list []admin.Setting) {
				if len(list) == 0 {
					c.say("No setting's name begins so.")
				}
				for _, s := range list {
					c.showSetting(s)
				}
			})
		}}
	get := &cobra.Command{Use: "get NAME", Short: "Write the value of a setting", Args: takes(1, 1), Example: "  postern settings get smtp.max_message_size",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Setting, error) { return a.Setting(ctx, args[0]) },
				func(s admin.Setting) { c.say("%s", s.Value) })
		}}
	set := &cobra.Command{Use: "set NAME VALUE", Short: "Change a setting; it is in force at once", Args: takes(2, 2),
		Long: `Changes a setting. A list is written whole, with commas; '' empties it. With - the value is the first line of standard
input: others on the machine see the arguments of a command, and must not see a secret.`,
		Example: "  postern settings set smtp.max_message_size 100MiB\n  postern settings set queue.max_age 3d\n" +
			"  postern settings set dmarc.override lists.example.org=none,example.net=quarantine\n  postern settings set spam.scanner_secret - <secret.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] == "-" {
				line, err := c.readSecret()
				if err != nil {
					return err
				}
				args[1] = line
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Setting, error) {
				return a.SetSetting(ctx, args[0], args[1])
			}, func(s admin.Setting) { c.say("%s is %s.", s.Name, or(s.Value, "empty")) })
		}}
	reset := &cobra.Command{Use: "reset NAME", Short: "Give a setting its default again", Args: takes(1, 1), Example: "  postern settings reset queue.max_age",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Setting, error) { return a.ResetSetting(ctx, args[0]) },
				func(s admin.Setting) { c.say("%s is %s again.", s.Name, or(s.Value, "empty")) })
		}}
	return parent("settings", "Policy: limits, thresholds, retention",
		"Settings are kept in the database and are in force at once. What is needed to start is in postern.toml instead.", list, get, set, reset)
}

func (c *command) showSetting(s admin.Setting) {
	mark := ""
	if s.Changed {
		mark = fmt.Sprintf(" (default %s)", or(s.Default, "empty"))
	}
	c.say("%s = %s%s", s.Name, s.Value, mark)
	c.say("    %s", s.Doc)
	c.say("    %s, %s", strings.TrimSpace(s.Kind+" "+s.Unit), or(s.Range, "any"))
}

func (c *command) verify() *cobra.Command {
	return &cobra.Command{Use: "verify", Short: "Read all stored mail and compare it with its checksums", Args: takes(0, 0),
		Long: `Reads every message and every record and names what is not as it was written. The running server does it
while it serves; when none runs, the command opens the data itself. The exit code is 1 when there is damage.`,
		Example: "  postern verify\n  postern verify --json | jq .damage",
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := c.load()
			if err != nil {
				return err
			}
			progress := c.progress()
			report, err := admin.Dial(conf.AdminSocket()).Verify(cmd.Context(), progress)
			if errors.Is(err, admin.ErrNoServer) {
				client, done, openErr := serve.Offline(cmd.Context(), conf, version)
				if openErr != nil {
					return openErr
				}
				report, err = client.Verify(cmd.Context(), progress)
				err = errors.Join(err, done())
			}
			if err != nil {
				return err
			}
			if len(report.Damage) > 0 {
				c.exit = exitRefused
			}
			if c.json {
				return c.writeJSON(report)
			}
			for _, d := range report.Damage {
				c.say("damaged: %s (account %d, mailbox %s, UID %d, blob %d)", d.What, d.Account, or(d.Mailbox, "-"), d.UID, d.Blob)
			}
			c.say("%d records and bodies read, %d damaged.", report.Checked, len(report.Damage))
			return nil
		}}
}

// progress tells on a terminal how far a long reading is.
func (c *command) progress() func(done, total int) {
	if c.json || !isTerminal(c.err) {
		return nil
	}
	return func(done, total int) { fmt.Fprintf(c.err, "\r%d of %d", done, total) }
}

func (c *command) check() *cobra.Command {
	return &cobra.Command{Use: "check", Short: "See whether the server and what it needs are well", Args: takes(0, 0),
		Long: `Looks at the configuration, whether the server runs, its ports, certificate, DNS records, disk, permissions,
clock and queue, and says how to mend what is not well. The exit code is 1 when something fails; warnings do not count.`,
		Example: "  postern check\n  postern check --json | jq '.findings[] | select(.level != \"ok\")'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := c.load()
			if err != nil {
				return err
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Check, error) {
				check, err := a.Check(ctx)
				if errors.Is(err, admin.ErrNoServer) {
					check, err = admin.Check{Findings: doctor.Stopped(ctx, doctor.Patient{Config: conf, Now: time.Now()})}, nil
				}
				if err == nil && !check.OK {
					c.exit = exitRefused
				}
				return check, err
			}, func(check admin.Check) {
				marks := map[doctor.Level]string{doctor.OK: "ok", doctor.Warn: "WARN", doctor.Fail: "FAIL"}
				for _, f := range check.Findings {
					c.say("%-4s  %s: %s", marks[f.Level], f.Subject, f.What)
					if f.Fix != "" {
						c.say("      fix: %s", f.Fix)
					}
				}
			})
		}}
}
