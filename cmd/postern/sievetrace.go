package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"postern/platform/admin"
)

func (c *command) sieveTrace() *cobra.Command {
	var f admin.StoryFilter
	cmd := &cobra.Command{Use: "trace {ID|MESSAGE-ID | --last N}", Short: "Tell what scripts did with a message that came", Args: takes(0, 1),
		Long: `Shows which scripts ran for each recipient's copy of a message, every command and test with its line and result, what was done, and
where the copy went. All of this was written down when the message came, and is kept as long as its judgement (setting spam.trace_keep).
Lines are shown of scripts that are still the same; of others only their numbers. --last N is for the last messages that scripts ran for.

Mail that users here send each other is not judged, and leaves no trace.`,
		Example: "  postern sieve trace K7RZQ2M4XJ5T8WBC-1\n  postern sieve trace '<20261120.1@news.example.com>' --user alice@example.org\n" +
			"  postern sieve trace --last 3 --user alice@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.ID = args[0]
			}
			if (f.ID == "") == !cmd.Flags().Changed("last") {
				return usage{errorf("it is either one message or the last ones; give its id or Message-ID, or --last N")}
			}
			if f.ID == "" && (f.Last < 1 || f.Last > 1000) {
				return usage{errorf("--last %d shows nothing; give a number from 1 to 1000", f.Last)}
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.ScriptStory, error) {
				return a.ScriptStories(ctx, f)
			},
				c.showStories)
		}}
	cmd.Flags().IntVar(&f.Last, "last", 0, "the last so many messages that scripts ran for")
	cmd.Flags().StringVar(&f.User, "user", "", "only this user's copies")
	return cmd
}

func (c *command) showStories(list []admin.ScriptStory) {
	if len(list) == 0 {
		c.say("No script ran for any message whose judgement is kept.")
	}
	for i, s := range list {
		if i > 0 {
			c.say("")
		}
		c.showStory(s)
	}
}

func (c *command) showStory(s admin.ScriptStory) {
	c.say("message    %s  %s", plain(s.ID), plain(s.MessageID))
	c.say("arrived    %s from %s", s.At.Local().Format(time.DateTime), plain(or(s.From, "<>")))
	c.say("for        %s", plain(s.Recipient))
	if len(s.Scripts) == 0 {
		c.say("scripts    none ran")
	}
	for i, script := range s.Scripts {
		if !slices.ContainsFunc(s.Scripts[:i], func(other admin.StoredAsThen) bool { return other.ScriptName == script.ScriptName }) {
			c.say("script     %s%s", storyScript(script), nowWords(script.Now))
		}
	}
	last := -1
	for _, step := range s.Steps {
		if step.Script != last {
			last = step.Script
			c.say("in %s:", storyScript(s.Scripts[step.Script]))
		}
		c.say("  line %3d  %-24s  %s", step.Line, stepText(step), plain(step.Source))
	}
	if s.More > 0 {
		c.say("  and %s that were not kept", counted(s.More, "more step"))
	}
	for _, line := range s.Actions {
		c.say("did        %s", plain(line))
	}
	if s.Mailbox == "" {
		c.say("went       into no mailbox here")
		return
	}
	c.say("went       into %s, by %s", plain(s.Mailbox), plain(or(s.FiledBy, "default")))
}

// storyScript names a script with its owner.
func storyScript(s admin.StoredAsThen) string {
	if s.Role == "" {
		return plain(s.Name)
	}
	return plain(fmt.Sprintf("%s (%s, of %s)", s.Name, s.Role, s.Scope))
}

func nowWords(now string) string {
	switch now {
	case "changed":
		return ", which has changed since: its lines of then are not kept"
	case "gone":
		return ", which is not there any more: its lines are not kept"
	}
	return ""
}

func stepText(s admin.StoryStep) string {
	if s.Test {
		return fmt.Sprintf("%s → %t", s.Name, s.Holds)
	}
	return s.Name
}
