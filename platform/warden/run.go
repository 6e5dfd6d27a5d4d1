package warden

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"postern/internal/config"
)

// Options say what to start.
type Options struct {
	Config *config.Config
	// Text is the configuration as it was read: the child may not be able to read it itself.
	Text []byte
	// Args are the child's arguments, those of the warden itself.
	Args []string
	Log  *slog.Logger
}

// Owner is the unprivileged user that the server runs as: the owner of the data directory.
func Owner(data string) (uid, gid uint32, err error) {
	info, err := os.Stat(data)
	if err != nil {
		return 0, 0, fmt.Errorf("data directory %s: %w; make it with `postern init`", data, errors.Unwrap(err))
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return 0, 0, fmt.Errorf("data directory %s is not a directory; make it with `postern init`", data)
	}
	if stat.Uid == 0 {
		return 0, 0, fmt.Errorf("data directory %s belongs to root, and the server runs as its owner, never as root; "+
			"give it to a user of its own: useradd --system --shell /usr/sbin/nologin postern; chown -R postern: %s", data, data)
	}
	return stat.Uid, stat.Gid, nil
}

// Run binds the ports, starts the child and stays until it ends. It gives the child's exit code.
func Run(ctx context.Context, o Options) (int, error) {
	uid, gid, err := Owner(o.Config.Data)
	if err != nil {
		return 1, err
	}
	sockets, err := Bind(ctx, o.Config, o.Log)
	if err != nil {
		return 1, err
	}
	defer Close(sockets)
	w := &warden{options: o, uid: uid, notify: os.Getenv("NOTIFY_SOCKET") != ""}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	child, conn, err := w.start(uid, gid, sockets)
	if err != nil {
		return 1, err
	}
	defer conn.Close()
	Close(sockets) // the child has its own
	o.Log.Info("warden stands", "child", child.Process.Pid, "uid", uid, "gid", gid)

	w.line = newLine(conn, w.handle)
	go w.line.run(ctx)
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go w.watchdog(watching)
	return w.wait(child, signals)
}

type warden struct {
	options Options
	uid     uint32 // of the child
	line    *line
	notify  bool
}

// wait passes signals on until the child ends.
func (w *warden) wait(child *exec.Cmd, signals <-chan os.Signal) (int, error) {
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	for {
		select {
		case s := <-signals:
			child.Process.Signal(s)
		case err := <-ended:
			var exit *exec.ExitError
			switch {
			case err == nil:
				return 0, nil
			case !errors.As(err, &exit):
				return 1, err
			case exit.ExitCode() >= 0:
				return exit.ExitCode(), nil
			}
			// A shell reports 128 + the signal, and so do we.
			killed := exit.Sys().(syscall.WaitStatus).Signal()
			return 128 + int(killed), fmt.Errorf("the server was ended by signal %d (%s)", int(killed), killed)
		}
	}
}

// start starts ourselves again as the owner of the data.
func (w *warden) start(uid, gid uint32, sockets []Socket) (*exec.Cmd, net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, nil, err
	}
	defer theirs.Close()
	// /proc/self/exe is this very program even where its path has changed, or cannot be walked by the user.
	child := exec.Command("/proc/self/exe", w.options.Args...)
	child.Args[0] = os.Args[0]
	child.Dir = "/"
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.ExtraFiles = append(child.ExtraFiles, theirs)
	names := make([]string, len(sockets))
	for i, s := range sockets {
		f, err := s.Listener.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			ours.Close()
			return nil, nil, fmt.Errorf("handing over the socket of %s: %w", s.Service, err)
		}
		defer f.Close()
		child.ExtraFiles = append(child.ExtraFiles, f)
		names[i] = s.Service
	}
	child.Env = append(environment(os.Environ()), envLine+"="+strconv.Itoa(firstFD), envSockets+"="+strings.Join(names, ","))
	child.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups(uid, gid)},
		Setpgid:    true, // signals of the terminal come to the warden, which passes them on once
	}
	if err := startConfined(child); err != nil {
		ours.Close()
		return nil, nil, fmt.Errorf("starting the server as uid %d: %w", uid, err)
	}
	return child, ours, nil
}

// startConfined starts the child with no_new_privs. The attribute belongs to a thread and passes to what the thread
// starts, so a thread of its own takes it on, and ends with this goroutine because it is never unlocked.
func startConfined(child *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			started <- err
			return
		}
		old := syscall.Umask(0o077)
		err := child.Start()
		syscall.Umask(old)
		started <- err
	}()
	return <-started
}

func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making the line to the server: %w", err)
	}
	f := os.NewFile(uintptr(fds[0]), "line")
	conn, err := net.FileConn(f)
	f.Close()
	theirs := os.NewFile(uintptr(fds[1]), "line")
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

// groups are those that the user is in beside their own, such as one that may read certificates. A user without an
// account has none.
func groups(uid, gid uint32) []uint32 {
	u, err := user.LookupId(strconv.Itoa(int(uid)))
	if err != nil {
		return nil
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	var list []uint32
	for _, text := range ids {
		// Never root's group: what it may do beyond ours is what the child is not to do.
		if id, err := strconv.ParseUint(text, 10, 32); err == nil && id != 0 && uint32(id) != gid {
			list = append(list, uint32(id))
		}
	}
	return list
}

// environment is what of ours the child is to have: nothing that changes which code it loads, and no secrets.
func environment(all []string) []string {
	kept := []string{"PATH", "LANG", "LC_ALL", "TZ", "GODEBUG", "GOTRACEBACK", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "SSL_CERT_FILE", "SSL_CERT_DIR"}
	var list []string
	for _, entry := range all {
		if name, _, _ := strings.Cut(entry, "="); slices.Contains(kept, name) {
			list = append(list, entry)
		}
	}
	return list
}

// handle answers the child's calls.
func (w *warden) handle(_ context.Context, call string) (any, error) {
	c := w.options.Config
	switch call {
	case callPing:
		return true, nil
	case callConfig:
		return ConfigFile{Path: c.Path, Text: w.options.Text}, nil
	case callCert:
		return w.readConfigured(c.TLSCert)
	case callKey:
		return w.readConfigured(c.TLSKey)
	case callReady:
		return true, w.tell(daemon.SdNotifyReady + "\nSTATUS=Serving mail.")
	case callStopping:
		return true, w.tell(daemon.SdNotifyStopping + "\nSTATUS=Finishing transactions.")
	}
	return nil, errors.New("no such call")
}

// maxCertificate bounds a certificate file: a chain is a few KiB.
const maxCertificate = 1 << 20

func (w *warden) readConfigured(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("the configuration names no certificate")
	}
	if err := trusted(path, w.uid); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCertificate+1))
	if err == nil && len(b) > maxCertificate {
		return nil, fmt.Errorf("%s is larger than a certificate can be", path)
	}
	return b, err
}

// tell tells systemd, if it started us.
func (w *warden) tell(state string) error {
	if !w.notify {
		return nil
	}
	_, err := daemon.SdNotify(false, state)
	return err
}

// watchdog tells systemd that the child does its work, as often as it wants to hear it.
func (w *warden) watchdog(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		asking, cancel := context.WithTimeout(ctx, interval/2)
		err := w.line.call(asking, callPing, nil)
		cancel()
		if err != nil {
			w.options.Log.Error("the server does not answer", "error", err)
			continue
		}
		w.tell(daemon.SdNotifyWatchdog)
	}
}
