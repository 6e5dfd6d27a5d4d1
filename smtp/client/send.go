package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"postern/internal/reply"
)

// window is how many commands are sent before their replies are read: enough to save round trips, few enough that
// neither side's buffers fill while both write (RFC 2920 3.1).
const window = 50

// Mail is one message's envelope and what it needs of a server.
type Mail struct {
	// From is the reverse-path without brackets, "" for the null one.
	From       string
	Recipients []Recipient
	// Size is that of the message in bytes.
	Size int64
	// Ret and EnvID are as in the commands; they and the recipients' parameters are sent where DSN is offered.
	Ret, EnvID string
	SMTPUTF8   bool
	Body8Bit   bool
	RequireTLS bool
}

// Recipient is a forward-path without brackets, with its DSN parameters as in the command.
type Recipient struct {
	Address       string
	Notify, ORCPT string
}

// Result is what became of a message.
type Result struct {
	// Recipients holds one error for each: nil for one whose mail the server now answers for, an *Error with the server's
	// reply, or a *reply.Error for what we found ourselves.
	Recipients []error
	// Reply is the server's reply to the message.
	Reply Reply
}

// Send carries one message. The error is one of the session: what the server made of the message is not known, or
// nothing; the session is over then. Otherwise each recipient has its result.
func (c *Client) Send(ctx context.Context, m *Mail, body io.Reader) (Result, error) {
	if c.broken {
		return Result{}, ErrBroken
	}
	if err := c.refuses(m); err != nil {
		return allOf(m, err), nil
	}
	t := &transaction{c: c, m: m, results: make([]error, len(m.Recipients))}
	started, err := t.envelope(ctx)
	if err != nil {
		return Result{}, err
	}
	if !started {
		if t.mailDone && !c.broken {
			_, err = c.command(ctx, PhaseReset, c.o.Timeouts.Command, "RSET")
		}
		return Result{Recipients: t.results}, c.keepResults(err)
	}
	r, err := c.data(ctx, body)
	var own *reply.Error
	if errors.As(err, &own) {
		return allOf(m, own), nil
	}
	if err != nil {
		return Result{}, err
	}
	if r.Code/100 == 2 {
		c.sent++
	}
	for i, e := range t.results {
		if e == nil && r.Code/100 != 2 {
			t.results[i] = &Error{Phase: PhaseEnd, Reply: r}
		}
	}
	return Result{Recipients: t.results, Reply: r}, nil
}

// keepResults: a session that fails after all results are known has failed, but the results stand.
func (c *Client) keepResults(err error) error {
	if err != nil {
		c.broken = true
	}
	return nil
}

func allOf(m *Mail, err error) Result {
	r := Result{Recipients: make([]error, len(m.Recipients))}
	for i := range r.Recipients {
		r.Recipients[i] = err
	}
	return r
}

// refuses gives the reason why this server cannot have this message at all, or nil.
func (c *Client) refuses(m *Mail) error {
	if m.SMTPUTF8 && !c.has("SMTPUTF8") {
		// RFC 6531 3.5: never downgraded on the way.
		if nonASCII(m) {
			return reply.New(550, "5.6.7", "The receiving server does not take internationalised addresses (SMTPUTF8)")
		}
		return reply.New(550, "5.6.9", "The receiving server does not take internationalised headers (SMTPUTF8)")
	}
	if m.Body8Bit && !c.has("8BITMIME") {
		return reply.New(554, "5.6.3", "The receiving server does not take 8-bit text (8BITMIME), and this message was not made for 7 bits")
	}
	if m.RequireTLS && (c.tls == nil || !c.has("REQUIRETLS")) {
		return reply.New(550, "5.7.30", "The message asks for TLS on all of its way (REQUIRETLS), which the receiving server does not promise") // RFC 8689 5
	}
	if params, ok := c.extensions["SIZE"]; ok {
		// RFC 1870 4; 0 means no fixed limit.
		if limit, err := strconv.ParseInt(strings.TrimSpace(params), 10, 64); err == nil && limit > 0 && m.Size > limit {
			return reply.New(552, "5.3.4", "The message has %d bytes, the receiving server takes at most %d", m.Size, limit)
		}
	}
	return nil
}

