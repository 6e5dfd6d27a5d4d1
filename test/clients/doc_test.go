// Package clients_test shows that the server works with the programs people use: command-line mailers, language libraries
// and synchronising clients, as their distributions ship them, and with independent Go clients.
package clients_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2/imapclient"

	"postern/internal/testenv"
	"postern/test/lab"
)

// run runs a program and gives what it printed; it must succeed.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// refused runs a program that must fail, and gives what it printed.
func refused(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("%s: was not refused\n%s", strings.Join(cmd.Args, " "), out)
	}
	return string(out)
}

func program(t *testing.T, name string) string { return testenv.Need(t, name)[0] }

func letter(from, to, subject, body string) string {
	return fmt.Sprintf("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Mon, 23 Nov 2026 06:00:00 +0000\r\nMessage-ID: <%s@sender.example>\r\n\r\n%s\r\n",
		from, to, subject, strings.ReplaceAll(subject, " ", "."), body)
}

// put appends a message to a mailbox.
func put(t *testing.T, c *imapclient.Client, mailbox, subject string) {
	t.Helper()
	text := letter("a@sender.example", "bob@example.test", subject, "Hello.")
	cmd := c.Append(mailbox, int64(len(text)), nil)
	cmd.Write([]byte(text))
	cmd.Close()
	if _, err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// arrives waits for the n-th message of user and wants text in it.
func arrives(t *testing.T, s *lab.Server, user, mailbox string, n int, text string) []byte {
	t.Helper()
	got := s.Messages(t, user, mailbox, n)[n-1]
	if !bytes.Contains(got, []byte(text)) {
		t.Fatalf("message %d of %s lacks %q:\n%s", n, user, text, got)
	}
	return got
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
