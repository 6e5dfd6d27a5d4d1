package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"postern/internal/config"
	"postern/internal/testenv"
	"postern/internal/tlsconf"
)

// house is a server made by `postern init --user nobody`, in a folder that everybody can reach.
type house struct {
	data, config string
	uid          int
	ports        map[string]int
}

// build makes a house. Its services listen at high ports of all addresses; more is added to the configuration.
func build(t *testing.T, more string) house {
	t.Helper()
	testenv.Root(t)
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "postern-warden-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := house{data: filepath.Join(dir, "data"), config: filepath.Join(dir, "postern.toml"), ports: make(map[string]int)}
	h.uid, _ = strconv.Atoi(nobody.Uid)
	cmd := postern("init", "--data", h.data, "--hostname", "mail.example.org", "--user", "nobody")
	cmd.Stdin = strings.NewReader("Open-Sesame-1\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	base := freePorts(t)
	text := fmt.Sprintf("hostname = \"mail.example.org\"\ndata = %q\n%s\n[listen]\n", h.data, more)
	for _, s := range config.Services() {
		h.ports[s.Name] = base + int(s.Port)
		text += fmt.Sprintf("%s = [\":%d\"]\n", s.Name, h.ports[s.Name])
	}
	h.write(t, text)
	return h
}

// write writes a configuration that only root can read: the server gets it from the warden.
func (h house) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(h.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// process is a started `postern serve` with what it tells systemd.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	states chan string
	ended  chan error
	log    bytes.Buffer
}

// start runs a command with a notify socket and waits until it is ready.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "postern-notify-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { notify.Close() })
	for _, p := range []string{dir, path} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	p := &process{t: t, cmd: cmd, states: make(chan string, 1000), ended: make(chan error, 1)}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := notify.Read(buffer)
			if err != nil {
				return
			}
			p.states <- string(buffer[:n])
		}
	}()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=200000", "POSTERN_TEST_SECRET=hunter2")
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		select {
		case <-p.ended:
		case <-time.After(20 * time.Second):
		}
		if t.Failed() {
			t.Logf("the server said:\n%s", p.log.String())
		}
	})
	p.await("READY=1")
	return p
}

// await waits for a word to systemd.
func (p *process) await(word string) {
	p.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		select {
		case state := <-p.states:
			if strings.Contains(state, word) {
				return
			}
		case err := <-p.ended:
			p.ended <- err
			p.t.Fatalf("ended before %s: %v\n%s", word, err, p.log.String())
		case <-deadline:
			p.t.Fatalf("no %s", word)
		}
	}
}

// wait gives the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			p.t.Fatal(err)
		}
		return 0
	case <-time.After(60 * time.Second):
		p.t.Fatal("it does not end")
		return 0
	}
}

// child is the warden's only child.
func (p *process) child() int {
	p.t.Helper()
	// Children are listed by the thread that made them.
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	var children []string
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread may have ended meanwhile
		children = append(children, strings.Fields(string(text))...)
	}
	if len(children) != 1 {
		p.t.Fatalf("the warden has children %v", children)
	}
	pid, _ := strconv.Atoi(children[0])
	return pid
}

// status reads /proc/PID/status.
func status(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.Join(strings.Fields(value), " ")
	}
	return fields
}

// serveAsRoot runs the warden with no more rights than its systemd unit leaves it.
func serveAsRoot(t *testing.T, h house) *process {
	t.Helper()
	setpriv := testenv.Need(t, "setpriv")[0]
	const rights = "-all,+net_bind_service,+setuid,+setgid,+kill,+dac_read_search"
	cmd := exec.Command(setpriv, "--bounding-set="+rights, "--inh-caps=-all", "--no-new-privs", link(t), "serve", "--config", h.config)
	return start(t, cmd)
}

