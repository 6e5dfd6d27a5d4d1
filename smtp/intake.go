package smtp

import (
	"time"

	"postern/internal/reply"
	"postern/internal/spool"
)

// intake takes a message's bytes into the spool, as long as the message may still be accepted. What cannot be accepted
// any more is read to its end and dropped on the way, so that the rest of it is never taken for commands.
type intake struct {
	spool   *spool.Dir
	writer  *spool.Writer // nil before the first byte and once the message is refused
	check   byteCheck     // of BDAT; DATA's scanner has its own
	size    int64
	max     int64
	refused *reply.Error
	began   time.Time
	timeout time.Duration
	rate    int64 // bytes a second that extend the timeout
}

func (c *connection) newIntake() *intake {
	return &intake{
		spool:   c.server.Spool,
		check:   byteCheck{maxLine: c.limits.MaxLineLength},
		max:     c.limits.MaxMessageSize,
		began:   time.Now(),
		timeout: c.limits.DataTimeout,
		rate:    c.limits.MinDataRate,
	}
}

// deadline is when the message must be complete. Bytes that may still be of use buy time; others do not.
func (in *intake) deadline() time.Time {
	return in.began.Add(in.timeout + time.Duration(in.size/in.rate)*time.Second)
}

// add keeps the next bytes of the message.
func (in *intake) add(p []byte) {
	if in.refused != nil {
		return
	}
	if in.size += int64(len(p)); in.size > in.max {
		in.refuse(errTooBig(in.max))
		return
	}
	if _, err := in.open().Write(p); err != nil {
		in.refuse(reply.From(err))
	}
}

func (in *intake) open() *spool.Writer {
	if in.writer == nil {
		in.writer = in.spool.NewWriter()
	}
	return in.writer
}

// refuse remembers the first reason, unless a later one is permanent and the first was not: who is told to come again
// with a message that can never be accepted comes for days.
func (in *intake) refuse(e *reply.Error) {
	if in.refused == nil || in.refused.Temporary() && !e.Temporary() {
		in.refused = e
	}
	in.abort()
}

// abort gives the spool's space back.
func (in *intake) abort() {
	if in.writer != nil {
		in.writer.Abort()
		in.writer = nil
	}
}

// finish gives the complete message.
func (in *intake) finish() (*spool.Content, error) {
	if in.refused != nil {
		return nil, in.refused
	}
	content, err := in.open().Finish()
	in.writer = nil
	return content, err
}
