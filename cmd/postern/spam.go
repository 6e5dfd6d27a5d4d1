package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"postern/internal/verdict"
	"postern/platform/admin"
)

func (c *command) spam() *cobra.Command {
	return parent("spam", "How mail is judged, why, and by whose policy",
		`Each message that comes in is looked at by several checks, whose findings are worth points, for or against. The
sum and the recipient's policy decide where it goes. All of this is kept for a time (setting spam.trace_keep), so that
every decision can be explained, and decided anew by another policy to see what that would do.`,
		c.spamExplain(), c.spamList(), c.spamReplay(), c.spamPolicy(), c.spamSenders("allow"), c.spamSenders("block"), c.spamTrain(), c.spamForget(), c.spamLearned(),
		c.spamScore(), c.spamEval())
}

func (c *command) spamList() *cobra.Command {
	var f admin.TraceFilter
	var action, since string
	cmd := &cobra.Command{Use: "list", Short: "List how messages were judged, latest first", Args: takes(0, 0),
		Example: "  postern spam list --to alice@example.org --since 24h\n  postern spam list --from example.com --action junk\n" +
			"  postern spam list --action reject --limit 20 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Action = verdict.Action(action)
			var err error
			if f.Since, err = ago(since, time.Now()); err != nil {
				return err
			}
			if f.Limit < 1 {
				return usage{errorf("--limit %d lists nothing; give a number from 1 on", f.Limit)}
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.TracePage, error) { return traces(ctx, a, f) },
				func(page admin.TracePage) { c.showTraces(page, f) })
		}}
	cmd.Flags().StringVar(&f.To, "to", "", "a recipient; a user's own address stands for all mail of theirs")
	cmd.Flags().StringVar(&f.From, "from", "", "a sender's address, or a domain with its subdomains")
	cmd.Flags().StringVar(&action, "action", "", "inbox, tag, junk, greylist or reject")
	cmd.Flags().StringVar(&since, "since", "", "how far back, such as 24h, 7d or 2026-11-20 (default all that is kept)")
	cmd.Flags().IntVar(&f.Limit, "limit", 50, "at most this many messages")
	return cmd
}

// traces pages on until it has as many as are wanted.
func traces(ctx context.Context, a *admin.Client, f admin.TraceFilter) (admin.TracePage, error) {
	all := admin.TracePage{Traces: []admin.TraceSummary{}}
	want := f.Limit
	for {
		f.Limit = min(want-len(all.Traces), 1000)
		page, err := a.Traces(ctx, f)
		if err != nil {
			return all, err
		}
		all.Traces, all.Damaged, all.Next = append(all.Traces, page.Traces...), all.Damaged+page.Damaged, page.Next
		if page.Next == "" || len(all.Traces) >= want {
			return all, nil
		}
		f.After = page.Next
	}
}

func (c *command) showTraces(page admin.TracePage, f admin.TraceFilter) {
	var rows [][]string
	for _, t := range page.Traces {
		for _, r := range t.Recipients {
			if f.Action == "" || r.Action == f.Action {
				rows = append(rows, []string{t.At.Local().Format(time.DateTime), plain(t.ID), plain(or(t.From, "<>")), plain(r.Address), string(r.Action), r.Score.String(), plain(r.Rule)})
			}
		}
	}
	c.table("No judgement is kept that fits.", []string{"TIME", "ID", "FROM", "TO", "ACTION", "SCORE", "RULE"}, rows)
	if page.Damaged > 0 {
		c.say("%d could not be read; `postern verify` names all damage.", page.Damaged)
	}
}

// plain is a text from a message as a terminal may be shown it.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// ago reads how far back somebody wants to look: a duration, days, or a day. Empty is the zero time.
func ago(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 36500 {
			return now.AddDate(0, 0, -n), nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usage{errorf("--since %q is no time; write one such as 90m, 24h, 7d or 2026-11-20", text)}
}

// score is a flag for a threshold; nil until it is given.
type score struct{ to **verdict.Points }

func (score) Type() string { return "score" }

func (s score) String() string {
	if s.to == nil || *s.to == nil {
		return ""
	}
	return (*s.to).String()
}

func (s score) Set(text string) error {
	whole, decimals, point := strings.Cut(text, ".")
	if whole == "" || len(whole) > 9 || len(decimals) > 2 || point && decimals == "" || strings.Trim(whole+decimals, "0123456789") != "" {
		return errors.New("it is no score; write one such as 5 or 4.50, and 0 for never")
	}
	n, err := strconv.ParseInt(whole+(decimals + "00")[:2], 10, 64)
	p := verdict.Points(n)
	*s.to = &p
	return err
}

// thresholdFlags gives a command the flags of a policy.
func thresholdFlags(cmd *cobra.Command, t *admin.ThresholdChange) {
	cmd.Flags().Var(score{&t.Tag}, "tag", "score from which mail is marked; 0 never")
	cmd.Flags().Var(score{&t.Junk}, "junk", "score from which it goes to Junk; 0 never")
	cmd.Flags().Var(score{&t.Reject}, "reject", "score from which it is refused; 0 never")
	cmd.Flags().Var(score{&t.Greylist}, "greylist", "score from which unknown senders must come again, where greylist.enabled is on; 0 never")
}
