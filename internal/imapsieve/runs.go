package imapsieve

import (
	"encoding/binary"
	"errors"

	"postern/internal/store"
)

// run is messages with UIDs one after the other on which the same flags changed.
type run struct {
	first, n uint32
	changed  uint64 // bit k for the k-th of the row's flags
}

// runsOf puts some of the messages into runs.
func runsOf(h *store.Happening, first, last int) (runs []run) {
	for i := first; i < last; i++ {
		var changed uint64
		if h.Changed != nil {
			changed = h.Changed[i]
		}
		if k := len(runs) - 1; k >= 0 && runs[k].first+runs[k].n == h.UIDs[i] && runs[k].changed == changed {
			runs[k].n++
			continue
		}
		runs = append(runs, run{h.UIDs[i], 1, changed})
	}
	return runs
}

// encode writes runs as numbers of varying length: how far behind the last run it begins, how long it is, and what changed.
func encode(runs []run) []byte {
	b := make([]byte, 0, 8*len(runs))
	end := uint32(0)
	for _, r := range runs {
		b = binary.AppendUvarint(b, uint64(r.first-end))
		b = binary.AppendUvarint(b, uint64(r.n))
		b = binary.AppendUvarint(b, r.changed)
		end = r.first + r.n
	}
	return b
}

var errRuns = errors.New("what waits for a Sieve script cannot be read")

// decode reads what encode wrote.
func decode(b []byte) (runs []run, err error) {
	number := func(limit uint64) uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > limit {
			err = errRuns
			return 0
		}
		b = b[size:]
		return n
	}
	end := uint64(0)
	for len(b) > 0 && err == nil {
		first := end + number(1<<32-1)
		n := number(rowMessages)
		changed := number(1<<64 - 1)
		if end = first + n; err == nil && (n == 0 || first == 0 || end > 1<<32) {
			err = errRuns
		}
		runs = append(runs, run{uint32(first), uint32(n), changed})
	}
	return runs, err
}

// drop takes away the first n messages.
func drop(runs []run, n int) []run {
	for n > 0 && len(runs) > 0 {
		r := runs[0]
		if int(r.n) > n {
			r.first, r.n = r.first+uint32(n), r.n-uint32(n)
			return append([]run{r}, runs[1:]...)
		}
		n -= int(r.n)
		runs = runs[1:]
	}
	return runs
}
