package main

import (
	"os"

	"github.com/spf13/cobra"

	"postern/platform/serve"
)

func (c *command) demo() *cobra.Command {
	o := serve.DemoOptions{}
	cmd := &cobra.Command{Use: "demo", Short: "Run a complete server for trying out", Args: takes(0, 0),
		Long: `Makes a server for example.test with users alice@, bob@ and admin@example.test, all with the password
Postern-demo-1, and a certificate authority of its own, and serves until ^C. It listens on this machine only. Every port
is the standard one plus --port-base.`,
		Example: "  postern demo\n  postern demo --data /tmp/demo --port-base 3000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.JSON, o.Out, o.Version = c.json, c.out, version
			return serve.Demo(cmd.Context(), o)
		}}
	cmd.Flags().StringVar(&o.Data, "data", "", "where everything is kept (default a fresh directory, which is named)")
	cmd.Flags().IntVar(&o.PortBase, "port-base", 2000, "added to every standard port")
	cmd.Flags().StringVar(&o.DNS, "dns", "", "HOST:PORT of the DNS server to ask (default: none is asked)")
	cmd.Flags().BoolVar(&o.Verbose, "verbose", false, "log everything that happens")
	cmd.MarkFlagDirname("data")
	return cmd
}

func (c *command) init() *cobra.Command {
	b := serve.Beginning{}
	cmd := &cobra.Command{Use: "init", Short: "Make a server: its data directory, configuration and first administrator", Args: takes(0, 0),
		Long: `Makes the data directory with postern.toml, the first mail domain with its DKIM keys, and the first
administrator. The administrator's password is asked for on a terminal and otherwise read from the first line of standard
input; if that is empty, one is made and shown, this once.

As root, name the user that the server runs as; the directory becomes theirs.`,
		Example: "  useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin postern\n" +
			"  postern init --data /var/lib/postern --hostname mail.example.org --user postern",
		RunE: func(cmd *cobra.Command, _ []string) error {
			for flag, value := range map[string]string{"data": b.Data, "hostname": b.Hostname} {
				if value == "" {
					return usage{errorf("--%s is missing; write: postern init --data DIR --hostname NAME", flag)}
				}
			}
			var err error
			if b.Password, err = c.readFirstPassword(); err != nil {
				return err
			}
			b.Version = version
			made, err := serve.Init(cmd.Context(), b)
			if err != nil {
				return err
			}
			if c.json {
				return c.writeJSON(made)
			}
			c.say("configuration  %s", made.Config)
			c.say("mail domain    %s", made.Domain)
			c.say("administrator  %s", made.Admin)
			if made.Password != "" {
				c.say("password       %s    (shown this once)", made.Password)
			}
			c.say("\nNext:\n  postern serve --config %s\n  postern domain dns print %s --config %[1]s", made.Config, made.Domain)
			return nil
		}}
	cmd.Flags().StringVar(&b.Data, "data", "", "where everything is kept, such as /var/lib/postern")
	cmd.Flags().StringVar(&b.Hostname, "hostname", "", "the server's full name, such as mail.example.org")
	cmd.Flags().StringVar(&b.Domain, "domain", "", "the first mail domain (default the hostname without its first label)")
	cmd.Flags().StringVar(&b.Admin, "admin", "", "the first administrator (default admin@ the domain)")
	cmd.Flags().StringVar(&b.Database, "database", "", "where people and mail are kept: postgres://USER@HOST/NAME (default an SQLite file in --data)")
	cmd.Flags().StringVar(&b.User, "user", "", "as root: the user that the server runs as")
	cmd.MarkFlagDirname("data")
	return cmd
}

func (c *command) serve() *cobra.Command {
	return &cobra.Command{Use: "serve", Short: "Run the server", Args: takes(0, 0),
		Long: `Serves until SIGTERM, then lets transactions finish and tells the sessions. SIGHUP takes the certificate from
its files again.

As root it binds the ports and then runs everything else as the owner of the data directory, without rights. It speaks
systemd's notify, watchdog and socket-activation protocols; contrib/systemd has units.`,
		Example: "  postern serve --config /var/lib/postern/postern.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := ""
			if os.Getenv("POSTERN_WARDEN_FD") == "" { // a warden's child is given its configuration
				var err error
				if path, err = c.findConfig(); err != nil {
					return err
				}
			}
			code, err := serve.Run(cmd.Context(), serve.Options{ConfigPath: path, Version: version, Args: os.Args[1:]})
			c.exit = code
			return err
		}}
}
