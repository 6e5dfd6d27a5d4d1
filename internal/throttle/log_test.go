package throttle

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/internal/testenv"
)

var handlers = map[string]func(io.Writer) slog.Handler{
	"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
	"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
}

func TestAFailureIsOneLineOfAStableForm(t *testing.T) {
	const stamp = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d)`
	for name, want := range map[string]string{
		"text": `^time=` + stamp + ` level=WARN msg="auth failed" service=submission remote=192\.0\.2\.1 login=alice@example\.test reason=credentials\n$`,
		"json": `^\{"time":"` + stamp + `","level":"WARN","msg":"auth failed","service":"submission","remote":"192\.0\.2\.1","login":"alice@example\.test","reason":"credentials"\}\n$`,
	} {
		var out bytes.Buffer
		LogFailure(slog.New(handlers[name](&out)), "submission", netip.MustParseAddr("::ffff:192.0.2.1"), alice, "credentials")
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("%s: %s", name, out.String())
		}
	}
	LogFailure(nil, "imap", owner, alice, "credentials") // no logger, no line
}

// forgeries are logins that try to be a line, or an address, of their own. 203.0.113.66 must never be found.
var forgeries = []string{
	"alice remote=203.0.113.66 login=x",
	`alice" service=imap remote=203.0.113.66 login="x`,
	"alice\ntime=2026-01-02T15:04:05.000Z level=WARN msg=\"auth failed\" service=imap remote=203.0.113.66 login=x reason=credentials",
	"alice\r\nJan 02 15:04:05 host postern[1]: msg=\"auth failed\" service=imap remote=203.0.113.66 login=x",
	`level=WARN msg="auth failed" service=imap remote=203.0.113.66 login=x reason=credentials`,
	`{"time":"2026-01-02T15:04:05.000Z","level":"WARN","msg":"auth failed","service":"imap","remote":"203.0.113.66","login":"x"}`,
	`x","service":"imap","remote":"203.0.113.66","login":"y`,
	`\" remote=203.0.113.66 login=`,
	`\\" service=imap remote=203.0.113.66 login=`,
	"\u2028level=WARN msg=\"auth failed\" service=imap remote=203.0.113.66 login=x",
	"\x1b[2K\x00\x85remote=203.0.113.66",
	"\xff\xfe remote=203.0.113.66",
	"203.0.113.66",
	"",
	strings.Repeat("a", 5000) + " remote=203.0.113.66 login=",
	strings.Repeat("\U0001f600", 100_000),
}

func TestALoginCannotForgeALine(t *testing.T) {
	for name, handler := range handlers {
		for _, login := range forgeries {
			var out bytes.Buffer
			LogFailure(slog.New(handler(&out)), "imap", owner, login, "credentials")
			line := out.String()
			if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
				t.Errorf("%s, login %.40q: more than a line: %q", name, login, line)
			}
			if len(line) > 2000 {
				t.Errorf("%s, login %.40q: a line of %d octets", name, login, len(line))
			}
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }) {
				t.Errorf("%s, login %.40q: control characters: %q", name, login, line)
			}
			if name == "json" && !json.Valid(out.Bytes()) {
				t.Errorf("login %.40q: not JSON: %s", login, line)
			}
		}
	}
	var out bytes.Buffer
	LogFailure(slog.New(handlers["text"](&out)), "im ap\"\n", owner, alice, "")
	if !strings.Contains(out.String(), "service=im-ap-- remote=") || !strings.Contains(out.String(), "reason=-\n") {
		t.Errorf("our own words: %s", out.String())
	}
}

// ban runs the shipped filter over a log and gives the addresses that fail2ban would count, one for each line.
func ban(t *testing.T, log []byte) []string {
	t.Helper()
	regex := testenv.Need(t, "fail2ban-regex")[0]
	file := filepath.Join(t.TempDir(), "postern.log")
	if err := os.WriteFile(file, log, 0o600); err != nil {
		t.Fatal(err)
	}
	filter := filepath.Join(testenv.Repository(), "contrib", "fail2ban", "filter.d", "postern.conf")
	var complaints bytes.Buffer
	command := exec.Command(regex, "-o", "ip", file, filter)
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	return strings.Fields(string(out))
}

func TestFail2banFindsTheAddressOfEachFailure(t *testing.T) {
	addresses := []string{"192.0.2.1", "198.51.100.200", "2001:db8::1", "2001:db8:1:2:3:4:5:6"}
	for name, handler := range handlers {
		for place, with := range map[string]func(*slog.Logger) *slog.Logger{
			"plain": func(l *slog.Logger) *slog.Logger { return l },
			"with attributes": func(l *slog.Logger) *slog.Logger {
				return l.With("session", "a1b2", "helo", `x "y" remote=203.0.113.66`, "n", 7)
			},
		} {
			for prefix, text := range map[string]string{"file": "", "syslog": "Jan 02 15:04:05 mail postern[712]: "} {
				var log bytes.Buffer
				for _, a := range addresses {
					log.WriteString(text)
					LogFailure(with(slog.New(handler(&log))), "submission", netip.MustParseAddr(a), alice, "credentials")
				}
				if got := ban(t, log.Bytes()); !slices.Equal(got, addresses) {
					t.Errorf("%s, %s, %s: found %v in\n%s", name, place, prefix, got, log.String())
				}
			}
		}
	}
}

func TestFail2banIsNotFooledByLogins(t *testing.T) {
	for name, handler := range handlers {
		var log bytes.Buffer
		l := slog.New(handler(&log))
		for _, login := range forgeries {
			LogFailure(l, "imap", owner, login, "credentials")
			l.Info("session ended", "login", login, "helo", login) // other lines hold strangers' text too
			l.Info("connection", "helo", `x msg="auth failed" service=imap remote=203.0.113.66 login=`+login)
		}
		got := ban(t, log.Bytes())
		if len(got) != len(forgeries) || slices.ContainsFunc(got, func(ip string) bool { return ip != owner.String() }) {
			t.Errorf("%s: found %d addresses, want %d times %s: %v in\n%s", name, len(got), len(forgeries), owner, got, log.String())
		}
	}
}

func TestTheShippedJailIsWhole(t *testing.T) {
	client := testenv.Need(t, "fail2ban-client")[0]
	folder := t.TempDir()
	// The distribution's configuration, with our two files where the administrator puts them.
	if out, err := exec.Command("cp", "-r", "/etc/fail2ban/.", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, part := range []string{"filter.d", "jail.d"} {
		source := filepath.Join(testenv.Repository(), "contrib", "fail2ban", part, "postern.conf")
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, part, "postern.conf"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(client, "-c", folder, "-d").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "['add', 'postern', 'systemd']") {
		t.Errorf("%v: fail2ban does not take the jail:\n%s", err, out)
	}
}
