package learn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"postern/antispam/bayes"
	"postern/internal/db"
)

func TestAMessageIsLearntOnceAndCanBeTakenBack(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.expect(1, bayes.Count{}, "viagra", bayes.Count{})
		if !f.train(1, "a message", Spam, "viagra", "hello", "viagra") {
			t.Error("not learnt")
		}
		if f.train(1, "a message", Spam, "viagra", "hello") {
			t.Error("learnt twice")
		}
		f.train(1, "another", Ham, "hello")
		for range 2 {
			for _, account := range []int64{1, Everyone} {
				f.expect(account, bayes.Count{Spam: 1, Ham: 1}, "viagra", bayes.Count{Spam: 1})
				f.expect(account, bayes.Count{Spam: 1, Ham: 1}, "hello", bayes.Count{Spam: 1, Ham: 1})
			}
			f.expect(2, bayes.Count{}, "hello", bayes.Count{})
			f.reopen()
		}
		f.train(1, "a message", Ham, "viagra", "hello")
		f.expect(1, bayes.Count{Ham: 2}, "viagra", bayes.Count{Ham: 1})
		if was, err := f.Untrain(t.Context(), 1, []byte("a message"), some("viagra", "hello")); !was || err != nil {
			t.Errorf("taken back: %v, %v", was, err)
		}
		if was, err := f.Untrain(t.Context(), 1, []byte("a message"), some("viagra", "hello")); was || err != nil {
			t.Errorf("taken back twice: %v, %v", was, err)
		}
		for _, account := range []int64{1, Everyone} {
			f.expect(account, bayes.Count{Ham: 1}, "viagra", bayes.Count{})
			f.expect(account, bayes.Count{Ham: 1}, "hello", bayes.Count{Ham: 1})
		}
		f.check()
		if n := f.rows("learn_tokens"); n != 2 {
			t.Errorf("%d rows, for one word in two models", n)
		}
		if _, err := f.Train(t.Context(), 1, []byte("x"), 7, nil); err == nil {
			t.Error("a class that is none was learnt")
		}
	})
}

// TestModelsAgreeWithASimpleOne takes random lessons of several accounts, with a cache that holds one model.
func TestModelsAgreeWithASimpleOne(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.budget = 2000
		f.reopen()
		random := rand.New(rand.NewPCG(3, 4))
		const accounts, messages, vocabulary = 3, 12, 40
		texts := make([][]string, messages)
		for i := range texts {
			for range 1 + random.IntN(15) {
				texts[i] = append(texts[i], fmt.Sprint("w", random.IntN(vocabulary)))
			}
		}
		type taught struct{ class, shared Class }
		naive := [accounts + 1][messages]taught{}
		for step := range 400 {
			account, n := random.IntN(accounts+1), random.IntN(messages)
			was := &naive[account][n]
			switch action := random.IntN(20); {
			case action == 0:
				f.must(f.settings.Set(t.Context(), "spam.share_training", fmt.Sprint(random.IntN(2) == 0)))
			case action == 1:
				f.reopen()
			case action < 6:
				if _, err := f.Untrain(t.Context(), int64(account), keyOf(n), some(texts[n]...)); err != nil {
					t.Fatal(err)
				}
				*was = taught{}
			default:
				class := Class(1 + random.IntN(2))
				if _, err := f.Train(t.Context(), int64(account), keyOf(n), class, some(texts[n]...)); err != nil {
					t.Fatal(err)
				}
				if was.class != class {
					*was = taught{class: class}
					if account != 0 && f.settings != nil && shares(f) {
						was.shared = class
					}
				}
			}
			if step%10 != 0 {
				continue
			}
			for account := range accounts + 1 {
				counts, totals := map[string]bayes.Count{}, bayes.Count{}
				learn := func(n int, class Class) {
					if class == 0 {
						return
					}
					bump := func(c bayes.Count) bayes.Count {
						if class == Spam {
							return bayes.Count{Spam: c.Spam + 1, Ham: c.Ham}
						}
						return bayes.Count{Spam: c.Spam, Ham: c.Ham + 1}
					}
					totals = bump(totals)
					once := map[string]bool{}
					for _, w := range texts[n] {
						if !once[w] {
							once[w], counts[w] = true, bump(counts[w])
						}
					}
				}
				for n := range messages {
					learn(n, naive[account][n].class)
					for other := 1; account == 0 && other <= accounts; other++ {
						learn(n, naive[other][n].shared)
					}
				}
				for w := range vocabulary {
					word := fmt.Sprint("w", w)
					f.expect(int64(account), totals, word, counts[word])
				}
				if t.Failed() {
					t.Fatalf("at step %d", step)
				}
			}
		}
		f.check()
	})
}

func shares(f *fixture) bool {
	s, err := f.settings.Get("spam.share_training")
	f.must(err)
	return s.Value == "true"
}

