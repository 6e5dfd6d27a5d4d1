package managesieve

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/reply"
	"postern/internal/sasl"
	"postern/internal/scripts"
	"postern/internal/settings"
	"postern/internal/testdb"
)

const (
	testLogin    = "alice@example.test"
	testPassword = "Secret-1"
	testAccount  = 7
)

// testUsers knows alice and bob, who share a password.
type testUsers struct{}

func (testUsers) Authenticate(_ context.Context, login, password string) (sasl.Identity, error) {
	switch {
	case login == "broken":
		return sasl.Identity{}, errors.New("database on fire")
	case login == "busy":
		return sasl.Identity{}, sasl.ErrBusy
	case login == testLogin && password == testPassword:
		return sasl.Identity{Account: testAccount, Login: testLogin}, nil
	case login == "bob@example.test" && password == testPassword:
		return sasl.Identity{Account: 8, Login: login}, nil
	}
	return sasl.Identity{}, sasl.ErrBadCredentials
}

func (testUsers) Scram(_ context.Context, login string) (sasl.ScramCredentials, error) {
	salted, err := pbkdf2.Key(sha256.New, testPassword, []byte("salt"), 4096, 32)
	c := sasl.ScramCredentials{Identity: sasl.Identity{Account: testAccount, Login: login}, Salt: []byte("salt"), Iterations: 4096}
	c.StoredKey, c.ServerKey = sasl.ScramKeys(salted)
	return c, err
}

// testCompiler finds fault with scripts that say so.
type testCompiler struct{}

func (testCompiler) Check(_ context.Context, _ scripts.Owner, _ string, script []byte) (mistakes, warnings []string, err error) {
	switch {
	case bytes.Contains(script, []byte("panic")):
		panic("compiler fault")
	case bytes.Contains(script, []byte("error")):
		return []string{"line 1: \"error\" is no command; remove it\nline 2: see there"}, nil, nil
	case bytes.Contains(script, []byte("trouble")):
		return nil, nil, errors.New("database on fire")
	case bytes.Contains(script, []byte("warning")):
		return nil, []string{"line 1: this does nothing", "line 3: nor does this"}, nil
	}
	return nil, nil, nil
}

func (testCompiler) Extensions() []string { return []string{"fileinto", "enotify"} }

// world is a server with a real store of scripts, on loopback.
type world struct {
	testing.TB
	server   *Server
	scripts  *scripts.Store
	settings *settings.Settings
	addr     string
}

// newWorld starts a server; options change it before it serves.
func newWorld(t testing.TB, options ...func(*Server)) *world {
	t.Helper()
	w := &world{TB: t, settings: settings.Defaults()}
	var err error
	if w.scripts, err = scripts.Open(t.Context(), scripts.Options{DB: testdb.Open(t, testdb.SQLite(t)), Settings: w.settings}); err != nil {
		t.Fatal(err)
	}
	config, _ := testTLS()
	w.server = &Server{
		TLS: sasl.CaptureCertificate(config), Hostname: "mail.example.test", Version: "1.2", Scripts: w.scripts, Compiler: testCompiler{},
		MaxRedirects: 4, Auth: testUsers{}, Log: slog.New(slog.NewTextHandler(logToTest{t}, nil)),
	}
	for _, option := range options {
		option(w.server)
	}
	w.listen()
	return w
}

func limited(l Limits) func(*Server) {
	return func(s *Server) { s.Limits = func() Limits { return l } }
}

func (w *world) listen() {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	w.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l) }()
	w.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.server.Shutdown(ctx); err != nil {
			w.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			w.Errorf("Serve: %v", err)
		}
	})
}

// logToTest fails the test when the server reports a fault of its own.
type logToTest struct{ t testing.TB }

func (l logToTest) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "panic") && !strings.Contains(string(p), "compiler fault") {
		l.t.Errorf("%s", p)
	}
	return len(p), nil
}

var testTLS = sync.OnceValues(func() (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mail.example.test"},
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
		&tls.Config{RootCAs: roots, ServerName: "mail.example.test"}
})

// peer is the client's end of a connection.
type peer struct {
	net.Conn
	r *bufio.Reader
}

func (w *world) dial() *peer {
	w.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.Fatal(err)
	}
	return newPeer(w, conn)
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &peer{conn, bufio.NewReader(conn)}
}

// enter connects and goes on inside TLS.
func (w *world) enter() *peer {
	w.Helper()
	p := w.dial()
	p.talk(w, greeting+"C: STARTTLS\nS: OK \"Begin TLS negotiation now\"\nTLS\n"+secured)
	return p
}

