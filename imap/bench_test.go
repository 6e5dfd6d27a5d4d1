package imap

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/internal/message"
	"postern/internal/spool"
	"postern/internal/store"
)

const benchMessages = 20_000

// fill puts messages of the given size into a mailbox, as many to a transaction as MULTIAPPEND would.
func (w *world) fill(mailbox string, count, size int) {
	w.Helper()
	ctx := context.Background()
	for done := 0; done < count; {
		var items []store.AppendItem
		for ; len(items) < 1000 && done < count; done++ {
			text := fmt.Sprintf("From: Sender %d <sender%d@example.test>\r\nTo: Alice <alice@example.test>\r\nSubject: Message number %d about things\r\n"+
				"Date: Sat, 3 Feb 2024 04:05:06 +0000\r\nMessage-ID: <%d@example.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
				done%97, done%97, done, done)
			text += strings.Repeat("The quick brown fox jumps over the lazy dog, once more.\r\n", max(size-len(text), 0)/57)
			content := spool.FromBytes([]byte(text))
			m, err := message.Parse(content, content.Size(), message.DefaultLimits)
			if err != nil {
				w.Fatal(err)
			}
			p, err := w.store.Prepare(ctx, content, m.Meta())
			if err != nil {
				w.Fatal(err)
			}
			items = append(items, store.AppendItem{Prepared: p, Internal: time.Unix(int64(1700000000+done), 0)})
		}
		if _, _, err := w.account("alice@example.test").Append(ctx, mailbox, items); err != nil {
			w.Fatal(err)
		}
		for _, item := range items {
			item.Prepared.Discard()
		}
	}
}

// do sends a command and reads to the end of its answer, without making strings of it.
func (c *client) do(command string) int {
	c.t.Helper()
	c.conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.conn.Write([]byte("T " + command + "\r\n")); err != nil {
		c.t.Fatal(err)
	}
	total := 0
	buf := make([]byte, 64<<10)
	var tail []byte
	for {
		n, err := c.conn.Read(buf)
		if err != nil {
			c.t.Fatal(err)
		}
		total += n
		tail = append(tail[max(0, len(tail)-200):], buf[max(0, n-200):n]...)
		if i := bytes.LastIndex(tail, []byte("\r\nT ")); tail[len(tail)-1] == '\n' && (i >= 0 || bytes.HasPrefix(tail, []byte("T "))) {
			if !bytes.HasPrefix(tail[max(i+2, 0)+0:], []byte("T OK")) && i >= 0 {
				c.t.Fatalf("%s: %s", command, tail)
			}
			return total
		}
	}
}

func BenchmarkIMAP(b *testing.B) {
	w := newWorld(b)
	w.fill("INBOX", benchMessages, 4096)
	c := w.user("alice@example.test")
	c.do("SELECT INBOX")
	perMessage := func(name, command string, count int) {
		b.Run(name, func(b *testing.B) {
			c.t = b
			total := 0
			for b.Loop() {
				total += c.do(command)
			}
			b.SetBytes(int64(total / b.N))
			b.ReportMetric(float64(count)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
	perMessage("FetchFlags", "FETCH 1:* (FLAGS)", benchMessages)
	perMessage("FetchUIDFlags", "UID FETCH 1:* (FLAGS)", benchMessages)
	perMessage("FetchEnvelopeStructure", "FETCH 1:* (ENVELOPE FLAGS BODYSTRUCTURE)", benchMessages)
	perMessage("FetchBodies", "UID FETCH 1:5000 (BODY.PEEK[])", 5000)
	perMessage("FetchHeaderFields", "FETCH 1:5000 (BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)])", 5000)
	perMessage("SearchSubject", `SEARCH SUBJECT "number 1999"`, benchMessages)
	perMessage("SearchFrom", `SEARCH FROM "sender12@"`, benchMessages)
	perMessage("SearchUnseen", `SEARCH UNSEEN`, benchMessages)
	perMessage("SearchBody", `SEARCH 1:2000 BODY "not there"`, 2000)
	perMessage("Select", "SELECT INBOX", 1)
	on := false
	b.Run("StoreAllSilent", func(b *testing.B) {
		c.t = b
		for b.Loop() {
			on = !on
			c.do("STORE 1:* " + map[bool]string{true: "+", false: "-"}[on] + "FLAGS.SILENT (\\Flagged)")
		}
		b.ReportMetric(benchMessages*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	})
	b.Run("StoreOne", func(b *testing.B) {
		c.t = b
		n := 0
		for b.Loop() {
			n++
			c.do(fmt.Sprintf("STORE %d +FLAGS (\\Answered)", n%benchMessages+1))
		}
	})
	b.Run("CopyMoveExpunge", func(b *testing.B) {
		c.t = b
		var times [3]time.Duration
		for b.Loop() {
			t0 := time.Now()
			c.do("COPY 1:10000 Archive")
			t1 := time.Now()
			c.do("SELECT Archive")
			t2 := time.Now()
			c.do("MOVE 1:10000 Trash")
			t3 := time.Now()
			c.do("SELECT Trash")
			c.do("STORE 1:10000 +FLAGS.SILENT (\\Deleted)")
			t4 := time.Now()
			c.do("EXPUNGE")
			t5 := time.Now()
			c.do("SELECT INBOX")
			times[0] += t1.Sub(t0)
			times[1] += t3.Sub(t2)
			times[2] += t5.Sub(t4)
		}
		for i, name := range []string{"copies/s", "moves/s", "expunges/s"} {
			b.ReportMetric(10000*float64(b.N)/times[i].Seconds(), name)
		}
	})
}

// BenchmarkPush delivers, durably, and waits for the EXISTS in an idle session.
func BenchmarkPush(b *testing.B) {
	w := newWorld(b)
	c := w.selected()
	c.send("1 IDLE")
	c.want("+ idling")
	var pushes []time.Duration
	for b.Loop() {
		w.deliver("alice@example.test", "", hello)
		stored := time.Now()
		c.want("* …EXISTS")
		pushes = append(pushes, time.Since(stored))
		c.want("* …RECENT")
	}
	slices.Sort(pushes)
	b.ReportMetric(float64(pushes[len(pushes)/2].Microseconds()), "p50-µs-after-commit")
}

// BenchmarkAppend is of 4 KiB messages, each durable before its OK.
func BenchmarkAppend(b *testing.B) {
	w := newWorld(b)
	text := "Subject: x\r\n\r\n" + strings.Repeat("The quick brown fox jumps over the lazy dog, once more.\r\n", 72)
	command := fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text)
	for _, connections := range []int{1, 8} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			clients := make(chan *client, connections)
			for range connections {
				c := w.user("alice@example.test")
				c.t = b
				clients <- c
			}
			b.SetParallelism((connections + 1) / 2)
			b.RunParallel(func(pb *testing.PB) {
				c := <-clients
				for pb.Next() {
					c.do(command)
				}
				clients <- c
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}
