package main

import (
	"context"

	"github.com/spf13/cobra"

	"postern/internal/verdict"
	"postern/platform/admin"
)

func (c *command) spamPolicy() *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List the server's thresholds, and who has their own", Args: takes(0, 0), Example: "  postern spam policy list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.SpamPolicy, error) { return a.SpamPolicies(ctx) },
				func(list []admin.SpamPolicy) {
					rows := make([][]string, len(list))
					for i, p := range list {
						rows[i] = []string{p.Scope, own(p.Tag), own(p.Junk), own(p.Reject), own(p.Greylist)}
					}
					c.table("There is none.", []string{"FOR", "TAG", "JUNK", "REJECT", "GREYLIST"}, rows)
				})
		}}
	show := &cobra.Command{Use: "show [ADDRESS|DOMAIN|server]", Short: "Show the thresholds in force for somebody", Args: takes(0, 1),
		Example: "  postern spam policy show alice@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.SpamPolicy, error) {
				return a.SpamPolicy(ctx, scopeOf(args))
			}, c.showPolicy)
		}}
	return parent("policy", "Scores from which mail is marked, junk or refused",
		`A user's own thresholds count before their domain's, and those before the server's, one by one. Those of the server
are the settings spam.tag_score and its kin.`, list, show, c.spamPolicySet(), c.spamPolicyReset())
}

func (c *command) spamPolicySet() *cobra.Command {
	var change admin.ThresholdChange
	cmd := &cobra.Command{Use: "set [ADDRESS|DOMAIN|server]", Short: "Change thresholds; what is not named stays", Args: takes(0, 1),
		Long: `Changes thresholds of a user, a domain or the server. Nothing is changed if the milder would lie above the severer, here or for
somebody within. What a change would have done to the mail of late tells ` + "`postern spam replay --all`.",
		Example: "  postern spam policy set alice@example.org --junk 4 --reject 0\n  postern spam policy set example.org --tag 2.5\n" +
			"  postern spam policy set server --greylist 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			if change == (admin.ThresholdChange{}) {
				return usage{errorf("nothing to change; give --tag, --junk, --reject or --greylist")}
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.SpamPolicy, error) {
				return a.SetSpamPolicy(ctx, scopeOf(args), change)
			}, c.showPolicy)
		}}
	thresholdFlags(cmd, &change)
	return cmd
}

func (c *command) spamPolicyReset() *cobra.Command {
	return &cobra.Command{Use: "reset ADDRESS|DOMAIN|server", Short: "Give somebody the thresholds of the next wider one again", Args: takes(1, 1),
		Example: "  postern spam policy reset alice@example.org\n  postern spam policy reset server",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.SpamPolicy, error) {
				return a.ResetSpamPolicy(ctx, args[0])
			}, c.showPolicy)
		}}
}

// scopeOf is whom a command is for.
func scopeOf(args []string) string {
	if len(args) == 0 {
		return "server"
	}
	return args[0]
}

func own(p *verdict.Points) string {
	if p == nil {
		return ""
	}
	return threshold(*p)
}

func (c *command) showPolicy(p admin.SpamPolicy) {
	c.say("%s: tag %s, junk %s, reject %s, greylist %s (thresholds of %s)", p.Scope, threshold(p.InForce.Tag), threshold(p.InForce.Junk),
		threshold(p.InForce.Reject), threshold(p.InForce.Greylist), p.InForce.Source)
}
