package testscan

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
)

// Liar listens until the test ends, and has answer speak on each connection, which is closed behind it. It gives the address.
func Liar(t testing.TB, answer func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				answer(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// HearSpamc reads what a client of spamd sends.
func HearSpamc(conn net.Conn) {
	var length int64
	r := bufio.NewReader(conn)
	for line := "x"; line != "\r\n" && line != ""; line, _ = r.ReadString('\n') {
		fmt.Sscanf(line, "Content-length: %d", &length)
	}
	io.CopyN(io.Discard, r, length)
}
