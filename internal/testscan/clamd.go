package testscan

import (
	"fmt"
	"path/filepath"
	"testing"

	"postern/internal/testenv"
)

// What [Clamd] finds in a message that holds Virus, and how long one may be for it.
const (
	Virus       = "this-line-is-the-made-up-virus-of-a-test"
	VirusName   = "Postern.Test.MadeUp.UNOFFICIAL"
	ClamdStream = 1 << 20
)

const clamdConf = `Foreground yes
DatabaseDirectory %[1]s/db
LocalSocket %[1]s/sock
TCPSocket %[2]d
TCPAddr 127.0.0.1
PidFile %[1]s/pid
TemporaryDirectory %[1]s
StreamMaxLength %[3]d
MaxThreads 2
SelfCheck 0
`

// Clamd starts ClamAV's daemon with one signature, which is made up.
func Clamd(t testing.TB) *Daemon {
	t.Helper()
	program := testenv.Need(t, "clamd")[0]
	dir, port := folder(t), freePort(t)
	// NAME:any target:any offset:hexadecimal
	makeFolder(t, dir, "db")
	write(t, dir, "db/test.ndb", fmt.Sprintf("Postern.Test.MadeUp:0:*:%x\n", Virus))
	conf := write(t, dir, "clamd.conf", fmt.Sprintf(clamdConf, dir, port, ClamdStream))
	return launch(t, &Daemon{
		Setting: "clamd:" + loopback(port), Socket: "clamd:" + filepath.Join(dir, "sock"), program: program, address: loopback(port), dir: dir,
		as: unprivileged(t, "clamav"), args: []string{"--config-file=" + conf},
	})
}
