package smtp

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/address"
	"postern/internal/reply"
	"postern/internal/sasl"
	"postern/internal/spool"
)

// received is a message that the test's backend accepted.
type received struct {
	Session  Session
	Envelope Envelope
	Text     string
}

// testBackend accepts everything but what its fields and a few well-known local parts say.
type testBackend struct {
	connect error
	hold    chan struct{} // Data waits until it is closed
	holding chan struct{} // tells that Data waits
	forget  bool          // keep no texts

	mu       sync.Mutex
	messages []received
	gone     int
}

func (b *testBackend) Connect(context.Context, *Session) error { return b.connect }

func (b *testBackend) Disconnect(*Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone++
}

func (b *testBackend) Mail(_ context.Context, _ *Session, e *Envelope) error {
	switch e.From.Local {
	case "refused":
		return reply.New(550, "5.7.1", "Not from you")
	case "broken":
		return errors.New("secret detail")
	}
	return nil
}

func (b *testBackend) Rcpt(_ context.Context, _ *Session, _ *Envelope, r Recipient) error {
	switch r.Address.Local {
	case "nobody":
		return reply.New(550, "5.1.1", "No such user")
	case "later":
		return reply.New(450, "4.2.1", "Greylisted")
	}
	return nil
}

func (b *testBackend) Data(ctx context.Context, s *Session, e *Envelope, c *spool.Content) (string, error) {
	if b.hold != nil {
		b.holding <- struct{}{}
		select {
		case <-b.hold:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	m := received{Session: *s, Envelope: *e}
	if !b.forget {
		text, err := io.ReadAll(c.NewReader())
		if err != nil {
			return "", err
		}
		m.Text = string(text)
	}
	if strings.Contains(m.Text, "Panic: now") {
		panic("backend fault")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, m)
	return "2.6.0 Queued as " + strconv.Itoa(len(b.messages)), nil
}

func (b *testBackend) all() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]received(nil), b.messages...)
}

// testUsers knows alice@example.test with the password "Secret-1".
type testUsers struct{}

const testLogin, testPassword = "alice@example.test", "Secret-1"

func (testUsers) Authenticate(_ context.Context, login, password string) (sasl.Identity, error) {
	switch {
	case login == "broken":
		return sasl.Identity{}, errors.New("database on fire")
	case login == testLogin && password == testPassword:
		return sasl.Identity{Account: 7, Login: testLogin}, nil
	}
	return sasl.Identity{}, sasl.ErrBadCredentials
}

func (testUsers) Scram(_ context.Context, login string) (sasl.ScramCredentials, error) {
	salted, err := pbkdf2.Key(sha256.New, testPassword, []byte("salt"), 4096, 32)
	if err != nil {
		return sasl.ScramCredentials{}, err
	}
	c := sasl.ScramCredentials{Identity: sasl.Identity{Account: 7, Login: login}, Salt: []byte("salt"), Iterations: 4096}
	c.StoredKey, c.ServerKey = sasl.ScramKeys(salted)
	return c, nil
}

var testTLS = sync.OnceValues(func() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.example.test"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "mx.example.test"}
})

// testServer is a running server and its backend.
type testServer struct {
	*Server
	backend *testBackend
	addr    string
}

// newTestServer makes a server that does not listen yet.
func newTestServer(t testing.TB, role Role) *testServer {
	t.Helper()
	dir, err := spool.NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	backend := &testBackend{holding: make(chan struct{})}
	serverTLS, _ := testTLS()
	return &testServer{backend: backend, Server: &Server{
		Role: role, Hostname: "mx.example.test", TLS: serverTLS, Backend: backend, Auth: testUsers{}, Spool: dir,
		Log: slog.New(slog.NewTextHandler(logToTest{t}, nil)),
	}}
}

// logToTest fails the test when the server reports a fault of its own.
type logToTest struct{ t testing.TB }

func (l logToTest) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "panicked") && !strings.Contains(string(p), "backend fault") {
		l.t.Errorf("%s", p)
	}
	return len(p), nil
}

// listen starts the server on loopback.
func (s *testServer) listen(t testing.TB) *testServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func startServer(t testing.TB, role Role) *testServer {
	t.Helper()
	return newTestServer(t, role).listen(t)
}

// peer is the client's end of a connection.
type peer struct {
	net.Conn
	r *bufio.Reader
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &peer{conn, bufio.NewReader(conn)}
}

func (s *testServer) dial(t testing.TB) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, conn)
	if s.Role == Submissions {
		p.startTLS(t)
	}
	return p
}