func TestWhatIsNotSharedStaysWithTheAccount(t *testing.T) {
	f := onSQLite(t)
	f.must(f.settings.Set(t.Context(), "spam.share_training", "false"))
	f.train(1, "a", Spam, "secret")
	f.expect(Everyone, bayes.Count{}, "secret", bayes.Count{})
	f.must(f.settings.Set(t.Context(), "spam.share_training", "true"))
	f.train(1, "a", Ham, "secret")
	f.expect(Everyone, bayes.Count{Ham: 1}, "secret", bayes.Count{Ham: 1})
}

func TestRareAndOldTokensMakeRoom(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.bounds.tokens, f.bounds.everyone, f.bounds.keys, f.bounds.step = 100, 150, 20, 50
		f.reopen()
		for i := range 3 {
			f.train(1, fmt.Sprint("often", i), Spam, "often", "also")
		}
		for i := range 30 {
			f.clock.Advance(24 * time.Hour)
			names := make([]string, 10)
			for k := range names {
				names[k] = fmt.Sprintf("rare-%d-%d", i, k)
			}
			f.train(1, fmt.Sprint(i), Ham, names...)
			f.check()
		}
		for range 2 {
			if n := f.Learned(1); n.Tokens != 100 || n.Spam != 3 || n.Ham != 30 {
				t.Errorf("learnt %+v", n)
			}
			if n := f.Learned(Everyone).Tokens; n != 150 {
				t.Errorf("Everyone has %d tokens", n)
			}
			for word, want := range map[string]bayes.Count{"often": {Spam: 3}, "rare-29-3": {Ham: 1}, "rare-2-3": {}} {
				if got := f.counts(1, word); got != want {
					t.Errorf("%s is in %v, not %v", word, got, want)
				}
			}
			f.reopen()
		}
		if n := f.rows("learn_messages"); n != 20 {
			t.Errorf("%d messages are remembered", n)
		}
	})
}

func TestAMessageCountsWithSoManyTokens(t *testing.T) {
	f := onSQLite(t)
	names := make([]string, 3000)
	for i := range names {
		names[i] = fmt.Sprint(i / 2 * 2) // each twice
	}
	names = append(names, "1999", "late")
	for i := range 600 {
		names = append(names, fmt.Sprint("x", i))
	}
	f.train(1, "a", Spam, names...)
	if n := f.Learned(1).Tokens; n != 2000 {
		t.Errorf("%d tokens", n)
	}
	f.expect(1, bayes.Count{Spam: 1}, "late", bayes.Count{Spam: 1})
	f.expect(1, bayes.Count{Spam: 1}, "x599", bayes.Count{})
}

func TestWhatAnAccountTaughtIsForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.train(1, "a", Spam, "one", "both")
		f.train(1, "b", Ham, "one")
		f.train(2, "a", Spam, "two", "both")
		f.train(Everyone, "c", Ham, "both")
		withdrawn, err := f.Forget(t.Context(), 1)
		if err != nil || !withdrawn {
			t.Fatalf("withdrawn %v, %v", withdrawn, err)
		}
		f.expect(1, bayes.Count{}, "one", bayes.Count{})
		f.train(1, "a", Ham, "new")
		until(func() bool { return f.rows("learn_models") == 3 })
		f.expect(1, bayes.Count{Ham: 1}, "one", bayes.Count{})
		f.expect(1, bayes.Count{Ham: 1}, "new", bayes.Count{Ham: 1})
		f.expect(2, bayes.Count{Spam: 1}, "both", bayes.Count{Spam: 1})
		f.expect(Everyone, bayes.Count{Spam: 1, Ham: 2}, "both", bayes.Count{Spam: 1, Ham: 1})
		f.expect(Everyone, bayes.Count{Spam: 1, Ham: 2}, "one", bayes.Count{})
		f.check()
		if withdrawn, err := f.Forget(t.Context(), 77); withdrawn || err != nil {
			t.Errorf("who taught nothing: %v, %v", withdrawn, err)
		}
		// Everyone's model is given up: what accounts take back later was not in the next one.
		if _, err := f.Forget(t.Context(), Everyone); err != nil {
			t.Fatal(err)
		}
		f.train(3, "x", Spam, "both")
		f.train(2, "a", Ham, "two", "both")
		f.expect(Everyone, bayes.Count{Spam: 1, Ham: 1}, "both", bayes.Count{Spam: 1, Ham: 1})
	})
}

