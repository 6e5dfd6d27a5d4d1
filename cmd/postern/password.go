package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPasswordLine bounds what is read for a password, in bytes; the directory has its own, stricter rule.
const maxPasswordLine = 4096

// readPassword asks twice on a terminal, and reads the first line of anything else.
func (c *command) readPassword(prompt string) (string, error) {
	terminal, ok := c.in.(*os.File)
	if !ok || !isTerminal(terminal) {
		password, err := firstLineOf(c.in)
		if err == nil && password == "" {
			err = usage{errors.New("there is no password; write it to standard input, or run this on a terminal")}
		}
		return password, err
	}
	first, err := c.prompt(terminal, prompt+": ")
	if err != nil {
		return "", err
	}
	second, err := c.prompt(terminal, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two are not the same; try again")
	}
	return first, nil
}

// readFirstPassword is readPassword, but nothing is a choice too: then a password is made.
func (c *command) readFirstPassword() (string, error) {
	if terminal, ok := c.in.(*os.File); ok && isTerminal(terminal) {
		fmt.Fprintln(c.err, "The administrator's password. Press Enter twice to have one made.")
		return c.readPassword("Password")
	}
	return firstLineOf(c.in)
}

// readSecret asks once on a terminal, and reads the first line of anything else.
func (c *command) readSecret() (string, error) {
	if terminal, ok := c.in.(*os.File); ok && isTerminal(terminal) {
		return c.prompt(terminal, "Value: ")
	}
	return firstLineOf(c.in)
}

func firstLineOf(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxPasswordLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// prompt asks on a terminal that shows nothing of the answer. An interrupt leaves the terminal as it was.
func (c *command) prompt(terminal *os.File, text string) (string, error) {
	fd := int(terminal.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("asking for the password: %w", err)
	}
	silent := *before
	silent.Lflag &^= unix.ECHO
	silent.Lflag |= unix.ICANON | unix.ISIG
	restore := func() { unix.IoctlSetTermios(fd, unix.TCSETS, before) }
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return "", fmt.Errorf("asking for the password: %w", err)
	}
	defer restore()
	fmt.Fprint(c.err, text)
	defer fmt.Fprintln(c.err)
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		line, err := readLine(terminal)
		answered <- answer{line, err}
	}()
	select {
	case a := <-answered:
		return a.line, a.err
	case <-interrupted:
		return "", errors.New("interrupted; nothing was changed")
	}
}

// readLine reads byte by byte, so that the next prompt finds what follows.
func readLine(r io.Reader) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxPasswordLine {
		n, err := r.Read(one)
		if n > 0 && one[0] == '\n' {
			break
		}
		line = append(line, one[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
	}
	return strings.TrimRight(string(line), "\r"), nil
}

// isTerminal reports whether a stream is one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
