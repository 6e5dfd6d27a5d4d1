package learn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"postern/antispam/bayes"
	"postern/internal/db"
	"postern/internal/store"
)

var (
	isSpam = bayes.Count{Spam: 1}
	isHam  = bayes.Count{Ham: 1}
	isNone = bayes.Count{}
)

func TestMovesInAndOutOfJunkTeach(t *testing.T) {
	cases := []struct {
		name string
		do   func(f *fixture, a *store.Account)
		want bayes.Count
	}{
		{"a delivery into Junk", func(f *fixture, a *store.Account) { f.deliver(1, "Junk", "word") }, isNone},
		{"a move into Junk", func(f *fixture, a *store.Account) {
			f.move(a, "INBOX", []uint32{f.deliver(1, "INBOX", "word")}, "Junk")
		}, isSpam},
		{"a move into a mailbox that only is called so", func(f *fixture, a *store.Account) {
			f.must(a.SetSpecialUse(context.Background(), "Junk", ""))
			f.move(a, "INBOX", []uint32{f.deliver(1, "INBOX", "word")}, "Junk")
		}, isNone},
		{"a move into Junk and back", func(f *fixture, a *store.Account) {
			moved := f.move(a, "INBOX", []uint32{f.deliver(1, "INBOX", "word")}, "Junk")
			f.work()
			f.move(a, "Junk", moved, "INBOX")
		}, isHam},
		{"a move out of Junk", func(f *fixture, a *store.Account) {
			f.move(a, "Junk", []uint32{f.deliver(1, "Junk", "word")}, "Archive")
		}, isHam},
		{"a move from Junk to Trash", func(f *fixture, a *store.Account) {
			f.move(a, "Junk", []uint32{f.deliver(1, "Junk", "word")}, "Trash")
		}, isNone},
		{"a move from Trash", func(f *fixture, a *store.Account) {
			f.move(a, "Trash", []uint32{f.deliver(1, "Trash", "word")}, "INBOX")
		}, isNone},
		{"a move within Junk", func(f *fixture, a *store.Account) {
			f.move(a, "Junk", []uint32{f.deliver(1, "Junk", "word")}, "Junk")
		}, isNone},
		{"a move between others", func(f *fixture, a *store.Account) {
			f.move(a, "INBOX", []uint32{f.deliver(1, "INBOX", "word")}, "Archive")
		}, isNone},
		{"a copy into Junk", func(f *fixture, a *store.Account) {
			uid := f.deliver(1, "INBOX", "word")
			f.within(a, "INBOX", func(v *store.View) error {
				_, err := v.Copy(context.Background(), []uint32{uid}, "Junk")
				return err
			})
		}, isSpam},
		{"an append into Junk", func(f *fixture, a *store.Account) {
			_, _, err := a.Append(context.Background(), "Junk", []store.AppendItem{{Prepared: f.prepare("word")}})
			f.must(err)
		}, isSpam},
		{"an append elsewhere", func(f *fixture, a *store.Account) {
			_, _, err := a.Append(context.Background(), "INBOX", []store.AppendItem{{Prepared: f.prepare("word"), Flags: []string{"$Junk"}}})
			f.must(err)
		}, isNone},
		{"$Junk", func(f *fixture, a *store.Account) {
			f.flag(a, "INBOX", store.Add, f.deliver(1, "INBOX", "word"), "$junk")
		}, isSpam},
		{"Thunderbird's Junk", func(f *fixture, a *store.Account) {
			f.flag(a, "INBOX", store.Set, f.deliver(1, "INBOX", "word"), `\Seen`, "Junk")
		}, isSpam},
		{"$NotJunk", func(f *fixture, a *store.Account) {
			f.flag(a, "INBOX", store.Add, f.deliver(1, "INBOX", "word"), "$NotJunk")
		}, isHam},
		{"NonJunk after Junk", func(f *fixture, a *store.Account) {
			uid := f.deliver(1, "INBOX", "word")
			f.flag(a, "INBOX", store.Add, uid, "Junk")
			f.flag(a, "INBOX", store.Remove, uid, "Junk")
			f.flag(a, "INBOX", store.Add, uid, "NonJunk")
		}, isHam},
		{"a flag that was there already", func(f *fixture, a *store.Account) {
			uid := f.deliver(1, "INBOX", "word")
			f.flag(a, "INBOX", store.Add, uid, "Junk")
			f.flag(a, "INBOX", store.Set, uid, "Junk", "NonJunk")
			f.flag(a, "INBOX", store.Set, uid, "Junk", "NonJunk", `\Seen`)
		}, isHam},
		{"both at once", func(f *fixture, a *store.Account) {
			f.flag(a, "INBOX", store.Add, f.deliver(1, "INBOX", "word"), "$Junk", "$NotJunk")
		}, isNone},
		{"a flag taken away", func(f *fixture, a *store.Account) {
			uid := f.deliver(1, "INBOX", "word")
			f.flag(a, "INBOX", store.Add, uid, "$NotJunk")
			f.work()
			f.flag(a, "INBOX", store.Remove, uid, "$NotJunk")
		}, isHam},
		{"other flags", func(f *fixture, a *store.Account) {
			f.flag(a, "Junk", store.Add, f.deliver(1, "Junk", "word"), `\Seen`, "$Forwarded")
		}, isNone},
		{"an expunge", func(f *fixture, a *store.Account) {
			f.flag(a, "Junk", store.Add, f.deliver(1, "Junk", "word"), `\Deleted`)
			f.within(a, "Junk", func(v *store.View) error {
				_, _, err := v.Expunge(context.Background(), nil)
				return err
			})
		}, isNone},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := onSQLite(t)
			a := f.account(1)
			c.do(f, a)
			f.work()
			if got := f.totals(1); got != c.want {
				t.Errorf("learnt %v, not %v", got, c.want)
			}
			if got := f.counts(1, "word"); got != c.want {
				t.Errorf("the word is in %v, not %v", got, c.want)
			}
			if got := f.counts(1, "<prefix@example.test>"); got != isNone {
				t.Errorf("what the server added was learnt: %v", got)
			}
		})
	}
}

