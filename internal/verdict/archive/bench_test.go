package archive

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"postern/internal/db"
	"postern/internal/testdb"
	"postern/internal/verdict"
)

func BenchmarkEncode(b *testing.B) {
	c, t := newCodec(), typical(5)
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		packed, err := c.pack(t)
		if err != nil {
			b.Fatal(err)
		}
		size = len(packed)
	}
	b.ReportMetric(float64(size), "bytes")
}

func BenchmarkAppendJSON(b *testing.B) {
	t := typical(5)
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		text, _ = t.AppendJSON(text[:0])
	}
	b.ReportMetric(float64(len(text)), "bytes")
}

func BenchmarkDecode(b *testing.B) {
	c := newCodec()
	packed, _ := c.pack(typical(5))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.unpack(packed); err != nil {
			b.Fatal(err)
		}
	}
}

// rowsBefore are how many traces lie there before a benchmark; POSTERN_BENCH_TRACES sets the larger number.
func rowsBefore() []int {
	if n, err := strconv.Atoi(os.Getenv("POSTERN_BENCH_TRACES")); err == nil {
		return []int{0, n}
	}
	return []int{0, 100_000}
}

// BenchmarkStoreTx is the cost of a trace within a transaction, of which a busy server's holds many. The transaction's own,
// begin and flush, are shared by those of a batch.
func BenchmarkStoreTx(b *testing.B) {
	for _, before := range rowsBefore() {
		f := newFixture(b, testdb.SQLite(b))
		f.fill(0, before)
		number := before
		for _, batch := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("rows=%d/batch=%d", before, batch), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					traces, encoded := make([]*verdict.Trace, batch), make([][]byte, batch)
					for i := range batch {
						traces[i] = typical(number)
						number++
						encoded[i], _ = f.Encode(traces[i])
					}
					b.StartTimer()
					err := f.db.Write(b.Context(), func(tx *db.Tx) error {
						var errs error
						for i, t := range traces {
							errs = errors.Join(errs, f.StoreTx(tx, t, encoded[i]))
						}
						return errs
					})
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "µs/trace")
			})
		}
	}
}

func BenchmarkFind(b *testing.B) {
	for _, before := range rowsBefore()[1:] {
		f := newFixture(b, testdb.SQLite(b))
		f.fill(0, before)
		for name, q := range map[string]Query{
			"transaction": {ID: typical(before / 3).ID},
			"message-id":  {MessageID: typical(before / 2).MessageID},
			"account":     {Accounts: []int64{77}, Limit: 50},
			"latest":      {Limit: 50},
			"none":        {ID: "nothing"},
		} {
			b.Run(fmt.Sprintf("rows=%d/%s", before, name), func(b *testing.B) {
				for b.Loop() {
					if _, err := f.Find(b.Context(), q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
