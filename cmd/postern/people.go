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
)

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// or gives s, or what it means that it is empty.
func or(s, empty string) string {
	if s == "" {
		return empty
	}
	return s
}

func day(t time.Time) string { return t.Local().Format(time.DateOnly) }

func (c *command) user() *cobra.Command {
	return parent("user", "People who have mail", "Users have mailboxes, log in with their address and password, and send as themselves.",
		c.userAdd(), c.userList(), c.userShow(), c.userSet(), c.userPassword(), c.userRemove(), c.userHolds(), c.userLift())
}

func (c *command) userAdd() *cobra.Command {
	var u admin.NewUser
	var quota string
	cmd := &cobra.Command{Use: "add ADDRESS", Short: "Make a user with their mailboxes", Args: takes(1, 1),
		Long: `Makes a user. The password is asked for on a terminal and otherwise read from the first line of standard
input: at least 8 characters with an uppercase letter, a digit and a symbol, and not a known one.`,
		Example: "  postern user add alice@example.org --name 'Alice Example'\n  printf '%s\\n' \"$PASSWORD\" | postern user add bob@example.org --quota 5GiB",
		RunE: func(cmd *cobra.Command, args []string) error {
			u.Address = args[0]
			var err error
			if u.Quota, err = parseQuota(quota); err != nil {
				return usage{err}
			}
			if u.Password, err = c.readPassword("Password for " + u.Address); err != nil {
				return err
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.User, error) { return a.AddUser(ctx, u) },
				func(u admin.User) { c.say("%s has mailboxes and may log in.", u.Address) })
		}}
	cmd.Flags().StringVar(&u.Name, "name", "", "the person's name")
	cmd.Flags().BoolVar(&u.Admin, "admin", false, "an administrator, who gets mail for postmaster and abuse")
	cmd.Flags().StringVar(&quota, "quota", "", "room for mail, such as 5GiB; none for no limit; default the setting quota.default")
	return cmd
}

func (c *command) userList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the users", Args: takes(0, 0), Example: "  postern user list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.User, error) { return a.Users(ctx) },
				func(list []admin.User) {
					rows := make([][]string, len(list))
					for i, u := range list {
						rows[i] = []string{u.Address, u.Name, role(u), quotaText(u.Quota), day(u.Created)}
					}
					c.table("There is no user; add one with `postern user add ADDRESS`.", []string{"ADDRESS", "NAME", "ROLE", "QUOTA", "SINCE"}, rows)
				})
		}}
}

func role(u admin.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case u.Admin:
		return "admin"
	}
	return "user"
}

func (c *command) userShow() *cobra.Command {
	return &cobra.Command{Use: "show ADDRESS", Short: "Show a user and what belongs to them", Args: takes(1, 1), Example: "  postern user show alice@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.UserDetails, error) { return a.User(ctx, args[0]) },
				func(u admin.UserDetails) {
					c.say("address   %s", u.Address)
					c.say("name      %s", or(u.Name, "-"))
					c.say("role      %s", role(u.User))
					c.say("mail      %d messages, %s of %s", u.UsedMessages, bytesText(u.UsedBytes), quotaText(u.Quota))
					c.say("aliases   %s", or(strings.Join(u.Aliases, " "), "-"))
					c.say("groups    %s", or(strings.Join(u.Groups, " "), "-"))
					c.say("sends as  %s", or(strings.Join(u.Grants, " "), "-"))
					c.say("since     %s, password of %s", day(u.Created), day(u.PasswordChanged))
				})
		}}
}

func (c *command) userSet() *cobra.Command {
	var name, quota string
	var isAdmin, disabled bool
	cmd := &cobra.Command{Use: "set ADDRESS", Short: "Change a user", Args: takes(1, 1),
		Example: "  postern user set alice@example.org --quota 10GiB --admin\n  postern user set bob@example.org --disabled        # keeps his mail, gets none, cannot log in\n" +
			"  postern user set bob@example.org --disabled=false",
		RunE: func(cmd *cobra.Command, args []string) error {
			var change admin.UserChange
			flags := cmd.Flags()
			if flags.Changed("name") {
				change.Name = &name
			}
			if flags.Changed("admin") {
				change.Admin = &isAdmin
			}
			if flags.Changed("disabled") {
				change.Disabled = &disabled
			}
			if flags.Changed("quota") {
				bytes, err := parseQuota(quota)
				if err != nil {
					return usage{err}
				}
				change.Quota = &bytes
			}
			if change == (admin.UserChange{}) {
				return usage{errorf("nothing to change; give --name, --admin, --disabled or --quota")}
			}
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.User, error) {
				return a.ChangeUser(ctx, args[0], change)
			},
				func(u admin.User) { c.say("%s: %s, quota %s", u.Address, role(u), quotaText(u.Quota)) })
		}}
	cmd.Flags().StringVar(&name, "name", "", "the person's name")
	cmd.Flags().BoolVar(&isAdmin, "admin", false, "an administrator")
	cmd.Flags().BoolVar(&disabled, "disabled", false, "keeps their mail, gets none, and cannot log in")
	cmd.Flags().StringVar(&quota, "quota", "", "room for mail, such as 5GiB; none for no limit; default for the setting quota.default")
	return cmd
}