// link is a path by which a shell can run the test binary under the command's name.
func link(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postern-bin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "postern")
	if err := os.Symlink(exe, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAsRootOnlyTheWardenKeepsRightsAndBothFamiliesAnswer(t *testing.T) {
	h := build(t, "")
	p := serveAsRoot(t, h)
	warden, child := status(t, p.cmd.Process.Pid), status(t, p.child())
	uid := strconv.Itoa(h.uid)
	if warden["Uid"] != "0 0 0 0" {
		t.Errorf("the warden is %s", warden["Uid"])
	}
	const none = "0000000000000000"
	for field, want := range map[string]string{"Uid": uid + " " + uid + " " + uid + " " + uid, "CapInh": none, "CapPrm": none, "CapEff": none, "CapAmb": none,
		"NoNewPrivs": "1", "Umask": "0077"} {
		if child[field] != want {
			t.Errorf("the child's %s is %s, want %s", field, child[field], want)
		}
	}
	for _, group := range strings.Fields(child["Gid"] + " " + child["Groups"]) {
		if group == "0" {
			t.Errorf("the child is in root's group: %s %s", child["Gid"], child["Groups"])
		}
	}
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.child()))
	if err != nil || bytes.Contains(environment, []byte("hunter2")) {
		t.Errorf("the warden's environment leaks to the child (%v)", err)
	}
	for name, port := range h.ports {
		for _, host := range []string{"127.0.0.1", "::1"} {
			conn, err := net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if name == "smtp" {
				if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, "220 mail.example.org ") {
					t.Errorf("%s greets with %q %v", host, line, err)
				}
			}
			conn.Close()
		}
	}
	out, err := postern("user", "list", "--config", h.config).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "admin@example.org") {
		t.Errorf("%s %v", out, err)
	}
	p.await("WATCHDOG=1")
}

func TestTheEndIsGraceful(t *testing.T) {
	h := build(t, "")
	p := serveAsRoot(t, h)
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(h.ports["smtp"])))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	session := bufio.NewReader(conn)
	if _, err := session.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.await("STOPPING=1")
	rest, _ := io.ReadAll(session)
	if !strings.HasPrefix(string(rest), "421 ") {
		t.Errorf("the session was told %q", rest)
	}
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestTheWardenEndsWithItsChildsCode(t *testing.T) {
	h := build(t, "")
	p := serveAsRoot(t, h)
	syscall.Kill(p.child(), syscall.SIGKILL)
	if code := p.wait(); code != 128+9 {
		t.Errorf("exit code %d", code)
	}
}

func TestTheServerEndsWhenItsWardenIsGone(t *testing.T) {
	h := build(t, "")
	p := serveAsRoot(t, h)
	child, err := unix.PidfdOpen(p.child(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(child)
	p.cmd.Process.Kill()
	n, err := 0, error(unix.EINTR)
	for err == unix.EINTR { // the runtime's own signals interrupt it
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(child), Events: unix.POLLIN}}, 60_000)
	}
	if n != 1 {
		t.Errorf("the server lives on without its warden (%v)", err)
	}
}

