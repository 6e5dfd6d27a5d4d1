// Package client speaks SMTP to the servers that take our mail.
//
// It exists because delivering needs what general clients leave out: commands in one round trip (RFC 2920), a result for
// each recipient, timeouts for each phase (RFC 5321 4.5.3.2), the difference between "refused" and "not known", the
// sender's wishes carried on or honestly declined (RFC 3461, 6152, 6531, 8689), and a wire on which nothing but well-formed
// lines ever goes: a message with a bare CR, a bare LF or a NUL does not leave (SMTP smuggling, CVE-2023-51764 and kin).
//
// The road starts with a connection that the caller made: New reads the greeting and says EHLO, StartTLS secures it, Send
// carries one message, again and again, and Quit parts politely. What a server says is read within bounds and believed
// only as far as it concerns its own recipients.
package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Timeouts bound each phase of a session; a zero value means the default, which is RFC 5321 4.5.3.2's.
type Timeouts struct {
	Greeting  time.Duration // 5 minutes
	Command   time.Duration // 5 minutes: EHLO, MAIL, RCPT, RSET, AUTH
	TLS       time.Duration // 1 minute for a handshake
	DataStart time.Duration // 2 minutes until 354
	DataBlock time.Duration // 3 minutes for each block of the message to be taken
	DataEnd   time.Duration // 10 minutes for the reply to the final dot
	Quit      time.Duration // 5 seconds
}

func (t Timeouts) withDefaults() Timeouts {
	for _, f := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&t.Greeting, 5 * time.Minute}, {&t.Command, 5 * time.Minute}, {&t.TLS, time.Minute}, {&t.DataStart, 2 * time.Minute},
		{&t.DataBlock, 3 * time.Minute}, {&t.DataEnd, 10 * time.Minute}, {&t.Quit, 5 * time.Second},
	} {
		if *f.v <= 0 {
			*f.v = f.def
		}
	}
	return t
}

// Options say who we are and how long we wait.
type Options struct {
	// Hostname is the name in EHLO.
	Hostname string
	Timeouts Timeouts
}

// Client is one session with one server. It is used by one goroutine at a time.
type Client struct {
	o          Options
	conn       net.Conn
	r          *bufio.Reader
	w          *bufio.Writer
	greeting   Reply
	extensions map[string]string
	esmtp      bool
	tls        *tls.ConnectionState
	broken     bool // out of step with the server, or told 421
	sent       int
}

// Errors that end a session.
var (
	// ErrInjected: the server's words came before the TLS handshake was asked for and might be another's (CVE-2011-0411).
	ErrInjected = errors.New("data came in clear behind the reply to STARTTLS")
	// ErrNoTLS: the server offers no STARTTLS.
	ErrNoTLS = errors.New("the server does not offer STARTTLS")
	// ErrBroken: the session can no longer be used.
	ErrBroken = errors.New("the session is over")
)

// Phase is where in a session something happened.
type Phase string

// The phases.
const (
	PhaseGreeting Phase = "greeting"
	PhaseHello    Phase = "EHLO"
	PhaseTLS      Phase = "STARTTLS"
	PhaseAuth     Phase = "AUTH"
	PhaseMail     Phase = "MAIL"
	PhaseRcpt     Phase = "RCPT"
	PhaseData     Phase = "DATA"
	PhaseEnd      Phase = "end of data"
	PhaseReset    Phase = "RSET"
)

// Error is a failure in a session: the server's refusal in Reply, or else what kept us from hearing it in Err.
type Error struct {
	Phase Phase
	Reply Reply
	Err   error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Phase, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Phase, e.Reply)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// New takes over a connection: it waits for the greeting and says EHLO, or HELO to a server that knows no better. After
// an error the connection is closed.
func New(ctx context.Context, conn net.Conn, o Options) (*Client, error) {
	return start(ctx, &Client{o: o}, conn)
}

// NewTLS is New for a connection that was under TLS from its first byte (RFC 8314 3.3), the handshake done.
func NewTLS(ctx context.Context, conn *tls.Conn, o Options) (*Client, error) {
	state := conn.ConnectionState()
	return start(ctx, &Client{o: o, tls: &state}, conn)
}

