package grammar

import "io"

// Limits bound what one client can make a session hold. Sizes are bytes.
type Limits struct {
	Command     int   // one command with its literals, messages of APPEND apart
	Literal     int   // one literal, messages of APPEND apart
	Message     int64 // one message of APPEND
	Skip        int64 // of a refused command, read and dropped before the connection is given up
	Depth       int   // nesting of parentheses
	Ranges      int   // elements of the number sets of one command
	Elements    int   // members of all other lists of one command: flags, items, keys, patterns
	AppendItems int   // messages of one APPEND
}

// BeforeLogin are the limits for a client that nobody knows yet.
func BeforeLogin() Limits {
	return Limits{Command: 8 << 10, Literal: 4 << 10, Message: 0, Skip: 64 << 10, Depth: 50, Ranges: 100, Elements: 100}
}

// AfterLogin are the limits for a user; message is the largest message that
// APPEND takes. Long sets of UIDs are usual, in QRESYNC above all.
func AfterLogin(message int64) Limits {
	return Limits{Command: 1 << 20, Literal: 256 << 10, Message: message, Skip: message + 16<<20, Depth: 50,
		Ranges: 200_000, Elements: 10_000, AppendItems: 10_000}
}

// Literal is what a client announced in braces.
type Literal struct {
	Tag     string
	Command string // name, as in Request
	Size    int64
	Message bool // a message of APPEND
}

// Reader reads the commands of one connection. It is not safe for concurrent use.
type Reader struct {
	// Invite is called when a synchronising literal has passed the limits: the
	// session sends "+ …" and flushes. An *Error that it returns refuses the
	// literal and is the result of the command; any other error ends the
	// connection. RFC 9051 4.3
	Invite func(Literal) error
}

// NewReader reads from r.
func NewReader(r io.Reader, lim Limits, invite func(Literal) error) *Reader { panic("not yet") }

// SetLimits changes the limits from the next command on, after a login.
func (r *Reader) SetLimits(l Limits) { panic("not yet") }

// SetUTF8 says that the client has enabled IMAP4rev2 or UTF8=ACCEPT: mailbox names
// are UTF-8 instead of modified UTF-7, and quoted strings may hold UTF-8.
// RFC 9051 5.1, RFC 6855 3
func (r *Reader) SetUTF8(on bool) { panic("not yet") }

// Buffered is how many bytes were read from the connection and not yet used:
// more than 0 means the client has pipelined.
func (r *Reader) Buffered() int { panic("not yet") }

// Reset goes on with another stream, as COMPRESS needs. The bytes already read
// from the old one are returned and forgotten: they belong before what the new
// stream decodes (COMPRESS), or are an injection (STARTTLS).
func (r *Reader) Reset(src io.Reader) []byte { panic("not yet") }

// ReadCommand reads one command. An *Error is to be answered (see Error) and
// reading goes on, unless it is Fatal; any other error is the connection's, io.EOF
// when the client left between two commands.
func (r *Reader) ReadCommand() (*Request, error) { panic("not yet") }

// ReadDone reads the line that ends IDLE; an *Error says it was another line, which
// ends IDLE too (with BAD). RFC 9051 6.3.13
func (r *Reader) ReadDone() error { panic("not yet") }

// ReadSASL reads one response of AUTHENTICATE and decodes its base64. "*" gives an
// *Error that answers BAD, as RFC 9051 6.2.2 wants for a cancelled exchange.
func (r *Reader) ReadSASL() ([]byte, error) { panic("not yet") }

// Next is the next message of an APPEND, io.EOF after the last one. A message
// that was not read to its end is skipped. RFC 3502
func (a *Append) Next() (*AppendItem, error) { panic("not yet") }

// Read reads the message; io.EOF comes after exactly Size bytes.
func (i *AppendItem) Read(p []byte) (int, error) { panic("not yet") }
