package grammar

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"math"
	"strings"
)

// Literal is what a client announced in braces. RFC 9051 4.3
type Literal struct {
	Tag     string
	Command string // name, as in Request
	Size    int64
	Message bool // a message of APPEND
}

// Reader reads the commands of one connection. It is not safe for concurrent
// use.
//
// Between two commands it holds a kilobyte and nothing else, so that ten
// thousand idle sessions are cheap. A longer command has a larger buffer until
// it is read.
type Reader struct {
	src    io.Reader
	invite func(Literal) error
	lim    Limits
	utf8   bool

	// The line being parsed is buf[pos:eol], then CRLF, then bytes of what
	// follows up to filled. Strings of the tree are copies, so what was parsed is
	// forgotten when the next line is read.
	buf              []byte
	pos, eol, filled int
	next             int // first byte after the line and its CRLF
	phase            phase
	left             int64 // bytes of the open literal that are still to come

	used     int // bytes of this command so far
	ranges   int
	elements int
	depth    int
	tag      string
	name     string
	charset  *charset
	append   *Append
	err      error // the first error in this command: what is parsed after it is void

	scratch []byte // of upper
	small   [1024]byte
	names   [32]byte
}

// phase says what of the current command is still on the wire.
type phase uint8

const (
	between   phase = iota // nothing
	inLine                 // a line is buffered, and how it ends decides
	inLiteral              // left bytes, then a line
	wantLine               // a line
)

// NewReader reads from src. Invite is called when a synchronising literal has
// passed the limits: the session sends "+ …" and flushes. An *Error that it
// returns refuses the literal and is the result of the command; any other error
// ends the connection. RFC 9051 4.3
func NewReader(src io.Reader, lim Limits, invite func(Literal) error) *Reader {
	r := &Reader{src: src, lim: lim, invite: invite}
	r.buf = r.small[:]
	r.scratch = r.names[:0]
	return r
}

// SetLimits changes the limits from the next command on, after a login.
func (r *Reader) SetLimits(l Limits) { r.lim = l }

// SetUTF8 says that the client has enabled IMAP4rev2 or UTF8=ACCEPT: mailbox
// names are UTF-8 instead of modified UTF-7. RFC 9051 5.1, RFC 6855 3
func (r *Reader) SetUTF8(on bool) { r.utf8 = on }

// Buffered is how many bytes were read from the connection beyond the current
// command: more than 0 means that the client has sent more.
func (r *Reader) Buffered() int {
	switch r.phase {
	case inLine:
		return r.filled - r.next
	default:
		return r.filled - r.pos
	}
}

// Reset goes on with another stream, between two commands. The bytes already
// read from the old one are returned and forgotten: COMPRESS feeds them to the
// inflater (RFC 4978 4), after STARTTLS they are an injection.
func (r *Reader) Reset(src io.Reader) []byte {
	r.finishLine()
	rest := bytes.Clone(r.buf[r.pos:r.filled])
	r.src = src
	r.buf, r.pos, r.eol, r.next, r.filled = r.small[:], 0, 0, 0, 0
	r.phase, r.left = between, 0
	return rest
}

// ReadCommand reads one command. An *Error is to be answered, and reading goes
// on unless it is Fatal; any other error is the connection's: io.EOF when the
// client left between two commands.
func (r *Reader) ReadCommand() (*Request, error) {
	if err := r.drain(); err != nil {
		return nil, r.classify(err)
	}
	r.used, r.ranges, r.elements, r.depth = 0, 0, 0, 0
	r.tag, r.name, r.charset, r.err = "", "", nil, nil
	r.shrink()
	for {
		if err := r.readLine(); err != nil {
			return nil, r.classify(err)
		}
		// An empty line is no command. Some clients send one after a literal that
		// they were refused.
		if r.pos < r.eol {
			break
		}
		r.pos, r.phase = r.next, between
	}
	cmd := r.parseCommand()
	if r.err != nil {
		return nil, r.classify(r.err)
	}
	if a, ok := cmd.(*Append); ok {
		r.append = a
	} else {
		r.finishLine()
	}
	return &Request{Tag: r.tag, Name: r.name, Command: cmd}, nil
}

// ReadDone reads the line that ends IDLE. An *Error says it was another line,
// which ends IDLE with BAD. RFC 9051 6.3.13
func (r *Reader) ReadDone() error {
	r.used, r.err = 0, nil
	r.shrink()
	if err := r.readLine(); err != nil {
		return r.classify(err)
	}
	if !strings.EqualFold(string(r.buf[r.pos:r.eol]), "DONE") {
		return r.classify(bad("IDLE ends with DONE"))
	}
	r.finishLine()
	return nil
}

