package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"postern/internal/reply"
)

// errUnfit is the refusal of a message that cannot go over the wire as it is.
func errUnfit() error {
	return reply.New(554, "5.6.0", "The message holds a bare CR, a bare LF or a NUL and cannot be sent")
}

var blocks = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// copyBody sends the message with its dots doubled and the final dot behind it (RFC 5321 4.5.2).
func (c *Client) copyBody(ctx context.Context, body io.Reader) error {
	buf := blocks.Get().(*[]byte)
	defer blocks.Put(buf)
	d := dotWriter{w: c.w, start: true}
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			stop := c.arm(ctx, c.o.Timeouts.DataBlock)
			e := d.write((*buf)[:n])
			stop()
			if e != nil {
				return e
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.Close()
			return reply.Wrap(err, 451, "4.3.0", "The message could not be read here")
		}
	}
	stop := c.arm(ctx, c.o.Timeouts.DataBlock)
	defer stop()
	if err := d.end(); err != nil {
		return err
	}
	return c.w.Flush()
}

// dotWriter doubles dots at the starts of lines and lets nothing pass but lines that end in CRLF. It never holds back
// more than it was given, and it looks at a whole piece before any of it goes.
type dotWriter struct {
	w     *bufio.Writer
	start bool // at the start of a line
	cr    bool // the last byte was a CR
}

func (d *dotWriter) write(p []byte) error {
	if !d.fit(p) {
		return errUnfit()
	}
	for len(p) > 0 {
		if d.start && p[0] == '.' {
			if err := d.w.WriteByte('.'); err != nil {
				return err
			}
		}
		line := p
		i := bytes.IndexByte(p, '\n')
		if i >= 0 {
			line = p[:i+1]
		}
		if _, err := d.w.Write(line); err != nil {
			return err
		}
		p = p[len(line):]
		d.start = i >= 0
	}
	return nil
}

// fit checks a piece, given how the one before ended: each CR is followed by LF, each LF follows a CR, no NUL.
func (d *dotWriter) fit(p []byte) bool {
	if bytes.IndexByte(p, 0) >= 0 {
		return false
	}
	for len(p) > 0 {
		if d.cr {
			if p[0] != '\n' {
				return false
			}
			d.cr = false
			p = p[1:]
			continue
		}
		lf := bytes.IndexByte(p, '\n')
		line := p
		if lf >= 0 {
			line = p[:lf]
		}
		cr := bytes.IndexByte(line, '\r')
		switch {
		case lf < 0 && cr < 0:
			return true
		case lf < 0: // a CR may be the last byte, its LF to come
			d.cr = cr == len(p)-1
			return d.cr
		case cr != lf-1 || cr < 0:
			return false
		}
		p = p[lf+1:]
	}
	return true
}

// end sends the final dot. A message whose last line has no end gets one.
func (d *dotWriter) end() error {
	if d.cr {
		return errUnfit()
	}
	end := ".\r\n"
	if !d.start {
		end = "\r\n.\r\n"
	}
	_, err := d.w.WriteString(end)
	return err
}
