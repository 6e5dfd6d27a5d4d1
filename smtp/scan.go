package smtp

import (
	"bytes"

	"postern/internal/reply"
)

// What is wrong with a message's bytes. RFC 5321 2.3.8 forbids bare CR and LF; receivers that read a bare one as a line's
// end, or as part of the end of data, find other messages than we do (SMTP smuggling). RFC 5321 4.5.2 and RFC 5322 4 have
// no NUL.
var (
	errBareNewline = reply.New(554, "5.6.0", "Message has a bare CR or LF")
	errNUL         = reply.New(554, "5.6.0", "Message has a NUL")
	errLongLine    = reply.New(554, "5.6.0", "Message has a line that is too long")
)

// textScanner finds the end of DATA's text, undoes the dot-stuffing and checks the bytes (RFC 5321 4.1.1.4, 4.5.2). It
// looks for bytes in bulk, and it takes the text in pieces of any size: what it cannot decide yet, at most two bytes, it
// leaves to be given again with more behind.
type textScanner struct {
	check     byteCheck
	midOfLine bool // the last byte taken was not the LF of a CR LF; the zero value stands at the beginning of a line
}

// scan takes bytes from the front of p and gives the text in them to emit, as slices of p. It returns how many it took,
// and whether the end of data was among them, which is then the last thing taken.
func (s *textScanner) scan(p []byte, emit func([]byte)) (n int, done bool) {
	start := 0 // of text not yet given to emit
	for n < len(p) {
		if !s.midOfLine && p[n] == '.' {
			rest := p[n:]
			if len(rest) < 3 && bytes.HasPrefix([]byte(".\r\n"), rest) {
				break // may become the end
			}
			s.pass(p[start:n], emit)
			if bytes.HasPrefix(rest, []byte(".\r\n")) {
				return n + 3, true
			}
			n++ // RFC 5321 4.5.2: the first period is deleted
			start, s.midOfLine = n, true
			continue // what is behind it is given again or is in p
		}
		i := bytes.IndexByte(p[n:], '\n')
		if i < 0 {
			end := len(p)
			if p[end-1] == '\r' {
				end--
			}
			if end > n {
				s.midOfLine = true
			}
			n = end
			break
		}
		n += i + 1
		s.midOfLine = i == 0 || p[n-2] != '\r'
	}
	s.pass(p[start:n], emit)
	return n, false
}

func (s *textScanner) pass(text []byte, emit func([]byte)) {
	if len(text) > 0 {
		s.check.add(text)
		emit(text)
	}
}

// byteCheck looks for what no message may have. Its input may be cut anywhere.
type byteCheck struct {
	maxLine int64
	line    int64 // bytes since the last LF
	cr      bool  // the last byte was a CR
	bad     *reply.Error
}

// add checks the next bytes.
func (c *byteCheck) add(p []byte) {
	if c.bad != nil || len(p) == 0 {
		return
	}
	if bytes.IndexByte(p, 0) >= 0 {
		c.bad = errNUL
		return
	}
	crs := bytes.Count(p, []byte{'\r'})
	if c.cr {
		crs++ // the one before p waits for its LF
	}
	pairs := 0
	for rest := p; ; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			c.lengthen(len(rest))
			c.cr = (len(rest) > 0 && rest[len(rest)-1] == '\r')
			break
		}
		if i > 0 && rest[i-1] != '\r' || i == 0 && !c.cr {
			c.bad = errBareNewline
			return
		}
		pairs++
		c.lengthen(i + 1)
		c.line, c.cr = 0, false
		rest = rest[i+1:]
	}
	if c.cr {
		pairs++ // not yet known to be bare
	}
	if crs != pairs {
		c.bad = errBareNewline
	}
}

func (c *byteCheck) lengthen(n int) {
	if c.line += int64(n); c.line > c.maxLine && c.bad == nil {
		c.bad = errLongLine
	}
}

// finish says what is wrong with the whole.
func (c *byteCheck) finish() *reply.Error {
	if c.cr && c.bad == nil {
		c.bad = errBareNewline
	}
	return c.bad
}
