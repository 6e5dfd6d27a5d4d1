package testscan

import (
	"path/filepath"
	"strconv"
	"testing"

	"postern/internal/testenv"
)

// Spamd starts SpamAssassin's daemon with Debian's rules and no network tests, Bayes or user's preferences. Further lines go
// into its local.cf.
func Spamd(t testing.TB, lines ...string) *Daemon {
	t.Helper()
	program := testenv.Need(t, "spamd")[0]
	dir, port := folder(t), freePort(t)
	conf := "use_bayes 0\nuse_auto_welcomelist 0\ndns_available no\n"
	for _, line := range lines {
		conf += line + "\n"
	}
	socket := filepath.Join(dir, "sock")
	return launch(t, &Daemon{
		Setting: "spamd:" + loopback(port), Socket: "spamd:" + socket, program: program, address: loopback(port), dir: dir,
		as: unprivileged(t, "debian-spamd"),
		args: []string{"--local", "--nouser-config", "--listen=" + loopback(port), "--socketpath=" + socket, "--max-children=2", "--min-children=1",
			"--min-spare=1", "--max-spare=1", "--helper-home-dir=" + dir, "--pidfile=" + filepath.Join(dir, "pid"), "--syslog=stderr",
			"--cf=include " + write(t, dir, "local.cf", conf), "--port=" + strconv.Itoa(port)},
	})
}
