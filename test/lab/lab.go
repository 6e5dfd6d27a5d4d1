// Package lab starts the real server for tests that stand outside it: the binary as people run it, with real sockets, a
// directory of its own and a clean end.
package lab

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/testenv"
)

// Password is that of every user of the demo.
const Password = "Postern-demo-1"

// Server is a running demo.
type Server struct {
	Data     string
	PortBase int

	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
	args  []string
	out   syncBuffer
}

// Start runs `postern demo` with more arguments, waits until it answers, and ends it with the test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return StartAt(t, t.TempDir(), args...)
}

// StartAt is Start with the server's data in a directory of the test's choice.
func StartAt(t testing.TB, data string, args ...string) *Server {
	t.Helper()
	s := Prepare(t, data, args...)
	s.Run()
	return s
}

// Prepare is StartAt without the start.
func Prepare(t testing.TB, data string, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, Data: data, PortBase: freePorts(t), args: args}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("the server said:\n%s", s.out.String())
		}
	})
	return s
}

// Run starts the server on the data it had before, and waits until it answers.
func (s *Server) Run() {
	s.t.Helper()
	s.Begin()
	deadline := time.After(60 * time.Second)
	for !s.ready() {
		select {
		case <-s.ended:
			s.t.Fatalf("the server ended:\n%s", s.out.String())
		case <-deadline:
			s.t.Fatalf("the server is not ready:\n%s", s.out.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Begin is Run without the waiting.
func (s *Server) Begin() {
	s.t.Helper()
	args := append([]string{"demo", "--data", s.Data, "--port-base", strconv.Itoa(s.PortBase)}, s.args...)
	s.cmd = exec.Command(Binary(s.t), args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() { _ = cmd.Wait(); close(ended) }()
}

// ready reports whether the server has opened everything.
func (s *Server) ready() bool {
	resp, err := http.Get("http://" + s.Address(4025) + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Stop ends the server as ^C does and waits until it is gone.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(os.Interrupt)
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		s.t.Error("the server did not end within 30 s of ^C")
		s.Kill()
	}
}

// Kill ends the server without a warning and waits until it is gone.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Output is what the server has written so far.
func (s *Server) Output() string { return s.out.String() }

// Port gives the demo's port for a standard one.
func (s *Server) Port(standard int) int { return s.PortBase + standard }

// Address is Port on 127.0.0.1.
func (s *Server) Address(standard int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port(standard)))
}

// CA is the file with the demo's certificate authority.
func (s *Server) CA() string { return filepath.Join(s.Data, "ca.pem") }

// Config is the file with the demo's configuration.
func (s *Server) Config() string { return filepath.Join(s.Data, "postern.toml") }

// TLS trusts the demo's authority and nothing else.
func (s *Server) TLS() *tls.Config {
	s.t.Helper()
	pem, err := os.ReadFile(s.CA())
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		s.t.Fatal("ca.pem holds no certificate")
	}
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// Postern runs the command against this server and gives its standard output; it must succeed.
func (s *Server) Postern(args ...string) string {
	s.t.Helper()
	out, err := s.Command(args...).Output()
	if err != nil {
		s.t.Fatalf("postern %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr(err))
	}
	return string(out)
}

// Command prepares the command against this server.
func (s *Server) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(Binary(s.t), args...)
	cmd.Env = append(os.Environ(), "POSTERN_CONFIG="+s.Config())
	return cmd
}

func stderr(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return string(exit.Stderr)
	}
	return ""
}

// Binary builds the server once for the test program, or takes the one that $POSTERN_BINARY names.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var built = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("POSTERN_BINARY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "postern-binary-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "postern")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/postern")
	cmd.Dir = testenv.Repository()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building postern: %v\n%s", err, out)
	}
	return path, nil
})

// freePorts finds a base at which all of the demo's ports are free just now.
func freePorts(t testing.TB) int {
	t.Helper()
next:
	for range 100 {
		base := 20000 + rand.IntN(8000)
		for _, port := range []int{25, 80, 443, 465, 587, 993, 4025, 4190} {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+port)))
			if err != nil {
				continue next
			}
			l.Close()
		}
		return base
	}
	t.Fatal("no free ports for the demo")
	return 0
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
