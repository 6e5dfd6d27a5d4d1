package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"postern/internal/verdict"
	"postern/platform/admin"
)

func (c *command) spamReplay() *cobra.Command {
	var change admin.ThresholdChange
	var whatIf admin.WhatIf
	var all bool
	var since, virus string
	cmd := &cobra.Command{Use: "replay ID|--all", Short: "Decide anew from what is stored, also by another policy", Args: takes(0, 1),
		Long: `Takes the stored findings of one message, or of all, through the policy once more. Without further flags each decision
must come out byte for byte as it was; the exit code is 1 if one does not. With --tag, --junk, --reject, --greylist, --virus
or --dmarc-override it tells what that policy would have done otherwise, and changes nothing: try it before setting it.`,
		Example: "  postern spam replay K7RZQ2M4XJ5T8WBC-1\n  postern spam replay --all\n  postern spam replay --all --since 7d --junk 4 --reject 10\n" +
			"  postern spam replay --all --dmarc-override example.org=none",
		RunE: func(cmd *cobra.Command, args []string) error {
			in := admin.ReplayRequest{WhatIf: whatIf}
			switch {
			case all == (len(args) == 1):
				return usage{errorf("it is either one message or all; give its id or Message-ID, or --all")}
			case !all && since != "":
				return usage{errorf("--since chooses among all; give --all too, or leave it out")}
			}
			if len(args) == 1 {
				in.ID = args[0]
			}
			var err error
			if in.Since, err = ago(since, time.Now()); err != nil {
				return err
			}
			w := &in.WhatIf
			w.Tag, w.Junk, w.Reject, w.Greylist, w.Virus = change.Tag, change.Junk, change.Reject, change.Greylist, verdict.Action(virus)
			plainly := change == (admin.ThresholdChange{}) && virus == "" && len(w.DMARCOverride) == 0
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.ReplayReport, error) {
				report, err := a.Replay(ctx, in, c.progress())
				if err == nil && plainly && (report.Different > 0 || report.Damaged > 0) {
					c.exit = exitRefused
				}
				return report, err
			}, func(report admin.ReplayReport) {
				if plainly {
					c.showReplay(report)
				} else {
					c.showWhatIf(report)
				}
			})
		}}
	thresholdFlags(cmd, &change)
	cmd.Flags().BoolVar(&all, "all", false, "all that is kept")
	cmd.Flags().StringVar(&since, "since", "", "with --all: how far back, such as 24h, 7d or 2026-11-20")
	cmd.Flags().StringVar(&virus, "virus", "", "what is done with viruses: reject or junk")
	cmd.Flags().StringArrayVar(&whatIf.DMARCOverride, "dmarc-override", nil, "DOMAIN=none, quarantine or reject, * for every domain; may be repeated")
	return cmd
}

// showReplay tells whether everything came out as it was.
func (c *command) showReplay(report admin.ReplayReport) {
	for _, one := range report.Listed {
		if one.Same {
			c.say("%s for %s: same: %s, %s", plain(one.ID), plain(one.Address), one.Is.Action, plain(one.Is.Rule))
			continue
		}
		c.say("%s for %s: DIFFERENT", plain(one.ID), plain(one.Address))
		c.say("  was  %s %s: %s", one.Was.Score, plain(string(one.Was.Action)), plain(one.Was.Rule))
		c.say("  is   %s %s: %s", one.Is.Score, one.Is.Action, plain(one.Is.Rule))
	}
	c.say("%d messages, %d copies decided anew: %d same, %d different.", report.Messages, report.Copies, report.Copies-report.Different, report.Different)
	c.showDamaged(report)
}

// showWhatIf tells what would have been done otherwise.
func (c *command) showWhatIf(report admin.ReplayReport) {
	var rows [][]string
	for _, one := range report.Listed {
		rows = append(rows, []string{plain(one.ID), plain(or(one.From, "<>")), plain(one.Address), string(one.Was.Action), string(one.Is.Action), plain(one.Is.Rule)})
	}
	c.table("Nothing would be done otherwise.", []string{"ID", "FROM", "TO", "WAS", "WOULD BE", "RULE"}, rows)
	c.say("\n%d messages, %d copies decided anew: %d would go elsewhere.", report.Messages, report.Copies, report.Different)
	for _, turn := range report.Turns {
		c.say("  %s from %s to %s", strconv.Itoa(turn.Copies), turn.Was, turn.Is)
	}
	if len(report.Listed) < report.Different {
		c.say("The first %d are listed.", len(report.Listed))
	}
	c.showDamaged(report)
}

func (c *command) showDamaged(report admin.ReplayReport) {
	if report.Damaged > 0 {
		c.say("%d judgements could not be read; `postern verify` names all damage.", report.Damaged)
	}
}
