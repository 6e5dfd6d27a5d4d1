package queue_test

import (
	"context"
	"sync"
	"testing"

	"postern/internal/clock"
	"postern/internal/db"
	"postern/internal/testdb"
	"postern/smtp/queue"
)

// BenchmarkQueue is the whole life of a message in the queue, with a destination that takes it at once: enqueued in a
// transaction of its own, read, handed to the line, removed. Sixteen senders share flushes.
func BenchmarkQueue(b *testing.B) {
	d := testdb.Open(b, testdb.SQLite(b))
	var left sync.WaitGroup
	q, err := queue.New(context.Background(), queue.Options{
		DB: d, Blobs: oneBlob{}, Deliverer: taker{}, Hostname: "us.test", Clock: clock.System, Observe: func(queue.Event) { left.Done() },
	})
	if err != nil {
		b.Fatal(err)
	}
	q.Start()
	m := queue.Message{BlobID: 1, Size: int64(len(body)), From: addr("alice@us.test"), Recipients: []queue.Recipient{{Address: addr("bob@a.test")}}}
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			left.Add(1)
			err := d.Write(context.Background(), func(tx *db.Tx) error { _, err := q.EnqueueTx(tx, m); return err })
			if err != nil {
				b.Error(err)
				left.Done()
			}
		}
	})
	left.Wait()
	b.StopTimer()
	b.ReportMetric(float64(d.Stats().Commits)/float64(b.N), "commits/op")
	if err := q.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
}

type oneBlob struct{}

func (oneBlob) OpenBlob(context.Context, int64) (queue.Content, error) { return blob{text: body}, nil }
func (oneBlob) ReleaseBlobTx(*db.Tx, int64) error                      { return nil }

type taker struct{}

func (taker) Line(string) queue.Line { return taker{} }
func (taker) Close()                 {}
func (taker) Deliver(_ context.Context, j *queue.Job) []queue.Outcome {
	return all(j, queue.Outcome{})
}
