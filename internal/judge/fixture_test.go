package judge

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/antispam/reputation"
	"postern/antispam/scanner"
	"postern/dkim"
	"postern/dnsbl"
	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/mailauth"
	"postern/internal/mailauth/dmarc"
	"postern/internal/message"
	"postern/internal/verdict"
)

// bench is a judge whose helpers say what a test wants them to say, and a message before it.
type bench struct {
	*Judge
	Arrival Arrival

	results    mailauth.Results
	domains    dnsbl.DomainVerdict
	asked      []string // domains
	policies   map[string]verdict.Policy
	lists      map[string][3]string // "account author" to kind, scope, pattern
	overrides  map[string]string
	models     map[int64]bayes.Model
	standings  map[string]reputation.Standing
	noted      []string
	under      [][]reputation.Key // what was noted
	known      map[int64]bool
	wait       map[string]time.Duration // by recipient
	greylisted []string
	spam       *fakeScanner
	virus      *fakeScanner
	broken     error // what every helper with a database says
	unreadable error // what whoever reads the message says
}

const (
	alice = "alice@example.test"
	bob   = "bob@example.test"
)

// letter is an ordinary message.
const letter = "From: Jane <jane@sender.example>\r\nTo: alice@example.test\r\nSubject: Our meeting on Thursday\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n" +
	"Message-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" +
	"Hello Alice,\r\n\r\nthank you for the minutes of our meeting. I have read them with Peter this morning.\r\n\r\nJane\r\n"

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	now := clock.NewManual(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC))
	b := &bench{policies: map[string]verdict.Policy{}, lists: map[string][3]string{}, overrides: map[string]string{}, models: map[int64]bayes.Model{},
		standings: map[string]reputation.Standing{}, known: map[int64]bool{}, wait: map[string]time.Duration{}}
	b.results = mailauth.Results{
		SPF: mailauth.SPF{Status: mailauth.Pass, Domain: "sender.example"}, ARC: dkim.Chain{Result: dkim.ResultNone},
		DMARC: mailauth.DMARC{Status: mailauth.None, Disposition: dmarc.None, Authors: []mailauth.Author{{Domain: "sender.example", Status: mailauth.None, Disposition: dmarc.None}}},
	}
	b.Judge = &Judge{Hostname: "mail.example.test", Auth: b, Engine: antispam.New(), Domains: b, Policies: b, Models: b, Senders: b, Correspondents: b, Greylist: b,
		Scanners: b.scanners, TrustedSealers: func() []string { return nil }, Clock: now, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	b.write(t, text)
	return b
}

// write puts another message before the judge, from jane@sender.example to alice.
func (b *bench) write(t *testing.T, text string) {
	t.Helper()
	content := strings.NewReader(text)
	m, err := message.Parse(content, content.Size(), message.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	b.Arrival = Arrival{ID: "ID-1", Client: netip.MustParseAddr("192.0.2.1"), Helo: "mx.sender.example", From: parse(t, "jane@sender.example"), Parsed: m, Content: content, Size: content.Size()}
	b.to(t, alice)
}

// to makes the recipients: alice is account 1, bob 2, all others are forwarded.
func (b *bench) to(t *testing.T, list ...string) {
	t.Helper()
	b.Arrival.Recipients = nil
	for _, a := range list {
		b.Arrival.Recipients = append(b.Arrival.Recipients, Recipient{Account: map[string]int64{alice: 1, bob: 2}[a], Address: parse(t, a)})
	}
}

func parse(t *testing.T, text string) address.Address {
	t.Helper()
	a, err := address.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b *bench) judge(t *testing.T) *Judgement {
	t.Helper()
	v, err := b.Judge.Judge(t.Context(), &b.Arrival)
	if err != nil {
		t.Fatal(err)
	}
	if _, same := v.Trace.Replay(); !same {
		t.Errorf("the trace does not replay: %+v", v.Trace)
	}
	return v
}

func (b *bench) Begin(context.Context, mailauth.Request) func() (mailauth.Results, error) {
	return func() (mailauth.Results, error) { return b.results, b.unreadable }
}

func (b *bench) BeginDomains(_ context.Context, domains []string) func() dnsbl.DomainVerdict {
	b.asked = domains
	return func() dnsbl.DomainVerdict { return b.domains }
}

// usual are the thresholds of everybody who has no others.
var usual = verdict.Policy{Source: "server", Tag: 300, Junk: 500, Reject: 1500}

func (b *bench) For(_ int64, to address.Address) verdict.Policy {
	if p, ok := b.policies[to.String()]; ok {
		return p
	}
	return usual
}

func (b *bench) Sender(_ int64, to, sender address.Address) (kind, scope, pattern string) {
	l := b.lists[to.String()+" "+sender.String()]
	return l[0], l[1], l[2]
}

func (b *bench) DMARC(domain string) (policy, source string, ok bool) {
	policy, ok = b.overrides[domain]
	return policy, "override for " + domain, ok
}

func (b *bench) Of(_ context.Context, account int64) (bayes.Model, error) {
	return b.models[account], b.broken
}

func (b *bench) Look(_ context.Context, keys []reputation.Key, out []reputation.Standing) error {
	for i, k := range keys {
		out[i] = b.standings[k.Name]
	}
	return b.broken
}

func (b *bench) Note(keys []reputation.Key, spam bool) {
	word := "ham"
	if spam {
		word = "spam"
	}
	b.noted, b.under = append(b.noted, word), append(b.under, keys)
}

func (b *bench) Known(_ context.Context, account int64, _ address.Address) (bool, error) {
	return b.known[account], b.broken
}

func (b *bench) Ask(_ context.Context, _ netip.Addr, _, to address.Address) (time.Duration, bool) {
	b.greylisted = append(b.greylisted, to.String())
	wait, ok := b.wait[to.String()]
	return wait, !ok
}

func (b *bench) scanners() (s Scanners) {
	if b.spam != nil {
		s.Spam = b.spam
	}
	if b.virus != nil {
		s.Virus = b.virus
	}
	return s
}

// fakeScanner answers every message alike.
type fakeScanner struct {
	name   string
	result scanner.Result
	err    error
	reads  func()
}

func (f *fakeScanner) Name() string { return f.name }

func (f *fakeScanner) Scan(context.Context, scanner.Message) (scanner.Result, error) {
	f.result.Name = f.name
	if f.reads != nil {
		f.reads()
	}
	return f.result, f.err
}

var errBroken = errors.New("the database does not answer")

// find gives a check of the message or of a recipient.
func find(v *Judgement, name string) verdict.Check {
	list := v.Trace.Checks
	for _, r := range v.Trace.Recipients {
		list = append(list[:len(list):len(list)], r.Checks...)
	}
	for _, c := range list {
		if c.Name == name {
			return c
		}
	}
	return verdict.Check{}
}
