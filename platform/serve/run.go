package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"postern/internal/config"
	"postern/platform/admin"
	"postern/platform/metrics"
	"postern/platform/warden"
)

// Options are what the command gives.
type Options struct {
	// ConfigPath names postern.toml. A warden's child gets its configuration from the warden.
	ConfigPath string
	Version    string
	// Args are the process's arguments without its name, with which the warden starts the child.
	Args []string
}

// Run serves until a signal ends it. It gives the exit code for a warden whose child ended with one.
func Run(ctx context.Context, o Options) (int, error) {
	parent, sockets, err := warden.FromEnvironment()
	if err != nil {
		return 1, err
	}
	if parent != nil {
		return code(serveAsChild(ctx, o, parent, sockets))
	}
	if os.Geteuid() == 0 {
		return guard(ctx, o)
	}
	c, err := config.Load(o.ConfigPath)
	if err != nil {
		return 1, err
	}
	log := Logger(c)
	syscall.Umask(0o077)
	if sockets, err = warden.Bind(ctx, c, log); err != nil {
		return 1, err
	}
	return code(serveMail(ctx, life{config: c, log: log, sockets: sockets, version: o.Version, supervisor: systemd{}}))
}

// guard is the life of the warden.
func guard(ctx context.Context, o Options) (int, error) {
	path, err := filepath.Abs(o.ConfigPath)
	if err != nil {
		return 1, err
	}
	text, err := warden.ReadConfig(path)
	if err != nil {
		return 1, err
	}
	c, err := config.Parse(path, text)
	if err != nil {
		return 1, err
	}
	return warden.Run(ctx, warden.Options{Config: c, Text: text, Args: o.Args, Log: Logger(c)})
}

func code(err error) (int, error) {
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// supervisor is whoever wants to know how we are: systemd itself, or the warden, which tells it.
type supervisor interface {
	Ready(context.Context) error
	Stopping(context.Context) error
	// Watch tells that we are alive, or answers when asked, until ctx ends. An error means that we should end too.
	Watch(ctx context.Context, healthy func(context.Context) error) error
}

func serveAsChild(ctx context.Context, o Options, parent *warden.Parent, sockets []warden.Socket) error {
	syscall.Umask(0o077)
	l := life{sockets: sockets, version: o.Version, supervisor: &child{parent: parent, up: make(chan func(context.Context) error, 1), done: make(chan error, 1)}}
	l.supervisor.(*child).start(ctx)
	file, err := parent.Config(ctx)
	if err != nil {
		return fmt.Errorf("the warden gives no configuration: %w", err)
	}
	if l.config, err = config.Parse(file.Path, file.Text); err != nil {
		return err
	}
	l.log = Logger(l.config)
	l.readFile = func(path string) ([]byte, error) {
		b, err := os.ReadFile(path)
		if !errors.Is(err, os.ErrPermission) {
			return b, err
		}
		cert, key, err := parent.ReadCertificate(ctx)
		if path == l.config.TLSKey {
			return key, err
		}
		return cert, err
	}
	return serveMail(ctx, l)
}

// life is one run of the server.
type life struct {
	config     *config.Config
	log        *slog.Logger
	sockets    []warden.Socket
	version    string
	supervisor supervisor
	readFile   func(string) ([]byte, error)
	// offline, names: as in settingUp.
	offline bool
	names   []string
	// prepare runs when the server is open and does not listen yet, started when it does.
	prepare func(context.Context, *instance) error
	started func()
}

// serveMail opens the server, serves it on the sockets, and closes it in the opposite order.
func serveMail(ctx context.Context, l life) (err error) {
	defer warden.Close(l.sockets)
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	in, err := open(ctx, l.config, settingUp{version: l.version, log: l.log, offline: l.offline, names: l.names, readFile: l.readFile})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.server.Close()) }()
	if l.prepare != nil {
		if err := l.prepare(ctx, in); err != nil {
			return err
		}
	}
	door, err := admin.Listen(l.config.AdminSocket(), l.log)
	if err != nil {
		return err
	}
	mail := make(map[string][]net.Listener)
	var pages []net.Listener
	for _, s := range l.sockets {
		if s.Service == "admin" {
			pages = append(pages, s.Listener)
		} else {
			mail[s.Service] = append(mail[s.Service], s.Listener)
		}
		l.log.Info("listening", "service", s.Service, "address", s.Listener.Addr().String())
	}
	return in.run(ctx, l, door, pages, mail)
}

