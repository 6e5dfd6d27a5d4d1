package archive

import (
	"cmp"
	"slices"
	"strings"

	"postern/internal/db"
	"postern/internal/verdict"
)

// waiting is what the works of one transaction want stored. It is written at the transaction's end, many rows with one
// statement, which costs a fraction of a statement for each.
type waiting struct {
	rows   [][]byte
	hashes []int64
	ends   []int // where each row's hashes end
}

// StoreTx stores a trace within the transaction that stores its message; encoded is what Encode made of it. The row is
// written when the transaction ends, so the same transaction cannot read it.
func (a *Archive) StoreTx(tx *db.Tx, t *verdict.Trace, encoded []byte) error {
	w, _ := tx.Local(a).(*waiting)
	if w == nil {
		w = &waiting{}
		tx.SetLocal(a, w)
	}
	rows, hashes := len(w.rows), len(w.hashes)
	tx.OnRollback(func() { w.rows, w.hashes, w.ends = w.rows[:rows], w.hashes[:hashes], w.ends[:rows] })
	w.rows = append(w.rows, encoded)
	w.hashes = appendHashes(w.hashes, t)
	w.ends = append(w.ends, len(w.hashes))
	tx.BeforeCommit(a, func(tx *db.Tx) error { return a.write(tx, w) })
	return nil
}

// write gives the rows their ids and inserts them. An id that a lost transaction took is given to nobody.
func (a *Archive) write(tx *db.Tx, w *waiting) error {
	first := a.next
	a.next += int64(len(w.rows))
	end := a.next
	a.lastAt = max(a.lastAt, a.clock.Now().UnixMilli())
	keys := make([]key, 0, len(w.hashes))
	args := make([]any, 0, 4*len(w.rows))
	begin := 0
	for i, row := range w.rows {
		id := first + int64(i)
		args = append(args, id, a.lastAt, rowCRC(id, a.lastAt, row), row)
		for _, h := range w.hashes[begin:w.ends[i]] {
			keys = append(keys, key{segmentOf(id), h, id})
		}
		begin = w.ends[i]
	}
	if err := insertAll(tx, a.insert.traces, 4, args); err != nil {
		return err
	}
	if err := a.index(tx, keys); err != nil {
		return err
	}
	n := uint64(len(w.rows))
	tx.OnCommit(func() {
		a.stored.Add(n)
		a.end.Store(end)
	})
	return nil
}

// writeKeys inserts entries of the index in its own order; the slice is sorted.
func (a *Archive) writeKeys(tx *db.Tx, keys []key) error {
	slices.SortFunc(keys, func(x, y key) int {
		return cmp.Or(cmp.Compare(x.segment, y.segment), cmp.Compare(x.hash, y.hash), cmp.Compare(x.trace, y.trace))
	})
	args := make([]any, 0, 3*len(keys))
	for _, k := range keys {
		args = append(args, k.segment, k.hash, k.trace)
	}
	return insertAll(tx, a.insert.keys, 3, args)
}

// inserts are the statements for 1, 2, 4 … rows at once: few texts, each prepared once.
type inserts struct{ traces, keys [insertSizes]string }

const insertSizes = 7

func newInserts() inserts {
	var in inserts
	for i := range insertSizes {
		more := 1<<i - 1
		in.traces[i] = `INSERT INTO spam_traces (id, at, crc, trace) VALUES (?, ?, ?, ?)` + strings.Repeat(`, (?, ?, ?, ?)`, more)
		in.keys[i] = `INSERT INTO spam_trace_keys (segment, hash, trace) VALUES (?, ?, ?)` + strings.Repeat(`, (?, ?, ?)`, more) +
			` ON CONFLICT DO NOTHING`
	}
	return in
}

// insertAll runs the largest statements that the rows fill, then smaller ones.
func insertAll(tx *db.Tx, queries [insertSizes]string, columns int, args []any) error {
	for i := insertSizes - 1; i >= 0; i-- {
		for n := columns << i; len(args) >= n; args = args[n:] {
			if _, err := tx.Exec(queries[i], args[:n]...); err != nil {
				return err
			}
		}
	}
	return nil
}
