package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/reply"
	"postern/internal/testdb"
	"postern/smtp/queue"
)

// lab is a queue with everything around it under the test's hand. It runs inside a synctest bubble, so that days pass at
// once and Wait means that nothing more happens by itself.
type lab struct {
	*queue.Queue
	t      *testing.T
	url    string
	db     *db.DB
	limits queue.Limits

	mu       sync.Mutex
	blobs    map[int64]*blob
	fails    int // how often ReleaseBlobTx fails
	notices  []queue.Notice
	noBounce error
	prepared int // notices so far
	stale    int // so many of them, the first, can never be written
	events   []queue.Event
	attempts []attempt
	deliver  func(ctx context.Context, job *queue.Job) []queue.Outcome
	lines    map[string]int // opened
	busy     map[string]int // deliveries under way
	busiest  map[string]int
}

type attempt struct {
	at      time.Time
	dest    string
	message queue.ID
	to      []string
	text    string
}

type blob struct {
	text string
	refs int
}

func (b blob) ReadAt(p []byte, off int64) (int, error) {
	return strings.NewReader(b.text).ReadAt(p, off)
}
func (b blob) Size() int64  { return int64(len(b.text)) }
func (b blob) Close() error { return nil }

// TestMain lets the tests share one PostgreSQL.
func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// inLab runs a test on SQLite.
func inLab(t *testing.T, test func(l *lab)) {
	inLabAt(t, testdb.SQLite(t), test)
}

// inBothLabs runs a test on SQLite and on PostgreSQL.
func inBothLabs(t *testing.T, test func(l *lab)) {
	testdb.OnBoth(t, func(t *testing.T, url string) { inLabAt(t, url, test) })
}

func inLabAt(t *testing.T, url string, test func(l *lab)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, url: url, blobs: map[int64]*blob{}, lines: map[string]int{}, busy: map[string]int{}, busiest: map[string]int{}}
		l.deliver = func(_ context.Context, job *queue.Job) []queue.Outcome {
			return all(job, queue.Outcome{Host: "mx.test[192.0.2.1]"})
		}
		l.open()
		test(l)
		l.close()
	})
}

func (l *lab) open() {
	l.t.Helper()
	var err error
	if l.db, err = db.Open(context.Background(), db.Options{URL: l.url}); err != nil {
		l.t.Fatal(err)
	}
	l.Queue, err = queue.New(context.Background(), queue.Options{
		DB: l.db, Blobs: l, Deliverer: l, Bouncer: l, Hostname: "us.test", Clock: clock.System,
		Limits:  func() queue.Limits { return l.limits },
		Observe: func(e queue.Event) { l.mu.Lock(); defer l.mu.Unlock(); l.events = append(l.events, e) },
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) close() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		l.t.Errorf("shutdown: %v", err)
	}
	if err := l.db.Close(); err != nil {
		l.t.Error(err)
	}
	synctest.Wait()
}

func (l *lab) OpenBlob(_ context.Context, id int64) (queue.Content, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.blobs[id]; b != nil {
		return *b, nil
	}
	return nil, errors.New("no such blob")
}

func (l *lab) ReleaseBlobTx(tx *db.Tx, id int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails > 0 {
		l.fails--
		return errors.New("the disk is full")
	}
	b := l.blobs[id]
	if b == nil || b.refs != 1 {
		l.t.Errorf("blob %d is released once too often", id)
	}
	b.refs--
	tx.OnRollback(func() { l.mu.Lock(); defer l.mu.Unlock(); b.refs++ })
	return nil
}

func (l *lab) Prepare(_ context.Context, n queue.Notice) (queue.Prepared, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.noBounce != nil {
		return nil, l.noBounce
	}
	l.prepared++
	return &prepared{l: l, n: n, stale: l.prepared <= l.stale}, nil
}

type prepared struct {
	l     *lab
	n     queue.Notice
	stale bool
}

func (p *prepared) Tx(tx *db.Tx) error {
	if p.stale {
		return errors.New("no such account")
	}
	tx.OnCommit(func() {
		p.l.mu.Lock()
		defer p.l.mu.Unlock()
		p.l.notices = append(p.l.notices, p.n)
	})
	return nil
}

