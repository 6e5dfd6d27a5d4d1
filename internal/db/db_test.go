package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"postern/internal/reply"
	"postern/internal/testdisk"
	"postern/internal/testpg"
)

func TestMain(m *testing.M) { os.Exit(testpg.Main(m)) }

var ctx = context.Background()

func open(t testing.TB, url string) *DB {
	t.Helper()
	d, err := Open(ctx, Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func onBoth(t *testing.T, fn func(t *testing.T, d *DB)) {
	t.Run("SQLite", func(t *testing.T) {
		fn(t, withTable(t, open(t, "sqlite:"+filepath.Join(t.TempDir(), "a #?%20b.db"))))
	})
	t.Run("PostgreSQL", func(t *testing.T) { fn(t, withTable(t, open(t, testpg.Database(t)))) })
}

// withTable adds a table for the tests.
func withTable(t *testing.T, d *DB) *DB {
	t.Helper()
	err := d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec(`CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE)`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func insert(tx *Tx, id int, name string) error {
	_, err := tx.Exec(`INSERT INTO things (id, name) VALUES (?, ?)`, int64(id), name)
	return err
}

func count(t testing.TB, d *DB) (n int) {
	t.Helper()
	if err := d.QueryRow(ctx, `SELECT count(*) FROM things`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// hold keeps the committer busy until release is called, so that works gather behind it.
func hold(d *DB) (release func()) {
	began, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(began) })
	go func() {
		defer close(done)
		_ = d.Write(ctx, func(*Tx) error { begin(); <-end; return nil })
	}()
	<-began
	return func() { close(end); <-done }
}

// waiting blocks until n works are in the queue.
func waiting(d *DB, n int) {
	for d.Stats().Waiting < n {
		// The queue is filled by goroutines that are about to run.
		select {
		case <-d.committer.ended:
			return
		default:
			runtime.Gosched()
		}
	}
}

func TestWorksThatWaitShareOneCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, d *DB) {
		before := d.Stats()
		release := hold(d)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, i, fmt.Sprint(i)) }); err != nil {
					t.Error(err)
				}
			}()
		}
		waiting(d, 50)
		release()
		wg.Wait()
		after := d.Stats()
		// One, unless the machine is so slow that the batch reaches its bound of time.
		if n := after.Commits - before.Commits; n > 5 || count(t, d) != 50 {
			t.Fatalf("%d commits, %d rows", n, count(t, d))
		}
	})
}

func TestWhoIsAboutToWriteJoinsTheBatch(t *testing.T) {
	onBoth(t, func(t *testing.T, d *DB) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // one runs, and the others are ready to
		before := d.Stats()
		const rounds, writers = 20, 12 // too few for a batch to be ended by its time
		for round := range rounds {
			var wg sync.WaitGroup
			for i := range writers {
				wg.Go(func() {
					id := round*writers + i
					if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, id, fmt.Sprint(id)) }); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		// The first alone and then all others would be two commits a round.
		if n := d.Stats().Commits - before.Commits; n > rounds*3/2 || count(t, d) != rounds*writers {
			t.Errorf("%d commits in %d rounds, %d rows", n, rounds, count(t, d))
		}
	})
}

// A lone writer is the committer itself; Close must wait for it as for what is queued.
func TestCloseWaitsForWhoIsWriting(t *testing.T) {
	onBoth(t, func(t *testing.T, d *DB) {
		began, goOn, wrote := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		begin := sync.OnceFunc(func() { close(began) })
		go func() {
			wrote <- d.Write(ctx, func(tx *Tx) error {
				begin()
				<-goOn
				return insert(tx, 1, "one")
			})
		}()
		<-began
		queued := make(chan error, 1)
		go func() { queued <- d.Write(ctx, func(tx *Tx) error { return insert(tx, 2, "two") }) }()
		waiting(d, 1)
		closed := make(chan error, 1)
		go func() { closed <- d.Close() }()
		for stopped := false; !stopped; runtime.Gosched() {
			d.committer.mu.RLock()
			stopped = d.committer.stopped
			d.committer.mu.RUnlock()
		}
		if err := d.Write(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
			t.Errorf("a write after the end: %v", err)
		}
		select {
		case err := <-closed:
			t.Fatalf("closed while somebody writes: %v", err)
		default:
		}
		close(goOn)
		if err := errors.Join(<-wrote, <-queued, <-closed); err != nil {
			t.Error(err)
		}
	})
}

