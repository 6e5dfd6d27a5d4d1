package powercut_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/internal/testdisk"
	"postern/test/lab"
)

// cut cuts the power of a server that nobody uses.
func cut(t *testing.T, s *lab.Server, disk *testdisk.Disk) {
	t.Helper()
	err := errors.Join(syscall.Kill(s.PID(), syscall.SIGSTOP), disk.CutPower())
	s.Kill()
	if err = errors.Join(err, disk.Restore()); err != nil {
		t.Fatal(err)
	}
}

// A server whose very first start is cut off must start by itself the next time, whatever it had just made.
func TestPowerCutDuringTheFirstStart(t *testing.T) {
	for _, made := range []string{"tls/ca.key", "ca.pem", "tls/key.pem", "tls/cert.pem", "postern.toml", "postern.db", "postern.db-wal", "secret.key", "admin.sock"} {
		t.Run(strings.ReplaceAll(made, "/", "-"), func(t *testing.T) {
			disk := testdisk.New(t, 64<<20)
			s := lab.Prepare(t, filepath.Join(disk.Path(), "data"))
			s.Begin()
			path := filepath.Join(s.Data, made)
			for deadline := time.Now().Add(answerWithin); ; <-time.After(50 * time.Microsecond) {
				if _, err := os.Lstat(path); err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("the start makes no %s:\n%s", made, s.Output())
				}
			}
			cut(t, s, disk)
			s.Run()
			c, err := dialIMAP(s, s.TLS(), &person{address: "alice@example.test"})
			if err != nil {
				t.Fatal(err)
			}
			c.conn.Close()
			s.Postern("verify")
		})
	}
}

// What an administrator was told is done stays done: keys, people, policy, and the authority that clients trust.
func TestPowerCutAfterAnAdministratorsCommand(t *testing.T) {
	disk := testdisk.New(t, 128<<20)
	s := lab.StartAt(t, filepath.Join(disk.Path(), "data"))
	records := func(domain string) string {
		lines := strings.Split(s.Postern("domain", "dns", "print", domain), "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	authority, err := os.ReadFile(s.CA())
	if err != nil {
		t.Fatal(err)
	}
	signed := records("example.test")
	for i := range 3 {
		domain, user := fmt.Sprintf("d%d.test", i), fmt.Sprintf("user%d@example.test", i)
		s.Postern("domain", "add", domain)
		keys := records(domain)
		size := fmt.Sprintf("%dMiB", 20+i)
		s.Postern("settings", "set", "smtp.max_message_size", size)
		s.Postern("alias", "add", fmt.Sprintf("alias%d@example.test", i), "alice@example.test")
		s.Postern("group", "add", fmt.Sprintf("group%d@%s", i, domain), "bob@example.test", "far@far.example")
		add := s.Command("user", "add", user)
		add.Stdin = strings.NewReader(lab.Password + "\n")
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		cut(t, s, disk)
		s.Run()
		if now, err := os.ReadFile(s.CA()); err != nil || string(now) != string(authority) {
			t.Errorf("the authority is another: %v", err)
		}
		if records("example.test") != signed || records(domain) != keys {
			t.Errorf("the signing keys are others:\n%s\n%s", keys, records(domain))
		}
		if got := strings.TrimSpace(s.Postern("settings", "get", "smtp.max_message_size")); got != size {
			t.Errorf("the setting is %s and was %s", got, size)
		}
		for _, list := range [][2]string{{"alias", fmt.Sprintf("alias%d@example.test", i)}, {"group", fmt.Sprintf("group%d@%s", i, domain)}, {"user", user}} {
			if out := s.Postern(list[0], "list", "--json"); !strings.Contains(out, `"`+list[1]+`"`) {
				t.Errorf("%s is not there: %s", list[1], out)
			}
		}
		c, err := dialIMAP(s, s.TLS(), &person{address: user})
		if err != nil {
			t.Fatal(err)
		}
		c.conn.Close()
		s.Postern("verify")
	}
}

// `postern init` says what it made when it is there to stay.
func TestPowerCutAfterInit(t *testing.T) {
	disk := testdisk.New(t, 64<<20)
	for dir := disk.Path(); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // the server's user has to get there
			t.Fatal(err)
		}
	}
	data := filepath.Join(disk.Path(), "data")
	config := filepath.Join(data, "postern.toml")
	postern := func(args ...string) ([]byte, error) {
		cmd := exec.Command(lab.Binary(t), args...)
		cmd.Stdin = strings.NewReader(lab.Password + "\n")
		return cmd.CombinedOutput()
	}
	begin := []string{"init", "--data", data, "--hostname", "mail.example.org", "--user", "nobody"}
	out, err := postern(begin...)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(disk.CutPower(), disk.Restore()); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(config); err != nil || string(after) != string(before) {
		t.Fatalf("the configuration is %q, %v", after, err)
	}
	if out, err := postern("verify", "--config", config); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := postern(begin...); err == nil || !strings.Contains(string(out), "holds a server already") {
		t.Errorf("init makes it again: %v: %s", err, out)
	}
}
