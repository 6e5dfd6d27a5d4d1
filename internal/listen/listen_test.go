package listen

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/internal/clock"
)

// house is a server of the smallest protocol: a session says "hello", echoes until it is woken, and says "bye".
type house struct {
	testing.TB
	sessions Sessions[*guest]
	limit    int
	log      *slog.Logger
	served   chan error
	stubborn chan struct{} // sessions that were woken wait for this to close; nil for none that wait
	woken    chan struct{}
}

type guest struct {
	house *house
	conn  net.Conn
	cut   chan struct{}
}

func newHouse(t testing.TB) *house {
	return &house{TB: t, limit: 100, log: slog.New(slog.DiscardHandler), served: make(chan error, 10), woken: make(chan struct{}, 10)}
}

func (g *guest) Wake() {
	_ = g.conn.SetReadDeadline(time.Unix(1, 0))
	g.house.woken <- struct{}{}
}

func (g *guest) Cut() {
	close(g.cut)
	_ = g.conn.Close()
}

func (g *guest) run() {
	defer g.conn.Close()
	defer g.house.sessions.Leave(g)
	_, _ = io.WriteString(g.conn, "hello\n")
	_, _ = io.Copy(g.conn, g.conn)
	if g.house.sessions.Closing() && g.house.stubborn != nil {
		select {
		case <-g.house.stubborn:
		case <-g.cut:
		}
	}
	_, _ = io.WriteString(g.conn, "bye\n")
}

func (h *house) accepted(conn net.Conn) {
	g := &guest{house: h, conn: conn, cut: make(chan struct{})}
	if err := h.sessions.Admit(g, h.limit); err != nil {
		_, _ = io.WriteString(conn, err.Error()+"\n")
		_ = conn.Close()
		return
	}
	go g.run()
}

// open has the house listen at one more address, which is returned.
func (h *house) open() net.Listener {
	h.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.Fatal(err)
	}
	go func() { h.served <- h.sessions.Serve(l, clock.System, h.log, h.accepted) }()
	return l
}

// shut ends the house, and checks that this goes well.
func (h *house) shut() {
	h.Helper()
	if err := h.sessions.Shutdown(h.Context()); err != nil {
		h.Errorf("Shutdown: %v", err)
	}
	if err := <-h.served; err != nil {
		h.Errorf("Serve: %v", err)
	}
}

func (h *house) dial(l net.Listener) net.Conn {
	h.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { conn.Close() })
	return conn
}

// hears checks what comes next.
func (h *house) hears(conn net.Conn, want string) {
	h.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		h.Fatalf("%q, %v; want %q", got, err, want)
	}
}

func TestOneSessionTooManyIsRefusedUntilAnotherLeaves(t *testing.T) {
	h := newHouse(t)
	h.limit = 2
	l := h.open()
	one, two := h.dial(l), h.dial(l)
	h.hears(one, "hello\n")
	h.hears(two, "hello\n")
	h.hears(h.dial(l), ErrFull.Error()+"\n")
	if n := h.sessions.Len(); n != 2 {
		t.Errorf("%d sessions", n)
	}
	_ = one.(*net.TCPConn).CloseWrite()
	h.hears(one, "bye\n")
	if _, err := one.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	h.hears(h.dial(l), "hello\n")
	h.shut()
}

func TestShutdownWaitsForSessionsOfAllListeners(t *testing.T) {
	h := newHouse(t)
	h.stubborn = make(chan struct{})
	l, m := h.open(), h.open()
	one, two := h.dial(l), h.dial(m)
	h.hears(one, "hello\n")
	h.hears(two, "hello\n")
	done := make(chan error, 1)
	go func() { done <- h.sessions.Shutdown(t.Context()) }()
	<-h.woken
	<-h.woken
	for range 2 {
		if err := <-h.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	for _, l := range []net.Listener{l, m} {
		if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
			conn.Close()
			t.Error("a listener is still open")
		}
	}
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	default:
	}
	close(h.stubborn)
	h.hears(one, "bye\n")
	h.hears(two, "bye\n")
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownCutsOffWhoDoesNotEndInTime(t *testing.T) {
	h := newHouse(t)
	h.stubborn = make(chan struct{})
	conn := h.dial(h.open())
	h.hears(conn, "hello\n")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-h.woken; cancel() }()
	if err := h.sessions.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v", err)
	}
	if n := h.sessions.Len(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is open: %v", err)
	}
}

