package clients_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"postern/test/lab"
)

func TestSwaks(t *testing.T) {
	s := lab.Start(t)
	swaks := func(args ...string) *exec.Cmd {
		return exec.Command(program(t, "swaks"), append([]string{"--server", "127.0.0.1", "--timeout", "20"}, args...)...)
	}
	port := func(standard int) string { return strconv.Itoa(s.Port(standard)) }

	t.Run("mail from the world arrives, over STARTTLS and in clear", func(t *testing.T) {
		run(t, swaks("--port", port(25), "--tls", "--from", "a@sender.example", "--to", "alice@example.test", "--header", "Subject: over tls"))
		arrives(t, s, "alice@example.test", "INBOX", 1, "Subject: over tls")
		run(t, swaks("--port", port(25), "--from", "a@sender.example", "--to", "alice@example.test", "--header", "Subject: in clear"))
		arrives(t, s, "alice@example.test", "INBOX", 2, "Subject: in clear")
	})
	t.Run("a user submits over 587 and 465 with each mechanism", func(t *testing.T) {
		n := 0
		for _, mechanism := range []string{"PLAIN", "LOGIN"} {
			for standard, tls := range map[int]string{587: "--tls", 465: "--tls-on-connect"} {
				n++
				run(t, swaks("--port", port(standard), tls, "--auth", mechanism, "--auth-user", "alice@example.test", "--auth-password", lab.Password,
					"--from", "alice@example.test", "--to", "bob@example.test"))
				arrives(t, s, "bob@example.test", "INBOX", n, "From: alice@example.test")
			}
		}
	})
	t.Run("nobody relays, and no user sends as another", func(t *testing.T) {
		for name, args := range map[string][]string{
			"relay on 25":                   {"--port", port(25), "--from", "a@sender.example", "--to", "b@elsewhere.example"},
			"587 without login":             {"--port", port(587), "--tls", "--from", "alice@example.test", "--to", "bob@example.test"},
			"login without TLS":             {"--port", port(587), "--auth", "PLAIN", "--auth-user", "alice@example.test", "--auth-password", lab.Password, "--from", "alice@example.test", "--to", "bob@example.test"},
			"login on 25":                   {"--port", port(25), "--tls", "--auth", "PLAIN", "--auth-user", "alice@example.test", "--auth-password", lab.Password, "--from", "alice@example.test", "--to", "bob@example.test"},
			"wrong password":                {"--port", port(465), "--tls-on-connect", "--auth", "PLAIN", "--auth-user", "alice@example.test", "--auth-password", "Wrong-password-1", "--from", "alice@example.test", "--to", "bob@example.test"},
			"another's envelope":            {"--port", port(465), "--tls-on-connect", "--auth", "PLAIN", "--auth-user", "alice@example.test", "--auth-password", lab.Password, "--from", "bob@example.test", "--to", "bob@example.test"},
			"another's From":                {"--port", port(465), "--tls-on-connect", "--auth", "PLAIN", "--auth-user", "alice@example.test", "--auth-password", lab.Password, "--from", "alice@example.test", "--to", "bob@example.test", "--header", "From: bob@example.test"},
			"a local sender unproven on 25": {"--port", port(25), "--from", "alice@example.test", "--to", "bob@example.test"},
			"unknown user":                  {"--port", port(25), "--from", "a@sender.example", "--to", "nobody@example.test"},
		} {
			if out := refused(t, swaks(args...)); !strings.Contains(out, "<**") && !strings.Contains(out, "<~*") && !strings.Contains(out, "***") {
				t.Errorf("%s: no refusal in\n%s", name, out)
			}
		}
		if n := s.Count(t, "bob@example.test", "INBOX"); n != 4 {
			t.Errorf("bob has %d messages, not the 4 that were sent before", n)
		}
	})
}
