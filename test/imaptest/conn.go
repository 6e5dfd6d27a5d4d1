package imaptest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// patience is how long a server may take for one answer.
const patience = 20 * time.Second

// conn is one connection, with what was said on it.
type conn struct {
	net.Conn
	r     *bufio.Reader
	log   strings.Builder
	name  string
	count int // of tags
}

func newConn(c net.Conn, name string) (*conn, error) {
	k := &conn{Conn: c, r: bufio.NewReader(c), name: name}
	t, err := k.read()
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("greeting: %w", err)
	}
	if w := head(parseArgs(t), 1); w != "ok" && w != "preauth" {
		c.Close()
		return nil, fmt.Errorf("greeting %q", t)
	}
	return k, nil
}

func (c *conn) tag() string {
	c.count++
	return c.name + "." + strconv.Itoa(c.count)
}

var literalEnd = regexp.MustCompile(`~?\{([0-9]+)\}\z`)

// read reads one reply with its literals.
func (c *conn) read() (text, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	var t text
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&c.log, "S: %s", line)
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		at := literalEnd.FindStringSubmatchIndex(line)
		if at == nil {
			return append(t, piece{s: line}), nil
		}
		n, err := strconv.Atoi(line[at[2]:at[3]])
		if err != nil || n > 1<<24 {
			return nil, fmt.Errorf("a literal of %s bytes", line[at[2]:at[3]])
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(c.r, b); err != nil {
			return nil, err
		}
		c.log.Write(b)
		c.log.WriteByte('\n')
		t = append(t, piece{s: line[:at[0]]}, piece{s: string(b), literal: true})
	}
}

// send sends a command. Before each literal it waits until the server invites it
// and hands what comes meanwhile to other; when the command is answered instead,
// the rest is not sent.
func (c *conn) send(tag string, t text, other func(text) (answered bool)) error {
	var out strings.Builder
	out.WriteString(tag + " ")
	for _, p := range t {
		if !p.literal {
			out.WriteString(p.s)
			continue
		}
		fmt.Fprintf(&out, "{%d}\r\n", len(p.s))
		if err := c.write(out.String()); err != nil {
			return err
		}
		out.Reset()
		for {
			reply, err := c.read()
			if err != nil {
				return err
			}
			if strings.HasPrefix(reply[0].s, "+") {
				break
			}
			if other(reply) {
				return nil
			}
		}
		out.WriteString(p.s)
	}
	out.WriteString("\r\n")
	return c.write(out.String())
}

func (c *conn) write(s string) error {
	fmt.Fprintf(&c.log, "C: %s\n", strings.TrimSuffix(s, "\r\n"))
	_, err := io.WriteString(c.Conn, s)
	return err
}

// do runs a command of the preparation, gives its untagged replies, and fails if
// it is not answered with OK.
func (c *conn) do(t ...piece) ([]text, error) {
	tag := c.tag()
	var untagged []text
	var answer text
	take := func(reply text) bool {
		if word, rest := reply.cut(); word == tag {
			answer = rest
			return true
		}
		untagged = append(untagged, reply)
		return false
	}
	if err := c.send(tag, t, take); err != nil {
		return nil, err
	}
	for answer == nil {
		reply, err := c.read()
		if err != nil {
			return nil, err
		}
		take(reply)
	}
	if word, _ := answer.cut(); !strings.EqualFold(word, "OK") {
		return untagged, fmt.Errorf("%.60q is answered with %q", text(t).String(), answer)
	}
	return untagged, nil
}

func (c *conn) command(s string) ([]text, error) { return c.do(piece{s: s}) }

// quote writes a quoted string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
