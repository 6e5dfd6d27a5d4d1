package imap

import (
	"strconv"
	"sync"
	"time"

	"postern/imap/grammar"
)

// flushBytes is how much of a response gathers before it is sent.
const flushBytes = 32 << 10

// keepBytes is the largest buffer that goes back to the pool.
const keepBytes = 128 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, flushBytes+8<<10); return &b }}

// output gathers responses and sends them. Handlers append to buf and call more after each response; what is left is sent
// when the session is about to wait for the client.
type output struct {
	buf    []byte
	pooled *[]byte // where buf came from; nil while there is nothing to say
	err    error   // the first error; nothing is sent after it
}

// buffer gives the output its buffer.
func (s *session) buffer() []byte {
	if s.out.pooled == nil {
		s.out.pooled = buffers.Get().(*[]byte)
		s.out.buf = (*s.out.pooled)[:0]
	}
	return s.out.buf
}

// more sends what has gathered if it is enough for that, and reports whether the client is still there.
func (s *session) more() bool {
	if len(s.out.buf) >= flushBytes {
		s.flush()
	}
	return s.out.err == nil
}

// flush sends what has gathered.
func (s *session) flush() {
	if len(s.out.buf) == 0 {
		return
	}
	if s.out.err == nil {
		s.conn.SetWriteDeadline(time.Now().Add(s.limits.WriteTimeout))
		if s.compressed {
			s.out.err = s.writeCompressed(s.out.buf)
		} else {
			_, s.out.err = s.conn.Write(s.out.buf)
		}
		if s.out.err != nil {
			// The client is gone or takes nothing. Whoever waits for its next command is to know.
			s.conn.NetConn().Close()
		}
	}
	s.out.buf = s.out.buf[:0]
}

// rest sends what has gathered and gives the buffer back: the session is about to wait.
func (s *session) rest() {
	s.flush()
	if s.out.pooled == nil {
		return
	}
	if cap(s.out.buf) <= keepBytes {
		*s.out.pooled = s.out.buf[:0]
		buffers.Put(s.out.pooled)
	}
	s.out.buf, s.out.pooled = nil, nil
}

// say appends an untagged response; the text comes without "* " and without its CRLF.
func (s *session) say(text string) {
	b := append(s.buffer(), "* "...)
	b = append(b, text...)
	s.out.buf = append(b, "\r\n"...)
	s.more()
}

// sayNumber appends an untagged response that starts with a number: "* 23 EXISTS".
func (s *session) sayNumber(n uint64, text string) {
	b := append(s.buffer(), "* "...)
	b = strconv.AppendUint(b, n, 10)
	b = append(b, ' ')
	b = append(b, text...)
	s.out.buf = append(b, "\r\n"...)
	s.more()
}

// sayOK appends "* OK [code] text".
func (s *session) sayOK(code, text string) { s.say("OK [" + code + "] " + text) }

// sayNums appends "* verb 1:3,5".
func (s *session) sayNums(verb string, sorted []uint32) {
	b := append(s.buffer(), "* "...)
	b = append(b, verb...)
	b = append(b, ' ')
	b = grammar.AppendNums(b, sorted)
	s.out.buf = append(b, "\r\n"...)
	s.more()
}

// tagged appends how a command ended.
func (s *session) tagged(req *grammar.Request, a answer) {
	b := append(s.buffer(), req.Tag...)
	b = append(b, ' ')
	b = append(b, a.status...)
	b = append(b, ' ')
	if a.code != "" {
		b = append(b, '[')
		b = append(b, a.code...)
		b = append(b, "] "...)
	}
	if a.text == "" {
		b = append(b, req.Name...)
		b = append(b, " completed"...)
	} else {
		b = append(b, a.text...)
	}
	s.out.buf = append(b, "\r\n"...)
	s.more()
}
