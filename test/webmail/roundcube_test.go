package webmail_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/internal/testenv"
	"postern/test/lab"
)

// installed is where the distribution has Roundcube, and defaults is its file with a value for every option.
const (
	installed = "/var/lib/roundcube/public_html"
	defaults  = "/etc/roundcube/defaults.inc.php"
)

// startRoundcube sets Roundcube up as docs/sieve.md says, with all that it writes in a folder of the test, and ends it with
// the test. It gives its address and that folder.
func startRoundcube(t *testing.T, s *lab.Server) (url, dir string) {
	t.Helper()
	php := testenv.Need(t, "php")[0]
	for _, path := range []string{installed, defaults} {
		if _, err := os.Stat(path); err != nil {
			testenv.Missing(t, "Roundcube: `make test` as root installs it on Debian (%v)", err)
		}
	}
	dir = t.TempDir()
	if err := os.Symlink(defaults, filepath.Join(dir, "defaults.inc.php")); err != nil {
		t.Fatal(err)
	}
	config := documented(t, s) + fmt.Sprintf("$config['db_dsnw'] = 'sqlite:///%[1]s/roundcube.db?mode=0600';\n"+
		"$config['log_dir'] = $config['temp_dir'] = '%[1]s';\n$config['des_key'] = 'a key of 24 characters ..';\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "config.inc.php"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return serve(t, php, dir), dir
}

// documented is the configuration in docs/sieve.md, with the servers and the authority of the test.
func documented(t *testing.T, s *lab.Server) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Repository(), "docs", "sieve.md"))
	if err != nil {
		t.Fatal(err)
	}
	config, found := "<?php\n", 0
	for i, part := range strings.Split(string(text), "```") {
		if code, ok := strings.CutPrefix(part, "php\n"); ok && i%2 == 1 {
			config += code
			found++
		}
	}
	if found == 0 {
		t.Fatal("docs/sieve.md does not say how Roundcube is set up")
	}
	change := []string{"/etc/roundcube/ca.pem", s.CA()}
	for _, port := range []int{465, 993, 4190} {
		change = append(change, fmt.Sprintf("mail.example.org:%d", port), "localhost:"+strconv.Itoa(s.Port(port)))
	}
	return strings.NewReplacer(change...).Replace(config)
}

// serve runs PHP's own web server on the configuration in dir, where it also writes its log files, and waits until it answers.
func serve(t *testing.T, php, dir string) (url string) {
	t.Helper()
	address := freeAddress(t)
	out, err := os.Create(filepath.Join(dir, "php.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(php, "-q", "-S", address, "-t", installed)
	cmd.Env = append(os.Environ(), "ROUNDCUBE_CONFIG_DIR="+dir)
	cmd.Stdout, cmd.Stderr = out, out
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		if t.Failed() {
			t.Logf("Roundcube wrote:\n%s", written(dir))
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(20 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/skins/elastic/meta.json")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("Roundcube answers %s", resp.Status)
			}
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatalf("Roundcube is not ready: %v\n%s", err, written(dir))
		}
	}
}

// written is the end of each log file.
func written(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	var b strings.Builder
	for _, file := range files {
		text, _ := os.ReadFile(file)
		fmt.Fprintf(&b, "%s:\n%s\n", filepath.Base(file), text[max(0, len(text)-4<<10):])
	}
	return b.String()
}

// ownGroup gives a program a process group of its own, so that all of it can be ended, and ends it with the test program.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
