package smtp

import (
	"strconv"
	"strings"

	"postern/internal/reply"
)

// maxReplyText keeps a reply line within RFC 5321 4.5.3.1.5's 512 bytes.
const maxReplyText = 480

// say queues a reply. The enhanced code is empty where RFC 2034 4 has none (greeting, EHLO, 3xx).
func (c *connection) say(code int, enhanced, text string) {
	c.lastCode = code
	c.out = appendReply(c.out, code, enhanced, text)
	if len(c.out) > maxPendingReplies {
		_ = c.flush() // the error stays in the wire and ends the session at its next read
	}
}

// sayError queues the reply of a refusal.
func (c *connection) sayError(e *reply.Error) { c.say(e.Code, e.EnhancedString(), e.Text) }

// appendReply writes a reply, one line for each line of the text (RFC 5321 4.2.1).
func appendReply(dst []byte, code int, enhanced, text string) []byte {
	for {
		line, rest, more := strings.Cut(text, "\n")
		dst = strconv.AppendInt(dst, int64(code), 10)
		if more {
			dst = append(dst, '-')
		} else {
			dst = append(dst, ' ')
		}
		if enhanced != "" {
			dst = append(append(dst, enhanced...), ' ')
		}
		dst = appendPrintable(dst, line)
		dst = append(dst, '\r', '\n')
		if !more {
			return dst
		}
		text = rest
	}
}

// appendPrintable keeps what a stranger or a backend said from breaking out of its reply line.
func appendPrintable(dst []byte, text string) []byte {
	if len(text) > maxReplyText {
		text = text[:maxReplyText]
	}
	for i := 0; i < len(text); i++ {
		if b := text[i]; b >= ' ' && b <= '~' {
			dst = append(dst, b)
		} else {
			dst = append(dst, '?')
		}
	}
	return dst
}

// farewell is an error after whose reply the session is closed.
type farewell struct{ reply *reply.Error }

func (f farewell) Error() string { return f.reply.Error() }

// Unwrap lets reply.From find the reply.
func (f farewell) Unwrap() error { return f.reply }

func goodbye(code int, enhanced, format string, args ...any) error {
	return farewell{reply.New(code, enhanced, format, args...)}
}
