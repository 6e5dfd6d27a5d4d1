package imaptest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"postern/internal/testenv"
)

// TestRunnerAgreesWithDovecot runs the scripts against the server that they were
// written for. What fails here is a fault of the runner.
func TestRunnerAgreesWithDovecot(t *testing.T) {
	dir := filepath.Join(testenv.Testdata(t, "imap-imaptest"), "tests")
	program := testenv.Need(t, "dovecot")[0]
	addr := startDovecot(t, program)
	r := Run(t, Config{Dir: dir, User: "alice", Password: "secret", Dial: func() (net.Conn, error) { return net.Dial("tcp", addr) }})
	if len(r.Passed) < 30 {
		t.Errorf("only %d scripts ran", len(r.Passed))
	}
}

// startDovecot runs a server of its own until the test ends, and gives its
// address.
func startDovecot(t *testing.T, program string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "imaptest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	// The process that serves a user runs as nobody and must get through.
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	mail := filepath.Join(dir, "mail")
	if err := os.Mkdir(mail, 0o777); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	owner, gid, users := me.Username, me.Gid, fmt.Sprintf("default_internal_user = %[1]s\ndefault_login_user = %[1]s\ndefault_internal_group = %[2]s\n", me.Username, me.Gid)
	if me.Uid == "0" {
		owner, users = "nobody", ""
		nobody, err := user.Lookup(owner)
		if err != nil {
			t.Fatal(err)
		}
		gid = nobody.Gid
		uid, _ := strconv.Atoi(nobody.Uid)
		if err := os.Chown(mail, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	addr := freeAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	conf := fmt.Sprintf(`protocols = imap
listen = 127.0.0.1
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
ssl = no
disable_plaintext_auth = no
%[2]smail_uid = %[3]s
mail_gid = %[5]s
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:%[1]s/mail/%%u:LAYOUT=fs
lock_method = fcntl
service imap-login {
  chroot =
  inet_listener imap {
    port = %[4]s
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
namespace {
  inbox = yes
  separator = /
}
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = home=%[1]s/mail/%%u
}
`, dir, users, owner, port, gid)
	path := filepath.Join(dir, "dovecot.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(program, "-F", "-c", path)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-exited
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("Dovecot said:\n%s%s", out.Bytes(), tail(string(log), 4000))
		}
	})
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("Dovecot ended: %v\n%s", err, out.Bytes())
		case <-deadline:
			t.Fatal("Dovecot does not listen")
		case <-ticker.C:
			if c, err := net.Dial("tcp", addr); err == nil {
				c.Close()
				return addr
			}
		}
	}
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