func start(ctx context.Context, c *Client, conn net.Conn) (*Client, error) {
	c.o.Timeouts = c.o.Timeouts.withDefaults()
	c.use(conn)
	reply, err := c.read(ctx, c.o.Timeouts.Greeting)
	if err == nil && reply.Code != 220 {
		err = &Error{Phase: PhaseGreeting, Reply: reply}
	}
	if err != nil {
		c.Close()
		return nil, inPhase(PhaseGreeting, err)
	}
	c.greeting = reply
	if err := c.hello(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) use(conn net.Conn) {
	c.conn = conn
	c.r = bufio.NewReaderSize(conn, maxReplyLine)
	c.w = bufio.NewWriterSize(conn, 32<<10)
}

// hello says EHLO and notes what the server offers (RFC 5321 4.1.1.1).
func (c *Client) hello(ctx context.Context) error {
	c.extensions, c.esmtp = make(map[string]string), false
	reply, err := c.command(ctx, PhaseHello, c.o.Timeouts.Command, "EHLO "+c.o.Hostname)
	if err != nil {
		return err
	}
	if reply.Code == 250 {
		c.esmtp = true
		for _, line := range reply.Lines[1:] {
			name, params, _ := strings.Cut(line, " ")
			c.extensions[strings.ToUpper(name)] = params
		}
		return nil
	}
	if reply.Code/100 != 5 {
		return &Error{Phase: PhaseHello, Reply: reply}
	}
	// RFC 5321 3.2: a server that refuses EHLO may know HELO.
	if reply, err = c.command(ctx, PhaseHello, c.o.Timeouts.Command, "HELO "+c.o.Hostname); err != nil {
		return err
	}
	if reply.Code != 250 {
		return &Error{Phase: PhaseHello, Reply: reply}
	}
	return nil
}

// Extension tells whether the server offers an extension, and its parameters.
func (c *Client) Extension(name string) (params string, ok bool) {
	params, ok = c.extensions[name]
	return params, ok
}

func (c *Client) has(name string) bool {
	_, ok := c.extensions[name]
	return ok
}

// TLS is the state of the connection's TLS, nil in clear.
func (c *Client) TLS() *tls.ConnectionState { return c.tls }

// LocalAddr is our end of the connection.
func (c *Client) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// Sent is the number of messages that the server took in this session.
func (c *Client) Sent() int { return c.sent }

// Usable tells whether another message can be sent.
func (c *Client) Usable() bool { return !c.broken }

// StartTLS secures the session and says EHLO anew; what was known of the server is forgotten (RFC 3207 4.2). After an
// error the session is over.
func (c *Client) StartTLS(ctx context.Context, config *tls.Config) error {
	if !c.has("STARTTLS") {
		return &Error{Phase: PhaseTLS, Err: ErrNoTLS}
	}
	reply, err := c.command(ctx, PhaseTLS, c.o.Timeouts.Command, "STARTTLS")
	if err != nil {
		return err
	}
	if reply.Code != 220 {
		return &Error{Phase: PhaseTLS, Reply: reply}
	}
	if c.r.Buffered() > 0 {
		c.broken = true
		return &Error{Phase: PhaseTLS, Err: ErrInjected}
	}
	return c.handshake(ctx, config)
}

func (c *Client) handshake(ctx context.Context, config *tls.Config) error {
	secured := tls.Client(c.conn, config)
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeouts.TLS)
	defer cancel()
	if err := c.conn.SetDeadline(time.Now().Add(c.o.Timeouts.TLS)); err != nil {
		return c.fail(PhaseTLS, err)
	}
	if err := secured.HandshakeContext(ctx); err != nil {
		return c.fail(PhaseTLS, err)
	}
	c.use(secured)
	state := secured.ConnectionState()
	c.tls = &state
	return c.hello(ctx)
}

// Auth logs in with PLAIN (RFC 4616); only under TLS, for relays that ask it.
func (c *Client) Auth(ctx context.Context, user, password string) error {
	if c.tls == nil {
		return &Error{Phase: PhaseAuth, Err: errors.New("a password is not sent in clear")}
	}
	secret := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	reply, err := c.command(ctx, PhaseAuth, c.o.Timeouts.Command, "AUTH PLAIN "+secret)
	if err != nil {
		return err
	}
	if reply.Code != 235 {
		return &Error{Phase: PhaseAuth, Reply: reply}
	}
	return nil
}

// Quit says QUIT, waits for a moment and closes.
func (c *Client) Quit() {
	if !c.broken {
		ctx, cancel := context.WithTimeout(context.Background(), c.o.Timeouts.Quit)
		defer cancel()
		_, _ = c.command(ctx, PhaseReset, c.o.Timeouts.Quit, "QUIT")
	}
	c.Close()
}

// Close drops the connection.
func (c *Client) Close() {
	c.broken = true
	_ = c.conn.Close()
}

// command sends one line and reads the reply to it.
func (c *Client) command(ctx context.Context, phase Phase, timeout time.Duration, line string) (Reply, error) {
	if err := c.writeLine(line); err != nil {
		return Reply{}, c.fail(phase, err)
	}
	if err := c.flush(ctx, timeout); err != nil {
		return Reply{}, c.fail(phase, err)
	}
	reply, err := c.read(ctx, timeout)
	if err != nil {
		return Reply{}, c.fail(phase, err)
	}
	return reply, nil
}

// writeLine puts a command into the buffer; never one that would be two.
func (c *Client) writeLine(line string) error {
	if strings.ContainsAny(line, "\r\n\x00") {
		return errors.New("a line end in a command")
	}
	_, err := c.w.WriteString(line + "\r\n")
	return err
}

func (c *Client) flush(ctx context.Context, timeout time.Duration) error {
	stop := c.arm(ctx, timeout)
	defer stop()
	return c.w.Flush()
}

// read reads one reply within the time for the whole of it, so that a server which drips does not hold us.
func (c *Client) read(ctx context.Context, timeout time.Duration) (Reply, error) {
	stop := c.arm(ctx, timeout)
	defer stop()
	reply, err := readReply(c.r)
	if err != nil {
		c.broken = true
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return Reply{}, err
	}
	if reply.Code == 421 {
		c.broken = true // RFC 5321 3.8: the server closes
	}
	return reply, nil
}

// arm lets the connection's operations fail after timeout or when ctx ends.
func (c *Client) arm(ctx context.Context, timeout time.Duration) (stop func()) {
	past := time.Unix(1, 0)
	conn := c.conn
	undo := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if ctx.Err() != nil {
		_ = conn.SetDeadline(past)
	}
	return func() { undo() }
}

func (c *Client) fail(phase Phase, err error) error {
	c.broken = true
	return inPhase(phase, err)
}

func inPhase(phase Phase, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Phase: phase, Err: err}
}
