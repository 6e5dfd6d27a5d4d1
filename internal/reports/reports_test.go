package reports

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/message"
	"postern/internal/resolver"
	"postern/internal/settings"
	"postern/internal/testdb"
	"postern/internal/testdns"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// noon is in the middle of the day on which the tests see mail.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// house is a server that has example.test and nothing but the parts that reports need.
type house struct {
	t        testing.TB
	url      string
	clock    *clock.Manual
	dns      *testdns.Server
	db       *db.DB
	settings *settings.Settings
	sent     *outbox
	*Reporter
}

type domains map[string]bool

func (d domains) IsLocalDomain(name string) bool { return d[name] }

// outbox is a Sender that keeps what it is given.
type outbox struct {
	mu   sync.Mutex
	db   *db.DB
	mail []sentMail
	err  error
}

type sentMail struct {
	from, to address.Address
	data     []byte
}

func (o *outbox) Send(ctx context.Context, from, to address.Address, data []byte, then func(*db.Tx) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if err := o.db.Write(ctx, then); err != nil {
		return err
	}
	o.mail = append(o.mail, sentMail{from, to, data})
	return nil
}

// take gives what was sent and forgets it.
func (o *outbox) take() []sentMail {
	o.mu.Lock()
	defer o.mu.Unlock()
	mail := o.mail
	o.mail = nil
	return mail
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, h *house)) {
	testdb.OnBoth(t, func(t *testing.T, url string) { test(t, newHouse(t, url)) })
}

func newHouse(t testing.TB, url string) *house {
	t.Helper()
	h := &house{t: t, url: url, clock: clock.NewManual(noon), dns: testdns.Start(t, ""), settings: settings.Defaults()}
	h.open()
	return h
}

func (h *house) open() {
	h.t.Helper()
	var err error
	h.db = testdb.Open(h.t, h.url)
	h.sent = &outbox{db: h.db}
	h.Reporter, err = Open(h.t.Context(), Options{
		DB: h.db, Domains: domains{"example.test": true}, Resolver: resolver.New(resolver.Options{Servers: []string{h.dns.Addr()}, Timeout: 300 * time.Millisecond, Attempts: 1, Clock: h.clock}),
		Sender: h.sent, Settings: h.settings, Hostname: "mail.example.test", Self: func() string { return "example.test" },
		Clock: h.clock, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// restart is a clean end and a new start.
func (h *house) restart() {
	h.t.Helper()
	if err := h.Close(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	if err := h.db.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.open()
}

// store reads a file as if it had come in, and keeps it.
func (h *house) store(data string, authenticated bool) *Received {
	h.t.Helper()
	got, err := ReadFile(strings.NewReader(data), int64(len(data)))
	if err != nil {
		h.t.Fatal(err)
	}
	got.reporter, got.Authenticated, got.Sender = h.Reporter, authenticated, "far.example"
	if err := h.db.Write(h.t.Context(), got.StoreTx); err != nil {
		h.t.Fatal(err)
	}
	return got
}

func (h *house) summary() Summary {
	h.t.Helper()
	s, err := h.Summary(h.t.Context(), Query{Domain: "example.test", Since: time.Unix(0, 0), DMARC: true, TLS: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *house) sendDue() {
	h.t.Helper()
	if err := h.SendDue(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// nextDay goes to the time at which yesterday's reports are due.
func (h *house) nextDay() {
	h.clock.Advance(h.due(h.today()).Sub(h.clock.Now()))
}

func (h *house) count(table string) (n int) {
	h.t.Helper()
	if err := h.db.QueryRow(h.t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// parsed reads a message of ours as its receiver would.
func parsed(t testing.TB, data []byte) (*message.Message, *Received) {
	t.Helper()
	m, err := message.Parse(bytes.NewReader(data), int64(len(data)), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if m.HasBareLF || m.HasBareCR || m.Has8Bit || m.HasControl {
		t.Errorf("the message has bytes that not every server takes:\n%s", data)
	}
	for line := range strings.Lines(string(data)) {
		if len(line) > 998+2 {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
	got, err := Read(m, bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	return m, got
}
