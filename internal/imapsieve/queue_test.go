package imapsieve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/store"
	"postern/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// carrier notes what it is given. A message whose UID is in bad fails in its transaction, one in panics panics.
type carrier struct {
	seen   []Message
	done   []uint32
	bad    map[uint32]bool
	panics map[uint32]bool
}

type noted struct {
	c   *carrier
	uid uint32
}

func (c *carrier) Carry(_ context.Context, m Message) (Effect, error) {
	c.seen = append(c.seen, m)
	if c.panics[m.UID] {
		panic("a defect")
	}
	return &noted{c, m.UID}, nil
}

func (n *noted) Tx(tx *db.Tx) error {
	if n.c.bad[n.uid] {
		return errors.New("this one cannot be stored")
	}
	tx.OnCommit(func() { n.c.done = append(n.c.done, n.uid) })
	return nil
}

func (n *noted) Discard() {}

func onBoth(t *testing.T, test func(t *testing.T, q *Queue, c *carrier)) {
	testdb.OnBoth(t, func(t *testing.T, url string) {
		c := &carrier{bad: map[uint32]bool{}, panics: map[uint32]bool{}}
		q := New(Options{DB: testdb.Open(t, url), Clock: clock.NewManual(time.Unix(1_800_000_000, 0)), Log: slog.New(slog.DiscardHandler)})
		q.carrier = c
		test(t, q, c)
	})
}

// happens writes down that something was done with messages.
func (q *Queue) happens(t *testing.T, h store.Happening) {
	t.Helper()
	if err := q.DB.Write(t.Context(), func(tx *db.Tx) error { return q.HappenedTx(tx, h) }); err != nil {
		t.Fatal(err)
	}
}

func (q *Queue) wants(t *testing.T, want int64) {
	t.Helper()
	if n, err := q.Waiting(t.Context()); n != want || err != nil {
		t.Errorf("%d messages wait, not %d; %v", n, want, err)
	}
}

func uids(first, n uint32) (list []uint32) {
	for i := range n {
		list = append(list, first+i)
	}
	return list
}

func TestEachMessageIsLookedAtOnceWithWhatChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, c *carrier) {
		q.happens(t, store.Happening{Account: 1, Mailbox: 7, Cause: store.Reflagged, UIDs: []uint32{3, 4, 9}, Flags: []string{`\Seen`, "work"}, Changed: []uint64{1, 1, 3}})
		q.happens(t, store.Happening{Account: 2, Mailbox: 8, Cause: store.Copied, UIDs: uids(1, 1234)})
		q.wants(t, 1237)
		if err := q.work(t.Context()); err != nil {
			t.Fatal(err)
		}
		q.wants(t, 0)
		if got := fmt.Sprint(c.seen[:3]); got != `[{1 7 3 FLAG [\Seen]} {1 7 4 FLAG [\Seen]} {1 7 9 FLAG [\Seen work]}]` {
			t.Errorf("they are seen as %s", got)
		}
		if want := append([]uint32{3, 4, 9}, uids(1, 1234)...); !slices.Equal(c.done, want) {
			t.Errorf("%d were done, not %d", len(c.done), len(want))
		}
	})
}

func TestAccountsTakeTurns(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, c *carrier) {
		q.happens(t, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(1, 1000)})
		q.happens(t, store.Happening{Account: 2, Mailbox: 8, Cause: store.Appended, UIDs: uids(1, 1)})
		if err := q.work(t.Context()); err != nil {
			t.Fatal(err)
		}
		if at := slices.IndexFunc(c.seen, func(m Message) bool { return m.Account == 2 }); at != batchMessages {
			t.Errorf("the second account waits for %d messages of the first", at)
		}
	})
}