func TestAnUnreadableCertificateComesFromTheWardenAndIsReloaded(t *testing.T) {
	secret := t.TempDir()
	if err := os.Chmod(secret, 0o700); err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(secret, "cert.pem"), filepath.Join(secret, "key.pem")
	use := func(name string) {
		t.Helper()
		dir := t.TempDir()
		if _, err := tlsconf.Open(tlsconf.Options{Dir: dir, Names: []string{name}}); err != nil {
			t.Fatal(err)
		}
		for to, from := range map[string]string{cert: "tls/cert.pem", key: "tls/key.pem"} {
			if err := os.Rename(filepath.Join(dir, from), to); err != nil {
				t.Fatal(err)
			}
		}
	}
	use("one.example.org")
	h := build(t, "tls = { cert = \""+cert+"\", key = \""+key+"\" }")
	p := serveAsRoot(t, h)
	shown := func() string {
		t.Helper()
		conn, err := tls.Dial("tcp", net.JoinHostPort("::1", strconv.Itoa(h.ports["imaps"])), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	if got := shown(); got != "one.example.org" {
		t.Errorf("shown is %s", got)
	}
	use("two.example.org")
	p.cmd.Process.Signal(syscall.SIGHUP)
	for deadline := time.Now().Add(30 * time.Second); shown() != "two.example.org"; {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not in use")
		}
	}
}

func TestDataOfRootIsRefused(t *testing.T) {
	testenv.Root(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "postern.toml")
	if err := os.WriteFile(file, []byte("hostname = \"mail.example.org\"\ndata = \""+dir+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := postern("serve", "--config", file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "belongs to root") || !strings.Contains(string(out), "fix: give it to a user of its own") {
		t.Errorf("%v\n%s", err, out)
	}
}

// activated runs the server without root, with sockets from "systemd".
func activated(t *testing.T, h house, names string, listeners ...net.Listener) *exec.Cmd {
	t.Helper()
	owned, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	readable := filepath.Join(filepath.Dir(h.config), "readable.toml")
	if err := os.WriteFile(readable, owned, 0o644); err != nil {
		t.Fatal(err)
	}
	// The numbers must be those of the process that takes the sockets, so a shell sets them and becomes it.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", reachable(t), "serve", "--config", readable)
	cmd.Env = append(os.Environ(), "LISTEN_FDS="+strconv.Itoa(len(listeners)), "LISTEN_FDNAMES="+names)
	for _, l := range listeners {
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		l.Close()
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(h.uid), Gid: uint32(h.uid)}}
	return cmd
}

// reachable is a copy of the test binary that everybody can run: the one that go test made is in a closed folder.
func reachable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postern-exe-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "postern")
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSocketsOfSystemdAreServedByTheirNames(t *testing.T) {
	h := build(t, "")
	var addresses []string
	var listeners []net.Listener
	for _, host := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		listeners, addresses = append(listeners, l), append(addresses, l.Addr().String())
	}
	p := start(t, activated(t, h, "smtp:submission", listeners...))
	for i, want := range []string{"220 mail.example.org ", "220 mail.example.org "} {
		conn, err := net.Dial("tcp", addresses[i])
		if err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.HasPrefix(line, want) {
			t.Errorf("%s says %q %v", addresses[i], line, err)
		}
		conn.Close()
	}
	if conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(h.ports["smtp"]))); err == nil {
		conn.Close()
		t.Error("the configured port is bound although systemd gave one")
	}
	p.await("WATCHDOG=1")
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.await("STOPPING=1")
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestASocketOfAnUnknownNameIsRefused(t *testing.T) {
	h := build(t, "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out, err := activated(t, h, "mail", l).CombinedOutput()
	if err == nil || !strings.Contains(string(out), `a socket named "mail"`) || !strings.Contains(string(out), "fix: write FileDescriptorName= with one of smtp") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWhatInitMadeServesTheStandardPorts(t *testing.T) {
	h := build(t, "")
	unshare := testenv.Need(t, "unshare", "ip")[0]
	p := start(t, exec.Command(unshare, "--net", "/bin/sh", "-c", `ip link set lo up && exec "$@"`, "sh", link(t), "serve", "--config", filepath.Join(h.data, "postern.toml")))
	for _, s := range config.Services() {
		for _, host := range []string{"127.0.0.1", "::1"} {
			if err := dialIn(p.cmd.Process.Pid, net.JoinHostPort(host, strconv.Itoa(int(s.Port)))); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
	}
}

func TestWithoutRootALowPortSaysWhatToDo(t *testing.T) {
	h := build(t, "")
	tools := testenv.Need(t, "unshare", "setpriv", "ip")
	readable := filepath.Join(filepath.Dir(h.config), "low.toml")
	if err := os.WriteFile(readable, []byte(fmt.Sprintf("hostname = \"mail.example.org\"\ndata = %q\n", h.data)), 0o644); err != nil {
		t.Fatal(err)
	}
	uid := strconv.Itoa(h.uid)
	out, err := exec.Command(tools[0], "--net", tools[1], "--reuid="+uid, "--regid="+uid, "--clear-groups", reachable(t), "serve", "--config", readable).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "smtp cannot listen at :25: only root may listen below port 1024") || !strings.Contains(string(out), "fix: start as root") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestAConfigurationThatTheServersUserCanChangeIsRefusedByRoot(t *testing.T) {
	h := build(t, "")
	if err := os.Chown(h.config, h.uid, h.uid); err != nil {
		t.Fatal(err)
	}
	out, err := postern("serve", "--config", h.config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "can be changed by others than root") || !strings.Contains(string(out), "fix: chown root") {
		t.Errorf("%v\n%s", err, out)
	}
}

// dialIn connects from within the network namespace of a process, on a thread that ends with it.
func dialIn(pid int, address string) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			result <- err
			return
		}
		defer namespace.Close()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			result <- err
			return
		}
		// A name would be looked up by another thread; a number is dialled by this one.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
		}
		result <- err
	}()
	return <-result
}
