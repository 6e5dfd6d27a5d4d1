package clients_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"postern/test/lab"
)

// sieveConnect is sieve-connect as one user runs it.
type sieveConnect struct {
	t        *testing.T
	s        *lab.Server
	dir      string
	password string
}

// cmd prepares one action.
func (c *sieveConnect) cmd(args ...string) *exec.Cmd {
	c.t.Helper()
	cmd := exec.Command(program(c.t, "sieve-connect"), append([]string{"--server", "localhost", "--4", "--nosrv", "--port", strconv.Itoa(c.s.Port(4190)),
		"--tlscafile", c.s.CA(), "--user", "alice@example.test", "--passwordfd", "0"}, args...)...)
	cmd.Stdin = strings.NewReader(c.password + "\n")
	cmd.Dir = c.dir
	return cmd
}

func (c *sieveConnect) run(args ...string) string {
	c.t.Helper()
	return run(c.t, c.cmd(args...))
}

// wantList compares the scripts on the server, the active one marked as sieve-connect marks it.
func (c *sieveConnect) wantList(want ...string) {
	c.t.Helper()
	var got []string
	for line := range strings.Lines(c.run("--list")) {
		if strings.HasPrefix(line, `"`) {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		c.t.Errorf("the server has %q, want %q", got, want)
	}
}

func TestSieveConnect(t *testing.T) {
	s := lab.Start(t)
	c := &sieveConnect{t: t, s: s, dir: t.TempDir(), password: lab.Password}
	text := "# a filter\nkeep;\n# caf\u00e9 \"quoted\" \\ {5+}\n"
	write(t, c.dir, "main.sieve", text)
	write(t, c.dir, "spare.sieve", "stop;\n")

	c.wantList()
	c.run("--checkscript", "--localsieve", "main.sieve")
	c.run("--upload", "--localsieve", "main.sieve", "--remotesieve", "main")
	c.run("--upload", "--localsieve", "spare.sieve")
	c.wantList(`"main"`, `"spare.sieve"`)
	c.run("--activate", "--remotesieve", "main")
	c.wantList(`"main" ACTIVE`, `"spare.sieve"`)
	refused(t, c.cmd("--delete", "--remotesieve", "main"))
	c.run("--upload", "--localsieve", "spare.sieve", "--remotesieve", "main")
	c.run("--upload", "--localsieve", "main.sieve", "--remotesieve", "main")
	c.wantList(`"main" ACTIVE`, `"spare.sieve"`)
	c.run("--download", "--remotesieve", "main", "--localsieve", "back.sieve")
	if got, err := os.ReadFile(filepath.Join(c.dir, "back.sieve")); err != nil || string(got) != text {
		t.Errorf("came back as %q, %v", got, err)
	}
	if got := c.run("--exec", write(t, c.dir, "commands", "view main\nquit\n")); !strings.Contains(got, text) {
		t.Errorf("its own shell shows %q", got)
	}

	t.Run("what was put is there after a crash", func(t *testing.T) {
		s.Kill()
		s.Run()
		c.wantList(`"main" ACTIVE`, `"spare.sieve"`)
	})
	t.Run("a wrong password does not", func(t *testing.T) {
		stranger := *c
		stranger.password = "Wrong-password-1"
		if out := refused(t, stranger.cmd("--list")); strings.Contains(out, "main") {
			t.Errorf("told a stranger:\n%s", out)
		}
	})

	c.run("--deactivate")
	c.run("--delete", "--remotesieve", "main")
	c.wantList(`"spare.sieve"`)

	t.Run("the account takes its scripts along", func(t *testing.T) {
		s.Postern("user", "remove", "alice@example.test")
		refused(t, c.cmd("--list"))
		add := s.Command("user", "add", "alice@example.test")
		add.Stdin = strings.NewReader(lab.Password + "\n")
		run(t, add)
		c.wantList()
		if out := s.Postern("verify"); !strings.Contains(out, " 0 damaged") {
			t.Errorf("verify: %s", out)
		}
	})
}
