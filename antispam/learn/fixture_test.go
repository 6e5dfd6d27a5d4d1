package learn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"postern/antispam/bayes"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/settings"
	"postern/internal/spool"
	"postern/internal/store"
	"postern/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

var testEpoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture is a store whose accounts teach.
type fixture struct {
	*Models
	t        testing.TB
	url, dir string
	db       *db.DB
	store    *store.Store
	lessons  *Lessons
	settings *settings.Settings
	clock    *clock.Manual
	bounds   bounds
	gone     map[int64]bool
	budget   int64
	start    bool
	tokens   Tokenize
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Helper()
	testdb.OnBoth(t, func(t *testing.T, url string) { fn(t, newFixture(t, url)) })
}

func onSQLite(t testing.TB) *fixture {
	t.Helper()
	return newFixture(t, testdb.SQLite(t))
}

func newFixture(t testing.TB, url string) *fixture {
	t.Helper()
	f := &fixture{t: t, url: url, dir: t.TempDir(), settings: settings.Defaults(), clock: clock.NewManual(testEpoch),
		bounds: usualBounds, gone: map[int64]bool{}, tokens: words}
	f.open()
	t.Cleanup(func() { f.close() })
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) open() {
	f.t.Helper()
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(testWriter{f.t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	f.db, err = db.Open(ctx, db.Options{URL: f.url, Log: log})
	f.must(err)
	f.store, err = store.Open(ctx, store.Options{DB: f.db, BlobDir: filepath.Join(f.dir, "blobs"), Clock: f.clock, Log: log})
	f.must(err)
	f.Models, err = Open(ctx, Options{DB: f.db, Settings: f.settings, Clock: f.clock, Log: log, CacheBytes: f.budget,
		Gone: func(account int64) bool { return f.gone[account] }})
	f.must(err)
	f.Models.bounds = f.bounds
	f.lessons = NewLessons(LessonsOptions{DB: f.db, Store: f.store, Models: f.Models, Tokens: f.tokens, Clock: f.clock, Log: log})
	f.store.Listen(f.lessons)
	if f.start {
		f.lessons.Start()
	}
}

func (f *fixture) close() {
	f.t.Helper()
	f.must(errors.Join(f.lessons.Close(), f.Models.Close(), f.store.Close(), f.db.Close()))
}

func (f *fixture) reopen() {
	f.t.Helper()
	f.close()
	f.open()
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// words is a tokenizer: every word is one.
func words(content io.ReaderAt, size int64) ([]bayes.Token, error) {
	b, err := io.ReadAll(io.NewSectionReader(content, 0, size))
	var tokens []bayes.Token
	for word := range bytes.FieldsSeq(b) {
		tokens = append(tokens, word1(string(word)))
	}
	return tokens, err
}

func word1(s string) bayes.Token {
	h := fnv.New64a()
	io.WriteString(h, s)
	return bayes.Token(h.Sum64())
}

func some(names ...string) []bayes.Token {
	tokens := make([]bayes.Token, len(names))
	for i, name := range names {
		tokens[i] = word1(name)
	}
	return tokens
}

// counts gives what an account's model has of a word.
func (f *fixture) counts(account int64, word string) bayes.Count {
	f.t.Helper()
	m, err := f.Of(context.Background(), account)
	f.must(err)
	var out [1]bayes.Count
	m.Counts(some(word), out[:])
	return out[0]
}

func (f *fixture) totals(account int64) bayes.Count {
	f.t.Helper()
	m, err := f.Of(context.Background(), account)
	f.must(err)
	return m.Totals()
}

// expect compares an account's totals, and its counts of a word, if one is given.
func (f *fixture) expect(account int64, totals bayes.Count, word string, counts bayes.Count) {
	f.t.Helper()
	if got := f.totals(account); got != totals {
		f.t.Errorf("account %d learnt %v, not %v", account, got, totals)
	}
	if got := f.counts(account, word); got != counts {
		f.t.Errorf("account %d has %q in %v, not %v", account, word, got, counts)
	}
}

func (f *fixture) train(account int64, key string, class Class, names ...string) bool {
	f.t.Helper()
	learnt, err := f.Train(context.Background(), account, []byte(key), class, some(names...))
	f.must(err)
	return learnt
}

// account makes an account with mailboxes.
func (f *fixture) account(id store.AccountID) *store.Account {
	f.t.Helper()
	f.must(f.db.Write(context.Background(), func(tx *db.Tx) error { return f.store.CreateAccountTx(tx, id) }))
	return f.store.Account(id)
}

func (f *fixture) prepare(text string) *store.Prepared {
	f.t.Helper()
	c := spool.FromBytes([]byte("Subject: " + text + "\r\n\r\n" + text + "\r\n"))
	m, err := message.Parse(c, c.Size(), message.DefaultLimits)
	f.must(err)
	p, err := f.store.Prepare(context.Background(), c, m.Meta())
	f.must(err)
	f.t.Cleanup(p.Discard)
	return p
}

// deliver has the server put a message into a mailbox.
func (f *fixture) deliver(id store.AccountID, mailbox, text string) uint32 {
	f.t.Helper()
	out, err := f.store.Deliver(context.Background(), f.prepare(text), []store.Target{{Account: id, Mailbox: mailbox, Prefix: []byte("Return-Path: <prefix@example.test>\r\n")}})
	f.must(err)
	return out[0].UID
}

// within calls fn with a view of a mailbox that is up to date.
func (f *fixture) within(a *store.Account, mailbox string, fn func(v *store.View) error) {
	f.t.Helper()
	v, err := a.Select(context.Background(), mailbox, store.SelectOptions{})
	f.must(err)
	defer v.Close()
	f.must(fn(v))
}

// move moves messages and gives their new UIDs.
func (f *fixture) move(a *store.Account, from string, uids []uint32, to string) (moved []uint32) {
	f.t.Helper()
	f.within(a, from, func(v *store.View) error {
		res, err := v.Move(context.Background(), uids, to)
		moved = res.Dst
		return err
	})
	return moved
}

func (f *fixture) flag(a *store.Account, mailbox string, mode store.StoreMode, uid uint32, flags ...string) {
	f.t.Helper()
	f.within(a, mailbox, func(v *store.View) error {
		_, err := v.Store(context.Background(), store.StoreOp{UIDs: []uint32{uid}, Mode: mode, Flags: flags})
		return err
	})
}

// work has everything learnt that waits.
func (f *fixture) work() {
	f.t.Helper()
	f.must(f.lessons.Work(context.Background()))
	if n := f.waiting(); n != 0 {
		f.t.Errorf("%d rows still wait", n)
	}
}

func (f *fixture) waiting() int64 {
	f.t.Helper()
	n, err := f.lessons.Waiting(context.Background())
	f.must(err)
	return n
}

// until waits for something that happens in the background.
func until(condition func() bool) {
	for !condition() {
		runtime.Gosched()
	}
}

// rows counts a table.
func (f *fixture) rows(table string) (n int64) {
	f.t.Helper()
	f.must(f.db.QueryRow(context.Background(), `SELECT count(*) FROM `+table).Scan(&n))
	return n
}

// check compares the kept numbers of every model with its rows.
func (f *fixture) check() {
	f.t.Helper()
	rows, err := f.db.Query(context.Background(), `SELECT account, token_number, key_number, (SELECT count(*) FROM learn_tokens WHERE model = m.id),
		(SELECT count(*) FROM learn_messages WHERE model = m.id) FROM learn_models m WHERE state = 0`)
	f.must(err)
	defer rows.Close()
	for rows.Next() {
		var account, tokens, keys, tokenRows, keyRows int64
		f.must(rows.Scan(&account, &tokens, &keys, &tokenRows, &keyRows))
		if tokens != tokenRows || keys != keyRows {
			f.t.Errorf("account %d: %d tokens and %d keys are counted, there are %d and %d", account, tokens, keys, tokenRows, keyRows)
		}
	}
	f.must(rows.Err())
}

func keyOf(n int) []byte {
	sum := sha256.Sum256(fmt.Append(nil, n))
	return sum[:]
}