// ReadSASL reads one response of AUTHENTICATE and decodes its base64. "*", by
// which a client cancels, is an *Error that answers BAD. RFC 9051 6.2.2
func (r *Reader) ReadSASL() ([]byte, error) {
	r.used, r.err = 0, nil
	if err := r.readLine(); err != nil {
		return nil, r.classify(err)
	}
	line := r.buf[r.pos:r.eol]
	if len(line) == 1 && line[0] == '*' {
		return nil, r.classify(bad("Authentication cancelled"))
	}
	resp := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	n, err := base64.StdEncoding.Strict().Decode(resp, line)
	if err != nil {
		return nil, r.classify(bad("The response is not base64"))
	}
	r.finishLine()
	return resp[:n], nil
}

// finishLine leaves a line that has been parsed.
func (r *Reader) finishLine() {
	if r.phase == inLine {
		r.pos, r.phase = r.next, between
	}
}

// classify completes an *Error with what is known of the command and of what
// is still to come of it.
func (r *Reader) classify(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		if r.phase != between && err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	if e.Tag == "" {
		e.Tag = r.tag
	}
	if e.Command == "" {
		e.Command = r.name
	}
	// What cannot be skipped within reason ends the connection. RFC 7888 4
	if r.phase == inLine {
		if h, ok := literalAtEnd(r.buf[r.pos:r.eol]); ok && !h.sync && h.size > r.lim.Skip {
			e.Fatal = true
		}
	}
	if r.phase == inLiteral && r.left > r.lim.Skip {
		e.Fatal = true
	}
	return e
}

// drain reads and drops what is left of the current command.
func (r *Reader) drain() error {
	r.append = nil
	budget := r.lim.Skip
	for {
		switch r.phase {
		case between:
			return nil
		case inLine:
			h, ok := literalAtEnd(r.buf[r.pos:r.eol])
			r.pos, r.phase = r.next, between
			// A synchronising literal was not invited, so it does not come.
			if ok && !h.sync {
				r.left, r.phase = h.size, inLiteral
			}
		case inLiteral:
			if r.left > budget {
				return r.lost()
			}
			budget -= r.left
			if err := r.discardLiteral(); err != nil {
				return err
			}
		case wantLine:
			n, err := r.skipLine(budget)
			if err != nil {
				return err
			}
			budget -= n
		}
	}
}

// lost is the answer to a client whose refused command does not end.
func (r *Reader) lost() error {
	return &Error{Fatal: true, Code: "LIMIT", Text: "The rest of the command is too long"}
}

