package imap

import (
	"bytes"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"

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

// deflaters compress for all sessions of a server. One takes a megabyte, so there are no more of them than processors, no
// session keeps one, and none waits for a client. Each batch of responses starts with an empty history on the byte at which
// the one before ended by its sync flush, so that all batches are one valid stream.
type deflaters struct {
	once sync.Once
	free chan *flate.Writer // nil where one is not made yet
}

// append compresses src so that the receiver can read all of it.
func (d *deflaters) append(dst, src []byte) []byte {
	d.once.Do(func() {
		d.free = make(chan *flate.Writer, runtime.GOMAXPROCS(0))
		for range cap(d.free) {
			d.free <- nil
		}
	})
	w := <-d.free
	defer func() { d.free <- w }()
	out := appender{dst}
	if w == nil {
		w, _ = flate.NewWriter(&out, flate.BestSpeed) // fails on an unknown level only
	} else {
		w.Reset(&out)
	}
	w.Write(src) // as with Flush, an error could only be the appender's, which has none
	w.Flush()
	return out.b
}

// appender writes to memory.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}

// writeCompressed sends b compressed.
func (s *session) writeCompressed(b []byte) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	*buf = s.srv.deflaters.append((*buf)[:0], b)
	_, err := s.conn.Write(*buf)
	return err
}
