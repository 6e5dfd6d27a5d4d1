// Package testscan starts real scanners for tests: spamd, rspamd and clamd as Debian has them, each in a folder and on a port
// of its own, with a small configuration that asks nothing of the network. Nothing outside tests imports it.
package testscan

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/internal/testenv"
)

// startTime is how long a scanner may take to listen: a slow machine compiles thousands of rules first.
const startTime = 3 * time.Minute

// Daemon is a scanner that runs until the test ends, or until it is killed.
type Daemon struct {
	// Setting names it as package scanner's Parse reads it, by its port; Socket does by its Unix socket, where it has one.
	Setting, Socket string

	program string
	args    []string
	address string
	dir     string
	as      *syscall.Credential
	run     *exec.Cmd
	exited  chan struct{}
}

// launch runs a daemon whose files are in dir.
func launch(t testing.TB, d *Daemon) *Daemon {
	t.Helper()
	if d.as != nil {
		if err := own(d.dir, d.as); err != nil {
			t.Fatal(err)
		}
	}
	d.Start(t)
	t.Cleanup(func() {
		d.Kill()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			t.Logf("%s said:\n%s", d.program, log[max(0, len(log)-8<<10):])
		}
	})
	return d
}

// own gives a folder to the daemon's user.
func own(dir string, as *syscall.Credential) error {
	return filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, int(as.Uid), int(as.Gid))
	})
}

// Start runs the daemon, again after Kill, and waits until it listens.
func (d *Daemon) Start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	d.run = exec.Command(d.program, d.args...)
	d.run.Dir, d.run.Stdout, d.run.Stderr = d.dir, log, log
	d.run.Env = append(os.Environ(), "LC_ALL=C", "HOME="+d.dir)
	// A group of its own, so that its children end with it.
	d.run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: d.as}
	if err := d.run.Start(); err != nil {
		t.Fatal(err)
	}
	run, exited := d.run, make(chan struct{})
	d.exited = exited
	go func() { _ = run.Wait(); close(exited) }()
	d.wait(t)
}

func (d *Daemon) wait(t testing.TB) {
	t.Helper()
	deadline := time.After(startTime)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("tcp", d.address); err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-d.exited:
			log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			t.Fatalf("%s ended: %s", d.program, log)
		case <-deadline:
			log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			t.Fatalf("%s does not listen: %s", d.program, log)
		}
	}
}

// Kill ends the daemon and its children at once, as a crash would.
func (d *Daemon) Kill() {
	_ = syscall.Kill(-d.run.Process.Pid, syscall.SIGKILL)
	<-d.exited
}

// Stop freezes the daemon and its children: connections are made and nothing is said. Continue ends that.
func (d *Daemon) Stop() { _ = syscall.Kill(-d.run.Process.Pid, syscall.SIGSTOP) }

// Continue lets a stopped daemon go on.
func (d *Daemon) Continue() { _ = syscall.Kill(-d.run.Process.Pid, syscall.SIGCONT) }

// folder makes a folder with a short path that the daemon's user can reach: a Unix socket's path is short.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "testscan")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func makeFolder(t testing.TB, dir, name string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// freePort is free just now, and none that the kernel gives to whoever asks for any: a daemon takes its time to bind.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", loopback(26000+rand.IntN(6000)))
		if err == nil {
			defer l.Close()
			return l.Addr().(*net.TCPAddr).Port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// unprivileged is a user for the daemon when the test runs as root: the first that there is.
func unprivileged(t testing.TB, names ...string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range append(names, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	testenv.Missing(t, "a user named %s", strings.Join(names, " or "))
	return nil
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
