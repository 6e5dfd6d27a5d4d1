// Package spool is where a message waits between the wire and the store.
//
// A session writes the bytes it receives into a [Writer]; Finish turns them into a [Content] that parsers, scanners and
// the store read as often as they like. A message of up to 96 KiB, which most are, never leaves memory; a larger one
// goes to a file that has no name, so that nothing is left behind by a crash. Nothing here is durable: making it so is
// the store's business. The SHA-256 of the bytes is computed while they arrive, for the store addresses them by it.
package spool

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	smallSize  = 8 << 10  // most messages need no more than this
	memorySize = 96 << 10 // what a message may take in memory, 64 KiB of text in base64 with its header; the write buffer of a larger one
)

// prefix begins the name of a file while it has one, which is until it is opened.
const prefix = "spool-"

// Dir is the folder for messages that are too large for memory. Its zero value is not usable.
type Dir struct {
	path  string
	small sync.Pool // *[]byte of smallSize
	large sync.Pool // *[]byte of memorySize
}

// NewDir makes the folder (0700) if need be and removes what an earlier process left in it.
func NewDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || !e.Type().IsRegular() {
			continue // not ours
		}
		if err := os.Remove(filepath.Join(path, e.Name())); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	d := &Dir{path: path}
	d.small.New = func() any { b := make([]byte, 0, smallSize); return &b }
	d.large.New = func() any { b := make([]byte, 0, memorySize); return &b }
	return d, nil
}

// put gives a buffer back to the pool it came from.
func (d *Dir) put(b *[]byte) {
	switch {
	case b == nil:
	case cap(*b) == memorySize:
		*b = (*b)[:0]
		d.large.Put(b)
	case cap(*b) == smallSize:
		*b = (*b)[:0]
		d.small.Put(b)
	}
}

// create opens a file without a name.
func (d *Dir) create() (*os.File, error) {
	f, err := os.CreateTemp(d.path, prefix+"*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// NewWriter starts a message. Finish or Abort must be called.
func (d *Dir) NewWriter() *Writer {
	return &Writer{dir: d, buf: d.small.Get().(*[]byte), hash: sha256.New()}
}

// Writer takes the bytes of one message. It is for one goroutine.
type Writer struct {
	dir  *Dir
	buf  *[]byte // all of the message, or what the file has not got yet; nil when done
	file *os.File
	size int64
	hash hash.Hash
	err  error // the first failure; sticky
}

// Write takes the next bytes. An error is from the disk, such as syscall.ENOSPC in its chain, and stays.
func (w *Writer) Write(p []byte) (int, error) {
	if w.buf == nil {
		return 0, fmt.Errorf("spool: write after the end: %w", os.ErrClosed)
	}
	if w.err != nil {
		return 0, w.err
	}
	if err := w.add(p); err != nil {
		w.err = fmt.Errorf("spool: %w", err)
		return 0, w.err
	}
	w.hash.Write(p)
	w.size += int64(len(p))
	return len(p), nil
}

func (w *Writer) add(p []byte) error {
	if len(*w.buf)+len(p) <= cap(*w.buf) {
		*w.buf = append(*w.buf, p...)
		return nil
	}
	if cap(*w.buf) < memorySize {
		large := w.dir.large.Get().(*[]byte)
		*large = append(*large, *w.buf...)
		w.dir.put(w.buf)
		w.buf = large
		return w.add(p)
	}
	if err := w.flush(); err != nil {
		return err
	}
	if len(p) >= memorySize {
		_, err := w.file.Write(p)
		return err
	}
	*w.buf = append(*w.buf, p...)
	return nil
}

// flush moves what is in memory to the file.
func (w *Writer) flush() error {
	if w.file == nil {
		f, err := w.dir.create()
		if err != nil {
			return err
		}
		w.file = f
	}
	_, err := w.file.Write(*w.buf)
	*w.buf = (*w.buf)[:0]
	return err
}

// Size is the number of bytes written so far.
func (w *Writer) Size() int64 { return w.size }

// Finish ends the message and gives it as a content, which the caller closes. On an error everything is dropped.
func (w *Writer) Finish() (*Content, error) {
	if w.buf == nil {
		return nil, fmt.Errorf("spool: finish after the end: %w", os.ErrClosed)
	}
	if w.err == nil && w.file != nil {
		if err := w.flush(); err != nil {
			w.err = fmt.Errorf("spool: %w", err)
		}
	}
	if w.err != nil {
		w.Abort()
		return nil, w.err
	}
	c := &Content{dir: w.dir, file: w.file, size: w.size}
	w.hash.Sum(c.sum[:0])
	if w.file == nil {
		c.buf = w.buf
		c.mem = *w.buf
	} else {
		w.dir.put(w.buf)
	}
	w.buf, w.file = nil, nil
	return c, nil
}

// Abort drops what was written. It does nothing after Finish or an earlier Abort.
func (w *Writer) Abort() {
	if w.buf == nil {
		return
	}
	w.dir.put(w.buf)
	w.buf = nil
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
}

// Content is a whole message. Many goroutines may read it at once; none may after Close.
type Content struct {
	dir    *Dir
	mem    []byte   // the bytes, unless they are in file
	buf    *[]byte  // the pooled buffer under mem, if any
	file   *os.File // without a name
	size   int64
	sum    [sha256.Size]byte
	closed atomic.Bool
}

// FromBytes makes a content of b, which must not change while the content is in use.
func FromBytes(b []byte) *Content {
	return &Content{mem: b, size: int64(len(b)), sum: sha256.Sum256(b)}
}

// ReadAt is that of io.ReaderAt.
func (c *Content) ReadAt(p []byte, off int64) (int, error) {
	if c.closed.Load() {
		return 0, fmt.Errorf("spool: read after close: %w", os.ErrClosed)
	}
	if c.file != nil {
		return c.file.ReadAt(p, off)
	}
	if off < 0 {
		return 0, fmt.Errorf("spool: negative offset: %w", os.ErrInvalid)
	}
	if off >= c.size {
		return 0, io.EOF
	}
	n := copy(p, c.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Size is the number of bytes.
func (c *Content) Size() int64 { return c.size }

// SHA256 is the hash of the bytes.
func (c *Content) SHA256() [32]byte { return c.sum }

// NewReader reads from the beginning. Each call gives an independent reader.
func (c *Content) NewReader() io.Reader {
	if b, ok := c.Bytes(); ok {
		return bytes.NewReader(b)
	}
	return io.NewSectionReader(c, 0, c.size)
}

// Bytes gives the bytes themselves when they are in memory. They are not to be changed, and not to be used after Close,
// when the memory serves another message.
func (c *Content) Bytes() ([]byte, bool) {
	if c.file != nil || c.closed.Load() {
		return nil, false
	}
	return c.mem, true
}

// Close gives the memory or the disk space back. Closing twice does nothing.
func (c *Content) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	if c.file != nil {
		return c.file.Close()
	}
	if c.buf != nil {
		c.dir.put(c.buf)
	}
	return nil
}