func nonASCII(m *Mail) bool {
	if !isASCII(m.From) {
		return true
	}
	for _, r := range m.Recipients {
		if !isASCII(r.Address) {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// transaction is the part of a message's way up to the 354.
type transaction struct {
	c        *Client
	m        *Mail
	results  []error
	mailDone bool // MAIL was accepted
	accepted int
	waiting  []func(Reply) // what to do with the replies to come, in order
}

// envelope says MAIL, RCPT and DATA. It reports whether the server waits for the message.
func (t *transaction) envelope(ctx context.Context) (bool, error) {
	if err := t.say(ctx, PhaseMail, t.mailCommand(), t.mailReply); err != nil {
		return false, err
	}
	for i, r := range t.m.Recipients {
		if t.c.broken || !t.c.has("PIPELINING") && !t.mailDone {
			return false, nil
		}
		line, err := t.rcptCommand(r)
		if err != nil {
			t.results[i] = err
			continue
		}
		if err := t.say(ctx, PhaseRcpt, line, func(r Reply) { t.rcptReply(i, r) }); err != nil {
			return false, err
		}
	}
	return t.start(ctx)
}

// start says DATA, behind the other commands where they are pipelined.
func (t *transaction) start(ctx context.Context) (bool, error) {
	if !t.c.has("PIPELINING") && t.accepted == 0 || t.c.broken {
		return false, nil
	}
	var started Reply
	if err := t.say(ctx, PhaseData, "DATA", func(r Reply) { started = r }); err != nil {
		return false, err
	}
	if err := t.hear(ctx, PhaseData); err != nil {
		return false, err
	}
	switch {
	case started.Code == 354 && t.accepted > 0:
		return true, nil
	case started.Code == 354:
		// RFC 2920 3.1: no recipient was accepted, yet the server waits; it gets an empty message, for nobody.
		_, err := t.c.command(ctx, PhaseEnd, t.c.o.Timeouts.DataEnd, ".")
		return false, t.c.keepResults(err)
	}
	for i, e := range t.results {
		if e == nil {
			t.results[i] = &Error{Phase: PhaseData, Reply: started}
		}
	}
	return false, nil
}

// say puts a command into the buffer. Without pipelining its reply is read at once.
func (t *transaction) say(ctx context.Context, phase Phase, line string, then func(Reply)) error {
	if err := t.c.writeLine(line); err != nil {
		return t.c.fail(phase, err)
	}
	t.waiting = append(t.waiting, then)
	if t.c.has("PIPELINING") && len(t.waiting) < window {
		return nil
	}
	return t.hear(ctx, phase)
}

// hear sends what is in the buffer and reads the replies that are due.
func (t *transaction) hear(ctx context.Context, phase Phase) error {
	timeout := t.c.o.Timeouts.Command
	if phase == PhaseData {
		timeout = t.c.o.Timeouts.DataStart
	}
	if err := t.c.flush(ctx, timeout); err != nil {
		return t.c.fail(phase, err)
	}
	for _, then := range t.waiting {
		r, err := t.c.read(ctx, timeout)
		if err != nil {
			return t.c.fail(phase, err)
		}
		then(r)
		if r.Code == 421 {
			// The server goes; the replies that are due will not come.
			t.unanswered(r)
			break
		}
	}
	t.waiting = t.waiting[:0]
	return nil
}

// unanswered gives the recipients without a result the reply with which the server left.
func (t *transaction) unanswered(r Reply) {
	for i, e := range t.results {
		if e == nil {
			t.results[i] = &Error{Phase: PhaseRcpt, Reply: r}
		}
	}
	t.accepted = 0
}

func (t *transaction) mailReply(r Reply) {
	if t.mailDone = r.Code/100 == 2; t.mailDone {
		return
	}
	for i := range t.results {
		t.results[i] = &Error{Phase: PhaseMail, Reply: r}
	}
}

func (t *transaction) rcptReply(i int, r Reply) {
	switch {
	case !t.mailDone: // the reply to MAIL tells why
	case r.Code/100 == 2:
		t.accepted++
	default:
		t.results[i] = &Error{Phase: PhaseRcpt, Reply: r}
	}
}

func (t *transaction) mailCommand() string {
	m, c := t.m, t.c
	var b strings.Builder
	b.WriteString("MAIL FROM:<" + m.From + ">")
	if c.has("SIZE") {
		fmt.Fprintf(&b, " SIZE=%d", m.Size)
	}
	if m.Body8Bit {
		b.WriteString(" BODY=8BITMIME")
	}
	if m.SMTPUTF8 {
		b.WriteString(" SMTPUTF8")
	}
	if m.RequireTLS {
		b.WriteString(" REQUIRETLS")
	}
	if c.has("DSN") {
		addParam(&b, "RET", m.Ret)
		addParam(&b, "ENVID", m.EnvID)
	}
	return b.String()
}

func (t *transaction) rcptCommand(r Recipient) (string, error) {
	if strings.ContainsAny(r.Address, "\r\n\x00<>") && !strings.HasPrefix(r.Address, `"`) || strings.ContainsAny(r.Address, "\r\n\x00") {
		return "", reply.New(553, "5.1.3", "The recipient's address cannot be sent")
	}
	var b strings.Builder
	b.WriteString("RCPT TO:<" + r.Address + ">")
	if t.c.has("DSN") {
		addParam(&b, "NOTIFY", r.Notify)
		addParam(&b, "ORCPT", r.ORCPT)
	}
	return b.String(), nil
}

// addParam adds a parameter, unless it is empty or would not be one word.
func addParam(b *strings.Builder, name, value string) {
	if value != "" && !strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		b.WriteString(" " + name + "=" + value)
	}
}

// data sends the message behind a 354 and reads what the server makes of it. When the message turns out to be one that
// must not leave, the connection is dropped before its end, so that the server keeps nothing of it.
func (c *Client) data(ctx context.Context, body io.Reader) (Reply, error) {
	err := c.copyBody(ctx, body)
	var own *reply.Error
	if errors.As(err, &own) {
		c.Close()
		return Reply{}, own
	}
	if err != nil {
		// The server may have said why before it stopped to listen.
		if r, e := c.read(ctx, c.o.Timeouts.Quit); e == nil && r.Code/100 > 3 && ctx.Err() == nil {
			c.broken = true
			return r, nil
		}
		return Reply{}, c.fail(PhaseData, err)
	}
	r, err := c.read(ctx, c.o.Timeouts.DataEnd)
	if err != nil {
		return Reply{}, c.fail(PhaseEnd, err)
	}
	return r, nil
}
