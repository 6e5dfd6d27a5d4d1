package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// imapConn is a client that does little, so that what is measured is the server.
type imapConn struct {
	conn net.Conn
	r    *bufio.Reader
	tag  int
}

func (l *lab) imap(user string) (*imapConn, error) {
	c, err := l.imapGreeted(4 << 10)
	if err != nil {
		return nil, err
	}
	_, err = c.do("LOGIN " + user + " " + password)
	return c, err
}

func (l *lab) imapGreeted(buffer int) (*imapConn, error) {
	conn, err := tls.Dial("tcp", l.address(993), clientTLS())
	if err != nil {
		return nil, err
	}
	c := &imapConn{conn: conn, r: bufio.NewReaderSize(conn, buffer)}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(line, []byte("* OK")) {
		return nil, fmt.Errorf("greeting: %s", line)
	}
	return c, nil
}

func (c *imapConn) close() { c.conn.Close() }

// reply is what came for one command: the lines without a literal's bytes, and how many untagged lines and bytes there were.
type reply struct {
	lines int
	bytes int64
	last  string // the last untagged line
	text  string // the tagged line after OK
}

// do sends a command and reads up to its tagged reply, which must be OK.
func (c *imapConn) do(command string) (reply, error) {
	tag, err := c.send(command)
	if err != nil {
		return reply{}, err
	}
	return c.wait(tag)
}

func (c *imapConn) send(command string) (string, error) {
	c.tag++
	tag := fmt.Sprintf("B%d ", c.tag)
	_, err := io.WriteString(c.conn, tag+command+"\r\n")
	return tag, err
}

func (c *imapConn) wait(tag string) (reply, error) {
	var r reply
	for {
		line, err := c.line(&r)
		if err != nil {
			return r, err
		}
		if bytes.HasPrefix(line, []byte(tag)) {
			rest := string(bytes.TrimSpace(line[len(tag):]))
			if !strings.HasPrefix(rest, "OK") {
				return r, fmt.Errorf("%s", rest)
			}
			r.text = rest
			return r, nil
		}
		r.lines++
		if len(line) < 512 {
			r.last = string(line)
		}
	}
}

// line reads a line and passes over the literals in it; what it gives is valid until the next read.
func (c *imapConn) line(r *reply) ([]byte, error) {
	for {
		line, err := c.r.ReadSlice('\n')
		r.bytes += int64(len(line))
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !bytes.HasSuffix(line, []byte("}\r\n")) {
			return line, nil
		}
		open := bytes.LastIndexByte(line, '{')
		if open < 0 {
			return line, nil
		}
		n, err := strconv.ParseInt(string(line[open+1:len(line)-3]), 10, 64)
		if err != nil {
			return line, nil
		}
		if _, err := io.CopyN(io.Discard, c.r, n); err != nil {
			return nil, err
		}
		r.bytes += n
	}
}

// messages is how many messages STATUS sees.
func (c *imapConn) messages(mailbox string) (int, error) {
	r, err := c.do("STATUS " + mailbox + " (MESSAGES)")
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(r.last, "(MESSAGES ")
	if !ok {
		return 0, fmt.Errorf("no count in %q", r.last)
	}
	return strconv.Atoi(strings.TrimRight(rest, ")\r\n"))
}
