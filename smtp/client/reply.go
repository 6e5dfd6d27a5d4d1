package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxReplyLine bounds a line; RFC 5321 4.5.3.1.5 says 512, servers say more.
	maxReplyLine = 4096
	// maxReplyLines bounds a reply.
	maxReplyLines = 128
	// maxShown is how much of a reply's text is repeated to others.
	maxShown = 500
)

// Reply is what a server answered.
type Reply struct {
	Code int
	// Enhanced is the enhanced status code (RFC 2034), zero if there is none or it contradicts the code.
	Enhanced [3]int
	// Lines are the texts, without code and enhanced code, as the server sent them.
	Lines []string
}

// String is the reply on one line, printable and of bounded length.
func (r Reply) String() string {
	if r.Code == 0 {
		return ""
	}
	s := fmt.Sprint(r.Code)
	if r.Enhanced[0] != 0 {
		s += " " + r.EnhancedString()
	}
	if text := r.Text(); text != "" {
		s += " " + text
	}
	return s
}

// EnhancedString is the enhanced code, or the general one of the code's class.
func (r Reply) EnhancedString() string {
	e := r.Enhanced
	if e[0] == 0 {
		e[0] = r.Code / 100
	}
	return fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
}

// Text is the lines as one, printable and of bounded length: a stranger wrote it.
func (r Reply) Text() string {
	text := strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == 0xfffd || (c >= 0x80 && c < 0xa0) {
			return ' '
		}
		return c
	}, strings.Join(r.Lines, " "))), " ")
	if len(text) <= maxShown {
		return text
	}
	return strings.ToValidUTF8(text[:maxShown], "") + "…"
}

// Temporary tells a 4xx reply.
func (r Reply) Temporary() bool { return r.Code/100 == 4 }

var errMalformed = errors.New("the server's reply is malformed")

// readReply reads a reply of one or more lines (RFC 5321 4.2.1): every line has the same code, each but the last a hyphen
// behind it.
func readReply(r *bufio.Reader) (Reply, error) {
	var reply Reply
	for range maxReplyLines {
		line, err := readReplyLine(r)
		if err != nil {
			return Reply{}, err
		}
		code, more, text, ok := splitReply(line)
		if !ok || (reply.Code != 0 && code != reply.Code) {
			return Reply{}, fmt.Errorf("%w: %.60q", errMalformed, line)
		}
		first := reply.Code == 0
		reply.Code = code
		if e, rest, ok := enhanced(text); ok && e[0] == code/100 {
			text = rest
			if first {
				reply.Enhanced = e
			}
		}
		reply.Lines = append(reply.Lines, text)
		if !more {
			return reply, nil
		}
	}
	return Reply{}, fmt.Errorf("%w: more than %d lines", errMalformed, maxReplyLines)
}

// readReplyLine reads a line; one that ends in LF alone is taken, for some servers send them.
func readReplyLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("%w: a line of more than %d bytes", errMalformed, maxReplyLine)
	}
	if errors.Is(err, io.EOF) {
		return "", io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

func splitReply(line string) (code int, more bool, text string, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || line[1] < '0' || line[1] > '9' || line[2] < '0' || line[2] > '9' {
		return 0, false, "", false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, false, "", true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, "", false
	}
	return code, line[3] == '-', line[4:], true
}

// enhanced splits "5.1.1 text" (RFC 3463 2: a class of 2, 4 or 5, then numbers of at most three digits).
func enhanced(text string) (code [3]int, rest string, ok bool) {
	word, rest, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 {
		return code, text, false
	}
	for i, p := range parts {
		if p == "" || len(p) > 3 {
			return code, text, false
		}
		for _, c := range p {
			if c < '0' || c > '9' {
				return code, text, false
			}
			code[i] = code[i]*10 + int(c-'0')
		}
	}
	if code[0] != 2 && code[0] != 4 && code[0] != 5 {
		return code, text, false
	}
	return code, rest, true
}
