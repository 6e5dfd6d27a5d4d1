// Package testpg starts a real PostgreSQL for tests: Debian's server, in a folder and on a Unix socket of its own, with
// fsync on, as the user postgres when the test runs as root. One server serves all tests of a package; each test gets a
// database of its own.
package testpg

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"

	"postern/internal/testenv"
)

// Server is a running PostgreSQL.
type Server struct {
	dir string
	bin string
	run *exec.Cmd
	// exited is closed when the process has ended.
	exited chan struct{}

	mu        sync.Mutex
	databases int
}

// shared is the server of a package whose TestMain calls Main.
type shared struct {
	once   sync.Once
	server *Server
	err    error
}

// main is set by Main before any test runs.
var main *shared

// Main is what a package's TestMain returns to os.Exit: the tests share one server, started when first asked for.
func Main(m *testing.M) int {
	main = &shared{}
	code := m.Run()
	if main.server != nil {
		main.server.Stop()
	}
	return code
}

// Database gives the URL of a new, empty database. Without PostgreSQL on the machine the test is skipped, or in CI fails.
func Database(t testing.TB) string {
	t.Helper()
	server := common(t)
	name, err := server.create()
	if err != nil {
		t.Fatalf("testpg: %v", err)
	}
	return server.URL(name)
}

func common(t testing.TB) *Server {
	t.Helper()
	if main == nil {
		return New(t)
	}
	if _, err := find(); err != nil {
		testenv.Missing(t, "PostgreSQL (%v): apt-get install postgresql", err)
	}
	main.once.Do(func() { main.server, main.err = start() })
	if main.err != nil {
		t.Fatalf("testpg: %v", main.err)
	}
	return main.server
}

// New starts a server for one test, which may kill it and start it again.
func New(t testing.TB) *Server {
	t.Helper()
	if _, err := find(); err != nil {
		testenv.Missing(t, "PostgreSQL (%v): apt-get install postgresql", err)
	}
	server, err := start()
	if err != nil {
		t.Fatalf("testpg: %v", err)
	}
	t.Cleanup(server.Stop)
	return server
}

// find gives the folder of the newest PostgreSQL's programs.
func find() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Slice(dirs, func(i, j int) bool { return version(dirs[i]) > version(dirs[j]) })
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", err
	}
	return filepath.Dir(path), nil
}

func version(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return n
}

// credential is the user postgres when we are root; the server refuses to run as root.
func credential() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func start() (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	// In /tmp itself: a Unix socket's path is short, and the user postgres must be able to get there.
	dir, err := os.MkdirTemp("/tmp", "testpg")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin}
	if err := s.prepare(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := s.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func (s *Server) prepare() error {
	cred, err := credential()
	if err != nil {
		return err
	}
	if cred != nil {
		if err := os.Chown(s.dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return err
		}
	}
	out, err := s.command("initdb", "--pgdata="+s.data(), "--username=postern", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is one of PostgreSQL's programs, run as its user.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+s.dir)
	cred, _ := credential()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setpgid: true}
	return cmd
}

// Start runs the server and waits until it answers.
func (s *Server) Start() error {
	s.run = s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=on",
		"-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "log_min_messages=fatal")
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.run.Stdout, s.run.Stderr = log, log
	if err := s.run.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	run := s.run
	go func() { _ = run.Wait(); close(exited) }()
	return s.wait()
}

func (s *Server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := sql.Open("pgx", s.URL("postgres"))
		if err == nil {
			err = conn.PingContext(ctx)
			_ = conn.Close()
		}
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.exited:
			text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("postgres ended: %s", strings.TrimSpace(string(text)))
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		}
	}
}

// Kill ends the server as a crash would.
func (s *Server) Kill() {
	// The postmaster's children go when it goes; SIGQUIT makes all of them leave at once, without a checkpoint.
	_ = s.run.Process.Signal(syscall.SIGQUIT)
	<-s.exited
}

// Stop ends the server and removes its files.
func (s *Server) Stop() {
	_ = s.run.Process.Signal(syscall.SIGINT)
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		_ = s.run.Process.Kill()
		<-s.exited
	}
	_ = os.RemoveAll(s.dir)
}

// URL is where a database of the server is.
func (s *Server) URL(database string) string {
	q := url.Values{"host": {s.dir}, "user": {"postern"}}
	return "postgres:///" + database + "?" + q.Encode()
}

func (s *Server) create() (name string, err error) {
	s.mu.Lock()
	s.databases++
	name = fmt.Sprintf("t%d", s.databases)
	s.mu.Unlock()
	conn, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_, err = conn.Exec("CREATE DATABASE " + name)
	return name, err
}

// NewDatabase makes an empty database on this server.
func (s *Server) NewDatabase(t testing.TB) string {
	t.Helper()
	name, err := s.create()
	if err != nil {
		t.Fatalf("testpg: %v", err)
	}
	return s.URL(name)
}
