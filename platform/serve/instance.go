// Package serve is the process around the mail server: it is born with its sockets, tells systemd that it is ready,
// keeps its certificate fresh, opens the door for the administrator, and ends with grace.
//
// There are three lives. [Run] is `postern serve`: as root it becomes the warden and starts itself again without rights,
// otherwise, and in that child, it serves. [Demo] is `postern demo`, a server with people in it, on loopback. [Init] and
// [Offline] open the same server without listening, to make its first administrator or to look after it while it is
// stopped; they reach it through the same administration as everyone else.
package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"postern/internal/clock"
	"postern/internal/config"
	"postern/internal/scripts"
	"postern/internal/server"
	"postern/internal/store"
	"postern/internal/tlsconf"
	"postern/internal/verdict/archive"
	"postern/platform/admin"
	"postern/platform/doctor"
)

// instance is an open server with its administration.
type instance struct {
	config  *config.Config
	log     *slog.Logger
	tls     *tlsconf.Source
	server  *server.Server
	backend *admin.Backend
}

// settingUp says what differs between the lives.
type settingUp struct {
	version string
	log     *slog.Logger
	offline bool
	// names of a self-made certificate beyond the host's own.
	names []string
	// readFile reads certificate files.
	readFile func(string) ([]byte, error)
}

func open(ctx context.Context, c *config.Config, o settingUp) (*instance, error) {
	names := append([]string{c.Hostname}, o.names...)
	source, err := tlsconf.Open(tlsconf.Options{Cert: c.TLSCert, Key: c.TLSKey, Dir: c.Data, Names: names,
		ReadFile: o.readFile, Clock: clock.System, Log: o.log})
	if err != nil {
		return nil, err
	}
	s, err := server.Open(ctx, server.Options{Config: c, Log: o.log, Clock: clock.System, TLS: source, Offline: o.offline, Version: o.version})
	if err != nil {
		return nil, err
	}
	in := &instance{config: c, log: o.log, tls: source, server: s}
	in.backend = &admin.Backend{
		Hostname: c.Hostname, Version: o.version, Started: time.Now(),
		DB: s.DB, Directory: s.Directory, Settings: s.Settings, Queue: s.Queue, Outbound: s.Outbound, Keys: s.Keys, Mail: mail{s.Store, s.Archive, s.Scripts}, DNS: s.Resolver,
		Archive: s.Archive, Policies: s.Policies, Scripts: s.Scripts, Filters: s.Filters, Reports: s.Reports, Learning: lessons{s},
		Addresses: in.addresses, Patient: in.patient, Reload: source.Reload, Clock: clock.System, Log: o.log,
	}
	return in, nil
}

// client administers the instance from within this process.
func (in *instance) client() *admin.Client { return admin.Direct(in.backend.Handler()) }

func (in *instance) handler() http.Handler { return in.backend.Handler() }

// patient is what the doctor looks at.
func (in *instance) patient() doctor.Patient {
	p := doctor.Patient{Config: in.config, DNS: in.server.Resolver, Leaf: in.tls.Leaf()}
	if ca, selfMade := in.tls.SelfMade(); selfMade {
		p.CA = ca
	}
	addresses, domains := in.server.BlockLists, in.server.DomainLists
	p.Lists = []doctor.Lists{
		{Subject: "addresses", Zones: addresses.Zones(), Probe: addresses.Probe},
		{Subject: "domains", Zones: domains.Zones(), Probe: domains.ProbeDomains},
	}
	for name, try := range in.server.Scanners() {
		p.Scanners = append(p.Scanners, doctor.Scanner{Name: name, Try: try})
	}
	slices.SortFunc(p.Scanners, func(a, b doctor.Scanner) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range in.server.Alerts.List() {
		p.Alerts = append(p.Alerts, doctor.Alert{Title: a.Title, Text: a.Text})
	}
	return p
}

// mail lets the administration ask the store, and what is kept beside it about mail.
type mail struct {
	*store.Store
	archive *archive.Archive
	scripts *scripts.Store
}

func (m mail) Usage(ctx context.Context, account int64) (bytes, messages int64, err error) {
	q, err := m.Store.Account(store.AccountID(account)).Quota(ctx)
	return q.UsedBytes, q.UsedMessages, err
}

func (m mail) Verify(ctx context.Context, progress func(done, total int)) (admin.VerifyReport, error) {
	report, err := m.Store.Verify(ctx, progress)
	if err != nil {
		return admin.VerifyReport{}, err
	}
	out := admin.VerifyReport{Checked: report.Checked, Damage: make([]admin.Damage, len(report.Damage))}
	for i, d := range report.Damage {
		out.Damage[i] = admin.Damage{Account: int64(d.Account), Mailbox: d.Mailbox, UID: d.UID, Blob: int64(d.Blob), What: d.What}
	}
	judgements, err := m.archive.Verify(ctx, func(done, total int) { progress(out.Checked+done, out.Checked+total) })
	if err != nil {
		return admin.VerifyReport{}, err
	}
	out.Checked += judgements.Checked
	for _, what := range judgements.Damage {
		out.Damage = append(out.Damage, admin.Damage{What: what})
	}
	filters, err := m.scripts.Verify(ctx, func(done, total int) { progress(out.Checked+done, out.Checked+total) })
	if err != nil {
		return admin.VerifyReport{}, err
	}
	out.Checked += filters.Checked
	for _, what := range filters.Damage {
		out.Damage = append(out.Damage, admin.Damage{What: what})
	}
	return out, nil
}

// lessons let the administration teach.
type lessons struct{ *server.Server }

func (l lessons) Forget(ctx context.Context, account int64) (withdrawn bool, err error) {
	return l.Models.Forget(ctx, account)
}

func (l lessons) Learned(account int64) (spam, ham, tokens int64) {
	learned := l.Models.Learned(account)
	return learned.Spam, learned.Ham, learned.Tokens
}

// Logger makes the log that the configuration asks for.
func Logger(c *config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo // the configuration has been checked
	}
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

// initialised reports whether a server has lived in the directory before.
func initialised(data string) bool {
	for _, name := range []string{configName, "postern.db"} {
		if _, err := os.Stat(filepath.Join(data, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// The configuration in the data directory, and what is added to its name while it is not yet to be used.
const (
	configName = "postern.toml"
	fresh      = ".new"
)

// writeFresh writes the configuration under its other name, for ourselves and the group.
func writeFresh(c *config.Config, mode fs.FileMode, gid int) error {
	path := filepath.Join(c.Data, configName+fresh)
	// What lies there from an earlier try may be a link, or have another owner.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	_, err = f.WriteString(c.Text())
	if err == nil {
		err = f.Chown(os.Geteuid(), gid)
	}
	if err == nil {
		err = f.Chmod(mode) // the umask may have taken bits
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// writeConfig writes the configuration whole or not at all.
func writeConfig(c *config.Config) (string, error) {
	path := filepath.Join(c.Data, configName)
	if err := writeFresh(c, 0o600, os.Getegid()); err != nil {
		return "", err
	}
	return path, useFresh(path)
}

// useFresh gives the fresh configuration its name, for good.
func useFresh(path string) error {
	err := os.Rename(path+fresh, path)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
