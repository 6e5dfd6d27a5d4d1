package smtp

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"postern/internal/spool"
)

func TestASpoolThatFailsIsATemporaryFailureOfOneMessage(t *testing.T) {
	for _, role := range roles {
		s := newTestServer(t, role)
		dir := t.TempDir()
		var err error
		if s.Spool, err = spool.NewDir(dir); err != nil {
			t.Fatal(err)
		}
		s.listen(t)
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		p := s.dial(t)
		p.enter(t, role)
		large := strings.Repeat("NOOP\r\n", 100_000)
		p.talk(t, opened+"C: DATA\nS: 354")
		p.send(t, large+".\r\n")
		p.talk(t, "S: 451 4.3.0 Temporary failure\n"+opened)
		p.send(t, "BDAT 600000 LAST\r\n"+large)
		p.talk(t, "S: 451 4.3.0 Temporary failure\n"+opened+"C: DATA\nS: 354")
		p.send(t, large+"\x00\r\n.\r\n")
		p.talk(t, "S: 554 5.6.0\n"+opened+"C: DATA\nS: 354\nC: small\nC: .\nS: 250 2.6.0")
	}
}

// faultyListener fails before it gives connections.
type faultyListener struct {
	net.Listener
	errs []error
}

func (l *faultyListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	return l.Listener.Accept()
}

func TestServeOutlivesAShortageOfFileDescriptors(t *testing.T) {
	s := newTestServer(t, MX)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	shortage := &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	served := make(chan error, 1)
	go func() { served <- s.Serve(&faultyListener{l, []error{shortage, shortage}}) }()
	s.dial(t).talk(t, "S: 220\nC: QUIT\nS: 221")
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := s.Serve(l); err != nil {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

func TestServeReturnsWhatBrokeItsListener(t *testing.T) {
	s := newTestServer(t, MX)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := s.Serve(&faultyListener{l, []error{broken}}); err != broken {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener was left open: %v", err)
	}
}

func TestRepliesKeepTheirForm(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"one", "550 5.7.1 one\r\n"},
		{"one\ntwo", "550-5.7.1 one\r\n550 5.7.1 two\r\n"},
		{"a\r\x00\xc3\xa9b", "550 5.7.1 a????b\r\n"},
		{strings.Repeat("x", 1000), "550 5.7.1 " + strings.Repeat("x", 480) + "\r\n"},
	} {
		if got := string(appendReply(nil, 550, "5.7.1", test.text)); got != test.want {
			t.Errorf("%q: %q, want %q", test.text, got, test.want)
		}
	}
}
