// Package powercut_test takes the whole server's word: what was answered with 250 or OK is there after the power was cut,
// the process was killed or the disk was full, exactly once and byte for byte; what was refused is not; and what had no
// answer happened whole or not at all.
//
// Clients of every kind work at once through the real sockets, and each writes down what it was told. At a random moment
// comes the fault. Then the server starts on what is left, and everything in it is compared with what its clients know:
// messages, flags, UIDs, mailboxes, the queue. POSTERN_CUTS says how often the power is cut, POSTERN_SEED repeats a run.
package powercut_test

import (
	"os"
	"strconv"
	"testing"

	"postern/internal/testdisk"
)

// rounds is how often to crash.
func rounds(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("POSTERN_CUTS")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return 2
	}
	return usual
}

func TestPowerCut(t *testing.T) {
	disk := testdisk.New(t, 1<<30)
	tr := newTrial(t, disk.Path()+"/data")
	defer tr.report()
	for i := range rounds(12) {
		if i%4 == 3 {
			tr.cutDisk(disk)
		} else {
			tr.cutPower(disk)
		}
	}
	tr.finish()
}

func TestKill(t *testing.T) {
	tr := newTrial(t, t.TempDir())
	defer tr.report()
	for range min(rounds(4), 4) {
		tr.kill()
	}
	tr.finish()
}

func TestDiskFull(t *testing.T) {
	disk := testdisk.New(t, 160<<20)
	tr := newTrial(t, disk.Path()+"/data")
	defer tr.report()
	for _, left := range []int64{0, 6 << 20, 1 << 20, 3 << 20} {
		tr.fill(disk, tr.r.Int64N(left+1))
	}
	tr.killWhileFull(disk)
	tr.finish()
}