// run keeps everything going until ctx ends or a part fails; whichever it is, all parts are ended.
func (in *instance) run(ctx context.Context, l life, door net.Listener, pages []net.Listener, mail map[string][]net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	serveHTTP := func(s *http.Server, listener net.Listener) {
		group.Go(func() error {
			if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		group.Go(func() error { <-ctx.Done(); return end(s) })
	}
	serveHTTP(&http.Server{Handler: in.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(in.log.Handler(), slog.LevelDebug)}, door)
	for _, listener := range pages {
		serveHTTP(metrics.Server(metrics.Handler(in.server.Metrics.Registry, in), in.log), listener)
	}
	group.Go(func() error { in.tls.Watch(ctx); return nil })
	group.Go(func() error { in.reloadOnHangup(ctx); return nil })
	group.Go(func() error { return l.supervisor.Watch(ctx, in.Alive) })
	group.Go(func() error {
		// When mail ends, everything does.
		err := in.server.Serve(ctx, mail)
		if err == nil {
			err = errEnded
		}
		return err
	})
	group.Go(func() error {
		<-ctx.Done()
		l.supervisor.Stopping(context.WithoutCancel(ctx))
		return nil
	})
	if err := l.supervisor.Ready(ctx); err != nil {
		in.log.Warn("the supervisor was not told that we are ready", "error", err)
	}
	in.log.Info("ready", "hostname", in.config.Hostname, "version", l.version, "data", in.config.Data)
	if l.started != nil {
		l.started()
	}
	if err := group.Wait(); err != nil && !errors.Is(err, errEnded) {
		return err
	}
	in.log.Info("ended")
	return nil
}

// errEnded: mail ended because it was asked to.
var errEnded = errors.New("ended")

// end lets HTTP requests finish: they are the administrator's and short, all but one.
func end(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		s.Close()
	}
	return nil
}

// Alive and Ready are [metrics.Health]. The server does its work when its database answers.
func (in *instance) Alive(ctx context.Context) error { return in.server.Ready(ctx) }

// Ready reports whether mail can be taken.
func (in *instance) Ready(ctx context.Context) error { return in.server.Ready(ctx) }

func (in *instance) reloadOnHangup(ctx context.Context) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		if err := in.tls.Reload(); err != nil {
			in.log.Error("certificate not reloaded, the old one stays in use", "error", err)
		} else {
			in.log.Info("reloaded")
		}
	}
}

// systemd is the supervisor of a server without a warden. Without systemd it is nobody.
type systemd struct{}

func (systemd) Ready(context.Context) error {
	_, err := daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS=Serving mail.")
	return err
}

func (systemd) Stopping(context.Context) error {
	_, err := daemon.SdNotify(false, daemon.SdNotifyStopping+"\nSTATUS=Finishing transactions.")
	return err
}

func (systemd) Watch(ctx context.Context, healthy func(context.Context) error) error {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return nil
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			asking, cancel := context.WithTimeout(ctx, interval/2)
			if healthy(asking) == nil {
				daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
			cancel()
		}
	}
}

// child is the supervisor of a server with a warden. The line is served from the first moment, since the configuration
// comes by it; how healthy we are is known once the server is open.
type child struct {
	parent *warden.Parent
	up     chan func(context.Context) error
	done   chan error
}

func (c *child) start(ctx context.Context) {
	go func() {
		c.done <- c.parent.Run(context.WithoutCancel(ctx), func(ctx context.Context) error {
			select {
			case healthy := <-c.up:
				c.up <- healthy
				return healthy(ctx)
			default:
				return errors.New("still starting")
			}
		})
	}()
}

func (c *child) Ready(ctx context.Context) error    { return c.parent.Ready(ctx) }
func (c *child) Stopping(ctx context.Context) error { return c.parent.Stopping(ctx) }

func (c *child) Watch(ctx context.Context, healthy func(context.Context) error) error {
	c.up <- healthy
	select {
	case <-ctx.Done():
		return nil
	case err := <-c.done:
		return fmt.Errorf("the warden is gone: %w", err)
	}
}
