package managesieve

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// lineBytes bounds a command's lines, the literals in them apart: two quoted strings of the longest and a word.
	lineBytes = 4 << 10
	// wordBytes bounds the name of a command, and a number.
	wordBytes = 32
	// mostArguments is how many are read of a command that takes fewer, or is none.
	mostArguments = 8
)

// misspelt is what is no command. After a fatal one nobody knows where the next command would start.
type misspelt struct {
	code, text string
	fatal      bool
}

func (e *misspelt) Error() string { return e.text }

func wrong(text string) error    { return &misspelt{text: text} }
func hopeless(text string) error { return &misspelt{text: text, fatal: true} }

// argument is a string or a number as it was sent.
type argument struct {
	data   []byte
	number bool
	excess int64 // the length of a literal that was too long and was thrown away
}

// request is a command as it was sent.
type request struct {
	command command
	args    []argument
}

// readCommand reads a command to the end of its line. What follows is the next command, however pipelined.
func (s *session) readCommand() (request, error) {
	s.began = time.Time{}
	if _, err := s.in.Peek(1); err != nil {
		return request{}, err
	}
	s.began = time.Now()
	line := newLineReader(s)
	req, err := line.request()
	if e, misspelt := err.(*misspelt); misspelt && !e.fatal {
		return req, line.recover(e)
	}
	return req, err
}

// readString reads a line that is one string: a response to a challenge. RFC 5804 2.1
func (s *session) readString() (argument, error) {
	s.began = time.Now()
	line := newLineReader(s)
	a, err := line.argument(aName)
	if err == nil && a.number {
		err = wrong("A response is a string")
	}
	if err == nil {
		err = line.end()
	}
	if e, misspelt := err.(*misspelt); misspelt && !e.fatal {
		return a, line.recover(e)
	}
	return a, err
}

// lineReader reads the parts of one command. RFC 5804 4
type lineReader struct {
	*session
	left  int   // octets that the line may still have
	room  int64 // octets that the literals of a stranger may still have
	ended bool  // its LF was read
	last  byte  // of the line
}

func newLineReader(s *session) *lineReader {
	return &lineReader{session: s, left: lineBytes, room: smallLiteral}
}

// octet reads one.
func (l *lineReader) octet() (byte, error) {
	if l.left--; l.left < 0 {
		return 0, wrong("The line is too long")
	}
	c, err := l.in.ReadByte()
	if err != nil {
		return 0, unexpected(err)
	}
	if l.ended = c == '\n'; !l.ended && c != '\r' {
		l.last = c
	}
	return c, nil
}

// unexpected makes the end of the connection within a command known as that.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// peek looks at the next octet.
func (l *lineReader) peek() (byte, error) {
	b, err := l.in.Peek(1)
	if err != nil {
		return 0, unexpected(err)
	}
	return b[0], nil
}

// request reads a command and its arguments.
func (l *lineReader) request() (req request, err error) {
	name, err := l.word()
	if err != nil {
		return req, err
	}
	if foreign(name) && l.account == 0 {
		return req, hopeless("This is ManageSieve")
	}
	req.command = commandOf(name)
	for {
		more, err := l.more()
		if err != nil {
			return req, err
		}
		if !more {
			return req, req.fits()
		}
		if len(req.args) == mostArguments {
			return req, wrong("There are too many arguments")
		}
		a, err := l.argument(req.command.argument(len(req.args)))
		if err != nil {
			return req, err
		}
		req.args = append(req.args, a)
	}
}

// foreign recognises the first word of other protocols, which a page in a browser can be made to send here.
func foreign(name string) bool {
	switch name {
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "DELETE", "CONNECT", "TRACE", "PRI", "EHLO", "HELO":
		return true
	}
	return false
}

// word reads letters and digits, and gives them in capitals.
func (l *lineReader) word() (string, error) {
	var word []byte
	for {
		c, err := l.peek()
		if err != nil {
			return "", err
		}
		if !isWord(c) {
			break
		}
		if len(word) == wordBytes {
			return "", wrong("There is no such command")
		}
		if _, err := l.octet(); err != nil {
			return "", err
		}
		word = append(word, c)
	}
	if len(word) == 0 {
		return "", wrong("A command starts with its name")
	}
	return strings.ToUpper(string(word)), nil
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// more reads the space before an argument, or the end of the line.
func (l *lineReader) more() (bool, error) {
	c, err := l.peek()
	if err != nil {
		return false, err
	}
	if c != ' ' {
		return false, l.end()
	}
	_, err = l.octet()
	return true, err
}

// end reads the end of the line.
func (l *lineReader) end() error {
	for _, want := range []byte("\r\n") {
		c, err := l.octet()
		if err != nil {
			return err
		}
		if c != want {
			return wrong("Something stands where the line should end with CR LF")
		}
	}
	return nil
}

// argument reads a string or a number where a kind is expected, which decides how long a literal may be.
func (l *lineReader) argument(k kind) (argument, error) {
	c, err := l.peek()
	switch {
	case err != nil:
		return argument{}, err
	case c == '"':
		return l.quoted()
	case c == '{':
		return l.literal(k)
	case c >= '0' && c <= '9':
		word, err := l.word()
		return argument{data: []byte(word), number: true}, err
	}
	return argument{}, wrong("An argument is a quoted string, a literal or a number")
}

// quoted reads a quoted string.
func (l *lineReader) quoted() (a argument, err error) {
	if _, err := l.octet(); err != nil {
		return a, err
	}
	a.data = make([]byte, 0, 64)
	for n := 0; ; n++ {
		c, err := l.octet()
		if err != nil {
			return a, err
		}
		if c == '"' {
			return a, nil
		}
		escaped := c == '\\'
		if escaped {
			n++
			if c, err = l.octet(); err != nil {
				return a, err
			}
		}
		switch {
		case n >= maxQuoted:
			return a, wrong(fmt.Sprintf("A quoted string has at most %d octets; send a literal", maxQuoted))
		case c == '\r' || c == '\n' || c == 0:
			return a, wrong("A quoted string ends on its line")
		case escaped && c != '"' && c != '\\':
			return a, wrong("In a quoted string a backslash stands before a quote or a backslash")
		}
		a.data = append(a.data, c)
	}
}

// recover reads on to the end of a line that is none. If a literal may follow it, no one can tell its octets from commands.
func (l *lineReader) recover(e *misspelt) error {
	for n := 0; !l.ended; n++ {
		if n == lineBytes {
			return hopeless(e.text)
		}
		l.left = 1
		if _, err := l.octet(); err != nil {
			return err
		}
	}
	if l.last == '}' {
		return hopeless(e.text)
	}
	return e
}