func (p *prepared) Discard() {}

func (l *lab) Line(dest string) queue.Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[dest]++
	return &labLine{l, dest}
}

type labLine struct {
	l    *lab
	dest string
}

func (n *labLine) Close() {}

func (n *labLine) Deliver(ctx context.Context, job *queue.Job) []queue.Outcome {
	var text bytes.Buffer
	_, _ = text.ReadFrom(job.Open())
	a := attempt{at: time.Now(), dest: n.dest, message: job.Message, text: text.String()}
	for _, r := range job.Recipients {
		a.to = append(a.to, r.Address)
	}
	l := n.l
	l.mu.Lock()
	l.attempts = append(l.attempts, a)
	for _, key := range []string{n.dest, ""} {
		l.busy[key]++
		l.busiest[key] = max(l.busiest[key], l.busy[key])
	}
	deliver := l.deliver
	l.mu.Unlock()
	outcomes := deliver(ctx, job)
	l.mu.Lock()
	l.busy[n.dest]--
	l.busy[""]--
	l.mu.Unlock()
	return outcomes
}

// all gives every recipient one outcome.
func all(job *queue.Job, o queue.Outcome) []queue.Outcome {
	return slices.Repeat([]queue.Outcome{o}, len(job.Recipients))
}

func (l *lab) setDeliver(fn func(ctx context.Context, job *queue.Job) []queue.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deliver = fn
}

// says makes all deliveries end with a reply.
func (l *lab) says(code int, enhanced, text string) {
	l.setDeliver(func(_ context.Context, job *queue.Job) []queue.Outcome {
		return all(job, queue.Outcome{Err: reply.New(code, enhanced, "%s", text), Remote: true, Host: "mx.test[192.0.2.1]", Reply: fmt.Sprintf("%d %s %s", code, enhanced, text)})
	})
}

func addr(s string) address.Address {
	a, err := address.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

const body = "Subject: hi\r\n\r\nHello.\r\n"

// message is one from alice to the given addresses.
func (l *lab) message(to ...string) queue.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := int64(len(l.blobs) + 1)
	l.blobs[id] = &blob{text: body, refs: 1}
	m := queue.Message{BlobID: id, Prefix: []byte("Received: by us.test\r\n"), From: addr("alice@us.test"), Account: 7}
	m.Size = int64(len(m.Prefix) + len(body))
	for _, a := range to {
		m.Recipients = append(m.Recipients, queue.Recipient{Address: addr(a)})
	}
	return m
}

func (l *lab) enqueue(m queue.Message) queue.ID {
	l.t.Helper()
	var id queue.ID
	err := l.db.Write(context.Background(), func(tx *db.Tx) (err error) {
		id, err = l.EnqueueTx(tx, m)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// enqueueAll queues messages in one transaction.
func (l *lab) enqueueAll(messages []queue.Message) {
	l.t.Helper()
	err := l.db.Write(context.Background(), func(tx *db.Tx) error {
		for _, m := range messages {
			if _, err := l.EnqueueTx(tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) left() int64 {
	l.t.Helper()
	n, err := l.Count(context.Background(), queue.Filter{})
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// tried gives what was attempted, as "dest: to, to; dest: to", and forgets it.
func (l *lab) tried() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, a := range l.attempts {
		list = append(list, a.dest+": "+strings.Join(a.to, ", "))
	}
	slices.Sort(list)
	l.attempts = nil
	return strings.Join(list, "; ")
}

// told gives the notices so far and forgets them.
func (l *lab) told() []queue.Notice {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.notices
	l.notices = nil
	return list
}

// mustBeEmpty checks that nothing is left of any message: no rows and no references to blobs.
func (l *lab) mustBeEmpty() {
	l.t.Helper()
	if n := l.left(); n != 0 {
		l.t.Errorf("%d recipients are left", n)
	}
	var n int64
	if err := l.db.QueryRow(context.Background(), "SELECT COUNT(*) FROM queue_messages").Scan(&n); err != nil || n != 0 {
		l.t.Errorf("%d messages are left (%v)", n, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, b := range l.blobs {
		if b.refs != 0 {
			l.t.Errorf("blob %d still has %d references", id, b.refs)
		}
	}
}
