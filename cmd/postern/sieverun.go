package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"postern/internal/address"
	"postern/internal/filter"
	"postern/internal/message"
	"postern/sieve"
)

// trial are the flags of `sieve run`.
type trial struct {
	script, message string
	global          string // folder
	from, to        string
	mailboxes       []string
	trace           bool
}

// tried is what `sieve run` says.
type tried struct {
	sieve.Outcome
	Error    string        `json:"error,omitempty"`
	Warnings []string      `json:"warnings"`
	Trace    []sieve.Event `json:"trace,omitempty"`
}

func (c *command) sieveRun() *cobra.Command {
	t := trial{}
	cmd := &cobra.Command{Use: "run --script FILE --message FILE", Short: "Say what a script would do with a message", Args: takes(0, 0),
		Long: `Runs a script for a message and prints the actions in their order. Nothing is filed, sent or answered. With --trace each test
and command is told as it runs, with its line and result. Included scripts are files in the folder of the script, global ones in that
of --global.

A mailbox is there if it is INBOX or is named by --mailbox. The envelope is what --from and --to say; without them it is the
first addresses of the From and To fields. Nothing was seen before, and no filter has judged the message.`,
		Example: "  postern sieve run --script filter.sieve --message message.eml --trace\n" +
			"  postern sieve run --script filter.sieve --message message.eml --from bounce@example.com --to alice+lists@example.org --mailbox Lists",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if t.script == "" || t.message == "" {
				return usage{errorf("give --script and --message; one of them may be -, for standard input")}
			}
			if t.script == "-" && t.message == "-" {
				return usage{errorf("--script and --message cannot both be standard input")}
			}
			if err := hasFolder(t.global); err != nil {
				return err
			}
			return c.trySieve(cmd.Context(), t)
		}}
	cmd.Flags().StringVar(&t.script, "script", "", "the script; - is standard input")
	cmd.Flags().StringVar(&t.message, "message", "", "the message; - is standard input")
	cmd.Flags().StringVar(&t.from, "from", "", "who sent it, by the envelope; <> for nobody")
	cmd.Flags().StringVar(&t.to, "to", "", "whom it is for, by the envelope")
	cmd.Flags().StringArrayVar(&t.mailboxes, "mailbox", nil, "a mailbox that is there; may be given again")
	globalFlag(cmd, &t.global)
	cmd.Flags().BoolVar(&t.trace, "trace", false, "tell each test and command")
	return cmd
}

func (c *command) trySieve(ctx context.Context, t trial) error {
	source, err := c.readScript(t.script)
	if err != nil {
		return err
	}
	script, err := sieve.Compile(source, sieve.Options{Name: t.script, Edits: filter.Edits(nil), Include: beside(t.script, t.global)})
	var problems sieve.Problems
	if errors.As(err, &problems) {
		one := mistaken(t.script, problems)
		if c.exit = exitRefused; c.json {
			return c.writeJSON(one)
		}
		c.showChecked(one)
		return nil
	}
	if err != nil {
		return err
	}
	job, err := c.job(t)
	if err != nil {
		return err
	}
	out := tried{Warnings: []string{}}
	if t.trace {
		job.Trace = func(e sieve.Event) { out.Trace = append(out.Trace, e) }
	}
	out.Outcome = script.Run(ctx, job)
	if out.Err != nil {
		out.Error = out.Err.Error()
		c.exit = exitRefused
	}
	for _, w := range out.Outcome.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	if c.json {
		return c.writeJSON(out)
	}
	c.showTried(out)
	return nil
}

