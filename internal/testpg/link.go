package testpg

import (
	"bytes"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// socket is the name of PostgreSQL's socket in its folder.
const socket = ".s.PGSQL.5432"

// Link is a way to a server that can break at the worst moment.
type Link struct {
	server   string
	listener net.Listener
	lose     atomic.Int32 // how many commits are still to be lost
	lost     atomic.Int32

	mu    sync.Mutex
	conns []net.Conn
}

// NewLink makes a way to the server of a URL of ours, and gives the URL by which it is gone.
func NewLink(t testing.TB, address string) (*Link, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	dir, err := os.MkdirTemp("", "pglink") // short: the name of a socket has a bound
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{server: filepath.Join(q.Get("host"), socket)}
	if l.listener, err = net.Listen("unix", filepath.Join(dir, socket)); err != nil {
		t.Fatal(err)
	}
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	var running sync.WaitGroup
	running.Go(func() { l.serve(&running) })
	t.Cleanup(func() {
		_ = l.listener.Close()
		l.closeAll()
		running.Wait()
		_ = os.RemoveAll(dir)
	})
	return l, u.String()
}

// LoseCommits lets the next n COMMITs reach the server and be carried out, and ends the connection in place of the answer.
func (l *Link) LoseCommits(n int) { l.lose.Store(int32(n)) }

// Lost is how many were lost so far.
func (l *Link) Lost() int { return int(l.lost.Load()) }

func (l *Link) serve(running *sync.WaitGroup) {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", l.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, client, server)
		l.mu.Unlock()
		var losing atomic.Bool
		running.Go(func() { l.forth(client, server, &losing) })
		running.Go(func() { l.back(client, server, &losing) })
	}
}

func (l *Link) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// forth carries what the client says, and looks for a COMMIT. The client waits for its answer, so it comes in one piece.
func (l *Link) forth(client, server net.Conn, losing *atomic.Bool) {
	defer server.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := client.Read(b)
		if err != nil {
			return
		}
		if bytes.Contains(b[:n], []byte("COMMIT\x00")) && l.lose.Add(-1) >= 0 {
			losing.Store(true)
		}
		if _, err := server.Write(b[:n]); err != nil {
			return
		}
	}
}

func (l *Link) back(client, server net.Conn, losing *atomic.Bool) {
	defer client.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := server.Read(b)
		if err != nil {
			return
		}
		if losing.Load() {
			l.lost.Add(1)
			return
		}
		if _, err := client.Write(b[:n]); err != nil {
			return
		}
	}
}
