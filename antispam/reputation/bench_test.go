package reputation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"postern/internal/db"
)

// known is the key of the nth sender of a benchmark.
func known(n int) Key { return Key{Sender, strconv.Itoa(n) + "@example.org"} }

// crowd makes a database that knows n senders.
func crowd(b *testing.B, n, cacheRows int) *fixture {
	b.Helper()
	f := onSQLite(b)
	f.options.CacheRows = cacheRows
	f.reopen()
	l := f.Senders.ledger
	for from := 0; from < n; from += 10_000 {
		f.must(f.db.Write(context.Background(), func(tx *db.Tx) error {
			var rows []noted
			for i := from; i < min(n, from+10_000); i++ {
				r := row{b: one * int64(5+i%5), at: testEpoch.Unix() - int64(n-i)*86400*30/int64(n)}
				r.expires = f.Senders.fades(r)
				rows = append(rows, noted{f.Senders.hasher.of(known(i).Kind, known(i).Name), r})
			}
			if err := l.upsert(tx, rows); err != nil {
				return err
			}
			return l.count(tx, int64(len(rows)))
		}))
	}
	f.reopen()
	return f
}

// report adds the time that the processor worked: on a machine shared with others it says more than the clock.
func report(b *testing.B, before time.Duration) {
	b.ReportMetric(float64((worked()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func worked() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// eight are a message's keys.
func eight(random *rand.Rand, n int) []Key {
	keys := make([]Key, 8)
	for i := range keys {
		keys[i] = known(random.IntN(n))
	}
	return keys
}

// BenchmarkSenders shows that nothing costs more when more is known.
func BenchmarkSenders(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		random := rand.New(rand.NewPCG(1, 2))
		out := make([]Standing, 8)
		f := crowd(b, n, 8)
		b.Run(fmt.Sprintf("look/cold/%d", n), func(b *testing.B) {
			defer report(b, worked())
			for b.Loop() {
				if err := f.Look(b.Context(), eight(random, n), out); err != nil || out[0].Spam < 1 {
					b.Fatal(out, err)
				}
			}
		})
		f.options.CacheRows = 1 << 16
		f.reopen()
		b.Run(fmt.Sprintf("look/warm/%d", n), func(b *testing.B) {
			keys := eight(random, n)
			defer report(b, worked())
			for b.Loop() {
				if err := f.Look(b.Context(), keys, out); err != nil || out[0].Spam < 1 {
					b.Fatal(out, err)
				}
			}
		})
		b.Run(fmt.Sprintf("note/%d", n), func(b *testing.B) {
			defer report(b, worked())
			for i := 0; b.Loop(); i++ {
				f.Note(eight(random, n), true)
				if i%5000 == 4999 { // after some mails
					f.must(f.Senders.ledger.flush(context.Background()))
				}
			}
		})
	}
}

func BenchmarkCorrespondents(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		f := onSQLite(b)
		f.options.CacheRows = 8
		f.reopen()
		texts := make([]string, n)
		for i := range texts {
			texts[i] = known(i).Name
		}
		f.sent(1, texts...)
		to := addresses(b, texts...)
		random := rand.New(rand.NewPCG(1, 2))
		b.Run(fmt.Sprintf("known/%d", n), func(b *testing.B) {
			for b.Loop() {
				if ok, err := f.Known(b.Context(), 1, to[random.IntN(n)]); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
