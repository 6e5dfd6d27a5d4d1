package warden

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxConfig bounds the configuration in bytes.
const maxConfig = 1 << 20

// ReadConfig reads the configuration that a warden acts on. It says which files root reads and as whom the server runs,
// so it must be root's own: a server that has been taken over could otherwise write itself another one, and wait for the
// next start.
func ReadConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration %s cannot be read: %w; name another with --config", path, errors.Unwrap(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("configuration %s can be changed by others than root, who starts the server by it; chown root %[1]s && chmod go-w %[1]s", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(b) > maxConfig {
		err = fmt.Errorf("%s is not a configuration; name the postern.toml that `postern init` wrote", path)
	}
	return b, err
}

// maxLinks bounds symbolic links on a path, as the kernel does.
const maxLinks = 40

// trusted gives an error when the user could make the path lead elsewhere: a folder or link on it is theirs, or
// everybody's. Root must not read what such a path leads to and hand it to the user, since it could be any file.
func trusted(path string, uid uint32) error {
	links := 0
	return walk(path, uid, &links)
}

func walk(path string, uid uint32, links *int) error {
	at := "/"
	parts := strings.Split(filepath.Clean(path), "/")
	for i, part := range parts {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s has no owner", at)
		}
		link := info.Mode().Type() == os.ModeSymlink
		open := info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 && !link
		if stat.Uid == uid || open {
			return fmt.Errorf("%s can be changed by the server's user, so root does not read through it; keep the certificate where only root can write", at)
		}
		if !link {
			continue
		}
		if *links++; *links > maxLinks {
			return fmt.Errorf("%s has too many symbolic links", path)
		}
		target, err := os.Readlink(at)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(at), target)
		}
		return walk(filepath.Join(target, filepath.Join(parts[i+1:]...)), uid, links)
	}
	return nil
}
