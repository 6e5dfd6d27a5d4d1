// Package testdisk gives a test a disk whose power it can cut: ext4 on a loop device. [Disk.CutPower] shuts the file
// system down without flushing its journal, after which every call fails with EIO; [Disk.Restore] mounts it again, and
// then only what was flushed before the cut is there. A small disk serves to run out of space. Needs root.
package testdisk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"postern/internal/testenv"
)

const (
	// EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), and its flag EXT4_GOING_FLAGS_NOLOGFLUSH: see fs/ext4/ext4.h.
	iocShutdown    = 0x8004587D
	goingNoFlush   = 2
	sectorsAtLeast = 8 << 20
)

// Disk is a mounted file system of a test.
type Disk struct {
	t       testing.TB
	image   string
	path    string
	mount   string // programs
	umount  string
	mounted bool
}

// New makes and mounts a disk of the given size in bytes, at least 8 MiB. Without root or the programs the test is
// skipped, or in CI fails.
func New(t testing.TB, size int64) *Disk {
	t.Helper()
	testenv.Root(t)
	programs := testenv.Need(t, "mkfs.ext4", "mount", "umount")
	dir := t.TempDir()
	d := &Disk{t: t, image: filepath.Join(dir, "image"), path: filepath.Join(dir, "disk"), mount: programs[1], umount: programs[2]}
	if err := os.Mkdir(d.path, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(max(size, sectorsAtLeast)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// No blocks reserved for root: a full disk is full for everybody.
	if out, err := exec.Command(programs[0], "-q", "-F", "-m", "0", d.image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	if err := d.attach(); err != nil {
		testenv.Missing(t, "loop mounts: %v", err)
	}
	t.Cleanup(d.detach)
	return d
}

// Path is where the disk is mounted.
func (d *Disk) Path() string { return d.path }

func (d *Disk) attach() error {
	if err := run(d.mount, "-o", "loop", d.image, d.path); err != nil {
		return err
	}
	d.mounted = true
	return nil
}

// detach unmounts; lazily if something still holds a file open, so that nothing is left behind.
func (d *Disk) detach() {
	if !d.mounted {
		return
	}
	if run(d.umount, d.path) != nil {
		if err := run(d.umount, "-l", d.path); err != nil {
			d.t.Error(err)
		}
	}
	d.mounted = false
}

// CutPower stops the file system where it is. What was not flushed is lost; every later call on it fails.
func (d *Disk) CutPower() error {
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	defer dir.Close()
	flag := uint32(goingNoFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), iocShutdown, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		return fmt.Errorf("EXT4_IOC_SHUTDOWN: %w", errno)
	}
	return nil
}

// Restore mounts the disk again, as after a restart of the machine. All processes that used it must have ended.
func (d *Disk) Restore() error {
	if err := run(d.umount, d.path); err != nil {
		return err
	}
	d.mounted = false
	return d.attach()
}

// run runs mount or umount, which may be stuck in the kernel: then it is left there.
func run(program string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, out)
	}
	return nil
}

// Free tells how many bytes can still be written.
func (d *Disk) Free() (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(d.path, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// Fill takes all space but leave bytes, with a file that release removes.
func (d *Disk) Fill(leave int64) (release func(), err error) {
	name := filepath.Join(d.path, "filler")
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	free, err := d.Free()
	if err != nil {
		return nil, err
	}
	// The file's own blocks of pointers need space too, so the last piece may not fit whole.
	for off, n := int64(0), free-leave; n >= 4096; {
		switch err := unix.Fallocate(int(f.Fd()), 0, off, n); {
		case err == nil:
			off, n = off+n, free-leave-off-n
		case errors.Is(err, unix.ENOSPC):
			n /= 2
		default:
			return nil, fmt.Errorf("filling the disk: %w", err)
		}
	}
	return func() { _ = os.Remove(name) }, nil
}