// Who finds the turn free, who waits in the queue, and the end, all at once: each write is there or was refused.
func TestManyWritersAndTheEnd(t *testing.T) {
	for name, url := range map[string]string{"SQLite": "sqlite:" + filepath.Join(t.TempDir(), "end.db"), "PostgreSQL": testpg.Database(t)} {
		t.Run(name, func(t *testing.T) {
			d := withTable(t, open(t, url))
			const writers = 8
			var wg sync.WaitGroup
			var kept atomic.Int64
			for i := range writers {
				wg.Go(func() {
					for n := i; ; n += writers {
						err := d.Write(ctx, func(tx *Tx) error { return insert(tx, n, fmt.Sprint(n)) })
						if errors.Is(err, ErrClosed) {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
						kept.Add(1)
					}
				})
			}
			for kept.Load() < 300 && !t.Failed() {
				runtime.Gosched()
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			wg.Wait()
			if n := count(t, open(t, url)); int64(n) != kept.Load() {
				t.Errorf("%d rows, %d answered", n, kept.Load())
			}
		})
	}
}

func TestAFailedWorkTakesNothingElseDown(t *testing.T) {
	onBoth(t, func(t *testing.T, d *DB) {
		release := hold(d)
		errMine := errors.New("mine")
		var wg sync.WaitGroup
		var undone [30]int // in the last run of each
		for i := range undone {
			wg.Add(1)
			go func() {
				defer wg.Done()
				err := d.Write(ctx, func(tx *Tx) error {
					undone[i] = 0
					tx.OnRollback(func() { undone[i]++ })
					if err := insert(tx, i, fmt.Sprint(i)); err != nil {
						return err
					}
					switch i % 3 {
					case 1:
						return errMine
					case 2:
						return insert(tx, 1000+i, fmt.Sprint(i)) // the name is taken
					}
					return nil
				})
				want := []error{nil, errMine, ErrConflict}[i%3]
				if !errors.Is(err, want) || undone[i] != min(i%3, 1) {
					t.Errorf("%d: %v instead of %v, undone %d times", i, err, want, undone[i])
				}
			}()
		}
		waiting(d, 30)
		release()
		wg.Wait()
		if n := count(t, d); n != 10 {
			t.Fatalf("%d rows", n)
		}
	})
}

func TestASwallowedErrorOfAStatementFailsTheWork(t *testing.T) {
	onBoth(t, func(t *testing.T, d *DB) {
		err := d.Write(ctx, func(tx *Tx) error {
			if err := insert(tx, 1, "one"); err != nil {
				return err
			}
			_ = insert(tx, 1, "again")
			return nil
		})
		if !errors.Is(err, ErrConflict) || count(t, d) != 0 {
			t.Fatal(err, count(t, d))
		}
	})
}

func TestHooksRunInOrderAfterTheCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, d *DB) {
		release := hold(d)
		var mu sync.Mutex
		var order []int
		last := 0
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				fail := i%2 == 1
				err := d.Write(ctx, func(tx *Tx) error {
					tx.BeforeCommit("once", func(tx *Tx) error {
						tx.OnCommit(func() { last++ })
						return insert(tx, 500, "last")
					})
					tx.OnCommit(func() {
						mu.Lock()
						defer mu.Unlock()
						order = append(order, i)
					})
					if err := insert(tx, i, fmt.Sprint(i)); err != nil || fail {
						return errors.Join(err, errors.New("no"))
					}
					return nil
				})
				mu.Lock()
				defer mu.Unlock()
				seen := false
				for _, n := range order {
					seen = seen || n == i
				}
				if (err == nil) == fail || seen == fail {
					t.Errorf("%d: %v, hook ran %v", i, err, seen)
				}
			}()
		}
		waiting(d, 10)
		release()
		wg.Wait()
		if len(order) != 5 || last != 1 || count(t, d) != 6 {
			t.Fatal(order, last, count(t, d))
		}
	})
}

func TestAPanicReachesItsOwnCallerOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, d *DB) {
		func() {
			defer func() {
				if v := recover(); v != "ouch" {
					t.Errorf("recovered %v", v)
				}
			}()
			_ = d.Write(ctx, func(tx *Tx) error {
				if err := insert(tx, 1, "one"); err != nil {
					return err
				}
				panic("ouch")
			})
		}()
		if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, 2, "two") }); err != nil || count(t, d) != 1 {
			t.Fatal(err, count(t, d))
		}
	})
}

func TestACancelledWorkIsNotRun(t *testing.T) {
	d := withTable(t, open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db")))
	release := hold(d)
	cancelled, cancel := context.WithCancel(ctx)
	result := make(chan error)
	go func() { result <- d.Write(cancelled, func(tx *Tx) error { return insert(tx, 1, "one") }) }()
	waiting(d, 1)
	cancel()
	release()
	if err := <-result; !errors.Is(err, context.Canceled) || count(t, d) != 0 {
		t.Fatal(err, count(t, d))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestAViewIsOneSnapshot(t *testing.T) {
	onBoth(t, func(t *testing.T, d *DB) {
		err := d.View(ctx, func(tx *ReadTx) error {
			var before, after int
			if err := tx.QueryRow(`SELECT count(*) FROM things`).Scan(&before); err != nil {
				return err
			}
			if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, 1, "one") }); err != nil {
				return err
			}
			if err := tx.QueryRow(`SELECT count(*) FROM things WHERE id > ?`, int64(0)).Scan(&after); err != nil {
				return err
			}
			if before != after {
				t.Errorf("%d, then %d", before, after)
			}
			return nil
		})
		if err != nil || count(t, d) != 1 {
			t.Fatal(err)
		}
	})
}

func TestASecondWriterIsRefused(t *testing.T) {
	for name, url := range map[string]string{"SQLite": "sqlite:" + filepath.Join(t.TempDir(), "x.db"), "PostgreSQL": testpg.Database(t)} {
		t.Run(name, func(t *testing.T) {
			first := open(t, url)
			if _, err := Open(ctx, Options{URL: url}); !errors.Is(err, ErrLocked) {
				t.Fatal(err)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			open(t, url)
		})
	}
}

func TestTheFilesAreForTheirOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	withTable(t, open(t, "sqlite:"+path))
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s%s: %v, %v", path, suffix, info.Mode(), err)
		}
	}
}

func TestTheLogStaysBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	d, err := Open(ctx, Options{URL: "sqlite:" + path, MaxWAL: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	withTable(t, d)
	filler := string(make([]byte, 8<<10))
	for i := range 1500 {
		if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, i, fmt.Sprint(i, filler)) }); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path + "-wal")
	if err != nil || info.Size() > 24<<20 {
		t.Fatalf("the log has %d bytes, %v", info.Size(), err)
	}
}

