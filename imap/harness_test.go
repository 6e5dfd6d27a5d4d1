package imap

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/sasl"
	"postern/internal/spool"
	"postern/internal/store"
)

// password is every test user's.
const password = "Correct-horse-1"

// world is a server with a real store, on loopback.
type world struct {
	testing.TB
	server *Server
	store  *store.Store
	db     *db.DB
	addr   string
	tls    *tls.Config // for clients
	users  *users
}

// newWorld starts a server; options change it before it serves.
func newWorld(t testing.TB, options ...func(*Server)) *world {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	database, err := db.Open(ctx, db.Options{URL: "sqlite:" + filepath.Join(dir, "postern.db"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(ctx, store.Options{DB: database, BlobDir: filepath.Join(dir, "blobs"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := spool.NewDir(filepath.Join(dir, "spool"))
	if err != nil {
		t.Fatal(err)
	}
	server, client := certificates(t)
	w := &world{TB: t, store: st, db: database, tls: client, users: &users{ids: make(map[string]int64)}}
	w.server = &Server{TLS: sasl.CaptureCertificate(server), Hostname: "mail.example.test", Store: st, Spool: sp, Auth: w.users, Log: log}
	for _, option := range options {
		option(w.server)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		st.Close()
		database.Close()
	})
	w.addUser("alice@example.test")
	return w
}

// addUser makes an account with its mailboxes.
func (w *world) addUser(login string) *store.Account {
	w.Helper()
	id := w.users.add(login)
	err := w.db.Write(context.Background(), func(tx *db.Tx) error {
		if _, err := tx.Exec("SELECT 1"); err != nil {
			return err
		}
		return w.store.CreateAccountTx(tx, store.AccountID(id))
	})
	if err != nil {
		w.Fatal(err)
	}
	return w.store.Account(store.AccountID(id))
}

func (w *world) account(login string) *store.Account {
	w.users.mu.Lock()
	defer w.users.mu.Unlock()
	return w.store.Account(store.AccountID(w.users.ids[login]))
}

// deliver puts a message into a mailbox as SMTP would.
func (w *world) deliver(login, mailbox, text string, flags ...string) store.Delivered {
	w.Helper()
	content := spool.FromBytes([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		w.Fatal(err)
	}
	p, err := w.store.Prepare(context.Background(), content, m.Meta())
	if err != nil {
		w.Fatal(err)
	}
	defer p.Discard()
	delivered, err := w.store.Deliver(context.Background(), p, []store.Target{{
		Account: w.account(login).ID(), Mailbox: mailbox, Flags: flags, Internal: time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC),
	}})
	if err != nil {
		w.Fatal(err)
	}
	return delivered[0]
}

// deliverWith delivers a message with trace fields in front.
func (w *world) deliverWith(login, text, prefix string) {
	w.Helper()
	content := spool.FromBytes([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		w.Fatal(err)
	}
	p, err := w.store.Prepare(context.Background(), content, m.Meta())
	if err != nil {
		w.Fatal(err)
	}
	defer p.Discard()
	to := []store.Target{{Account: w.account(login).ID(), Prefix: []byte(prefix), Internal: time.Unix(1700000000, 0)}}
	if _, err := w.store.Deliver(context.Background(), p, to); err != nil {
		w.Fatal(err)
	}
}

// users are the accounts that can log in, all with the same password.
type users struct {
	mu  sync.Mutex
	ids map[string]int64
}

func (u *users) add(login string) int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ids[login] = int64(len(u.ids) + 1)
	return u.ids[login]
}

func (u *users) Authenticate(_ context.Context, login, pass string) (sasl.Identity, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	id, found := u.ids[strings.ToLower(login)]
	if !found || pass != password {
		return sasl.Identity{}, sasl.ErrBadCredentials
	}
	return sasl.Identity{Account: id, Login: strings.ToLower(login)}, nil
}

func (u *users) Scram(_ context.Context, login string) (sasl.ScramCredentials, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	salt := []byte("0123456789abcdef")
	salted, err := pbkdf2.Key(sha256.New, password, salt, 4096, 32)
	if err != nil {
		return sasl.ScramCredentials{}, err
	}
	if _, found := u.ids[login]; !found {
		salted = hmac.New(sha256.New, salted).Sum(nil)
	}
	stored, server := sasl.ScramKeys(salted)
	return sasl.ScramCredentials{
		Identity: sasl.Identity{Account: u.ids[login], Login: login}, Salt: salt, Iterations: 4096, StoredKey: stored, ServerKey: server,
	}, nil
}

// testWriter sends the server's log to the test's.
type testWriter struct{ testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.Logf("%s", strings.TrimSpace(string(p)))
	return len(p), nil
}

// certificates makes a server's and a client's configuration that fit.
func certificates(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return server, &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// client is one connection of a dialogue.
type client struct {
	t    testing.TB
	name string
	conn *tls.Conn
	r    *bufio.Reader
}

// dial connects and reads the greeting.
func (w *world) dial() *client {
	w.Helper()
	c := w.dialRaw()
	c.want("* OK [CAPABILITY IMAP4rev1 …] mail.example.test Postern ready")
	return c
}

func (w *world) dialRaw() *client {
	w.Helper()
	c, err := w.tryDial()
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) tryDial() (*client, error) {
	conn, err := tls.Dial("tcp", w.addr, w.tls)
	if err != nil {
		return nil, err
	}
	w.Cleanup(func() { conn.Close() })
	return &client{t: w, conn: conn, r: bufio.NewReader(conn)}, nil
}

func (w *world) dialTCP() (net.Conn, error) { return net.Dial("tcp", w.addr) }

// user connects and logs in.
func (w *world) user(login string) *client {
	w.Helper()
	c := w.dial()
	c.send("l LOGIN " + login + " " + password)
	c.want("l OK [CAPABILITY …] Logged in")
	return c
}

func (c *client) send(line string) {
	c.t.Helper()
	c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.conn.Write([]byte(line + "\r\n")); err != nil {
		c.t.Fatalf("%ssending %q: %v", c.name, line, err)
	}
}

func (c *client) read() string {
	c.t.Helper()
	c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%sreading: %q, %v", c.name, line, err)
	}
	return strings.TrimSuffix(line, "\r\n")
}

// want reads a line that must match: "…" stands for anything.
func (c *client) want(pattern string) {
	c.t.Helper()
	if line := c.read(); !matches(pattern, line) {
		c.t.Fatalf("%sgot  %s\n%*swant %s", c.name, line, len(c.name), "", pattern)
	}
}

// until reads lines up to one that matches, and gives all.
func (c *client) until(pattern string) []string {
	c.t.Helper()
	var lines []string
	for {
		line := c.read()
		lines = append(lines, line)
		if matches(pattern, line) {
			return lines
		}
	}
}

// closed waits for the server to end the connection.
func (c *client) closed() {
	c.t.Helper()
	c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if line, err := c.r.ReadString('\n'); err == nil {
		c.t.Fatalf("got %q, want the end", line)
	}
}

func matches(pattern, line string) bool {
	parts := strings.Split(pattern, "…")
	if len(parts) == 1 {
		return pattern == line
	}
	if !strings.HasPrefix(line, parts[0]) {
		return false
	}
	line = line[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(line, part)
		if i < 0 {
			return false
		}
		line = line[i+len(part):]
	}
	return strings.HasSuffix(line, parts[len(parts)-1])
}

// dialogue plays a script. Lines start with "C: " or "S: ", or "C2: " and "S2: " for a second session of the same user;
// a session is connected and logged in when it is first named. Lines of the server must come in this order.
func (w *world) dialogue(script string) {
	w.Helper()
	w.dialogueAs("alice@example.test", script)
}

func (w *world) dialogueAs(login, script string) {
	w.Helper()
	sessions := map[string]*client{}
	w.play(script, func(id string) *client {
		c := sessions[id]
		if c == nil {
			c = w.user(login)
			c.name = "session " + id + ": "
			sessions[id] = c
		}
		return c
	})
}

// play runs a script over sessions.
func (w *world) play(script string, session func(id string) *client) {
	w.Helper()
	for i, line := range strings.Split(script, "\n") {
		line = strings.TrimLeft(line, "\t ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		who, text, _ := strings.Cut(line, ":")
		text = strings.TrimPrefix(text, " ")
		c := session(who[1:])
		c.name = fmt.Sprintf("line %d, session %q: ", i, who[1:])
		switch who[0] {
		case 'C':
			c.send(text)
		case 'S':
			c.want(text)
		default:
			w.Fatalf("line %d of the script: %q", i, line)
		}
	}
}

func (w *world) setQuota(login string, bytes, messages int64) {
	w.Helper()
	err := w.db.Write(context.Background(), func(tx *db.Tx) error {
		return w.store.SetQuotaTx(tx, w.account(login).ID(), bytes, messages)
	})
	if err != nil {
		w.Fatal(err)
	}
}