// user connects and logs in.
func (w *world) user() *peer {
	w.Helper()
	p := w.enter()
	p.talk(w, "C: AUTHENTICATE \"PLAIN\" \""+plain(testLogin, testPassword)+"\"\nS: OK \"Logged in\"")
	return p
}

func plain(login, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + login + "\x00" + password))
}

// What the server says first, and what once TLS is active.
const (
	greeting = `
		S: "IMPLEMENTATION" "Postern"
		S: "SASL" ""
		S: "SIEVE" "fileinto enotify"
		S: "NOTIFY" "mailto"
		S: "MAXREDIRECTS" "4"
		S: "STARTTLS"
		S: "UNAUTHENTICATE"
		S: "VERSION" "1.0"
		S: OK "mail.example.test Postern ready"
	`
	secured = `
		S: "IMPLEMENTATION" "Postern"
		S: "SASL" "SCRAM-SHA-256 PLAIN"
		S: "SIEVE" "fileinto enotify"
		S: "NOTIFY" "mailto"
		S: "MAXREDIRECTS" "4"
		S: "UNAUTHENTICATE"
		S: "VERSION" "1.0"
		S: OK "TLS is active"
	`
)

func (p *peer) startTLS(t testing.TB) {
	t.Helper()
	_, config := testTLS()
	c := tls.Client(p.Conn, config)
	if err := c.Handshake(); err != nil {
		t.Fatalf("handshake: %v", err)
	}
	p.Conn, p.r = c, bufio.NewReader(c)
}

// line reads one without its CR LF; "<closed>" at the end of the connection.
func (p *peer) line(t testing.TB) string {
	t.Helper()
	line, err := p.r.ReadString('\n')
	switch {
	case err == nil && strings.HasSuffix(line, "\r\n"):
		return line[:len(line)-2]
	case err == nil || line != "":
		t.Fatalf("not a line: %q, %v", line, err)
	case isTimeout(err):
		t.Fatal("no answer")
	}
	return "<closed>"
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (p *peer) send(t testing.TB, s string) {
	t.Helper()
	if _, err := io.WriteString(p, s); err != nil {
		t.Fatalf("sending %.60q: %v", s, err)
	}
}

// talk runs a dialogue. Lines are:
//
//	C: text        sent with CR LF; backslash escapes as in Go, but for \\ and \" which stay
//	R: text        sent as it is, without CR LF; backslash escapes the same
//	S: text        a line that is exactly so; "…" stands for anything
//	S: <closed>    the server has closed the connection
//	TLS            the client starts TLS
//	# text         a remark
func (p *peer) talk(t testing.TB, dialogue string) {
	t.Helper()
	for number, line := range strings.Split(dialogue, "\n") {
		line = strings.TrimLeft(line, "\t ")
		kind, text, _ := strings.Cut(line, " ")
		switch kind {
		case "", "#":
		case "C:":
			p.send(t, unescape(t, text)+"\r\n")
		case "R:":
			p.send(t, unescape(t, text))
		case "S:":
			if got := p.line(t); !matches(text, got) {
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
	out, err := strconv.Unquote(`"` + strings.NewReplacer(`\\`, `\\\\`, `\"`, `\\\"`, `"`, `\"`).Replace(s) + `"`)
	if err != nil {
		t.Fatalf("dialogue text %q: %v", s, err)
	}
	return out
}

func matches(pattern, line string) bool {
	first, rest, wild := strings.Cut(pattern, "…")
	if !wild {
		return pattern == line
	}
	if !strings.HasPrefix(line, first) {
		return false
	}
	line = line[len(first):]
	parts := strings.Split(rest, "…")
	for _, part := range parts[:len(parts)-1] {
		i := strings.Index(line, part)
		if i < 0 {
			return false
		}
		line = line[i+len(part):]
	}
	return strings.HasSuffix(line, parts[len(parts)-1])
}

// content is a stored script.
func (w *world) content(name string) string {
	w.Helper()
	script, err := w.scripts.Get(w.Context(), scripts.Of(testAccount), name)
	if err != nil {
		w.Fatal(err)
	}
	return string(script.Content)
}

// waitFor waits until the server has come to a state that no answer tells of.
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

// errSlow is what a throttle says that lets nobody in.
var errSlow = reply.New(454, "4.7.0", "Too many failed logins, try again in 5 minutes")
