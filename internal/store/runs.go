package store

import "slices"

// uidRange is all UIDs from first to last.
type uidRange struct{ first, last uint32 }

// runs is a set of messages as the database is asked for them: ranges that hold no other message, and single UIDs.
type runs struct {
	ranges  []uidRange // long enough for a statement each
	counts  []int      // messages in each range
	singles []uint32
}

// longRun is from how many messages on a range has its own statement.
const longRun = 24

// rangesOf gives the runs of messages that stand next to each other in the list.
func rangesOf(l *list, uids []uint32) (ranges []uidRange, counts []int) {
	last := -2
	l.walk(uids, func(pos int, c *chunk, k int) bool {
		if pos == last+1 {
			n := len(ranges) - 1
			ranges[n].last = c.uids[k]
			counts[n]++
		} else {
			ranges, counts = append(ranges, uidRange{c.uids[k], c.uids[k]}), append(counts, 1)
		}
		last = pos
		return true
	})
	return ranges, counts
}

func runsOf(l *list, uids []uint32) (r runs) {
	ranges, counts := rangesOf(l, uids)
	rest := uids
	for i, n := range counts {
		for rest[0] != ranges[i].first {
			rest = rest[1:]
		}
		if n >= longRun {
			r.ranges, r.counts = append(r.ranges, ranges[i]), append(r.counts, n)
		} else {
			r.singles = append(r.singles, rest[:n]...)
		}
		rest = rest[n:]
	}
	return r
}

// each calls fn with conditions on the column uid, each with its parameters, that together name the set.
func (r runs) each(fn func(where string, args []any) error) error {
	for _, x := range r.ranges {
		if err := fn(`uid BETWEEN ? AND ?`, []any{int64(x.first), int64(x.last)}); err != nil {
			return err
		}
	}
	for rest := r.singles; len(rest) > 0; {
		n := min(len(rest), inSizes[len(inSizes)-1])
		marks, size := inList(n)
		args := make([]any, size)
		for i := range args {
			args[i] = int64(rest[min(i, n-1)])
		}
		if err := fn(`uid IN (`+marks+`)`, args); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// part is a condition that names n messages.
type part struct {
	where string
	args  []any
	n     int
	// first is the first UID if the n UIDs have no gap between them, otherwise 0.
	first uint32
}

// eachInOrder is each, but the conditions follow the order of the UIDs.
func (r runs) eachInOrder(fn func(part) error) error {
	singles := r.singles
	flush := func(before uint32) error {
		end := 0
		for end < len(singles) && singles[end] < before {
			end++
		}
		left := end
		some := runs{singles: singles[:end]}
		singles = singles[end:]
		return some.each(func(where string, args []any) error {
			n := min(left, inSizes[len(inSizes)-1])
			left -= n
			return fn(part{where, args, n, 0})
		})
	}
	for i, x := range r.ranges {
		if err := flush(x.first); err != nil {
			return err
		}
		p := part{where: `uid BETWEEN ? AND ?`, args: []any{int64(x.first), int64(x.last)}, n: r.counts[i]}
		if int(x.last-x.first) == p.n-1 {
			p.first = x.first
		}
		if err := fn(p); err != nil {
			return err
		}
	}
	return flush(^uint32(0))
}

// ascending gives the UIDs in order, each once; the caller's slice if it is so already.
func ascending(uids []uint32) []uint32 {
	for i := 1; i < len(uids); i++ {
		if uids[i] <= uids[i-1] {
			uids = slices.Clone(uids)
			slices.Sort(uids)
			return slices.Compact(uids)
		}
	}
	return uids
}