func TestAFullDiskFailsTheWorksAndNothingElse(t *testing.T) {
	disk := testdisk.New(t, 16<<20)
	d := withTable(t, open(t, "sqlite:"+filepath.Join(disk.Path(), "x.db")))
	filler := string(make([]byte, 20<<10))
	id := 0
	for round := range 6 {
		release, err := disk.Fill(int64(round) * 61 << 10)
		if err != nil {
			t.Fatal(err)
		}
		kept := count(t, d)
		var failure error
		for range 2000 {
			id++
			err := d.Write(ctx, func(tx *Tx) error { return insert(tx, id, fmt.Sprint(id, filler)) })
			if err != nil {
				failure = err
				break
			}
			kept++
		}
		if !errors.Is(failure, ErrFull) || reply.From(failure).Code != 452 {
			t.Fatalf("round %d: %v", round, failure)
		}
		if n := count(t, d); n != kept {
			t.Fatalf("%d rows instead of %d", n, kept)
		}
		release()
		id++
		if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, id, fmt.Sprint(id)) }); err != nil {
			t.Fatalf("with space again: %v", err)
		}
		if err := d.Write(ctx, func(tx *Tx) error { _, err := tx.Exec(`DELETE FROM things`); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if faults, err := d.Check(ctx); err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
}

func TestALostServerIsFoundAgain(t *testing.T) {
	server := testpg.New(t)
	d := withTable(t, open(t, server.NewDatabase(t)))
	uncertain := 0
	d.OnUncertain(func() { uncertain++ })
	acknowledged := 0
	for round := range 3 {
		for i := range 5 {
			if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, 10*round+i, fmt.Sprint(round, i)) }); err != nil {
				t.Fatal(err)
			}
			acknowledged++
		}
		server.Kill()
		if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, 1000+round, fmt.Sprint("lost", round)) }); err == nil {
			t.Fatal("a write without a server")
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		var err error
		for range 20 {
			if err = d.Write(ctx, func(tx *Tx) error { return insert(tx, 2000+round, fmt.Sprint("back", round)) }); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("the server is back: %v", err)
		}
		acknowledged++
		if n := count(t, d); n != acknowledged {
			t.Fatalf("%d rows instead of %d", n, acknowledged)
		}
	}
}

// The server did what it was told to, but nobody heard: whoever holds a mirror of the database must be told to read it anew,
// before the works are answered.
func TestACommitWhoseAnswerIsLostIsUncertain(t *testing.T) {
	direct := testpg.Database(t)
	link, url := testpg.NewLink(t, direct)
	d := withTable(t, open(t, url))
	var uncertain atomic.Int32
	d.OnUncertain(func() { uncertain.Add(1) })
	for round := range 3 {
		link.LoseCommits(1)
		err := d.Write(ctx, func(tx *Tx) error { return insert(tx, round, fmt.Sprint(round)) })
		if err == nil || link.Lost() != round+1 {
			t.Fatalf("%v, %d lost", err, link.Lost())
		}
		if n := uncertain.Load(); n != int32(round+1) {
			t.Fatalf("%v: told %d times in round %d", err, n, round)
		}
		if err := d.Write(ctx, func(tx *Tx) error { return insert(tx, 100+round, fmt.Sprint(100+round)) }); err != nil {
			t.Fatalf("after the loss: %v", err)
		}
		if n := count(t, d); n != 2*(round+1) {
			t.Fatalf("%d rows: the lost commit was carried out", n)
		}
	}
}

func TestAServerThatWasReplacedWritesNoMore(t *testing.T) {
	server := testpg.New(t)
	url := server.NewDatabase(t)
	first := withTable(t, open(t, url))
	server.Kill()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	second := open(t, url)
	if err := second.Write(ctx, func(tx *Tx) error { return insert(tx, 1, "second") }); err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := first.Write(ctx, func(tx *Tx) error { return insert(tx, 2, "first") }); err == nil {
			t.Fatal("the first server wrote after the second")
		}
	}
}

func TestPortableSQLIsNumberedOutsideOfQuotes(t *testing.T) {
	r := rebinder{dialect: PostgreSQL}
	got := r.rebind(`SELECT '?', "a?" FROM t WHERE a = ? AND b = ?`)
	if want := `SELECT '?', "a?" FROM t WHERE a = $1 AND b = $2`; got != want {
		t.Fatal(got)
	}
}

func TestAnUnknownURLIsRefused(t *testing.T) {
	for _, url := range []string{"", "mysql://x", "sqlite:"} {
		if _, err := Open(ctx, Options{URL: url}); err == nil {
			t.Errorf("%q was opened", url)
		}
	}
}

func TestAnOldSchemaIsNotTouchedWithNoMigrate(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	if _, err := Open(ctx, Options{URL: url, NoMigrate: true}); err == nil {
		t.Fatal("an empty database was opened")
	}
	if err := open(t, url).Close(); err != nil {
		t.Fatal(err)
	}
	d, err := Open(ctx, Options{URL: url, NoMigrate: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