func TestNobodyComesInAfterShutdown(t *testing.T) {
	h := newHouse(t)
	for range 2 { // the second time there is nothing to do
		if err := h.sessions.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.sessions.Admit(&guest{}, 1); err != ErrClosing {
		t.Errorf("Admit: %v", err)
	}
	l := h.open()
	if err := <-h.served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener was left open: %v", err)
	}
}

// pauses keeps those that are logged.
type pauses struct {
	slog.Handler
	mu   sync.Mutex
	seen []time.Duration
	four chan struct{} // closed with the fourth
}

func (p *pauses) Enabled(context.Context, slog.Level) bool { return true }

func (p *pauses) Handle(_ context.Context, r slog.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "pause" {
			p.seen = append(p.seen, a.Value.Duration())
		}
		return true
	})
	if len(p.seen) == 4 {
		close(p.four)
	}
	return nil
}

// useUpFiles lets the process open not one file more until the function that it returns is called.
func useUpFiles(t *testing.T) (free func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	small := before
	small.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &small); err != nil {
		t.Fatal(err)
	}
	var files []*os.File
	free = sync.OnceFunc(func() {
		for _, f := range files {
			f.Close()
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(free)
	for {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			return free
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
}

func TestAShortageOfFilesIsWaitedOut(t *testing.T) {
	h := newHouse(t)
	log := &pauses{Handler: slog.DiscardHandler, four: make(chan struct{})}
	h.log = slog.New(log)
	l := h.open()
	// The socket is made before and connected after the files are used up, so that it is the server that has none.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	free := useUpFiles(t)
	port := l.Addr().(*net.TCPAddr).Port
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	<-log.four
	free()
	got := make([]byte, 6)
	if n, err := syscall.Read(fd, got); string(got[:max(n, 0)]) != "hello\n" {
		t.Errorf("%q, %v", got, err)
	}
	h.shut()
	for i, want := range []time.Duration{5, 10, 20, 40} {
		if got := log.seen[i]; got != want*time.Millisecond {
			t.Errorf("pause %d: %v, want %d ms", i+1, got, want)
		}
	}
}

// broken is a listener that fails.
type broken struct {
	net.Listener
	err error
}

func (b broken) Accept() (net.Conn, error) { return nil, b.err }

func TestServeReturnsWhatBreaksItsListener(t *testing.T) {
	l := newHouse(t).open()
	want := errors.New("broken")
	var s Sessions[*guest]
	if err := s.Serve(broken{l, want}, clock.System, slog.New(slog.DiscardHandler), nil); err != want {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener was left open: %v", err)
	}
}

func TestAPauseEndsWithTheServer(t *testing.T) {
	l := newHouse(t).open()
	shortage := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	log := &pauses{Handler: slog.DiscardHandler}
	var s Sessions[*guest]
	served := make(chan error, 1)
	stopped := clock.NewManual(time.Unix(0, 0))
	go func() { served <- s.Serve(broken{l, shortage}, stopped, slog.New(log), nil) }()
	for seen := 0; seen == 0; {
		log.mu.Lock()
		seen = len(log.seen)
		log.mu.Unlock()
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestSessionsOfAnAccountAreLimited(t *testing.T) {
	var a Accounts
	enter := func(account int64, want bool) {
		t.Helper()
		if got := a.Enter(account, 2); got != want {
			t.Errorf("account %d: let in: %t", account, got)
		}
	}
	enter(1, true)
	enter(1, true)
	enter(1, false)
	enter(2, true)
	a.Leave(1)
	enter(1, true)
	for _, account := range []int64{1, 1, 2} {
		a.Leave(account)
	}
	if len(a.sessions) != 0 {
		t.Errorf("%d accounts are remembered", len(a.sessions))
	}
}
