package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"postern/internal/config"
	"postern/platform/admin"
	"postern/platform/warden"
)

// What the demo is made of: scripts and tests rely on it.
const (
	demoHost     = "mail.example.test"
	demoDomain   = "example.test"
	demoPassword = "Postern-demo-1"
)

// DemoOptions are what `postern demo` is given.
type DemoOptions struct {
	// Data is kept between runs; empty means a fresh directory that is named and stays.
	Data string
	// PortBase is added to every standard port.
	PortBase int
	// DNS is asked for everything; without it there is no DNS at all, and mail for others waits.
	DNS     string
	Verbose bool
	JSON    bool
	Version string
	Out     io.Writer
}

// Demo runs a complete server on loopback until a signal ends it.
func Demo(ctx context.Context, o DemoOptions) error {
	// The largest standard port has to stay a port.
	if o.PortBase < 0 || o.PortBase > 60000 {
		return fmt.Errorf("--port-base %d gives ports that are none; choose one from 0 to 60000", o.PortBase)
	}
	syscall.Umask(0o077)
	c, err := o.config()
	if err != nil {
		return err
	}
	log := Logger(c)
	sockets, err := warden.Bind(ctx, c, log)
	if err != nil {
		return err
	}
	if _, err := writeConfig(c); err != nil {
		warden.Close(sockets)
		return err
	}
	return serveMail(ctx, life{
		config: c, log: log, sockets: sockets, version: o.Version, supervisor: systemd{}, offline: true,
		names:   []string{"*." + demoDomain, "localhost", "127.0.0.1", "::1"},
		prepare: populateDemo,
		started: func() { o.welcome(c, sockets) },
	})
}

func (o *DemoOptions) config() (*config.Config, error) {
	var err error
	if o.Data == "" {
		if o.Data, err = os.MkdirTemp("", "postern-demo-"); err != nil {
			return nil, fmt.Errorf("no directory for the demo: %w; name one with --data", err)
		}
	}
	if o.Data, err = filepath.Abs(o.Data); err != nil {
		return nil, err
	}
	if err := private(o.Data); err != nil {
		return nil, err
	}
	c := config.New(demoHost, o.Data, o.PortBase, true)
	c.LogLevel = "warn"
	if o.Verbose {
		c.LogLevel = "debug"
	}
	if o.DNS != "" {
		dns, err := netip.ParseAddrPort(o.DNS)
		if err != nil {
			return nil, fmt.Errorf("--dns %q is not an address with a port; write one such as 127.0.0.1:5353", o.DNS)
		}
		c.DNSServers = []netip.AddrPort{dns}
	}
	checked, err := config.Parse(filepath.Join(o.Data, "postern.toml"), []byte(c.Text()))
	if err != nil {
		return nil, err
	}
	return checked, nil
}

// populateDemo makes the people, except those of an earlier run on the same data.
func populateDemo(ctx context.Context, in *instance) error {
	client := in.client()
	if err := unlessThere(client.AddDomain(ctx, demoDomain)); err != nil {
		return err
	}
	for _, u := range []admin.NewUser{
		{Address: "admin@" + demoDomain, Name: "Admin", Admin: true},
		{Address: "alice@" + demoDomain, Name: "Alice"},
		{Address: "bob@" + demoDomain, Name: "Bob"},
	} {
		if _, err := client.User(ctx, u.Address); err == nil {
			continue // hashing a password only to be told so takes half a second
		}
		u.Password = demoPassword
		if err := unlessThere(client.AddUser(ctx, u)); err != nil {
			return err
		}
	}
	return nil
}

func unlessThere[T any](_ T, err error) error {
	var refused *admin.Error
	if errors.As(err, &refused) && refused.Code == "exists" {
		return nil
	}
	return err
}

// welcome tells how to get in.
func (o *DemoOptions) welcome(c *config.Config, sockets []warden.Socket) {
	addresses := make(map[string][]string)
	for _, s := range sockets {
		addresses[s.Service] = append(addresses[s.Service], s.Listener.Addr().String())
	}
	if o.JSON {
		json.NewEncoder(o.Out).Encode(map[string]any{
			"hostname": demoHost, "domain": demoDomain, "data": c.Data, "config": filepath.Join(c.Data, "postern.toml"),
			"ca": filepath.Join(c.Data, "ca.pem"), "listen": addresses, "password": demoPassword,
			"users": []string{"alice@" + demoDomain, "bob@" + demoDomain, "admin@" + demoDomain},
		})
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Postern demo: %s serves %s. It listens on this machine only; ^C ends it.\n\n", demoHost, demoDomain)
	for _, s := range config.Services() {
		if list := addresses[s.Name]; len(list) > 0 {
			fmt.Fprintf(&b, "  %-12s %-36s %s\n", s.Name, strings.Join(list, " "), s.Doc)
		}
	}
	fmt.Fprintf(&b, "\n  users        alice@%s bob@%[1]s admin@%[1]s\n  password     %s\n  certificate  trust %s\n  data         %s\n\n",
		demoDomain, demoPassword, filepath.Join(c.Data, "ca.pem"), c.Data)
	fmt.Fprintf(&b, "Try, in another terminal:\n\n  export POSTERN_CONFIG=%s\n  postern user list\n", filepath.Join(c.Data, "postern.toml"))
	fmt.Fprintf(&b, "  curl --cacert %s --user alice@%s:%s imaps://localhost:%d/INBOX\n\n",
		filepath.Join(c.Data, "ca.pem"), demoDomain, demoPassword, c.Listen["imaps"][0].Port)
	if o.DNS == "" {
		b.WriteString("It asks no DNS: mail for other domains waits in the queue. --dns HOST:PORT names a server to ask.\n")
	}
	io.WriteString(o.Out, b.String())
}
