package powercut_test

import (
	"postern/internal/testdisk"
)

// fillUp takes all space but some, under load, and waits until everybody has been refused for it.
func (tr *trial) fillUp(disk *testdisk.Disk, left int64) (l *load, release func()) {
	tr.t.Helper()
	l = tr.start()
	goal := tr.acks.Load() + 100
	tr.until("load", func() bool { return tr.acks.Load() >= goal })
	tr.full.Store(true)
	release, err := disk.Fill(left)
	if err != nil {
		tr.t.Fatal(err)
	}
	before := tr.refusals()
	tr.until("everybody is refused", func() bool {
		for kind, n := range tr.refusals() {
			if n < before[kind]+10 {
				return false
			}
		}
		return true
	})
	return l, release
}

// refusals counts them by the kind of worker.
func (tr *trial) refusals() map[string]int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	n := map[string]int{}
	for _, kind := range []string{"smtp", "submission", "imap", "append"} {
		n[kind] = tr.counts[kind+" refused"]
	}
	return n
}

// fill fills the disk under load and makes room again. The server must take it up by itself, and have kept exactly what
// it said it kept.
func (tr *trial) fill(disk *testdisk.Disk, left int64) {
	tr.t.Helper()
	l, release := tr.fillUp(disk, left)
	release()
	before := make([]int64, len(l.done))
	for i := range l.done {
		before[i] = l.done[i].Load()
	}
	tr.until("everybody is served again", func() bool {
		for i := range l.done {
			if l.done[i].Load() < before[i]+2 {
				return false
			}
		}
		return true
	})
	tr.full.Store(false)
	goal := tr.acks.Load() + 100
	tr.until("load", func() bool { return tr.acks.Load() >= goal })
	l.end()
	tr.check()
}

// killWhileFull kills the server while it has no room, and starts it again when it has.
func (tr *trial) killWhileFull(disk *testdisk.Disk) {
	tr.t.Helper()
	l, release := tr.fillUp(disk, 0)
	tr.crashes++
	tr.crashing.Store(true)
	tr.server.Kill()
	l.end()
	release()
	tr.full.Store(false)
	tr.server.Run()
	tr.crashing.Store(false)
	tr.check()
	tr.sendAgain()
}
