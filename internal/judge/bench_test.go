package judge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern/antispam"
	"postern/antispam/bayes"
	"postern/antispam/reputation"
	"postern/dkim"
	"postern/dnsbl"
	"postern/internal/address"
	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/judge"
	"postern/internal/mailauth"
	"postern/internal/message"
	"postern/internal/resolver"
	"postern/internal/settings"
	"postern/internal/testdns"
	"postern/internal/verdict"
	"postern/internal/verdict/archive"
)

// zone has the sender as large ones write it; the tests' DNS is asked once and then remembered.
const zone = `
sender.example.          86400 IN TXT "v=spf1 include:_spf.sender.example -all"
_spf.sender.example.     86400 IN TXT "v=spf1 ip4:198.51.100.0/24 ip6:2001:db8::/32 ip4:192.0.2.0/24 ~all"
_dmarc.sender.example.   86400 IN TXT "v=DMARC1; p=reject; adkim=r; aspf=r; rua=mailto:dmarc@sender.example"
mx.sender.example.       86400 IN TXT "v=spf1 a -all"
mx.sender.example.       86400 IN A 192.0.2.1
1.2.0.192.in-addr.arpa.  86400 IN PTR mx.sender.example.
`

// bench is a judge whose surroundings lie in memory.
type bench struct {
	*testing.B
	*judge.Judge
	keys map[dkim.Algorithm]*dkim.Key
	db   *db.DB
}

func newBench(b *testing.B) *bench {
	server := testdns.Start(b, zone)
	server.SetNegativeTTL(900)
	dns := resolver.New(resolver.Options{Servers: []string{server.Addr()}})
	lists := dnsbl.New(dnsbl.Options{Resolver: dns, Config: func() dnsbl.Config { return dnsbl.Config{Zones: []dnsbl.Zone{{Name: "dbl.example"}}} }})
	f := &bench{B: b, keys: map[dkim.Algorithm]*dkim.Key{}, Judge: &judge.Judge{
		Hostname: "mx.example.test", Auth: &mailauth.Checker{Resolver: dns, Timeout: 20 * time.Second, Clock: clock.System, Receiver: "mx.example.test"},
		Engine: antispam.New(), Domains: lists, Policies: thresholds{}, Models: untaught{}, Senders: nobody{}, Correspondents: nobody{}, Greylist: nobody{},
		Scanners: func() judge.Scanners { return judge.Scanners{} }, TrustedSealers: func() []string { return nil },
		Names: true, Clock: clock.System, Log: slog.New(slog.DiscardHandler),
	}}
	for _, a := range []dkim.Algorithm{dkim.RSA, dkim.Ed25519} {
		key, err := dkim.GenerateKey(a, "sender.example", string(a), time.Now())
		f.must(err)
		record, err := key.Record()
		f.must(err)
		server.SetTXT(key.RecordName(), record)
		f.keys[a] = key
	}
	return f
}

func (f *bench) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

type thresholds struct{}

func (thresholds) For(int64, address.Address) verdict.Policy {
	return verdict.Policy{Source: "server", Tag: 300, Junk: 500, Reject: 1500, Greylist: 200}
}
func (thresholds) Sender(int64, address.Address, address.Address) (kind, scope, pattern string) {
	return "", "", ""
}
func (thresholds) DMARC(string) (policy, source string, ok bool) { return "", "", false }

type untaught struct{}

func (untaught) Of(context.Context, int64) (bayes.Model, error) { return nil, nil }

// nobody is known to anybody, and nobody has to come again.
type nobody struct{}

func (nobody) Look(context.Context, []reputation.Key, []reputation.Standing) error { return nil }
func (nobody) Note([]reputation.Key, bool)                                         {}
func (nobody) Known(context.Context, int64, address.Address) (bool, error)         { return false, nil }
func (nobody) Ask(context.Context, netip.Addr, address.Address, address.Address) (time.Duration, bool) {
	return 0, true
}

// letter writes a plain message of about 4 KiB, as its sender makes it.
func letter(from string, number uint64) []byte {
	var b bytes.Buffer
	head(&b, from, number)
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n")
	text(&b, number, 4<<10)
	return b.Bytes()
}

func head(b *bytes.Buffer, from string, number uint64) {
	fmt.Fprintf(b, "Received: from mx.sender.example by relay.sender.example; Mon, 23 Nov 2026 06:00:00 +0000\r\nFrom: Some One <%s>\r\n"+
		"To: <alice@example.test>\r\nSubject: The meeting of %d\r\nDate: %s\r\nMessage-ID: <%d@sender.example>\r\n",
		from, number, time.Now().Format("Mon, 2 Jan 2006 15:04:05 -0700"), number)
}

var vocabulary = strings.Fields(`the of and to in that it with for was on are as be this have from or had by not but what some we can out
other were all there when up use your how said an each she which do their time if will way about many then them write would like
project schedule regards attached report question tomorrow office server update customer order delivery account invoice meeting`)

