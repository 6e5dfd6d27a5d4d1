package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// inlineLimit is the stored size up to which a blob lies in the database.
const inlineLimit = 64 << 10

// blobFiles is the folder of the large blobs: 256 folders by the first byte of the hash, and in them files named by
// hash and a random number. The number makes each attempt to store a file its own; only the one that a row names counts.
type blobFiles struct {
	dir string

	mu      sync.Mutex
	pending map[int64]bool // numbers of files that no row may name yet
}

func openBlobFiles(dir string) (*blobFiles, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &blobFiles{dir: dir, pending: map[int64]bool{}}, syncDir(filepath.Dir(dir))
}

func (b *blobFiles) shard(hash [32]byte) string {
	return filepath.Join(b.dir, hex.EncodeToString(hash[:1]))
}

func (b *blobFiles) path(hash [32]byte, number int64) string {
	return filepath.Join(b.shard(hash), hex.EncodeToString(hash[:])+"-"+strconv.FormatInt(number, 16))
}

// create opens a new file. It is pending until settled.
func (b *blobFiles) create(hash [32]byte) (f *os.File, number int64, err error) {
	number = rand.Int64N(1<<62) + 1
	b.mu.Lock()
	b.pending[number] = true
	b.mu.Unlock()
	f, err = os.OpenFile(b.path(hash, number), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = b.makeShard(hash); err == nil {
			f, err = os.OpenFile(b.path(hash, number), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		}
	}
	if err != nil {
		b.settle(number)
		return nil, 0, err
	}
	return f, number, nil
}

func (b *blobFiles) makeShard(hash [32]byte) error {
	if err := os.Mkdir(b.shard(hash), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(b.dir)
}

// finish makes the file and its name durable.
func (b *blobFiles) finish(f *os.File, hash [32]byte) error {
	err := f.Sync()
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDir(b.shard(hash))
}

// settle ends a file's time as pending: a row names it now, or it was removed.
func (b *blobFiles) settle(number int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pending, number)
}

func (b *blobFiles) isPending(number int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pending[number]
}

// remove deletes a file that nothing names any more. One that is left by a crash is found by the sweep.
func (b *blobFiles) remove(hash [32]byte, number int64) error {
	err := os.Remove(b.path(hash, number))
	b.settle(number)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// open opens a file for reading and tells its length.
func (b *blobFiles) open(hash [32]byte, number int64) (*os.File, int64, error) {
	f, err := os.Open(b.path(hash, number))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: the file is missing: %w", ErrDamaged, err)
		}
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// files lists what is in one of the 256 folders, by number.
func (b *blobFiles) files(shard byte) (map[int64]string, error) {
	dir := filepath.Join(b.dir, hex.EncodeToString([]byte{shard}))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[int64]string{}
	for _, e := range entries {
		_, number, ok := strings.Cut(e.Name(), "-")
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(number, 16, 64); err == nil {
			found[n] = filepath.Join(dir, e.Name())
		}
	}
	return found, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
