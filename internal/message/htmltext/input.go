package htmltext

import "io"

// bufferSize is how much of a document is in memory at a time.
const bufferSize = 16 << 10

// maxEmptyReads is how often a reader may give nothing and no error in a row.
const maxEmptyReads = 100

// input is a window that moves over the document.
type input struct {
	r        io.Reader
	buf      []byte
	pos, end int   // what is read but not yet used
	left     int64 // that may still be read
	size     int64 // read so far
	cut      bool  // there was more than may be read
	err      error // why nothing more is read
}

func (in *input) reset(r io.Reader, most int64) {
	buf := in.buf
	if buf == nil {
		buf = make([]byte, bufferSize)
	}
	*in = input{r: r, buf: buf, left: most}
}

// more reports whether there is another byte.
func (in *input) more() bool { return in.pos < in.end || in.fill(1) }

// look gives at least n bytes that are not used up by it, fewer only at the end of the document.
func (in *input) look(n int) []byte {
	if in.end-in.pos < n {
		in.fill(n)
	}
	return in.buf[in.pos:in.end]
}

// rest is what is in the window; it is empty only at the end of the document.
func (in *input) rest() []byte { return in.look(1) }

// fill moves what is not used to the front and reads until there are n bytes.
func (in *input) fill(n int) bool {
	in.end = copy(in.buf, in.buf[in.pos:in.end])
	in.pos = 0
	for empty := 0; in.end < n && in.err == nil; {
		room := in.buf[in.end:]
		if in.left < int64(len(room)) {
			room = room[:in.left+1] // one byte more tells whether anything is cut
		}
		got, err := in.r.Read(room)
		in.err = err
		if int64(got) > in.left {
			got, in.cut, in.err = int(in.left), true, io.EOF
		}
		in.left -= int64(got)
		in.size += int64(got)
		in.end += got
		if empty++; got > 0 {
			empty = 0
		} else if empty == maxEmptyReads && in.err == nil {
			in.err = io.ErrNoProgress
		}
	}
	return in.end > in.pos
}
