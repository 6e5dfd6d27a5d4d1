package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"postern/internal/address"
	"postern/internal/config"
	"postern/platform/admin"
)

// Beginning is what a new server is made from.
type Beginning struct {
	Data, Hostname string
	// Domain is the first mail domain; empty means the hostname without its first label.
	Domain string
	// Admin is the first administrator's address; empty means admin@ the domain.
	Admin string
	// Password is the administrator's; empty means that one is made.
	Password string
	// Database is where people and mail are kept; empty means an SQLite file in Data.
	Database string
	// User is the unprivileged user that the server will run as; root must name one.
	User    string
	Version string
}

// Begun is what was made.
type Begun struct {
	Config   string `json:"config"`
	Data     string `json:"data"`
	Hostname string `json:"hostname"`
	Domain   string `json:"domain"`
	Admin    string `json:"admin"`
	// Password is told only when it was made here.
	Password string `json:"password,omitempty"`
}

// Init makes the data directory, the database with the first domain and administrator, and last of all postern.toml, so
// that a beginning that failed half way can be begun again. As root it gives the directory to the user and becomes that
// user itself, for good, before it opens anything.
func Init(ctx context.Context, b Beginning) (Begun, error) {
	c, err := b.check()
	if err != nil {
		return Begun{}, err
	}
	if err := b.makeData(c); err != nil {
		return Begun{}, err
	}
	made := Begun{Data: c.Data, Hostname: c.Hostname, Domain: b.Domain, Admin: b.Admin}
	if b.Password == "" {
		b.Password = MakePassword()
		made.Password = b.Password
	}
	in, err := open(ctx, c, settingUp{version: b.Version, log: slog.New(slog.DiscardHandler), offline: true})
	if err != nil {
		return Begun{}, err
	}
	err = in.populate(ctx, b)
	if err = errors.Join(err, in.server.Close()); err != nil {
		return Begun{}, err
	}
	made.Config = filepath.Join(c.Data, configName)
	return made, useFresh(made.Config)
}

// check fills in what was left out.
func (b *Beginning) check() (*config.Config, error) {
	data, err := filepath.Abs(b.Data)
	if err != nil {
		return nil, err
	}
	hostname, err := config.Hostname(b.Hostname)
	if err != nil {
		return nil, fmt.Errorf("%w; give the server's full name, such as --hostname mail.example.org", err)
	}
	if b.Domain == "" {
		b.Domain = hostname
		if _, parent, _ := strings.Cut(hostname, "."); strings.Contains(parent, ".") {
			b.Domain = parent
		}
	}
	if b.Domain, err = address.NormalizeDomain(b.Domain); err != nil {
		return nil, fmt.Errorf("%q is not a domain name; give one such as --domain example.org", b.Domain)
	}
	if b.Admin == "" {
		b.Admin = "admin@" + b.Domain
	}
	a, err := address.Parse(b.Admin)
	if err != nil || a.Domain != b.Domain {
		return nil, fmt.Errorf("%q is not an address of %s; give one such as --admin admin@%[2]s", b.Admin, b.Domain)
	}
	if _, err := os.Stat(filepath.Join(data, configName)); err == nil {
		return nil, fmt.Errorf("%s holds a server already; choose another --data, or start it with `postern serve --config %s`",
			data, filepath.Join(data, configName))
	}
	c := config.New(hostname, data, 0, false)
	if b.Database != "" {
		c.Database = b.Database
	}
	return config.Parse(filepath.Join(data, configName), []byte(c.Text()))
}

// makeData makes the directory for its owner alone, with the configuration under a name that is not yet its own, and
// becomes the owner. A configuration that root makes stays root's, who starts the server by it; the owner may read it.
func (b *Beginning) makeData(c *config.Config) error {
	data := c.Data
	if os.Geteuid() != 0 {
		if b.User != "" {
			return fmt.Errorf("only root can make a server for another user; leave --user out, or run this as root")
		}
		if err := private(data); err != nil {
			return err
		}
		return writeFresh(c, 0o600, os.Getegid())
	}
	if b.User == "" {
		return fmt.Errorf("the server never runs as root; name the user that it runs as, such as --user postern, " +
			"made with: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin postern")
	}
	u, err := user.Lookup(b.User)
	if err != nil {
		return fmt.Errorf("there is no user %s; make one with: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin %[1]s", b.User)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if uid == 0 {
		return errors.New("the server never runs as root; name another --user")
	}
	if err := private(data); err != nil {
		return err
	}
	if err := os.Lchown(data, uid, gid); err != nil {
		return fmt.Errorf("giving the data directory to %s: %w", b.User, err)
	}
	if err := writeFresh(c, 0o640, gid); err != nil {
		return err
	}
	if err := become(uid, gid); err != nil {
		return err
	}
	if _, err := os.ReadDir(data); err != nil {
		return fmt.Errorf("%s cannot reach %s, since a folder above it is closed to others; choose another --data, or open that folder with chmod o+x", b.User, data)
	}
	return nil
}

func private(data string) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w; choose another --data, or make its parent writable", err)
	}
	if err := os.Chmod(data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w; it belongs to someone else", err)
	}
	return nil
}

// become gives up root for good.
func become(uid, gid int) error {
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("giving up root: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("giving up root: %w", err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("giving up root: %w", err)
	}
	syscall.Umask(0o077)
	return nil
}

// populate makes domain and administrator, unless a try that failed later has made them before.
func (in *instance) populate(ctx context.Context, b Beginning) error {
	client := in.client()
	var refused *admin.Error
	if _, err := client.AddDomain(ctx, b.Domain); err != nil && !(errors.As(err, &refused) && refused.Code == "exists") {
		return err
	}
	_, err := client.AddUser(ctx, admin.NewUser{Address: b.Admin, Password: b.Password, Admin: true})
	if errors.As(err, &refused) && refused.Code == "exists" {
		return client.SetPassword(ctx, b.Admin, b.Password)
	}
	return err
}

// MakePassword makes a password of 26 letters and digits (130 bits) that also satisfies the rule for passwords.
func MakePassword() string {
	text := rand.Text()
	return text[:9] + "-" + strings.ToLower(text[9:18]) + "-" + text[18:] + "7"
}

// Offline opens the server of a configuration that does not run, for work that needs no listening, and gives its
// administration. As root it becomes the owner of the data first, for good.
func Offline(ctx context.Context, c *config.Config, version string) (*admin.Client, func() error, error) {
	info, err := os.Stat(c.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("data directory: %w; make it with `postern init`", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 && stat.Uid != 0 {
		if err := become(int(stat.Uid), int(stat.Gid)); err != nil {
			return nil, nil, err
		}
	}
	syscall.Umask(0o077)
	if !initialised(c.Data) {
		return nil, nil, fmt.Errorf("no server has lived in %s yet; make one with `postern init`", c.Data)
	}
	in, err := open(ctx, c, settingUp{version: version, log: slog.New(slog.DiscardHandler), offline: len(c.DNSServers) == 0})
	if err != nil {
		return nil, nil, err
	}
	return in.client(), in.server.Close, nil
}