func TestTooMuchIsLeftAsItIs(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, c *carrier) {
		q.happens(t, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(1, MaxWaiting-5)})
		q.happens(t, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(100_000, 10)})
		q.happens(t, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(200_000, 10)})
		q.happens(t, store.Happening{Account: 2, Mailbox: 7, Cause: store.Copied, UIDs: uids(1, 1)})
		q.wants(t, MaxWaiting+1)
		fresh := New(q.Options) // knows of what an earlier process left
		fresh.happens(t, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(300_000, 1)})
		fresh.wants(t, MaxWaiting+1)
	})
}

func TestAMessageThatFailsKeepsNobodyWaitingForLong(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, c *carrier) {
		c.bad[3], c.panics[5] = true, true
		q.happens(t, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(1, 6)})
		q.happens(t, store.Happening{Account: 2, Mailbox: 7, Cause: store.Copied, UIDs: uids(11, 1)})
		failed := 0
		for range 20 {
			if err := q.work(t.Context()); err == nil {
				break
			}
			failed++
		}
		q.wants(t, 0)
		slices.Sort(c.done)
		if failed != tries-1 || !slices.Equal(c.done, []uint32{1, 2, 4, 6, 11}) {
			t.Errorf("after %d failures %v are done", failed, c.done)
		}
	})
}

func TestNothingIsLookedAtThatWasNotCommitted(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, c *carrier) {
		lost := errors.New("no")
		err := q.DB.Write(t.Context(), func(tx *db.Tx) error {
			if err := q.HappenedTx(tx, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(1, 6)}); err != nil {
				return err
			}
			return lost
		})
		if !errors.Is(err, lost) || q.room(1) != MaxWaiting {
			t.Errorf("%v, room for %d", err, q.room(1))
		}
		if err := q.work(t.Context()); err != nil || c.seen != nil {
			t.Errorf("%v, %v", err, c.seen)
		}
	})
}

// What an earlier process left is counted in the same transaction as what is taken out and what comes: each once.
func TestWhatIsTakenOutWhileItIsCountedIsSubtractedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, q *Queue, _ *carrier) {
		q.happens(t, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(1, 10)})
		fresh := New(q.Options)
		r, err := fresh.next(t.Context(), -1)
		if err != nil {
			t.Fatal(err)
		}
		began, goOn := make(chan struct{}), make(chan struct{})
		begin := sync.OnceFunc(func() { close(began) })
		var wg sync.WaitGroup
		beside := func(waiting int, work func() error) { // hands a work in behind those that wait
			wg.Go(func() {
				if err := work(); err != nil {
					t.Error(err)
				}
			})
			for q.DB.Stats().Waiting < waiting {
				runtime.Gosched()
			}
		}
		beside(0, func() error {
			return q.DB.Write(t.Context(), func(*db.Tx) error { begin(); <-goOn; return nil })
		})
		<-began
		beside(1, func() error { return fresh.settle(t.Context(), r, 6, nil) })
		beside(2, func() error {
			return q.DB.Write(t.Context(), func(tx *db.Tx) error {
				return fresh.HappenedTx(tx, store.Happening{Account: 1, Mailbox: 7, Cause: store.Copied, UIDs: uids(100, 1)})
			})
		})
		close(goOn)
		wg.Wait()
		fresh.wants(t, 5)
		if room := fresh.room(1); room != MaxWaiting-5 {
			t.Errorf("room for %d more, not %d", room, MaxWaiting-5)
		}
	})
}

func FuzzRuns(f *testing.F) {
	f.Add(encode([]run{{1, 3, 0}, {9, 1, 5}, {4_000_000_000, 500, 1 << 63}}))
	f.Add([]byte{0, 1, 0})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		runs, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(encode(runs))
		if err != nil || !slices.Equal(runs, again) {
			t.Fatalf("%v, %v, %v", runs, again, err)
		}
		for _, n := range []int{1, 7, 100_000} {
			left := 0
			for _, r := range drop(runs, n) {
				left += int(r.n)
			}
			all := 0
			for _, r := range runs {
				all += int(r.n)
			}
			if left != max(0, all-n) {
				t.Fatalf("of %d without %d there are %d", all, n, left)
			}
		}
	})
}
