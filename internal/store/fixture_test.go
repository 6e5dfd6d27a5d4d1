package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/spool"
	"postern/internal/testdb"
)

func TestMain(m *testing.M) {
	if job := os.Getenv("POSTERN_STORE_CHILD"); job != "" {
		os.Exit(child(job))
	}
	os.Exit(testdb.Main(m))
}

// fixture is a store of its own for one test.
type fixture struct {
	*Store
	t     testing.TB
	db    *db.DB
	url   string
	dir   string
	clock *clock.Manual
	opts  Options
}

var testEpoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// onBoth runs a test on SQLite and on PostgreSQL. In the end the store must verify clean.
func onBoth(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	testdb.OnBoth(t, func(t *testing.T, url string) { fn(t, newFixture(t, url, t.TempDir())) })
}

// onSQLite runs it on SQLite only.
func onSQLite(t testing.TB) *fixture {
	t.Helper()
	return newFixture(t, testdb.SQLite(t), t.TempDir())
}

func newFixture(t testing.TB, url, dir string) *fixture {
	t.Helper()
	f := &fixture{t: t, url: url, dir: dir, clock: clock.NewManual(testEpoch)}
	f.open()
	t.Cleanup(func() {
		if !t.Failed() {
			f.verify()
		}
		f.close()
	})
	return f
}

func (f *fixture) open() {
	f.t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{f.t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	d, err := db.Open(context.Background(), db.Options{URL: f.url, Log: log})
	if err != nil {
		f.t.Fatal(err)
	}
	f.db = d
	o := f.opts
	o.DB, o.BlobDir, o.Log = d, filepath.Join(f.dir, "blobs"), log
	if f.clock != nil {
		o.Clock = f.clock
	}
	if f.Store, err = Open(context.Background(), o); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) close() {
	if err := f.Store.Close(); err != nil {
		f.t.Error(err)
	}
	if err := f.db.Close(); err != nil {
		f.t.Error(err)
	}
}

func (f *fixture) reopen() {
	f.t.Helper()
	f.close()
	f.open()
}

// verify fails the test if anything is damaged; also when all that can be reaped was.
func (f *fixture) verify() {
	f.t.Helper()
	for range 2 {
		report, err := f.Verify(context.Background(), nil)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, d := range report.Damage {
			f.t.Errorf("damage: %s", d)
		}
		f.reap()
	}
}

func (f *fixture) reap() {
	f.t.Helper()
	if err := f.Store.reaper.all(context.Background()); err != nil {
		f.t.Fatal(err)
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// account makes an account.
func (f *fixture) account(id AccountID) *Account {
	f.t.Helper()
	if err := f.db.Write(context.Background(), func(tx *db.Tx) error { return f.CreateAccountTx(tx, id) }); err != nil {
		f.t.Fatal(err)
	}
	return f.Account(id)
}

// letter is a small message that is unlike any other.
func letter(subject string, size int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "From: Alice <alice@example.test>\r\nTo: Bob <bob@example.test>\r\nSubject: %s\r\nMessage-ID: <%x@example.test>\r\n"+
		"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", subject, sha256.Sum256([]byte(subject)))
	r := rand.New(rand.NewPCG(uint64(size), uint64(len(subject))))
	for b.Len() < size {
		for range 9 {
			b.WriteString(words[r.IntN(len(words))])
			b.WriteByte(' ')
		}
		b.WriteString("\r\n")
	}
	return []byte(b.String())
}

var words = strings.Fields("the gate stands open to those who come in peace and is shut to all who would force it so that the house within may sleep letters lie on the table")

// noise is a message that does not pack.
func noise(subject string, size int) []byte {
	b := letter(subject, 0)
	r := rand.New(rand.NewPCG(1, uint64(size)))
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for len(b) < size {
		for range 76 {
			b = append(b, alphabet[r.IntN(64)])
		}
		b = append(b, "\r\n"...)
	}
	return b
}

func prepare(s *Store, b []byte) (*Prepared, error) {
	c := spool.FromBytes(b)
	m, err := message.Parse(c, c.Size(), message.DefaultLimits)
	if err != nil {
		return nil, err
	}
	return s.Prepare(context.Background(), c, m.Meta())
}

func (f *fixture) prepare(b []byte) *Prepared {
	f.t.Helper()
	p, err := prepare(f.Store, b)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(p.Discard)
	return p
}

// deliver puts a message into one mailbox and gives its UID.
func (f *fixture) deliver(id AccountID, mailbox string, b []byte, flags ...string) uint32 {
	f.t.Helper()
	p := f.prepare(b)
	defer p.Discard()
	out, err := f.Deliver(context.Background(), p, []Target{{Account: id, Mailbox: mailbox, Flags: flags, Prefix: []byte("Return-Path: <a@example.test>\r\n")}})
	if err != nil {
		f.t.Fatal(err)
	}
	return out[0].UID
}

func (f *fixture) view(a *Account, mailbox string) *View {
	f.t.Helper()
	v, err := a.Select(context.Background(), mailbox, SelectOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(v.Close)
	return v
}

// body reads a whole message.
func body(v *View, uid uint32) (string, error) {
	c, err := v.Open(context.Background(), uid)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	return string(b), err
}

func (f *fixture) body(v *View, uid uint32) string {
	f.t.Helper()
	b, err := body(v, uid)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

func (f *fixture) sync(v *View) Update {
	f.t.Helper()
	u, err := v.Sync(true)
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

func (f *fixture) mailbox(a *Account, name string) Mailbox {
	f.t.Helper()
	m, err := a.Mailbox(context.Background(), name)
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}
