package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"postern/internal/verdict"
	"postern/platform/admin"
)

func (c *command) spamExplain() *cobra.Command {
	var whom string
	cmd := &cobra.Command{Use: "explain ID|MESSAGE-ID", Short: "Tell why a message went where it went", Args: takes(1, 1),
		Long: `Shows what was decided for each recipient and by which line of their policy, what would have changed it, and every
check with its result, points and time; the parts that weighed most come first. The id stands in the message's Received and
X-Postern-Verdict fields and in the sender's reply; the Message-ID does too. --json writes the judgement as it is stored.`,
		Example: "  postern spam explain K7RZQ2M4XJ5T8WBC-1\n  postern spam explain '<20261120.1@news.example.com>' --for alice@example.org\n" +
			"  postern spam explain K7RZQ2M4XJ5T8WBC-1 --json | jq .checks",
		RunE: func(cmd *cobra.Command, args []string) error {
			others := 0
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (verdict.Trace, error) {
				list, err := a.Trace(ctx, args[0])
				if err != nil {
					return verdict.Trace{}, err
				}
				others = len(list) - 1
				return judgementFor(list, whom)
			}, func(t verdict.Trace) { c.showTrace(t, others) })
		}}
	cmd.Flags().StringVar(&whom, "for", "", "only for this recipient")
	return cmd
}

// judgementFor gives the latest judgement, and of its recipients the one that is asked for.
func judgementFor(list []verdict.Trace, whom string) (verdict.Trace, error) {
	if whom == "" {
		return list[0], nil
	}
	var known []string
	for _, t := range list {
		for _, r := range t.Recipients {
			if strings.EqualFold(r.Address, whom) {
				t.Recipients = []verdict.Recipient{r}
				return t, nil
			}
			known = append(known, r.Address)
		}
	}
	return verdict.Trace{}, &admin.Error{Code: "not_found", Message: "the message was not judged for " + whom, Fix: "it was for " + or(plain(strings.Join(known, ", ")), "nobody")}
}

func (c *command) showTrace(t verdict.Trace, others int) {
	c.say("message    %s  %s", plain(t.ID), plain(t.MessageID))
	c.say("arrived    %s, %s", t.At.Local().Format(time.DateTime), bytesText(t.Size))
	c.say("client     %s (%s)", plain(t.Client), plain(or(t.Helo, "no name")))
	c.say("from       %s, author %s", plain(or(t.From, "<>")), plain(or(t.Author, "unknown")))
	c.say("judged     in %s by engine %s", micros(t.Micros), plain(or(t.Engine, "unknown")))
	c.say("answered   %s", plain(or(t.Reply, "-")))
	for _, r := range t.Recipients {
		c.say("")
		c.showDecision(t, r)
	}
	c.say("")
	c.showChecks("CHECK", t.Checks)
	if others > 0 {
		c.say("\n%d more judgements have this Message-ID; `postern spam list` shows their ids.", others)
	}
}

// actionWords are what was done, for people.
func actionWords(a verdict.Action) string {
	switch a {
	case verdict.Inbox:
		return "delivered"
	case verdict.Tag:
		return "delivered, marked as suspicious"
	case verdict.Junk:
		return "junk"
	case verdict.Greylist:
		return "asked to come again"
	case verdict.Reject:
		return "refused"
	}
	return plain(string(a))
}

func (c *command) showDecision(t verdict.Trace, r verdict.Recipient) {
	what := actionWords(r.Verdict.Action)
	if r.Mailbox != "" {
		if r.Verdict.Action == verdict.Reject || r.Verdict.Action == verdict.Greylist {
			what = "not " + what + ", since others take the message" // it has one reply for all
		}
		what += fmt.Sprintf(", into %s by %s", plain(r.Mailbox), plain(or(r.FiledBy, "default")))
	}
	c.say("for %s: %s", plain(r.Address), what)
	c.say("  because  %s", plain(r.Verdict.Rule))
	for _, line := range r.Scripts {
		c.say("  script   %s", plain(line))
	}
	c.say("  policy   of %s: tag %s, junk %s, reject %s, greylist %s%s", plain(r.Policy.Source), threshold(r.Policy.Tag), threshold(r.Policy.Junk),
		threshold(r.Policy.Reject), threshold(r.Policy.Greylist), policyExtras(r.Policy))
	label := "but for"
	for _, turn := range verdict.Turns(t.Checks, r.Checks, r.Policy) {
		c.say("  %-7s  %s: %s", label, plain(turn.If), actionWords(turn.Action))
		label = ""
	}
	if len(r.Checks) > 0 {
		c.showChecks("  OWN CHECK", r.Checks)
	}
}

func policyExtras(p verdict.Policy) (text string) {
	if p.DMARC != "" {
		text += "; dmarc " + plain(p.DMARC)
		if p.DMARCSource != "" {
			text += " (" + plain(p.DMARCSource) + ")"
		}
	}
	if p.Scanner != "" {
		text += "; " + plain(p.Scanner) + " decides"
	}
	return text
}

// threshold is a score from which something is done, in words.
func threshold(p verdict.Points) string {
	if p == 0 {
		return "never"
	}
	return p.String()
}

func micros(n int64) string {
	return (time.Duration(n) * time.Microsecond).Round(10 * time.Microsecond).String()
}

// showChecks writes a table of checks, each with its parts, the heaviest first.
func (c *command) showChecks(heading string, checks []verdict.Check) {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\tRESULT\tPOINTS\tTIME\tWHAT\n", heading)
	indent := strings.Repeat(" ", len(heading)-len(strings.TrimLeft(heading, " ")))
	for _, check := range checks {
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\n", indent, plain(check.Name), plain(check.Result), signed(check.Points), micros(check.Micros), plain(check.Detail))
		showParts(w, indent, check.Parts)
	}
	w.Flush()
	for line := range strings.Lines(text.String()) {
		c.say("%s", strings.TrimRight(line, " \n")) // what a check has no words for ends in blanks
	}
}

func showParts(w io.Writer, indent string, parts []verdict.Part) {
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b verdict.Part) int { return cmp.Compare(weight(b), weight(a)) })
	for _, part := range parts {
		fmt.Fprintf(w, "%s  %s\t\t%s\t\t%s\n", indent, plain(part.Name), signed(part.Points), plain(part.Detail))
	}
}

func weight(p verdict.Part) verdict.Points { return max(p.Points, -p.Points) }

// signed shows points for and against; none as nothing.
func signed(p verdict.Points) string {
	switch {
	case p == 0:
		return "-"
	case p > 0:
		return "+" + p.String()
	}
	return p.String()
}