func (c *command) userPassword() *cobra.Command {
	return &cobra.Command{Use: "password ADDRESS", Short: "Give a user another password", Args: takes(1, 1),
		Long:    "Asks for the password on a terminal; otherwise it is the first line of standard input.",
		Example: "  postern user password alice@example.org\n  printf '%s\\n' \"$PASSWORD\" | postern user password alice@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := c.readPassword("New password for " + args[0])
			if err != nil {
				return err
			}
			return c.tell(cmd, args[0]+" has the new password.", func(ctx context.Context, a *admin.Client) error {
				return a.SetPassword(ctx, args[0], password)
			})
		}}
}

func (c *command) userRemove() *cobra.Command {
	return &cobra.Command{Use: "remove ADDRESS", Short: "Remove a user with all their mail", Args: takes(1, 1),
		Long: "Removes a user, all their mail, and what points to nobody else. There is no way back; `user set --disabled` has one.", Example: "  postern user remove bob@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.tell(cmd, args[0]+" and all their mail are gone.", func(ctx context.Context, a *admin.Client) error { return a.RemoveUser(ctx, args[0]) })
		}}
}

func (c *command) userHolds() *cobra.Command {
	return &cobra.Command{Use: "holds", Short: "List the users whose outgoing mail waits", Args: takes(0, 0),
		Long: `Lists the users who sent more than the settings outbound.* allow, as somebody does who has stolen a password. What they
send to others waits in the queue, held, until it is released or dropped there; "user lift" lets them send again.`,
		Example: "  postern user holds",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.Hold, error) { return a.Holds(ctx) },
				func(list []admin.Hold) {
					rows := make([][]string, len(list))
					for i, h := range list {
						rows[i] = []string{h.Address, h.Since.Local().Format(time.DateTime), h.Reason}
					}
					c.table("Nobody is on hold.", []string{"ADDRESS", "SINCE", "REASON"}, rows)
				})
		}}
}

func (c *command) userLift() *cobra.Command {
	return &cobra.Command{Use: "lift ADDRESS", Short: "Let a user send again who was put on hold", Args: takes(1, 1),
		Long:    "Ends a hold and forgets what was counted. What waits in the queue stays held until `postern queue release` or `drop`. Give another password first if it was not the owner who sent.",
		Example: "  postern user password alice@example.org\n  postern queue drop --from alice@example.org\n  postern user lift alice@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.tell(cmd, args[0]+" may send again; what waits is let go by `postern queue release --from "+args[0]+"`.",
				func(ctx context.Context, a *admin.Client) error { return a.LiftHold(ctx, args[0]) })
		}}
}

func (c *command) alias() *cobra.Command {
	add := &cobra.Command{Use: "add ALIAS USER...", Short: "Give users a further address", Args: takes(2, -1),
		Example: "  postern alias add sales@example.org alice@example.org bob@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Alias, error) {
				return a.AddAlias(ctx, args[0], args[1:])
			},
				func(a admin.Alias) { c.say("%s is %s.", a.Address, strings.Join(a.Targets, ", ")) })
		}}
	list := &cobra.Command{Use: "list", Short: "List the aliases", Args: takes(0, 0), Example: "  postern alias list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.Alias, error) { return a.Aliases(ctx) },
				func(list []admin.Alias) {
					rows := make([][]string, len(list))
					for i, a := range list {
						rows[i] = []string{a.Address, strings.Join(a.Targets, " ")}
					}
					c.table("There is no alias.", []string{"ALIAS", "USERS"}, rows)
				})
		}}
	remove := &cobra.Command{Use: "remove ALIAS", Short: "Remove an alias", Args: takes(1, 1), Example: "  postern alias remove sales@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.tell(cmd, args[0]+" is nobody's any more.", func(ctx context.Context, a *admin.Client) error { return a.RemoveAlias(ctx, args[0]) })
		}}
	return parent("alias", "Further addresses of users", "Mail for an alias goes to its users, and each of them may send as it.", add, list, remove)
}

