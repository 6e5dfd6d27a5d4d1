package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"postern/internal/testenv"
)

// terminal makes a pseudo terminal: what a person types goes into keys, what they see comes out of it.
func terminal(t *testing.T) (keys, tty *os.File) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		testenv.Missing(t, "pseudo terminals: %v", err)
	}
	t.Cleanup(func() { keys.Close() })
	if err := unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keys, tty
}

// prompts passes on what is asked, a word at a time.
type prompts chan string

func (p prompts) Write(b []byte) (int, error) {
	p <- string(b)
	return len(b), nil
}

func TestAPasswordTypedOnATerminalIsNotShown(t *testing.T) {
	for second, want := range map[string]string{"Open-Sesame-1": "", "Open-Sesame-2": "the two are not the same"} {
		keys, tty := terminal(t)
		before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		asked := make(prompts, 10)
		c := &command{in: tty, err: asked}
		type result struct {
			password string
			err      error
		}
		done := make(chan result, 1)
		go func() {
			password, err := c.readPassword("Password")
			done <- result{password, err}
		}()
		if got := <-asked; got != "Password: " {
			t.Errorf("asked %q", got)
		}
		fmt.Fprintf(keys, "Open-Sesame-1\n")
		<-asked // the end of the line
		if got := <-asked; got != "Once more: " {
			t.Errorf("asked %q", got)
		}
		fmt.Fprintf(keys, "%s\n", second)
		r := <-done
		if want == "" && (r.err != nil || r.password != "Open-Sesame-1") || want != "" && (r.err == nil || !strings.Contains(r.err.Error(), want)) {
			t.Errorf("got %q %v, want %q", r.password, r.err, want)
		}
		after, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		if err != nil || *after != *before {
			t.Errorf("the terminal is not as it was (%v)", err)
		}
		// What the terminal showed stands before the mark.
		fmt.Fprintln(tty, "mark")
		shown, err := bufio.NewReader(keys).ReadBytes('m')
		if err != nil || bytes.Contains(shown, []byte("Sesame")) {
			t.Errorf("the terminal showed %q (%v)", shown, err)
		}
	}
}

func TestAPasswordFromAPipeIsItsFirstLine(t *testing.T) {
	for text, want := range map[string]string{"one\ntwo\n": "one", "one": "one", "one\r\n": "one"} {
		c := &command{in: strings.NewReader(text), err: new(bytes.Buffer)}
		if got, err := c.readPassword("Password"); err != nil || got != want {
			t.Errorf("%q gives %q %v", text, got, err)
		}
	}
	c := &command{in: strings.NewReader("\n"), err: new(bytes.Buffer)}
	if _, err := c.readPassword("Password"); err == nil {
		t.Error("an empty line is a password")
	}
}