func text(b *bytes.Buffer, number uint64, size int) {
	random := rand.New(rand.NewPCG(number, 7))
	for line := 0; b.Len() < size; {
		w := vocabulary[random.IntN(len(vocabulary))]
		if random.IntN(8) == 0 {
			w = fmt.Sprintf("%x", random.Uint32())
		}
		b.WriteString(w)
		if line += len(w) + 1; line > 68 {
			b.WriteString("\r\n")
			line = 0
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteString("\r\n")
}

// newsletter writes 20 KiB of HTML.
func newsletter(from string, number uint64) []byte {
	var b bytes.Buffer
	head(&b, from, number)
	b.WriteString("List-Unsubscribe: <https://sender.example/leave>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" +
		"<!DOCTYPE html>\r\n<html><head><title>News</title><style>td { padding: 4px; }</style></head>\r\n<body bgcolor=\"#ffffff\">\r\n<table>\r\n")
	for n := uint64(0); b.Len() < 20<<10; n++ {
		b.WriteString("<tr><td class=\"note\" style=\"color:#222222\">")
		text(&b, number+n, b.Len()+256)
		fmt.Fprintf(&b, "</td></tr>\r\n<tr><td><a href=\"https://www.sender.example/%d\"><img src=\"https://img.sender.example/%d.png\" alt=\"\"></a></td></tr>\r\n", n, n)
	}
	b.WriteString("</table></body></html>\r\n")
	return b.Bytes()
}

func (f *bench) signed(content []byte, a dkim.Algorithm) []byte {
	f.Helper()
	fields, err := dkim.Sign(bytes.NewReader(content), int64(len(content)), nil, []*dkim.Key{f.keys[a]}, time.Now())
	f.must(err)
	return append(fields, content...)
}

// arrival is a message as the MX hands it to the judge.
func (f *bench) arrival(from string, content []byte) *judge.Arrival {
	f.Helper()
	m, err := message.Parse(bytes.NewReader(content), int64(len(content)), message.DefaultLimits)
	f.must(err)
	return &judge.Arrival{
		ID: "ABCDEFGH12345678-1", Client: netip.MustParseAddr("192.0.2.1"), Helo: "mx.sender.example", From: f.address(from), Parsed: m,
		Content: bytes.NewReader(content), Size: int64(len(content)), Recipients: []judge.Recipient{{Account: 1, Address: f.address("alice@example.test")}},
	}
}

func (f *bench) address(text string) address.Address {
	f.Helper()
	a, err := address.Parse(text)
	f.must(err)
	return a
}

// judged judges and wants the message to be taken.
func (f *bench) judged(a *judge.Arrival) *judge.Judgement {
	j, err := f.Judge.Judge(context.Background(), a)
	if err != nil {
		f.Fatal(err)
	}
	if refusal := j.Answer(); refusal != nil {
		f.Fatal(refusal)
	}
	return j
}

// processor reports the processor time of a loop, which the load of the machine changes less than the clock.
func processor(b *testing.B, f func()) {
	b.ReportAllocs()
	before := worked(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64((worked(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func worked(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// lettersInTurn is how many different letters are judged one after the other: of one that comes again and again the processor
// learns the text by heart.
const lettersInTurn = 256

// BenchmarkJudge is the judgement as a whole, with a DNS whose answers are remembered and all other answers in memory.
func BenchmarkJudge(b *testing.B) {
	f := newBench(b)
	const from = "someone@sender.example"
	for _, c := range []struct {
		name  string
		write func(number uint64) []byte
	}{
		{"plain", func(n uint64) []byte { return letter(from, n) }},
		{"rsa", func(n uint64) []byte { return f.signed(letter(from, n), dkim.RSA) }},
		{"ed25519", func(n uint64) []byte { return f.signed(letter(from, n), dkim.Ed25519) }},
		{"html", func(n uint64) []byte { return newsletter(from, n) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			letters := make([]*judge.Arrival, lettersInTurn)
			for n := range letters {
				letters[n] = f.arrival(from, c.write(uint64(n)))
				if j := f.judged(letters[n]); j.Auth.DMARC.Status != mailauth.Pass {
					b.Fatalf("%s: %+v", c.name, j.Auth)
				}
			}
			next := 0
			processor(b, func() {
				f.judged(letters[next%lettersInTurn])
				next++
			})
		})
	}
}

// BenchmarkStages are the steps of a message's road that belong to its judgement, one by one.
func BenchmarkStages(b *testing.B) {
	f := newBench(b)
	const from = "someone@sender.example"
	for _, c := range []struct {
		name    string
		content []byte
	}{{"plain", letter(from, 1)}, {"rsa", f.signed(letter(from, 1), dkim.RSA)}, {"html", newsletter(from, 1)}} {
		a := f.arrival(from, c.content)
		j := f.judged(a)
		mail := &antispam.Mail{Parsed: a.Parsed, Content: a.Content, At: time.Now(), From: a.From, Relay: &antispam.Relay{IP: a.Client, Helo: a.Helo}}
		found, err := f.Engine.Examine(mail)
		f.must(err)
		stages := []struct {
			name string
			run  func() error
		}{
			{"parse", func() error {
				_, err := message.Parse(a.Content, a.Size, message.DefaultLimits)
				return err
			}},
			{"senders", func() error {
				_, err := f.Auth.Begin(context.Background(), mailauth.Request{Client: a.Client, Helo: a.Helo, From: a.From, Header: a.Parsed.Header,
					Content: a.Content, Size: a.Size, IPRev: true})()
				return err
			}},
			{"read", func() error {
				found, err := f.Engine.Examine(mail)
				found.Close()
				return err
			}},
			{"rules", func() error { found.Rules(); return nil }},
			{"words", func() error { found.Words(); return nil }},
			{"domains", func() error { f.Domains.BeginDomains(context.Background(), []string{"sender.example"})(); return nil }},
			{"decide", func() error { j.Trace.Decide(); return nil }},
			{"results", func() error { j.Results(f.Hostname); return nil }},
			{"fields", func() error { j.Fields(0); return nil }},
		}
		for _, s := range stages {
			b.Run(s.name+"/"+c.name, func(b *testing.B) { processor(b, func() { f.must(s.run()) }) })
		}
		found.Close()
	}
}

// remember opens reputations and correspondents that know so many, on SQLite, and gives a thousand senders among them.
func (f *bench) remember(known int) (senders []string, trace func(*judge.Judgement)) {
	f.Helper()
	ctx := context.Background()
	var err error
	f.db, err = db.Open(ctx, db.Options{URL: "sqlite:" + filepath.Join(f.TempDir(), "postern.db")})
	f.must(err)
	f.Cleanup(func() { f.must(f.db.Close()) })
	now := time.Now().Unix()
	const some = 1000
	for done := 0; done < known-some; done += 50_000 {
		n := min(known-some-done, 50_000)
		f.must(f.db.Write(ctx, func(tx *db.Tx) error {
			const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) `
			_, err1 := tx.Exec(numbers+`INSERT INTO reputation (id, ham, spam, at, expires) SELECT random(), 2000, 1000, ?, ? + i FROM n WHERE true
				ON CONFLICT DO NOTHING`, n, now, now+86400)
			_, err2 := tx.Exec(numbers+`INSERT INTO correspondents (account, peer, day) SELECT 1, random(), ? FROM n WHERE true ON CONFLICT DO NOTHING`, n, now/86400)
			_, err3 := tx.Exec(`UPDATE reputation_tables SET row_number = row_number + ? WHERE name = 'reputation'`, n)
			return errors.Join(err1, err2, err3)
		}))
	}
	o := reputation.Options{DB: f.db, Settings: settings.Defaults(), Secret: []byte("a secret"), CacheRows: some / 4}
	first, err := reputation.OpenSenders(ctx, o)
	f.must(err)
	book, err := reputation.OpenCorrespondents(o)
	f.must(err)
	for i := range some {
		senders = append(senders, fmt.Sprintf("someone%d@sender.example", i))
		first.Note([]reputation.Key{reputation.SenderKey(f.address(senders[i]))}, false)
	}
	f.must(first.Close())
	f.must(f.db.Write(ctx, func(tx *db.Tx) error {
		for i := range some / 2 {
			if err := book.SentTx(tx, 1, []address.Address{f.address(senders[2*i])}); err != nil {
				return err
			}
		}
		return nil
	}))
	again, err := reputation.OpenSenders(ctx, o)
	f.must(err)
	f.Cleanup(func() { f.must(again.Close()) })
	f.Senders = again
	f.Correspondents, err = reputation.OpenCorrespondents(o)
	f.must(err)
	traces, err := archive.Open(ctx, archive.Options{DB: f.db, Settings: settings.Defaults()})
	f.must(err)
	f.Cleanup(func() { f.must(traces.Close()) })
	return senders, func(j *judge.Judgement) {
		encoded, err := traces.Encode(j.Trace)
		f.must(err)
		f.must(f.db.Write(ctx, func(tx *db.Tx) error { return traces.StoreTx(tx, j.Trace, encoded) }))
	}
}

// BenchmarkKnownSenders shows that judging, learning and keeping the trace cost the same however many senders are known. The
// cache holds a quarter of the senders that write, so that most are read from the table, at 1,000 rows and at a million.
func BenchmarkKnownSenders(b *testing.B) {
	for _, known := range []int{1_000, 1_000_000} {
		f := newBench(b)
		senders, keep := f.remember(known)
		arrivals := make([]*judge.Arrival, len(senders))
		for i, from := range senders {
			arrivals[i] = f.arrival(from, letter(from, uint64(i)))
		}
		random := rand.New(rand.NewPCG(1, 2))
		pick := func() *judge.Arrival { return arrivals[random.IntN(len(arrivals))] }
		for range arrivals {
			f.judged(pick())
		}
		b.Run(fmt.Sprintf("judge/%d", known), func(b *testing.B) { processor(b, func() { f.judged(pick()) }) })
		b.Run(fmt.Sprintf("learn/%d", known), func(b *testing.B) {
			j := f.judged(pick())
			processor(b, func() { f.Learn(j) })
		})
		b.Run(fmt.Sprintf("keep/%d", known), func(b *testing.B) {
			j := f.judged(pick())
			processor(b, func() { keep(j) })
		})
	}
}
