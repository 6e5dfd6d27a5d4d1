package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"postern/platform/admin"
	"postern/platform/zone"
)

func (c *command) domain() *cobra.Command {
	return parent("domain", "Mail domains and their DNS records",
		`A domain's mail is ours when it has been added here and its MX record points to this server. Adding one
makes its DKIM keys; "domain dns print" then writes every record that has to stand in the DNS.`,
		c.domainAdd(), c.domainList(), c.domainShow(), c.domainSet(), c.domainRemove(), c.domainDNS(), c.domainReports())
}

func (c *command) domainAdd() *cobra.Command {
	return &cobra.Command{Use: "add NAME", Short: "Make a domain ours, with DKIM keys", Args: takes(1, 1),
		Example: "  postern domain add example.org\n  postern domain dns print example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Domain, error) { return a.AddDomain(ctx, args[0]) },
				func(d admin.Domain) {
					c.say("%s is ours. Put into the DNS what `postern domain dns print %[1]s` writes.", d.Name)
				})
		}}
}

func (c *command) domainList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the domains", Args: takes(0, 0), Example: "  postern domain list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.Domain, error) { return a.Domains(ctx) },
				func(list []admin.Domain) {
					rows := make([][]string, len(list))
					for i, d := range list {
						rows[i] = []string{d.Name, d.Separator, d.CatchAll, day(d.Created)}
					}
					c.table("There is no domain; add one with `postern domain add NAME`.", []string{"DOMAIN", "SUBADDRESS", "CATCH-ALL", "SINCE"}, rows)
				})
		}}
}

func (c *command) domainShow() *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show a domain with its keys", Args: takes(1, 1), Example: "  postern domain show example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.DomainDetails, error) { return a.Domain(ctx, args[0]) },
				func(d admin.DomainDetails) {
					c.say("domain      %s", d.Name)
					c.say("subaddress  %s", or(d.Separator, "none"))
					c.say("catch-all   %s", or(d.CatchAll, "none"))
					c.say("since       %s", day(d.Created))
					for _, k := range d.Keys {
						c.say("key         %s %s, %s since %s", k.Selector, k.Algorithm, k.State, day(k.Created))
					}
				})
		}}
}

func (c *command) domainSet() *cobra.Command {
	var separator, catchAll string
	cmd := &cobra.Command{Use: "set NAME", Short: "Change a domain's subaddresses or catch-all", Args: takes(1, 1),
		Example: "  postern domain set example.org --catch-all alice@example.org\n" +
			"  postern domain set example.org --catch-all ''     # nobody\n  postern domain set example.org --separator -",
		RunE: func(cmd *cobra.Command, args []string) error {
			var change admin.DomainChange
			if cmd.Flags().Changed("separator") {
				change.Separator = &separator
			}
			if cmd.Flags().Changed("catch-all") {
				change.CatchAll = &catchAll
			}
			if change == (admin.DomainChange{}) {
				return usage{errorf("nothing to change; give --separator or --catch-all")}
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Domain, error) {
				return a.ChangeDomain(ctx, args[0], change)
			}, func(d admin.Domain) {
				c.say("%s: subaddresses with %s, catch-all %s", d.Name, or(d.Separator, "nothing"), or(d.CatchAll, "nobody"))
			})
		}}
	cmd.Flags().StringVar(&separator, "separator", "", "what stands between name and detail: one of + - _ = # ~, or nothing")
	cmd.Flags().StringVar(&catchAll, "catch-all", "", "who gets mail for addresses that no one has")
	return cmd
}

func (c *command) domainRemove() *cobra.Command {
	return &cobra.Command{Use: "remove NAME", Short: "Give a domain up; it must be empty", Args: takes(1, 1), Example: "  postern domain remove example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.tell(cmd, args[0]+" is no longer ours. Take its records out of the DNS.", func(ctx context.Context, a *admin.Client) error {
				return a.RemoveDomain(ctx, args[0])
			})
		}}
}

func (c *command) domainDNS() *cobra.Command {
	return parent("dns", "The DNS records of a domain",
		`"print" writes the records as part of a zone file; "check" asks the DNS for each of them and says what is
missing or different.`, c.dnsPrint(), c.dnsCheck())
}

func (c *command) dnsPrint() *cobra.Command {
	return &cobra.Command{Use: "print NAME", Short: "Write the records that must stand in the DNS", Args: takes(1, 1),
		Example: "  postern domain dns print example.org >> example.org.zone",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.DNS, error) { return a.DNS(ctx, args[0]) },
				func(d admin.DNS) { c.say("%s", strings.TrimSuffix(d.Zone, "\n")) })
		}}
}

func (c *command) dnsCheck() *cobra.Command {
	return &cobra.Command{Use: "check NAME", Short: "Compare them with what stands in the DNS", Args: takes(1, 1),
		Long:    "Asks the DNS for each record. The exit code is 1 when one is missing or different.",
		Example: "  postern domain dns check example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.DNSCheck, error) {
				check, err := a.CheckDNS(ctx, args[0])
				if err == nil && !check.OK {
					c.exit = exitRefused
				}
				return check, err
			}, func(d admin.DNSCheck) {
				for _, r := range d.Records {
					c.say("%-9s  %s %s", r.State, r.Type, r.Name)
					if r.State == zone.OK {
						continue
					}
					c.say("           expected: %s", r.Value)
					for _, actual := range r.Actual {
						c.say("           actual:   %s", actual)
					}
					c.say("           fix:      %s", r.Fix)
				}
			})
		}}
}
