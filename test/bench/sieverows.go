package main

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
)

// sieveRows compare delivery to somebody who has a script with delivery to the same person without one.
func sieveRows() []row {
	var rows []row
	for _, connections := range []int{1, 16, 64} {
		c := comparison{what: "without", connections: connections, count: 2000, write: unsigned, set: setScript}
		rows = append(rows, row{fmt.Sprintf("delivery of 4 KiB with a script of 30 rules, %d connections", connections), "1.2x of without", func(l *lab) (string, error) {
			// Judging would hide what a script adds.
			if err := l.set("spam.enabled", "false"); err != nil {
				return "", err
			}
			measured, err := c.measure(l)
			if err == nil {
				err = l.scriptRan()
			}
			return measured, err
		}})
	}
	return rows
}

// thirtyRules is what somebody with many mailing lists has; the last rule marks the letters of the load.
func thirtyRules() string {
	var out strings.Builder
	out.WriteString("require [\"fileinto\", \"imap4flags\"];\r\n")
	for i := range 10 {
		fmt.Fprintf(&out, "if header :contains \"list-id\" \"list%d.example.org\" { fileinto \"Archive\"; stop; }\r\n", i)
		fmt.Fprintf(&out, "if address :is [\"from\", \"sender\"] [\"person%d@example.org\", \"other%d@example.net\"] { fileinto \"Archive\"; stop; }\r\n", i, i)
		if i < 9 {
			fmt.Fprintf(&out, "if allof (header :matches \"subject\" \"*[project %d]*\", not address :domain \"from\" \"example.com\") { fileinto \"Archive\"; }\r\n", i)
		}
	}
	out.WriteString("if address :domain \"from\" \"sender.example\" { addflag \"$label1\"; }\r\n")
	return out.String()
}

// setScript makes bob's script the active one, or none, by ManageSieve.
func setScript(l *lab, on bool) error {
	c, err := l.manageSieve("bob@example.test")
	if err != nil {
		return err
	}
	defer c.conn.Close()
	if !on {
		return c.do("SETACTIVE \"\"\r\n")
	}
	script := thirtyRules()
	if err := c.do(fmt.Sprintf("PUTSCRIPT \"rules\" {%d+}\r\n%s\r\n", len(script), script)); err != nil {
		return err
	}
	return c.do("SETACTIVE \"rules\"\r\n")
}

// scriptRan makes sure that the script has marked letters, so that what was measured is what it costs.
func (l *lab) scriptRan() error {
	c, err := l.imap("bob@example.test")
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.do("SELECT INBOX"); err != nil {
		return err
	}
	found, err := c.do("SEARCH KEYWORD $label1")
	if err == nil && found.bytes < 100 { // thousands of numbers
		err = fmt.Errorf("the script has not marked the letters: %q", found.last)
	}
	return err
}

// manageSieveConn is a client that has logged in.
type manageSieveConn struct {
	conn net.Conn
	r    *bufio.Reader
}

func (l *lab) manageSieve(user string) (*manageSieveConn, error) {
	conn, err := net.Dial("tcp", l.address(4190))
	if err != nil {
		return nil, err
	}
	c := &manageSieveConn{conn, bufio.NewReader(conn)}
	if err := c.wait(); err != nil { // the greeting ends like an answer
		return nil, err
	}
	if err := c.do("STARTTLS\r\n"); err != nil {
		return nil, err
	}
	secure := tls.Client(conn, clientTLS())
	c.conn, c.r = secure, bufio.NewReader(secure)
	if err := c.wait(); err != nil {
		return nil, err
	}
	token := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	return c, c.do("AUTHENTICATE \"PLAIN\" \"" + token + "\"\r\n")
}

func (c *manageSieveConn) do(command string) error {
	if _, err := io.WriteString(c.conn, command); err != nil {
		return err
	}
	return c.wait()
}

// wait reads up to the line that ends an answer, which must be OK.
func (c *manageSieveConn) wait() error {
	for {
		line, err := c.r.ReadString('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, "OK"):
			return nil
		case strings.HasPrefix(line, "NO"), strings.HasPrefix(line, "BYE"):
			return fmt.Errorf("ManageSieve: %s", strings.TrimSpace(line))
		}
	}
}
