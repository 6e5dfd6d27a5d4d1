package db

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A flush of a file that grows has to record its new length and blocks in the file system's journal; one of a file that is
// overwritten has only the data to write, and takes half the time. SQLite begins its log anew over the old one, so the log
// is given its full length beforehand, once, in zeros: SQLite reads a log up to the first frame that is not whole.

// lengthenWAL writes zeros up to size, unless the log is that long or the disk has little room. It must be called while
// no connection is open: with one, SQLite may be writing there.
func lengthenWAL(path string, size int64) error {
	if free, err := freeSpace(path); err != nil || free < 16*size {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := info.Size(); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return errors.Join(err, f.Truncate(info.Size()))
		}
	}
	return errors.Join(f.Sync(), f.Close())
}

// freeSpace is what the file system of a file, which need not be there yet, has left for us.
func freeSpace(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
