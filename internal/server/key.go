package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"postern/internal/directory"
)

// openKey reads the secret key, with which the database keeps what a copy of it must not give away. It makes the file
// when there is none; the database's lock sees to it that only one process does.
func openKey(path string, log *slog.Logger) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path, log)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("%s is not a file; move it away and put the key from a backup there", path)
	case mode.Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s may be read by others (%s); chmod go= %[1]s", path, mode.Perm())
	}
	key := make([]byte, directory.KeySize)
	if _, err := io.ReadFull(f, key); err != nil || info.Size() != int64(len(key)) {
		return nil, fmt.Errorf("%s has %d bytes and not %d; put the key from a backup there, or move it away to have a new one made, "+
			"with which logins by SCRAM-SHA-256 fail until each user has logged in by another way", path, info.Size(), len(key))
	}
	return key, nil
}

// makeKey makes the file whole or not at all, and lasting before anything is encrypted with it.
func makeKey(path string, log *slog.Logger) ([]byte, error) {
	key := make([]byte, directory.KeySize)
	rand.Read(key)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(key)
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	log.Info("a secret key was made; keep it with the backups", "path", path)
	return key, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