// job reads the message and makes an envelope for it.
func (c *command) job(t trial) (sieve.Job, error) {
	in, err := c.open(t.message)
	if err != nil {
		return sieve.Job{}, err
	}
	defer in.Close()
	const most = 64 << 20
	body, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return sieve.Job{}, err
	}
	if len(body) > most {
		return sieve.Job{}, errorf("%s is larger than %d MiB; messages of that size are not tried here", t.message, most>>20)
	}
	r := bytes.NewReader(body)
	parsed, err := message.Parse(r, int64(len(body)), message.DefaultLimits)
	if err != nil {
		return sieve.Job{}, err
	}
	e, err := envelopeOf(t)
	if err != nil {
		return sieve.Job{}, err
	}
	if e.From == "" {
		e.From = firstAddress(parsed.Envelope.From)
	}
	if e.From == "<>" {
		e.From = ""
	}
	if e.To == "" {
		e.To = firstAddress(parsed.Envelope.To)
	}
	return sieve.Job{Message: sieve.Message{Parsed: parsed, Content: r, Size: int64(len(body))}, Envelope: e, Edits: filter.Edits(nil),
		Host: newBench(t.mailboxes, e.To)}, nil
}

// envelopeOf is what --from and --to say.
func envelopeOf(t trial) (sieve.Envelope, error) {
	e := sieve.Envelope{From: strings.TrimSpace(t.from), To: strings.TrimSpace(t.to)}
	if e.From != "" && e.From != "<>" {
		if _, err := address.Parse(e.From); err != nil {
			return e, usage{errorf("--from %q is no address (%v); give one such as anna@example.org, or <> for nobody", t.from, err)}
		}
	}
	if e.To != "" {
		if _, err := address.Parse(e.To); err != nil {
			return e, usage{errorf("--to %q is no address (%v); give one such as anna@example.org", t.to, err)}
		}
	}
	return e, nil
}

func firstAddress(list []message.Mailbox) string {
	for _, m := range list {
		if m.Kind == message.IsAddress && m.Host != "" {
			return m.Address()
		}
	}
	return ""
}

func (c *command) showTried(out tried) {
	for _, e := range out.Trace {
		c.say("line %3d  %s", e.Line, eventText(e))
	}
	for _, w := range out.Warnings {
		c.say("warning: %s", plain(w))
	}
	if out.Error != "" {
		c.say("failed: %s", plain(out.Error))
	}
	for _, a := range out.Actions {
		c.say("%-9s %s", a.Kind, plain(actionText(a)))
	}
	if out.ImplicitKeep {
		c.say("%-9s %s", sieve.Keep, plain(strings.TrimSpace("into INBOX, as nothing says otherwise "+flagsText(out.Flags))))
	}
	c.say("cost      %s, %s of memory", counted(out.Cost.Steps, "step"), counted(out.Cost.Memory, "byte"))
}

func eventText(e sieve.Event) string {
	text := e.Name
	if e.Detail != "" {
		text += " " + e.Detail
	}
	if e.Test {
		text += fmt.Sprintf(" → %t", e.Holds)
	}
	return plain(text)
}

// actionText says what an action does, its line first.
func actionText(a sieve.Action) string {
	text := fmt.Sprintf("line %d", a.Line)
	switch a.Kind {
	case sieve.Keep:
		text += ": into INBOX"
	case sieve.FileInto:
		text += ": into " + or(a.Mailbox, a.Use)
		if a.Use != "" {
			text += ", or the mailbox for " + a.Use
		}
		if a.Create {
			text += ", which is made if it is not there"
		}
	case sieve.Redirect:
		text += ": to " + a.Address
	case sieve.Reject, sieve.EReject:
		text += ": " + a.Reason
	case sieve.Vacation:
		text += fmt.Sprintf(": once in %s to %s: %s", a.Reply.Every, a.Reply.To, a.Reply.Text)
		if a.Reply.Silence != "" {
			text = fmt.Sprintf("line %d: nothing, for %s", a.Line, a.Reply.Silence)
		}
	case sieve.Notify:
		text += ": to " + strings.Join(a.Notice.To, ", ")
	}
	return strings.TrimSpace(text + " " + flagsText(a.Flags))
}

func flagsText(flags []string) string {
	if len(flags) == 0 {
		return ""
	}
	return "with the flags " + strings.Join(flags, " ")
}