func (p *peer) startTLS(t testing.TB) {
	t.Helper()
	_, config := testTLS()
	c := tls.Client(p.Conn, config)
	if err := c.Handshake(); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	p.Conn, p.r = c, bufio.NewReader(c)
}

// reply reads one whole reply, its lines joined by \n, without CR LF; "<closed>" at the end of the connection.
func (p *peer) reply(t testing.TB) string {
	t.Helper()
	var lines []string
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			if line != "" || len(lines) > 0 {
				t.Fatalf("connection ended inside a reply: %q %q: %v", lines, line, err)
			}
			if isTimeout(err) {
				t.Fatal("no reply")
			}
			return "<closed>"
		}
		if !strings.HasSuffix(line, "\r\n") || len(line) < 6 {
			t.Fatalf("malformed reply line %q", line)
		}
		lines = append(lines, line[:len(line)-2])
		if line[3] == ' ' {
			return strings.Join(lines, "\n")
		}
	}
}

func (p *peer) send(t testing.TB, s string) {
	t.Helper()
	if _, err := io.WriteString(p, s); err != nil {
		t.Fatalf("sending %.60q: %v", s, err)
	}
}

// talk runs a dialogue. Lines are:
//
//	C: text        sent with CR LF; backslash escapes as in Go
//	R: text        sent as it is, without CR LF; backslash escapes as in Go
//	S: text        a reply that begins so; lines of a multi-line reply are separated by \n; "…" skips anything
//	S: <closed>    the server has closed the connection
//	TLS            the client starts TLS
//	# text         a remark
func (p *peer) talk(t testing.TB, dialogue string) {
	t.Helper()
	for number, line := range strings.Split(dialogue, "\n") {
		line = strings.TrimSpace(line)
		kind, text, _ := strings.Cut(line, " ")
		switch kind {
		case "", "#":
		case "C:":
			p.send(t, unescape(t, text)+"\r\n")
		case "R:":
			p.send(t, unescape(t, text))
		case "S:":
			if got := p.reply(t); !matches(got, unescape(t, text)) {
				t.Fatalf("line %d of the dialogue: server said\n\t%s\nwant\n\t%s", number, got, text)
			}
		case "TLS":
			p.startTLS(t)
		default:
			t.Fatalf("line %d of the dialogue: %q", number, line)
		}
	}
}

func unescape(t testing.TB, s string) string {
	t.Helper()
	out, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("dialogue text %q: %v", s, err)
	}
	return out
}

// matches reports whether got begins with want, in which "…" stands for anything.
func matches(got, want string) bool {
	first, rest, wild := strings.Cut(want, "…")
	if !strings.HasPrefix(got, first) {
		return false
	}
	got = got[len(first):]
	for wild {
		first, rest, wild = strings.Cut(rest, "…")
		i := strings.Index(got, first)
		if i < 0 {
			return false
		}
		got = got[i+len(first):]
	}
	return true
}

// enter brings a fresh connection to where a role accepts mail: greeting, TLS, EHLO, AUTH.
func (p *peer) enter(t testing.TB, role Role) {
	t.Helper()
	p.talk(t, "S: 220 mx.example.test ESMTP")
	if role == Submission {
		p.talk(t, "C: EHLO client.example\nS: 250-mx.example.test\nC: STARTTLS\nS: 220 2.0.0\nTLS")
	}
	p.talk(t, "C: EHLO client.example\nS: 250-mx.example.test")
	if role != MX {
		p.talk(t, "C: AUTH PLAIN "+plain(testLogin, testPassword)+"\nS: 235 2.7.0")
	}
}

var roles = []Role{MX, Submission, Submissions}

// forRoles runs a test for each role with a connection that may send mail.
func forRoles(t *testing.T, test func(t *testing.T, s *testServer, p *peer)) {
	for _, role := range roles {
		t.Run(role.String(), func(t *testing.T) {
			s := startServer(t, role)
			p := s.dial(t)
			p.enter(t, role)
			test(t, s, p)
		})
	}
}

func sameAddresses(list []Recipient, want ...string) error {
	var got []string
	for _, r := range list {
		got = append(got, r.Address.String())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("recipients %q, want %q", got, want)
	}
	return nil
}

func mustParse(t testing.TB, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// waitFor waits until the server has come to a state that no reply tells of.
func waitFor(t testing.TB, reached func() bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for !reached() {
		select {
		case <-time.After(time.Millisecond):
		case <-timeout:
			t.Fatal("the server did not come to the state")
		}
	}
}