// fill reads more bytes behind filled, into a larger buffer when this one is full.
func (r *Reader) fill() error {
	if r.pos > 0 {
		copy(r.buf, r.buf[r.pos:r.filled])
		r.filled -= r.pos
		r.pos = 0
	}
	if r.filled == len(r.buf) {
		bigger := make([]byte, 2*len(r.buf)+2048)
		copy(bigger, r.buf[:r.filled])
		r.buf = bigger
	}
	for range 100 {
		n, err := r.src.Read(r.buf[r.filled:])
		r.filled += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// shrink goes back to the small buffer when what is buffered fits in it.
func (r *Reader) shrink() {
	if len(r.buf) == len(r.small) || r.filled-r.pos > len(r.small) {
		return
	}
	r.filled = copy(r.small[:], r.buf[r.pos:r.filled])
	r.buf, r.pos = r.small[:], 0
}

// readLine makes the next line current. Its bytes count for the command.
func (r *Reader) readLine() error {
	was := r.phase
	if was == inLine {
		r.pos = r.next
	}
	r.phase = wantLine
	scanned := 0
	for {
		if i := bytes.IndexByte(r.buf[r.pos+scanned:r.filled], '\n'); i >= 0 {
			r.next = r.pos + scanned + i + 1
			break
		}
		scanned = r.filled - r.pos
		if r.used+scanned > r.lineLimit() {
			r.recoverTag(was)
			return refused("LIMIT", "The command is too long")
		}
		if scanned == 0 && was == between {
			r.phase = between
		}
		if err := r.fill(); err != nil {
			if scanned > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		r.phase = wantLine
	}
	r.phase = inLine
	r.used += r.next - r.pos
	r.eol = r.next - 1
	if r.eol == r.pos || r.buf[r.eol-1] != '\r' {
		r.recoverTag(was)
		return bad("A line must end with CR LF")
	}
	r.eol--
	if r.used > r.lineLimit() {
		r.recoverTag(was)
		return refused("LIMIT", "The command is too long")
	}
	return nil
}

// lineLimit is the limit for the command whose first line is being read. ID may
// be longer than others: its own rules allow what they are bounded to.
func (r *Reader) lineLimit() int {
	if r.lim.ID <= r.lim.Command {
		return r.lim.Command
	}
	if r.name == "ID" {
		return r.lim.ID
	}
	if r.name == "" {
		_, rest, _ := bytes.Cut(r.buf[r.pos:min(r.filled, r.pos+300)], []byte(" "))
		if len(rest) > 2 && strings.EqualFold(string(rest[:3]), "ID ") {
			return r.lim.ID
		}
	}
	return r.lim.Command
}

// recoverTag finds the tag of a command whose first line could not be read.
func (r *Reader) recoverTag(was phase) {
	if was != between || r.tag != "" {
		return
	}
	line := r.buf[r.pos:min(r.filled, r.pos+maxTag+1)]
	n := 0
	for n < len(line) && is(line[n], tagChar) {
		n++
	}
	if n > 0 && n < len(line) && line[n] == ' ' {
		r.tag = string(line[:n])
	}
}

// skipLine drops a line of at most budget bytes, keeping of it what its end
// says about a literal.
func (r *Reader) skipLine(budget int64) (int64, error) {
	const tail = 32 // longer than the announcement of any literal that can come
	var n int64
	for {
		if i := bytes.IndexByte(r.buf[r.pos:r.filled], '\n'); i >= 0 {
			r.next = r.pos + i + 1
			r.eol = r.next - 1
			if r.eol > r.pos && r.buf[r.eol-1] == '\r' {
				r.eol--
			}
			r.phase = inLine
			return n + int64(i) + 1, nil
		}
		if drop := r.filled - r.pos - tail; drop > 0 {
			r.pos += drop
			n += int64(drop)
		}
		if n > budget {
			return n, r.lost()
		}
		if err := r.fill(); err != nil {
			return n, err
		}
	}
}

// literalHeader is {n}, {n+}, ~{n} or ~{n+} at the end of a line.
type literalHeader struct {
	size   int64
	sync   bool
	binary bool
	start  int // where it starts in the line
}

// literalAtEnd recognises the literal that a line announces.
func literalAtEnd(line []byte) (literalHeader, bool) {
	i := len(line) - 1
	if i < 2 || line[i] != '}' {
		return literalHeader{}, false
	}
	h := literalHeader{sync: true}
	i--
	if line[i] == '+' {
		h.sync = false
		i--
	}
	last := i
	for i >= 0 && is(line[i], digit) {
		i--
	}
	for _, c := range line[i+1 : last+1] {
		if h.size > math.MaxInt64/10-1 {
			h.size = math.MaxInt64 // more than anyone has, so it is refused as too big
			break
		}
		h.size = h.size*10 + int64(c-'0')
	}
	if i == last || i < 0 || line[i] != '{' {
		return literalHeader{}, false
	}
	h.start = i
	if i > 0 && line[i-1] == '~' {
		h.binary = true
		h.start--
	}
	return h, true
}

// openLiteral moves from the end of the line to the bytes of the literal that it
// announces, inviting them when that is needed.
func (r *Reader) openLiteral(h literalHeader, message bool) error {
	if h.sync && r.invite != nil {
		err := r.invite(Literal{Tag: r.tag, Command: r.name, Size: h.size, Message: message})
		if err != nil {
			return err
		}
	}
	r.pos = r.next
	r.left, r.phase = h.size, inLiteral
	return nil
}

// readLiteral reads from the open literal.
func (r *Reader) readLiteral(p []byte) (int, error) {
	if r.left == 0 {
		r.phase = wantLine
		return 0, io.EOF
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	var n int
	var err error
	if r.pos < r.filled {
		n = copy(p, r.buf[r.pos:r.filled])
		r.pos += n
	} else {
		n, err = r.src.Read(p)
		if n > 0 {
			err = nil // it will come again
		}
	}
	r.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// discardLiteral drops what is left of the open literal.
func (r *Reader) discardLiteral() error {
	if n := min(int64(r.filled-r.pos), r.left); n > 0 {
		r.pos += int(n)
		r.left -= n
	}
	if r.left > 0 {
		scratch := make([]byte, min(r.left, 32<<10))
		for r.left > 0 {
			if _, err := r.readLiteral(scratch); err != nil {
				return err
			}
		}
	}
	r.phase = wantLine
	return nil
}

// literalString reads a whole literal as a string. Memory grows as bytes arrive,
// not as they are announced.
func (r *Reader) literalString(h literalHeader) (string, error) {
	if h.size > int64(r.lim.Literal) {
		return "", refused("TOOBIG", "The literal is too long")
	}
	r.used += int(h.size)
	if r.used > r.lineLimit() {
		return "", refused("LIMIT", "The command is too long")
	}
	if err := r.openLiteral(h, false); err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(int(min(h.size, 4096)))
	var chunk [2048]byte
	for r.left > 0 {
		n, err := r.readLiteral(chunk[:])
		b.Write(chunk[:n])
		if err != nil {
			return "", err
		}
	}
	r.phase = wantLine
	return b.String(), r.readLine()
}

func bad(text string) *Error           { return &Error{Text: text} }
func refused(code, text string) *Error { return &Error{No: true, Code: code, Text: text} }
