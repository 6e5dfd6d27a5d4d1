package imap

import (
	"bytes"
	"compress/flate"
	"io"
	"sync"

	"postern/imap/grammar"
	"postern/imap/inflate"
)

// compress turns on DEFLATE in both directions. RFC 4978
func (s *session) compress(req *grammar.Request, c *grammar.Compress) answer {
	if c.Mechanism != "DEFLATE" {
		return refuse("CANNOT", "There is no such compression mechanism")
	}
	if s.compressed {
		return refuse("COMPRESSIONACTIVE", "Compression is active already")
	}
	// RFC 4978 4: the OK is the last thing in the clear, and what the client sent behind the command is compressed.
	s.tagged(req, okCode("", "Compression starts now"))
	s.flush()
	s.compressed = true
	rest := s.reader.Reset(nil)
	s.reader.Reset(inflate.NewReader(io.MultiReader(bytes.NewReader(rest), &s.input)))
	return answer{status: "OK", silent: true}
}

// deflater is what compressing one batch of responses needs, 1 MiB of it, which no session keeps. Each batch starts with an
// empty history on the byte at which the one before ended by its sync flush, so all batches are one valid stream.
type deflater struct {
	out bytes.Buffer
	w   *flate.Writer
}

var deflaters = sync.Pool{New: func() any {
	d := &deflater{}
	d.w, _ = flate.NewWriter(&d.out, flate.BestSpeed)
	return d
}}

// deflate sends b compressed so that the receiver can read all of it.
func deflate(w io.Writer, b []byte) error {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out.Reset()
	d.w.Reset(&d.out)
	if _, err := d.w.Write(b); err != nil {
		return err
	}
	if err := d.w.Flush(); err != nil {
		return err
	}
	_, err := w.Write(d.out.Bytes())
	return err
}