func (c *command) group() *cobra.Command {
	var title string
	show := func(g admin.Group) {
		c.say("group    %s", g.Address)
		c.say("title    %s", or(g.Title, "-"))
		c.say("members  %s", or(strings.Join(g.Members, " "), "none"))
	}
	add := &cobra.Command{Use: "add GROUP [MEMBER...]", Short: "Make a group", Args: takes(1, -1),
		Example: "  postern group add team@example.org alice@example.org friend@example.com --title 'The team'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Group, error) {
				return a.AddGroup(ctx, admin.Group{Address: args[0], Title: title, Members: args[1:]})
			}, show)
		}}
	add.Flags().StringVar(&title, "title", "", "what the group is")
	list := &cobra.Command{Use: "list", Short: "List the groups", Args: takes(0, 0), Example: "  postern group list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.Group, error) { return a.Groups(ctx) },
				func(list []admin.Group) {
					rows := make([][]string, len(list))
					for i, g := range list {
						rows[i] = []string{g.Address, g.Title, strconv.Itoa(len(g.Members))}
					}
					c.table("There is no group.", []string{"GROUP", "TITLE", "MEMBERS"}, rows)
				})
		}}
	one := &cobra.Command{Use: "show GROUP", Short: "Show a group with its members", Args: takes(1, 1), Example: "  postern group show team@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Group, error) { return a.Group(ctx, args[0]) }, show)
		}}
	remove := &cobra.Command{Use: "remove GROUP", Short: "Remove a group; its members stay", Args: takes(1, 1), Example: "  postern group remove team@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.tell(cmd, args[0]+" is gone; its members stay.", func(ctx context.Context, a *admin.Client) error { return a.RemoveGroup(ctx, args[0]) })
		}}
	member := parent("member", "The members of a group", "Members may be users, aliases and groups of ours, and addresses elsewhere.",
		&cobra.Command{Use: "add GROUP MEMBER", Short: "Add a member", Args: takes(2, 2), Example: "  postern group member add team@example.org carol@example.net",
			RunE: func(cmd *cobra.Command, args []string) error {
				return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Group, error) {
					return a.AddMember(ctx, args[0], args[1])
				}, show)
			}},
		&cobra.Command{Use: "remove GROUP MEMBER", Short: "Take a member out", Args: takes(2, 2), Example: "  postern group member remove team@example.org carol@example.net",
			RunE: func(cmd *cobra.Command, args []string) error {
				return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Group, error) {
					return a.RemoveMember(ctx, args[0], args[1])
				}, show)
			}})
	return parent("group", "Addresses for many", "Mail for a group goes to each of its members, who may be elsewhere.", add, list, one, remove, member)
}

func (c *command) grant() *cobra.Command {
	add := &cobra.Command{Use: "add USER ADDRESS", Short: "Let a user send as another address of ours", Args: takes(2, 2),
		Example: "  postern grant add alice@example.org team@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) (admin.Grant, error) {
				return a.AddGrant(ctx, admin.Grant{User: args[0], As: args[1]})
			}, func(g admin.Grant) { c.say("%s may send as %s.", g.User, g.As) })
		}}
	list := &cobra.Command{Use: "list", Short: "List who may send as whom", Args: takes(0, 0), Example: "  postern grant list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd, c, func(ctx context.Context, a *admin.Client) ([]admin.Grant, error) { return a.Grants(ctx) },
				func(list []admin.Grant) {
					rows := make([][]string, len(list))
					for i, g := range list {
						rows[i] = []string{g.User, g.As}
					}
					c.table("Everybody sends as themselves only.", []string{"USER", "MAY SEND AS"}, rows)
				})
		}}
	remove := &cobra.Command{Use: "remove USER ADDRESS", Short: "Take a grant back", Args: takes(2, 2), Example: "  postern grant remove alice@example.org team@example.org",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.tell(cmd, args[0]+" may no longer send as "+args[1]+".", func(ctx context.Context, a *admin.Client) error {
				return a.RemoveGrant(ctx, admin.Grant{User: args[0], As: args[1]})
			})
		}}
	return parent("grant", "Who may send as whom", "Users may send as themselves and their aliases. A grant lets one send as another local address too.", add, list, remove)
}

// parseQuota reads 5GiB, none or default.
func parseQuota(s string) (int64, error) {
	switch s {
	case "", "default":
		return 0, nil
	case "none":
		return -1, nil
	}
	for i, unit := range []string{"B", "KiB", "MiB", "GiB", "TiB"} {
		number, ok := strings.CutSuffix(s, unit)
		if !ok || number == "" || strings.TrimLeft(number, "0123456789") != "" {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n <= 0 || n > 1<<62>>(10*i) {
			break
		}
		return n << (10 * i), nil
	}
	return 0, errors.New("--quota " + strconv.Quote(s) + " is no size; write one such as 500MiB or 5GiB, none or default")
}

func quotaText(bytes int64) string {
	switch bytes {
	case 0:
		return "default"
	case -1:
		return "no limit"
	}
	return bytesText(bytes)
}

func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + " " + units[i]
}
