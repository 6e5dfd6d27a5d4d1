package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"postern/internal/db"
	"postern/internal/message"
)

// benchStore opens a store for a benchmark. The folder is $POSTERN_BENCH_DIR or a temporary one, which should lie on
// the disk that is meant.
func benchStore(b *testing.B) *fixture {
	b.Helper()
	dir := b.TempDir()
	if base := os.Getenv("POSTERN_BENCH_DIR"); base != "" {
		var err error
		if dir, err = os.MkdirTemp(base, "bench"); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	f := &fixture{t: b, url: "sqlite:" + filepath.Join(dir, "postern.db"), dir: dir}
	d, err := db.Open(context.Background(), db.Options{URL: f.url})
	if err != nil {
		b.Fatal(err)
	}
	f.db = d
	if f.Store, err = Open(context.Background(), Options{DB: d, BlobDir: filepath.Join(dir, "blobs")}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(f.close)
	return f
}

// fill delivers n messages of about 4 KiB, many to a transaction.
func (f *fixture) fill(b *testing.B, id AccountID, n int) *Account {
	b.Helper()
	a := f.account(id)
	for done := 0; done < n; {
		part := min(500, n-done)
		items := make([]AppendItem, part)
		for i := range items {
			p, err := prepare(f.Store, letter(fmt.Sprint(id, "-", done+i), 4<<10))
			if err != nil {
				b.Fatal(err)
			}
			items[i] = AppendItem{Prepared: p}
		}
		if _, _, err := a.Append(ctx, Inbox, items); err != nil {
			b.Fatal(err)
		}
		done += part
	}
	return a
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFsync is the disk's own measure: 4 KiB appended and flushed, one file.
func BenchmarkFsync(b *testing.B) {
	dir := os.Getenv("POSTERN_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	f, err := os.CreateTemp(dir, "fsync")
	if err != nil {
		b.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4<<10)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "fsync/s")
}

func BenchmarkDeliver(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%dwriters", writers), func(b *testing.B) { benchDeliver(b, writers, 4<<10) })
	}
	b.Run("16writers64KiB", func(b *testing.B) { benchDeliver(b, 16, 64<<10) })
}

func benchDeliver(b *testing.B, writers, size int) {
	f := benchStore(b)
	for i := range 16 {
		f.account(AccountID(i + 1))
	}
	bodies := make([][]byte, b.N)
	for i := range bodies {
		bodies[i] = letter(fmt.Sprint(i), size)
	}
	next := make(chan int, b.N)
	for i := range b.N {
		next <- i
	}
	close(next)
	stats, cpu := f.db.Stats(), cpuTime()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				if err := deliverOne(f.Store, AccountID(i%16+1), bodies[i], i); err != nil {
					b.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	b.StopTimer()
	after := f.db.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric((cpuTime()-cpu).Seconds()*1000/float64(b.N), "cpu-ms/msg")
	b.ReportMetric(float64(after.Commits-stats.Commits)/float64(b.N), "commits/msg")
}

func deliverOne(s *Store, id AccountID, body []byte, n int) error {
	p, err := prepare(s, body)
	if err != nil {
		return err
	}
	defer p.Discard()
	_, err = s.Deliver(ctx, p, []Target{{Account: id, Once: fmt.Appendf(nil, "key of %24d", n),
		Prefix: []byte("Return-Path: <a@example.test>\r\nReceived: from a.example.test by mail.example.test with ESMTPS id 1234567;\r\n Sun, 1 Mar 2026 12:00:00 +0000\r\n")}})
	return err
}

const benchMessages = 20_000

func (f *fixture) benchView(b *testing.B, a *Account, name string) *View {
	b.Helper()
	v, err := a.Select(ctx, name, SelectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func perMessage(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func BenchmarkRead(b *testing.B) {
	f := benchStore(b)
	a := f.fill(b, 1, benchMessages)
	v := f.benchView(b, a, Inbox)
	defer v.Close()
	b.Run("SelectCold", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			f.reopen()
			a = f.Account(1)
			b.StartTimer()
			v = f.benchView(b, a, Inbox)
		}
	})
	b.Run("SelectWarm", func(b *testing.B) {
		for b.Loop() {
			f.benchView(b, a, Inbox).Close()
		}
	})
	b.Run("EachMetaCold", func(b *testing.B) {
		for b.Loop() {
			f.Store.metas = newMetaCache(64 << 20)
			eachMeta(b, v)
		}
		perMessage(b, benchMessages)
	})
	b.Run("EachMetaWarm", func(b *testing.B) {
		for b.Loop() {
			eachMeta(b, v)
		}
		perMessage(b, benchMessages)
	})
	b.Run("Each", func(b *testing.B) {
		for b.Loop() {
			n := 0
			_ = v.Each(nil, func(Message) bool { n++; return true })
		}
		perMessage(b, benchMessages)
	})
	b.Run("Open", func(b *testing.B) {
		buf := make([]byte, 8<<10)
		for i := 0; b.Loop(); i++ {
			c, err := v.Open(ctx, uint32(i%benchMessages)+1)
			if err != nil {
				b.Fatal(err)
			}
			if n, _ := c.ReadAt(buf, 0); n == 0 {
				b.Fatal("nothing read")
			}
			_ = c.Close()
		}
		perMessage(b, 1)
	})
}

func eachMeta(b *testing.B, v *View) {
	n := 0
	err := v.EachMeta(ctx, nil, func(_ Message, m message.Meta) bool { n += min(1, len(m)); return true })
	if err != nil || n != benchMessages {
		b.Fatal(n, err)
	}
}

func BenchmarkStore(b *testing.B) {
	b.Run("One", func(b *testing.B) {
		f := benchStore(b)
		v := f.benchView(b, f.fill(b, 1, benchMessages), Inbox)
		for i := 0; b.Loop(); i++ {
			mode := Add
			if (i/benchMessages)%2 == 1 {
				mode = Remove
			}
			if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{uint32(i%benchMessages) + 1}, Mode: mode, Flags: []string{`\Seen`}}); err != nil {
				b.Fatal(err)
			}
		}
		perMessage(b, 1)
	})
	b.Run("All", func(b *testing.B) {
		f := benchStore(b)
		v := f.benchView(b, f.fill(b, 1, benchMessages), Inbox)
		all := v.UIDs()
		for i := 0; b.Loop(); i++ {
			if _, err := v.Store(ctx, StoreOp{UIDs: all, Mode: Add + StoreMode(i%2), Flags: []string{`\Seen`}, Silent: true}); err != nil {
				b.Fatal(err)
			}
		}
		perMessage(b, benchMessages)
	})
}

const benchTransfer = 10_000

func BenchmarkCopy(b *testing.B) {
	f := benchStore(b)
	v := f.benchView(b, f.fill(b, 1, benchMessages), Inbox)
	uids := v.UIDs()[:benchTransfer]
	for b.Loop() {
		if _, err := v.Copy(ctx, uids, "Archive"); err != nil {
			b.Fatal(err)
		}
	}
	perMessage(b, benchTransfer)
}

func BenchmarkMove(b *testing.B) {
	f := benchStore(b)
	a := f.fill(b, 1, benchMessages)
	from, to := Inbox, "Archive"
	for b.Loop() {
		v := f.benchView(b, a, from)
		if _, err := v.Move(ctx, v.UIDs()[:benchTransfer], to); err != nil {
			b.Fatal(err)
		}
		v.Close()
		from, to = to, from
	}
	perMessage(b, benchTransfer)
}

func BenchmarkExpunge(b *testing.B) {
	f := benchStore(b)
	v := f.benchView(b, f.fill(b, 1, benchMessages), Inbox)
	defer v.Close()
	uids := v.UIDs()[:benchTransfer]
	for b.Loop() {
		b.StopTimer()
		res, err := v.Copy(ctx, uids, "Trash")
		if err != nil {
			b.Fatal(err)
		}
		f.reap()
		trash := f.benchView(b, v.Account(), "Trash")
		if _, err := trash.Store(ctx, StoreOp{UIDs: res.Dst, Mode: Add, Flags: []string{`\Deleted`}}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, _, err := trash.Expunge(ctx, nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		trash.Close()
		f.reap()
		b.StartTimer()
	}
	perMessage(b, benchTransfer)
}

// BenchmarkStoreWatched is one change of a flag, where a journal asks for nothing and where it is told.
func BenchmarkStoreWatched(b *testing.B) {
	for name, watched := range map[string]bool{"unwatched": false, "watched": true} {
		b.Run(name, func(b *testing.B) {
			f := onSQLite(b)
			f.Record(&journal{others: watched})
			a := f.account(1)
			f.deliver(1, "INBOX", letter("one", 100))
			v := f.view(a, "INBOX")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := v.Store(ctx, StoreOp{UIDs: []uint32{1}, Mode: []StoreMode{Add, Remove}[i%2], Flags: []string{`\Flagged`}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
