package learn

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"postern/antispam/bayes"
	"postern/internal/db"
	"postern/internal/store"
)

// letter gives the tokens of a message: some that all have, some that few have.
func letter(random *rand.Rand) []bayes.Token {
	tokens := make([]bayes.Token, 300)
	for i := range tokens {
		n := uint64(random.IntN(3000))
		if i%3 == 0 {
			n = random.Uint64N(1 << 40)
		}
		tokens[i] = bayes.Token((n + 1) * 0x9e3779b97f4a7c15)
	}
	return tokens
}

// full makes an account whose model holds so many tokens.
func full(b *testing.B, f *fixture, account int64, tokens int) {
	b.Helper()
	f.must(f.db.Write(b.Context(), func(tx *db.Tx) error {
		random := rand.New(rand.NewPCG(1, 1))
		w := work{m: f.Models, tx: tx, staged: map[int64]*stagedModel{}}
		s, err := w.stage(account, true)
		if err != nil {
			return err
		}
		s.spam = 1000
		for len(s.deltas) < tokens {
			s.deltas[bayes.Token(random.Uint64())] = delta{spam: 2}
		}
		return w.write()
	}))
}

func BenchmarkTrain(b *testing.B) {
	for _, tokens := range []int{0, 150_000} {
		b.Run(fmt.Sprintf("300 tokens into %d", tokens), func(b *testing.B) {
			f := onSQLite(b)
			full(b, f, 1, tokens)
			full(b, f, Everyone, tokens)
			f.totals(1)
			f.totals(Everyone)
			random := rand.New(rand.NewPCG(1, 2))
			for i := 0; b.Loop(); i++ {
				if _, err := f.Train(b.Context(), 1, keyOf(i), Class(1+i%2), letter(random)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	f := onSQLite(b)
	full(b, f, 1, 200_000)
	for b.Loop() {
		f.drop(1)
		f.mu.Lock()
		f.stale = true
		f.mu.Unlock()
		f.totals(1)
	}
}

func BenchmarkCounts(b *testing.B) {
	f := onSQLite(b)
	full(b, f, 1, 200_000)
	tokens := letter(rand.New(rand.NewPCG(1, 2)))
	counts := make([]bayes.Count, len(tokens))
	b.ReportAllocs()
	for b.Loop() {
		m, err := f.Of(b.Context(), 1)
		if err != nil {
			b.Fatal(err)
		}
		m.Counts(tokens, counts)
	}
}

// BenchmarkMoveIntoJunk moves 20,000 messages there and back, with and without anybody who listens.
func BenchmarkMoveIntoJunk(b *testing.B) {
	for _, listening := range []bool{false, true} {
		b.Run(fmt.Sprintf("listening=%v", listening), func(b *testing.B) {
			f := onSQLite(b)
			if !listening {
				f.store.Listen(nil)
			}
			a := f.account(1)
			one := f.prepare("word")
			items := make([]store.AppendItem, 20_000)
			for i := range items {
				items[i].Prepared = one
			}
			_, uids, err := a.Append(b.Context(), "INBOX", items)
			f.must(err)
			for b.Loop() {
				uids = f.move(a, "Junk", f.move(a, "INBOX", uids, "Junk"), "INBOX")
			}
		})
	}
}
