package imap

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// idleClients is another process: what the clients' side of TLS takes must not count.
const idleClients = "POSTERN_TEST_IDLE_CLIENTS"

// TestIdleClients connects, idles, says "ready" and stays until its input ends. It does so only for measureIdle.
func TestIdleClients(t *testing.T) {
	arguments := strings.Fields(os.Getenv(idleClients))
	if len(arguments) == 0 {
		return // it is not a test of its own
	}
	count, _ := strconv.Atoi(arguments[1])
	compress := arguments[2] == "true"
	var open []net.Conn // a connection that nothing refers to is closed
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	for range count {
		conn, err := tls.Dial("tcp", arguments[0], &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
		c := &client{t: t, conn: conn, r: bufio.NewReader(conn)}
		c.read()
		c.send("a LOGIN alice@example.test " + password)
		c.until("a OK …")
		c.send("b SELECT INBOX")
		c.until("b OK …")
		c.send("c FETCH 1:* (FLAGS ENVELOPE)")
		c.until("c OK …")
		if compress {
			z, send := c.compressed()
			send("d IDLE")
			z.want("+ idling")
			continue
		}
		c.send("d IDLE")
		c.want("+ idling")
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// inUse is what the process holds on behalf of its sessions.
func inUse() uint64 {
	for range 3 { // stacks shrink by half at each collection
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// measureIdle gives the bytes that each of count idle sessions takes.
func measureIdle(t testing.TB, count int, compress bool) uint64 {
	w := newWorld(t, func(s *Server) {
		s.Limits = func() Limits { return Limits{ConnectionsAccount: count + 1, Connections: count + 1} }
	})
	for range 20 {
		w.deliver("alice@example.test", "", hello)
	}
	w.user("alice@example.test").send("0 LOGOUT") // what the first session loads stays
	before := inUse()
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleClients$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %t", idleClients, w.addr, count, compress))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "ready" {
	}
	if n := w.server.Sessions(); n < count {
		t.Fatalf("%d sessions", n)
	}
	each := (inUse() - before) / uint64(count)
	t.Logf("%d idle sessions (compressed: %t) take %d bytes each", count, compress, each)
	return each
}

func TestAnIdleSessionIsSmall(t *testing.T) {
	if each := measureIdle(t, 1000, false); each > 40<<10 {
		t.Errorf("an idle session takes %d bytes", each)
	}
}

func TestAnIdleCompressedSessionIsSmallToo(t *testing.T) {
	if each := measureIdle(t, 300, true); each > 44<<10 {
		t.Errorf("an idle compressed session takes %d bytes", each)
	}
}