func TestWhatWaitsSurvivesARestart(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		f.move(a, "INBOX", []uint32{f.deliver(1, "INBOX", "word")}, "Junk")
		f.reopen()
		f.reopen()
		if n := f.waiting(); n != 1 {
			t.Fatalf("%d rows wait", n)
		}
		f.expect(1, isNone, "word", isNone)
		f.start = true
		f.reopen()
		until(func() bool { return f.totals(1) == isSpam })
		f.expect(1, isSpam, "word", isSpam)
		// The worker is told of what comes now.
		f.move(f.store.Account(1), "Junk", []uint32{1}, "INBOX")
		until(func() bool { return f.totals(1) == isHam })
		f.expect(1, isHam, "word", isHam)
	})
}

func TestAMoveOfManyIsOneRowAndIsLearntWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		a := f.account(1)
		var items []store.AppendItem
		var uids []uint32
		for i := range 100 {
			items = append(items, store.AppendItem{Prepared: f.prepare(fmt.Sprint("word ", i))})
			if i%2 == 0 {
				uids = append(uids, uint32(i+1))
			}
		}
		_, _, err := a.Append(t.Context(), "INBOX", items)
		f.must(err)
		f.move(a, "INBOX", uids, "Junk")
		if n := f.waiting(); n != 1 {
			t.Errorf("%d rows wait", n)
		}
		f.within(a, "INBOX", func(v *store.View) error {
			_, err := v.Store(t.Context(), store.StoreOp{Mode: store.Add, Flags: []string{"$NotJunk"}, UIDs: v.UIDs()})
			return err
		})
		if n := f.waiting(); n != 2 {
			t.Errorf("%d rows wait", n)
		}
		f.work()
		f.expect(1, bayes.Count{Spam: 50, Ham: 50}, "word", bayes.Count{Spam: 50, Ham: 50})
		f.expect(1, bayes.Count{Spam: 50, Ham: 50}, "42", isSpam)
		f.expect(1, bayes.Count{Spam: 50, Ham: 50}, "43", isHam)
		f.check()
	})
}

func TestAWorkThatFailsTeachesNothing(t *testing.T) {
	f := onSQLite(t)
	failed := errors.New("no")
	err := f.db.Write(t.Context(), func(tx *db.Tx) error {
		return errors.Join(f.lessons.TeachTx(tx, 1, 1, []store.UIDRange{{First: 1, Last: 1}}, Spam), failed)
	})
	if !errors.Is(err, failed) || f.waiting() != 0 {
		t.Errorf("%d rows wait, %v", f.waiting(), err)
	}
}

func TestMessagesThatAreGoneOrCannotBeReadArePassedOver(t *testing.T) {
	f := onSQLite(t)
	f.tokens = func(content io.ReaderAt, size int64) ([]bayes.Token, error) {
		tokens, err := words(content, size)
		switch {
		case size == int64(len("Subject: bad\r\n\r\nbad\r\n")):
			return nil, errors.New("no mail")
		case size == int64(len("Subject: evil\r\n\r\nevil\r\n")):
			panic("a fault")
		}
		return tokens, err
	}
	f.reopen()
	a := f.account(1)
	for _, text := range []string{"bad", "evil", "soon gone", "good and well"} {
		f.move(a, "INBOX", []uint32{f.deliver(1, "INBOX", text)}, "Junk")
	}
	f.flag(a, "Junk", store.Add, 3, `\Deleted`)
	f.within(a, "Junk", func(v *store.View) error {
		_, _, err := v.Expunge(t.Context(), nil)
		return err
	})
	f.work()
	f.expect(1, isSpam, "well", isSpam)
}

func TestAccountsTakeTurns(t *testing.T) {
	f := onSQLite(t)
	var order []string
	f.tokens = func(content io.ReaderAt, size int64) ([]bayes.Token, error) {
		b := make([]byte, 10)
		_, err := content.ReadAt(b, 0)
		order = append(order, string(b[9:]))
		return some("x"), err
	}
	f.reopen()
	for id, name := range map[store.AccountID]string{1: "a", 2: "b"} {
		a := f.account(id)
		var items []store.AppendItem
		for i := range 40 {
			items = append(items, store.AppendItem{Prepared: f.prepare(fmt.Sprint(name, i))})
		}
		_, _, err := a.Append(t.Context(), "Junk", items)
		f.must(err)
	}
	f.work()
	if len(order) != 80 || order[0] == order[20] || order[0] != order[40] {
		t.Errorf("order %v", order)
	}
	f.expect(1, bayes.Count{Spam: 40}, "x", bayes.Count{Spam: 40})
	f.expect(Everyone, bayes.Count{Spam: 80}, "x", bayes.Count{Spam: 80})
}
