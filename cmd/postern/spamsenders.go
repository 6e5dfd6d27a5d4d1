package main

import (
	"context"

	"github.com/spf13/cobra"

	"postern/platform/admin"
)

// spamSenders are the commands about one of the two lists of senders.
func (c *command) spamSenders(kind string) *cobra.Command {
	titles := map[string]string{"allow": "Senders whose mail is not spam whatever it looks like", "block": "Senders whose mail is junk whatever it looks like"}
	effects := map[string]string{
		"allow": "An allowed sender's mail goes to the inbox whatever its score, once it is known to be theirs (SPF or DKIM, aligned);\nviruses are dealt with all the same.",
		"block": "A blocked sender's mail goes to Junk whatever its score.",
	}
	// That an address proves nothing is what people who allow one do not expect.
	adds := map[string]string{"allow": "allowed, where SPF or DKIM shows that it is the sender,", "block": "blocked"}
	long := effects[kind] + `

PATTERN is an address, @example.com for the domain alone, or example.com with its subdomains. Without --for it holds for
everybody here. A user's list counts before their domain's before the server's, and within a list the narrowest pattern.`
	var whom string
	change := func(use, short, done string, call func(context.Context, *admin.Client, admin.SenderEntry) (admin.SenderEntry, error)) *cobra.Command {
		cmd := &cobra.Command{Use: use + " PATTERN", Short: short, Long: long, Args: takes(1, 1),
			Example: "  postern spam " + kind + " " + use + " news@example.com --for alice@example.org\n  postern spam " + kind + " " + use + " example.com",
			RunE: func(cmd *cobra.Command, args []string) error {
				entry := admin.SenderEntry{Scope: whom, Kind: kind, Pattern: args[0]}
				return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.SenderEntry, error) { return call(ctx, a, entry) },
					func(e admin.SenderEntry) { c.say("%s is %s for %s.", e.Pattern, done, e.Scope) })
			}}
		cmd.Flags().StringVar(&whom, "for", "", "a user's address or a domain of ours (default everybody)")
		return cmd
	}
	list := &cobra.Command{Use: "list", Short: "List them", Args: takes(0, 0), Example: "  postern spam " + kind + " list --for alice@example.org",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.SenderEntry, error) {
				return a.Senders(ctx, admin.SenderFilter{Kind: kind, Scope: whom})
			}, func(list []admin.SenderEntry) {
				rows := make([][]string, len(list))
				for i, e := range list {
					rows[i] = []string{e.Scope, e.Pattern, day(e.Created)}
				}
				c.table("There is none.", []string{"FOR", "SENDER", "SINCE"}, rows)
			})
		}}
	list.Flags().StringVar(&whom, "for", "", "only those of a user, a domain of ours, or the server")
	return parent(kind, titles[kind], long,
		change("add", "Put a sender into the list", adds[kind], func(ctx context.Context, a *admin.Client, e admin.SenderEntry) (admin.SenderEntry, error) {
			return a.AddSender(ctx, e)
		}), list,
		change("remove", "Take a sender out of the list", "not "+kind+"ed any more", func(ctx context.Context, a *admin.Client, e admin.SenderEntry) (admin.SenderEntry, error) {
			return a.RemoveSender(ctx, e)
		}))
}
