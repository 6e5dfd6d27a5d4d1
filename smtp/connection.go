package smtp

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"time"

	"postern/internal/proxyproto"
	"postern/internal/reply"
)

// connection is one session: its wire, what the backend knows of it, and the transaction it is in. One goroutine runs
// it; the only part that others touch is the wire's drain.
type connection struct {
	*wire
	server  *Server
	session Session
	limits  Limits
	ctx     context.Context
	cancel  context.CancelFunc

	connected   bool          // Backend.Connect was called
	throttled   func()        // gives the Throttle's place back
	certificate []byte        // what was shown in the TLS handshake
	began       time.Time     // by the system's clock
	progress    time.Time     // when the session last got anywhere
	transaction *transaction  // nil outside MAIL … end of data
	elapsed     time.Duration // of the session, once over

	transactions, accepted int
	idleCommands           int // since the last accepted message, without RCPT and BDAT
	countedCommands        int // without BDAT
	errors, refusedRcpts   int
	authFailures           int
	lastCode               int
	unread                 bool   // closed while the client may still be sending
	end                    string // why the session ended, for the log
}

func newConnection(s *Server, conn net.Conn, limits Limits) *connection {
	now := time.Now()
	own := proxyproto.Own(conn)
	c := &connection{
		wire:     newWire(conn, s.buffers, limits.IdleTimeout),
		server:   s,
		limits:   limits,
		began:    now,
		progress: now,
		session: Session{
			ID:      rand.Text()[:16],
			Role:    s.Role,
			Remote:  own.Source,
			Local:   own.Destination,
			Started: s.Clock.Now(),
		},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// run is the life of a session.
func (c *connection) run() {
	defer c.cancel()
	defer c.close()
	defer c.recover()
	if c.open() {
		c.converse()
	}
}

// Wake has a session that waits for a command notice that the server shuts down.
func (c *connection) Wake() { c.drain() }

// Cut ends the connection, and what is done for it.
func (c *connection) Cut() {
	c.cancel()
	_ = c.raw.Close()
}

// recover turns a fault of ours into the end of one session.
func (c *connection) recover() {
	fault := recover()
	if fault == nil {
		return
	}
	c.server.Log.Error("smtp session panicked", "session", c.session.ID, "panic", fault, "stack", string(debug.Stack()))
	c.end = "panic"
	c.say(421, "4.3.0", "Internal error, closing connection")
}

// converse answers commands until the session ends.
func (c *connection) converse() {
	for {
		line, err := c.readCommand()
		if err == nil {
			err = c.execute(line)
		}
		if err != nil && !c.answer(err) {
			return
		}
	}
}

// readCommand waits for the next command line.
func (c *connection) readCommand() ([]byte, error) {
	c.wait(c.transaction == nil)
	defer c.wait(false)
	if c.transaction == nil && c.isDraining() {
		return nil, errDraining
	}
	return c.readLine(maxAuthLine, c.commandDeadline())
}

// commandDeadline is until when the next command must have come, idle timeout aside.
func (c *connection) commandDeadline() time.Time {
	deadline := c.progress.Add(c.limits.SessionTimeout)
	if c.server.Role.authenticates() && c.session.Identity == nil {
		if login := c.began.Add(c.limits.LoginTimeout); login.Before(deadline) {
			deadline = login
		}
	}
	if t := c.transaction; t != nil && t.intake != nil && t.intake.deadline().After(deadline) {
		deadline = t.intake.deadline() // between chunks
	}
	return deadline
}

// answer replies to an error of a command and reports whether the session goes on.
func (c *connection) answer(err error) bool {
	switch e := err.(type) {
	case farewell:
		c.sayError(e.reply)
		c.unread = e.reply.Code != 221
		c.end = e.reply.Text
		return false
	case *reply.Error:
		c.sayError(e)
		if e.Code >= 500 {
			return c.countError()
		}
		return true
	}
	switch err {
	case errLineTooLong:
		c.say(500, "5.5.2", "Line too long")
		return c.countError()
	case errBareLF:
		c.say(500, "5.5.2", "Lines end with CR LF")
		return c.countError()
	}
	return c.lost(err)
}

// countError ends a session that has made too many mistakes.
func (c *connection) countError() bool {
	c.errors++
	if c.errors <= c.limits.MaxErrors {
		return true
	}
	c.say(421, "4.7.0", "Too many errors, closing connection")
	c.end, c.unread = "too many errors", true
	return false
}

// lost ends a session whose connection failed, telling the client why where it may still listen.
func (c *connection) lost(err error) bool {
	switch {
	case errors.Is(err, errDraining), isTimeout(err) && c.isDraining():
		c.end = "shutdown"
		c.lastWords(421, "4.3.2", c.server.Hostname+" Service shutting down, please try again later")
	case isTimeout(err):
		c.end = "timeout"
		c.lastWords(421, "4.4.2", c.server.Hostname+" Timed out, closing connection")
	case errors.Is(err, errNoLineEnd):
		c.end, c.unread = "endless line", true
		c.say(500, "5.5.2", "Line too long, closing connection")
	case errors.Is(err, io.EOF):
		c.end = "client left"
	default:
		c.end = "connection failed: " + err.Error()
	}
	return false
}

// lastWords writes although reading has failed: a timeout of the one direction leaves the other open.
func (c *connection) lastWords(code int, enhanced, text string) {
	if c.deaf {
		return
	}
	c.err = nil
	c.say(code, enhanced, text)
	_ = c.flush()
	c.err = net.ErrClosed
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// reset ends the transaction, if any (RFC 5321 4.1.1.5).
func (c *connection) reset() {
	if c.transaction != nil {
		c.transaction.abort()
		c.transaction = nil
	}
}

// close sends what is pending and ends everything.
func (c *connection) close() {
	c.reset()
	_ = c.flush()
	c.consume(len(c.buffered()))
	c.release()
	if c.unread {
		c.linger()
	}
	_ = c.conn.Close()
	if d, ok := c.server.Backend.(Disconnecter); ok && c.connected {
		d.Disconnect(&c.session)
	}
	if c.throttled != nil {
		c.throttled()
	}
	c.logEnd()
	c.server.sessions.Leave(c)
}

const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 64 << 10
)

// linger reads a little of what the client still sends, since closing a socket with unread input resets it, and a reset
// may take the last reply away from the client.
func (c *connection) linger() {
	if t, ok := c.conn.(*tls.Conn); ok {
		_ = c.raw.SetWriteDeadline(time.Now().Add(lingerTime))
		_ = t.CloseWrite()
	}
	half, ok := c.raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || c.raw.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	var sink [1024]byte
	for n := 0; n < lingerBytes; {
		m, err := c.raw.Read(sink[:])
		if n += m; err != nil {
			return
		}
	}
}