func TestForgettingGoesOnAfterARestart(t *testing.T) {
	f := onSQLite(t)
	f.train(1, "a", Spam, "one")
	f.Models.sweeper.stop()
	if _, err := f.Forget(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	f.Models.sweeper = startSweeper(f.Models)
	f.reopen()
	until(func() bool { return f.rows("learn_models") == 1 })
	f.expect(Everyone, bayes.Count{}, "one", bayes.Count{})
	if f.rows("learn_tokens") != 0 || f.rows("learn_messages") != 0 {
		t.Error("rows are left")
	}
}

func TestWhatWasSharedOnlyInPartStaysShared(t *testing.T) {
	f := onSQLite(t)
	f.train(1, "a", Spam, "shared")
	f.must(f.settings.Set(t.Context(), "spam.share_training", "false"))
	f.train(1, "b", Spam, "alone")
	if withdrawn, err := f.Forget(t.Context(), 1); withdrawn || err != nil {
		t.Errorf("withdrawn %v, %v", withdrawn, err)
	}
	until(func() bool { return f.rows("learn_models") == 1 })
	f.expect(Everyone, bayes.Count{Spam: 1}, "shared", bayes.Count{Spam: 1})
}

func TestModelsOfRemovedAccountsLeave(t *testing.T) {
	f := onSQLite(t)
	f.train(1, "a", Spam, "one")
	f.close()
	f.gone[1] = true
	f.open()
	until(func() bool { return f.rows("learn_models") == 1 })
	f.expect(1, bayes.Count{}, "one", bayes.Count{})
	f.expect(Everyone, bayes.Count{Spam: 1}, "one", bayes.Count{Spam: 1})
}

func TestAnotherVersionOfTheTokensIsIgnoredAndLeaves(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.train(1, "a", Spam, "one")
		f.must(f.db.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE learn_models SET version = ?`, bayes.Version+1)
			return err
		}))
		f.reopen()
		f.expect(1, bayes.Count{}, "one", bayes.Count{})
		f.train(1, "a", Ham, "one")
		f.expect(1, bayes.Count{Ham: 1}, "one", bayes.Count{Ham: 1})
		until(func() bool { return f.rows("learn_models") == 2 })
		if n := f.rows("learn_tokens"); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestModelsInMemoryKeepTheirBudget(t *testing.T) {
	f := onSQLite(t)
	f.budget = 20_000
	f.reopen()
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	for account := range int64(20) {
		f.train(account+1, "a", Spam, names...)
	}
	for account := range int64(20) {
		f.expect(account+1, bayes.Count{Spam: 1}, "7", bayes.Count{Spam: 1})
		f.expect(Everyone, bayes.Count{Spam: 20}, "7", bayes.Count{Spam: 20})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var used int64
	for _, c := range f.cached {
		used += c.model.bytes()
	}
	if used != f.used || used > f.Models.budget || len(f.cached) < 2 {
		t.Errorf("%d models of %d bytes, %d counted", len(f.cached), used, f.used)
	}
}

func TestReadersSeeWhatIsTaughtMeanwhile(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.budget = 1 // every reading comes from the database
		f.reopen()
		var readers sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for range 3 {
			readers.Go(func() {
				last := uint32(0)
				for ctx.Err() == nil {
					m, err := f.Of(ctx, 1)
					if err != nil {
						if ctx.Err() == nil {
							t.Error(err)
						}
						return
					}
					var c [1]bayes.Count
					m.Counts(some("word"), c[:])
					if c[0].Spam < last {
						t.Errorf("%d after %d", c[0].Spam, last)
					}
					last = c[0].Spam
				}
			})
		}
		for i := range 60 {
			f.train(1, fmt.Sprint(i), Spam, "word", fmt.Sprint(i))
			if got := f.counts(1, "word").Spam; got != uint32(i+1) {
				t.Fatalf("%d are known of %d", got, i+1)
			}
		}
		stop()
		readers.Wait()
	})
}

func TestWhatIsUncertainIsReadAnew(t *testing.T) {
	f := onSQLite(t)
	f.train(1, "a", Spam, "word")
	f.counts(1, "word")
	f.must(f.db.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE learn_tokens SET spam = 5`)
		return err
	}))
	f.expect(1, bayes.Count{Spam: 1}, "word", bayes.Count{Spam: 1})
	f.mu.Lock()
	f.stale = true
	f.mu.Unlock()
	f.expect(1, bayes.Count{Spam: 1}, "word", bayes.Count{Spam: 5})
}

func TestATableGrowsAndForgetsWhatCountsNothing(t *testing.T) {
	m := newModel(0)
	for round := range 50 {
		for i := range 1000 {
			m.set(bayes.Token(round*1000+i), bayes.Count{Ham: 1})
		}
		for i := range 1000 {
			if round > 0 {
				m.set(bayes.Token((round-1)*1000+i), bayes.Count{})
			}
		}
	}
	if slots := len(m.table.Load().slots); slots > 10_000 {
		t.Errorf("%d slots for 1000 tokens", slots)
	}
	m.set(0, bayes.Count{Spam: 3})
	tokens := []bayes.Token{49_999, 0, 48_000, 77_777}
	counts := make([]bayes.Count, len(tokens))
	m.Counts(tokens, counts)
	if counts[0].Ham != 1 || counts[1].Spam != 3 || counts[2] != (bayes.Count{}) || counts[3] != (bayes.Count{}) {
		t.Errorf("counts %v", counts)
	}
	if n := testing.AllocsPerRun(100, func() { m.Counts(tokens, counts) }); n > 0 {
		t.Errorf("a look allocates %v times", n)
	}
}
