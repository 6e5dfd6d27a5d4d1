package smtp

import (
	"strconv"
	"strings"

	"postern/internal/reply"
)

// bdat is BDAT (RFC 3030 2): a chunk of exactly so many bytes follows its line, whatever we think of it.
func (c *connection) bdat(arg string) error {
	size, last, ok := parseBDAT(arg)
	if !ok {
		// Nobody knows where the next command begins.
		return goodbye(501, "5.5.4", "Syntax: BDAT size [LAST]")
	}
	t := c.transaction
	if refusal := c.mayChunk(t); refusal != nil {
		if err := c.readChunk(c.discard(), size); err != nil {
			return err
		}
		return refusal
	}
	t.chunked = true
	if t.intake == nil {
		t.intake = c.newIntake()
	}
	if err := c.readChunk(t.intake, size); err != nil {
		return err
	}
	if last {
		if bad := t.intake.check.finish(); bad != nil {
			t.intake.refuse(bad)
		}
		return c.complete(t)
	}
	if t.intake.refused != nil {
		// The transaction has failed; chunks that are on their way get the same answer until LAST or RSET.
		c.sayError(t.intake.refused)
		return nil
	}
	c.say(250, "2.0.0", strconv.FormatInt(size, 10)+" bytes received")
	return nil
}

// mayChunk says why a chunk cannot be taken.
func (c *connection) mayChunk(t *transaction) error {
	switch {
	case t == nil:
		return reply.New(503, "5.5.1", "Send MAIL first")
	case len(t.Recipients) == 0:
		return noRecipients(t)
	}
	return nil
}

// parseBDAT reads chunk-size [SP "LAST"].
func parseBDAT(arg string) (size int64, last, ok bool) {
	digits, end, hasEnd := strings.Cut(arg, " ")
	if hasEnd && !strings.EqualFold(end, "LAST") {
		return 0, false, false
	}
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false, false
	}
	size, err := strconv.ParseInt(digits, 10, 64)
	return size, hasEnd, err == nil
}

// discard is an intake for a chunk that nobody wants.
func (c *connection) discard() *intake {
	in := c.newIntake()
	in.refuse(reply.New(503, "5.5.1", "Bad sequence of commands"))
	return in
}

// readChunk reads a chunk to its end. It fails only with the connection.
func (c *connection) readChunk(in *intake, size int64) error {
	if in.refused == nil && size > in.max-in.size {
		in.refuse(errTooBig(in.max)) // known before the first byte is read
	}
	for size > 0 {
		p := c.buffered()
		if len(p) == 0 {
			c.grow()
			if err := c.fill(in.deadline()); err != nil {
				return err
			}
			continue
		}
		p = p[:min(int64(len(p)), size)]
		in.check.add(p)
		if in.check.bad != nil {
			in.refuse(in.check.bad)
		}
		in.add(p)
		c.consume(len(p))
		size -= int64(len(p))
	}
	return nil
}
