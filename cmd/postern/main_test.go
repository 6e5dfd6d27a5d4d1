package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"postern/internal/config"
)

// The test binary is also the command: scripts, and the warden's own child, run it under the name postern.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"postern": main})
}

// TestScripts runs the sessions in testdata, each of which reads like one at a terminal.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			// The environment of whoever runs the tests must not reach the commands.
			e.Setenv("POSTERN_CONFIG", "")
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "UTC")
			e.Values[runningServer{}] = &serverProcess{}
			// The server's user must be able to reach the folder that root makes here.
			return errors.Join(os.Chmod(e.WorkDir, 0o755), os.Chmod(filepath.Dir(e.WorkDir), 0o755))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server":     startServer,
			"halt":       stopServer,
			"judgements": storeJudgements,
			"sql":        runSQL,
			"match":      match,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("there is no condition %s", cond)
		},
	})
}

// stopServer is the script command `halt`: it ends the server, whose data stays for the next `server`.
func stopServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: halt")
	}
	ts.Value(runningServer{}).(*serverProcess).stop(ts)
}

// runningServer is the key of the script's server.
type runningServer struct{}

// serverProcess is a server that runs, as the scripts know it.
type serverProcess struct {
	cmd   *exec.Cmd
	ended chan error // holds how it ended, once it has
}

func (s *serverProcess) stop(ts *testscript.TestScript) {
	s.cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-s.ended:
		s.ended <- err
	case <-time.After(40 * time.Second):
		s.cmd.Process.Kill()
		s.ended <- <-s.ended
		ts.Logf("the server did not end by itself")
	}
}

// startServer is the script command `server`: it starts a demo, waits until it answers, sets $POSTERN_CONFIG, $BASE and
// $DATA for the commands that follow, and ends it with the script.
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: server [argument...]")
	}
	base := freePorts(ts)
	data := ts.MkAbs("demo")
	ts.Setenv("DATA", data)
	ts.Setenv("BASE", strconv.Itoa(base))
	ts.Setenv("POSTERN_CONFIG", filepath.Join(data, "postern.toml"))
	cmd := postern(append([]string{"demo", "--data", data, "--port-base", strconv.Itoa(base)}, args...)...)
	log, err := os.Create(ts.MkAbs("server.log"))
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = log, log
	ts.Check(cmd.Start())
	running := ts.Value(runningServer{}).(*serverProcess)
	*running = serverProcess{cmd, make(chan error, 1)}
	ended := running.ended
	go func() { ended <- cmd.Wait(); log.Close() }()
	ts.Defer(func() {
		running.stop(ts)
		said, _ := os.ReadFile(log.Name())
		ts.Logf("the server said:\n%s", said)
	})
	deadline := time.After(60 * time.Second)
	for {
		if conn, err := net.Dial("unix", filepath.Join(data, "admin.sock")); err == nil {
			conn.Close()
			// The door opens a moment before the demo has told how to get in, which scripts read.
			if said, _ := os.ReadFile(log.Name()); bytes.Contains(said, []byte("Postern demo:")) {
				return
			}
		}
		select {
		case err := <-ended:
			ended <- err
			said, _ := os.ReadFile(log.Name())
			ts.Fatalf("the server ended: %v\n%s", err, said)
		case <-deadline:
			ts.Fatalf("the server does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// postern is the command as a process of its own.
func postern(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "postern"
	return cmd
}

// freePorts finds a base at which all of the demo's ports are free just now.
func freePorts(t interface{ Fatalf(string, ...any) }) int {
next:
	for range 200 {
		base := 10000 + rand.IntN(15000)
		for _, s := range config.Services() {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+int(s.Port))))
			if err != nil {
				continue next
			}
			l.Close()
		}
		return base
	}
	t.Fatalf("no free ports")
	return 0
}

// match is the script command `match FILE REGEXP NAME`: it sets $NAME to what the first group of the regular expression
// found in the file.
func match(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: match FILE REGEXP NAME")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[0]))
	if len(found) < 2 {
		ts.Fatalf("%s does not match %s", args[0], args[1])
	}
	ts.Setenv(args[2], found[1])
}
