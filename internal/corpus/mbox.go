package corpus

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// isSeparator tells whether a line begins a message of an mbox: `From `, somebody, and a date with a time and a year.
// Text that merely begins with the word does not pass. Programs differ in how they write the date (RFC 4155 Appendix A).
func isSeparator(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("From "))
	if !ok || len(rest) > 1000 {
		return false
	}
	var clock, year bool
	words := 0
	for word := range bytes.FieldsSeq(rest) {
		words++
		clock = clock || isClock(word)
		year = year || len(word) == 4 && allDigits(word)
	}
	return words >= 3 && clock && year
}

// isClock accepts 12:34 and 12:34:56.
func isClock(word []byte) bool {
	if len(word) != 5 && len(word) != 8 {
		return false
	}
	for i, c := range word {
		if (i%3 == 2) != (c == ':') || i%3 != 2 && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func allDigits(word []byte) bool {
	for _, c := range word {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func firstLine(head []byte) []byte {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return line
}

// dropSeparator drops a `From ` line, of whatever form, before a message. A header field of that name has a colon.
func dropSeparator(in *bufio.Reader) {
	head, _ := in.Peek(512)
	if !bytes.HasPrefix(head, []byte("From ")) && !bytes.HasPrefix(head, []byte(">From ")) {
		return
	}
	for {
		if _, err := in.ReadSlice('\n'); err != bufio.ErrBufferFull {
			return
		}
	}
}

// mbox takes an mbox apart.
func (r *reading) mbox(in *bufio.Reader, name string) {
	m := mboxReader{r: r, name: name, blank: true}
	lineStart := true
	for !r.ended {
		piece, err := in.ReadSlice('\n')
		if lineStart {
			m.line(piece)
		} else {
			m.add(piece)
		}
		lineStart = err != bufio.ErrBufferFull
		switch {
		case err == io.EOF:
			m.end()
			return
		case err != nil && err != bufio.ErrBufferFull:
			m.end()
			r.fail(name, err)
			return
		}
	}
}

// mboxReader gathers one message after the other.
type mboxReader struct {
	r        *reading
	name     string
	n        int // messages begun
	blank    bool
	tooLarge bool
}

// line takes what begins a line.
func (m *mboxReader) line(piece []byte) {
	if m.blank && isSeparator(piece) {
		m.end()
		m.begin()
		return
	}
	if m.n == 0 {
		m.begin() // no `From ` line before the first message
	}
	m.blank = len(bytes.TrimRight(piece, "\r\n")) == 0
	m.add(unquoted(piece))
}

// unquoted takes back what was done to lines of a text that begin with From: `>From` was `From`, `>>From` was `>From`.
func unquoted(line []byte) []byte {
	if bytes.HasPrefix(line, []byte(">")) && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
		return line[1:]
	}
	return line
}

func (m *mboxReader) begin() {
	m.n++
	m.r.buf, m.blank, m.tooLarge = m.r.buf[:0], false, false
}

func (m *mboxReader) add(piece []byte) {
	if int64(len(m.r.buf)+len(piece)) > m.r.limits.MessageBytes {
		m.tooLarge = true
	}
	if !m.tooLarge {
		m.r.buf = append(m.r.buf, piece...)
	}
}

// end hands over the message that was gathered. The empty line before the next `From ` line is not part of it.
func (m *mboxReader) end() {
	if m.n == 0 {
		return
	}
	name := strconv.Itoa(m.n)
	if m.name != "" {
		name = m.name + "/" + name
	}
	if m.tooLarge {
		m.r.fail(name, fmt.Errorf("%w: over %d bytes", ErrTooLarge, m.r.limits.MessageBytes))
		return
	}
	body := m.r.buf
	if m.blank {
		body = bytes.TrimSuffix(bytes.TrimSuffix(body, []byte("\n")), []byte("\r"))
	}
	if len(body) > 0 {
		m.r.give(name, body)
	}
}
