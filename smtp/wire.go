package smtp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// bufferSize holds the longest line and two TLS records; bodies flow through it.
	bufferSize = 32 << 10
	// maxCommandLine is RFC 5321 4.5.3.1.4's 512 with its CR LF, for commands without parameters.
	maxCommandLine = 512
	// maxMailLine is for MAIL and RCPT: 512 plus what SIZE, BODY, RET, ENVID, AUTH, ORCPT and SMTPUTF8's longer
	// addresses may add (RFC 3461 4.2: 500, RFC 4954 5: 500, RFC 6531 3.4: 460 …), rounded up.
	maxMailLine = 2048
	// maxAuthLine is RFC 4954 4's 12288, CR LF included.
	maxAuthLine = 12288
	// maxSkippedLine is how much of an over-long line is read to find its end.
	maxSkippedLine = 256 << 10
	// maxPendingReplies is when replies are sent though the client has more commands waiting.
	maxPendingReplies = 8 << 10
)

var (
	errLineTooLong = errors.New("line too long")
	errBareLF      = errors.New("line ends without CR")
	errNoLineEnd   = errors.New("endless line")
	errDraining    = errors.New("server is shutting down")
)

// wire reads lines and bytes from a connection and gathers replies for it. While it waits for a command it holds no
// buffer but two small ones of its own. The first error of the connection stays: nothing is read or written after it.
type wire struct {
	raw  net.Conn // deadlines and the TCP side
	conn net.Conn // raw, or TLS over it
	pool *sync.Pool

	buf    []byte // small or large
	r, w   int    // unread bytes are buf[r:w]
	large  *[bufferSize]byte
	small  [256]byte
	out    []byte // replies not yet sent
	outbuf [512]byte
	err    error
	deaf   bool // err came from writing

	idle time.Duration // for one read or write

	mu       sync.Mutex
	waiting  bool // for a command, outside a transaction
	draining bool
}

func newWire(conn net.Conn, pool *sync.Pool, idle time.Duration) *wire {
	w := &wire{raw: conn, conn: conn, pool: pool, idle: idle}
	w.buf, w.out = w.small[:], w.outbuf[:0]
	return w
}

// newBufferPool makes the pool that wires of one server share.
func newBufferPool() *sync.Pool {
	return &sync.Pool{New: func() any { return new([bufferSize]byte) }}
}

// buffered is what has arrived and was not read.
func (w *wire) buffered() []byte { return w.buf[w.r:w.w] }

// consume takes n buffered bytes.
func (w *wire) consume(n int) { w.r += n }

// grow takes a large buffer from the pool.
func (w *wire) grow() {
	if w.large != nil {
		return
	}
	w.large = w.pool.Get().(*[bufferSize]byte)
	w.w = copy(w.large[:], w.buf[w.r:w.w])
	w.r, w.buf = 0, w.large[:]
}

// release gives the large buffer back once it is empty.
func (w *wire) release() {
	if w.large == nil || w.r < w.w {
		return
	}
	w.pool.Put(w.large)
	w.large, w.buf, w.r, w.w = nil, w.small[:], 0, 0
}

// fill sends what is pending and waits for more input until the deadline or the idle timeout, whichever comes first.
func (w *wire) fill(deadline time.Time) error {
	if err := w.flush(); err != nil {
		return err
	}
	w.makeRoom()
	if limit := time.Now().Add(w.idle); deadline.IsZero() || limit.Before(deadline) {
		deadline = limit
	}
	if err := w.arm(deadline); err != nil {
		return err
	}
	n, err := w.conn.Read(w.buf[w.w:])
	w.w += n
	if n > 0 {
		return nil // an error comes again with the next read
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	w.err = err
	return err
}

func (w *wire) makeRoom() {
	switch {
	case w.r == w.w:
		w.r, w.w = 0, 0
	case w.w < len(w.buf):
	case w.r > 0:
		w.w = copy(w.buf, w.buf[w.r:w.w])
		w.r = 0
	default:
		w.grow() // readers never let the large buffer become full
	}
}

// arm sets the read deadline, unless the server is draining and nobody would be waited for.
func (w *wire) arm(deadline time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draining && w.waiting {
		return errDraining
	}
	return w.raw.SetReadDeadline(deadline)
}

// wait marks whether a read may be interrupted by drain.
func (w *wire) wait(waiting bool) {
	w.mu.Lock()
	w.waiting = waiting
	w.mu.Unlock()
}

// drain makes the wire fail its reads with errDraining wherever it may be interrupted. It is called by other goroutines.
func (w *wire) drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = true
	if w.waiting {
		_ = w.raw.SetReadDeadline(time.Unix(1, 0)) // wakes the reader; if that fails, the connection is gone
	}
}

func (w *wire) isDraining() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draining
}

// flush sends the pending replies (RFC 2920 3.2: when the input is empty).
func (w *wire) flush() error {
	if w.err != nil {
		return w.err
	}
	if len(w.out) == 0 {
		return nil
	}
	err := w.raw.SetWriteDeadline(time.Now().Add(w.idle))
	if err == nil {
		_, err = w.conn.Write(w.out)
	}
	w.out = w.outbuf[:0]
	w.err, w.deaf = err, err != nil
	return err
}

// readLine gives the next line without its CR LF; it is valid until the next read. A line that is longer than limit
// (CR LF included) or ends with a bare LF is read to its LF and gives errLineTooLong or errBareLF.
func (w *wire) readLine(limit int, deadline time.Time) ([]byte, error) {
	seen := 0 // of buffered(), without LF
	for {
		if i := bytes.IndexByte(w.buf[w.r+seen:w.w], '\n'); i >= 0 {
			line := w.buf[w.r : w.r+seen+i+1]
			w.r += len(line)
			return cutLine(line, limit)
		}
		seen = w.w - w.r
		if seen >= limit {
			return nil, w.skipLine(deadline)
		}
		if seen == 0 {
			w.release()
		}
		if err := w.fill(deadline); err != nil {
			return nil, err
		}
	}
}

func cutLine(line []byte, limit int) ([]byte, error) {
	n := len(line)
	switch {
	case n > limit:
		return nil, errLineTooLong
	case n < 2 || line[n-2] != '\r':
		return nil, errBareLF
	}
	return line[:n-2], nil
}

// skipLine reads on to the LF of an over-long line.
func (w *wire) skipLine(deadline time.Time) error {
	for skipped := 0; skipped < maxSkippedLine; {
		if i := bytes.IndexByte(w.buffered(), '\n'); i >= 0 {
			w.consume(i + 1)
			return errLineTooLong
		}
		skipped += len(w.buffered())
		w.consume(len(w.buffered()))
		if err := w.fill(deadline); err != nil {
			return err
		}
	}
	return errNoLineEnd
}
