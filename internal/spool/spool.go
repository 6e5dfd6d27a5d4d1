// Package spool is where a message waits between the wire and the store.
package spool

import "io"

// Dir is the folder for messages too large for memory.
type Dir struct{}

// NewDir makes the folder (0700) if need be and removes what an earlier process left in it.
func NewDir(path string) (*Dir, error) { return nil, nil }

// NewWriter starts a message. Finish or Abort must be called.
func (d *Dir) NewWriter() *Writer { return nil }

// Writer takes the bytes of one message and hashes them on the way.
type Writer struct{}

func (w *Writer) Write(p []byte) (int, error) { return 0, nil }

// Size is the number of bytes written so far.
func (w *Writer) Size() int64 { return 0 }

// Finish gives the content and ends the writer.
func (w *Writer) Finish() (*Content, error) { return nil, nil }

// Abort drops what was written. It does nothing after Finish or an earlier Abort.
func (w *Writer) Abort() {}

// Content is a whole message. It may be read by many goroutines at once.
type Content struct{}

// FromBytes makes a content of b, which must not change afterwards.
func FromBytes(b []byte) *Content { return nil }

func (c *Content) ReadAt(p []byte, off int64) (int, error) { return 0, nil }

// Size is the number of bytes.
func (c *Content) Size() int64 { return 0 }

// SHA256 is the hash of the bytes.
func (c *Content) SHA256() [32]byte { return [32]byte{} }

// NewReader reads from the beginning.
func (c *Content) NewReader() io.Reader { return nil }

// Bytes gives the content itself when it is in memory. It is valid until Close and must not be changed.
func (c *Content) Bytes() ([]byte, bool) { return nil, false }

// Close gives the memory or the disk space back.
func (c *Content) Close() error { return nil }
