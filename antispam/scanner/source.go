package scanner

import (
	"bytes"
	"cmp"
	"errors"
	"io"
)

// source reads a message for a scanner. It remembers its own failure, which is not the scanner's.
type source struct {
	r    io.Reader
	left int64
	err  error
}

// open gives the message with our trace fields on top, no more than limit bytes of it, and how many these are.
func (m Message) open(limit int64) (s *source, scanned, total int64) {
	trace := int64(len(m.Received))
	total = trace + m.Size
	scanned = min(total, limit)
	r := io.MultiReader(bytes.NewReader(m.Received), io.NewSectionReader(m.Content, 0, m.Size))
	return &source{r: io.LimitReader(r, scanned), left: scanned}, scanned, total
}

// Read is [io.Reader]. A message that ends before its size is an error, since a size was promised to the scanner.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.left -= int64(n)
	if err == io.EOF && s.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// heard is an error unless the scanner took the whole message: it can have said no before, but no verdict.
func (s *source) heard() error {
	if s.left > 0 {
		return lying("it judges what it has not heard: %d bytes of the message were left", s.left)
	}
	return nil
}

// answered reads the answer once the message was sent, or could not be: a scanner that takes no more of it says why before
// it hangs up. It does not wait for the answer to a message that could not be read.
func (s *source) answered(sent error, read func() error) error {
	if s.err != nil {
		return s.err
	}
	if err := read(); err != nil {
		return cmp.Or(sent, err)
	}
	return nil
}
