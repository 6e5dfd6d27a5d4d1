package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postern/internal/db"
	"postern/internal/testdisk"
)

// A child process changes a store as fast as it can, with several workers at once, and says on its standard output what
// was acknowledged, when it was. The parent crashes it at a random moment and looks at what is there.
//
// Each worker has two accounts of its own and draws its operations from a seed, so the parent can work out what must
// be there after any number of them. Exactly that, or that and the one operation that was under way, is what it accepts.
//
// Of a power cut, what the parent hears once it has begun to cut proves nothing: while ext4's journal is being aborted
// by the ioctl, an fsync that was under way can return success for a transaction that the abort has thrown away
// (jbd2_complete_transaction does not look at what became of a transaction that is over). A machine without power
// answers nobody, so for these operations the parent accepts both.

const crashWorkers = 8

// script is what a worker does: a sequence of operations and the state after each.
type script struct {
	worker int
	r      *rand.Rand
	n      int
	boxes  [2]map[string]*modelBox
}

func newScript(seed uint64, worker int) *script {
	s := &script{worker: worker, r: rand.New(rand.NewPCG(seed, uint64(worker)))}
	for i := range s.boxes {
		s.boxes[i] = map[string]*modelBox{}
		for _, name := range crashBoxes {
			s.boxes[i][name] = &modelBox{uidnext: 1, gone: map[uint32]uint64{}}
		}
	}
	return s
}

var crashBoxes = []string{"INBOX", "Archive"}

func (s *script) account(i int) AccountID { return AccountID(2*s.worker + i + 1) }

// action is one operation.
type action struct {
	kind  string
	text  string
	which int // which account, for those that concern one
	box   string
	uids  []uint32
	flags []string
}

const crashPrefix = "Return-Path: <crash@example.test>\r\n"

// next draws an operation and applies it to the model.
func (s *script) next() action {
	s.n++
	a := action{which: s.r.IntN(2), box: crashBoxes[s.r.IntN(2)], text: string(letter(fmt.Sprint("crash ", s.worker, " ", s.n), 200+s.r.IntN(3000)))}
	if s.r.IntN(40) == 0 {
		a.text = string(noise(fmt.Sprint("crash ", s.worker, " ", s.n), 120<<10))
	}
	box, other := s.boxes[a.which][a.box], s.boxes[a.which][crashBoxes[0]]
	if a.box == crashBoxes[0] {
		other = s.boxes[a.which][crashBoxes[1]]
	}
	for _, m := range box.messages {
		if s.r.IntN(3) == 0 {
			a.uids = append(a.uids, m.uid)
		}
	}
	if len(box.messages)+len(other.messages) > 60 {
		a.kind, a.flags = "expunge", nil
		for i := range box.messages {
			a.uids = append(a.uids, box.messages[i].uid)
		}
		slices.Sort(a.uids)
		a.uids = slices.Compact(a.uids)
		box.remove(a.uids, 0)
		return a
	}
	switch n := s.r.IntN(20); {
	case n < 8 || len(a.uids) == 0:
		a.kind = "deliver"
		s.boxes[0][a.box].add(crashPrefix+a.text, map[string]bool{})
		s.boxes[1][a.box].add(crashPrefix+a.text, map[string]bool{})
	case n < 10:
		a.kind = "append"
		box.add(a.text, map[string]bool{`\Seen`: true, "kept": true})
	case n < 14:
		a.kind, a.flags = "store", []string{modelKeywords[s.r.IntN(len(modelKeywords))]}
		for _, uid := range a.uids {
			box.find(uid).flags[a.flags[0]] = true
		}
	case n < 16:
		a.kind = "copy"
		for _, uid := range a.uids {
			m := box.find(uid)
			other.add(m.text, maps.Clone(m.flags))
		}
	case n < 18:
		a.kind = "move"
		for _, uid := range a.uids {
			m := box.find(uid)
			other.add(m.text, maps.Clone(m.flags))
		}
		box.remove(a.uids, 0)
	default:
		a.kind = "expunge"
		box.remove(a.uids, 0)
	}
	return a
}

// runAction does an operation to the store; an expunge is a STORE of \Deleted and an EXPUNGE, done as one transaction so
// that there is no state between.
func (s *script) runAction(st *Store, a action) error {
	switch a.kind {
	case "deliver":
		p, err := prepare(st, []byte(a.text))
		if err != nil {
			return err
		}
		defer p.Discard()
		_, err = st.Deliver(ctx, p, []Target{
			{Account: s.account(0), Mailbox: a.box, Prefix: []byte(crashPrefix), Once: fmt.Appendf(nil, "%d-%d", s.worker, s.n)},
			{Account: s.account(1), Mailbox: a.box, Prefix: []byte(crashPrefix), Once: fmt.Appendf(nil, "%d-%d", s.worker, s.n)}})
		return err
	case "append":
		p, err := prepare(st, []byte(a.text))
		if err != nil {
			return err
		}
		defer p.Discard()
		_, _, err = st.Account(s.account(a.which)).Append(ctx, a.box, []AppendItem{{Prepared: p, Flags: []string{`\Seen`, "kept"}}})
		return err
	}
	v, err := st.Account(s.account(a.which)).Select(ctx, a.box, SelectOptions{})
	if err != nil {
		return err
	}
	defer v.Close()
	dest := crashBoxes[0]
	if a.box == dest {
		dest = crashBoxes[1]
	}
	switch a.kind {
	case "store":
		_, err = v.Store(ctx, StoreOp{UIDs: a.uids, Mode: Add, Flags: a.flags})
	case "copy":
		_, err = v.Copy(ctx, a.uids, dest)
	case "move":
		_, err = v.Move(ctx, a.uids, dest)
	case "expunge":
		err = v.erase(ctx, a.uids)
	}
	return err
}

// erase marks and expunges in one transaction.
func (v *View) erase(ctx context.Context, uids []uint32) error {
	return v.change(ctx, func(tx *db.Tx, sa *stagedAccount) error {
		if _, err := v.storeTx(tx, sa, StoreOp{UIDs: uids, Mode: Add, Flags: []string{`\Deleted`}}); err != nil {
			return err
		}
		_, _, err := v.expungeTx(tx, sa, uids)
		return err
	})
}

// child is the process that is crashed: "traffic DIR SEED DONE,DONE,…".
func child(job string) int {
	fields := strings.Fields(job)
	dir := fields[1]
	seed, _ := strconv.ParseUint(fields[2], 10, 64)
	d, err := db.Open(ctx, db.Options{URL: "sqlite:" + filepath.Join(dir, "postern.db"), MaxWAL: 4 << 20})
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 2
	}
	st, err := Open(ctx, Options{DB: d, BlobDir: filepath.Join(dir, "blobs")})
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 2
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for worker, done := range strings.Split(fields[3], ",") {
		n, _ := strconv.Atoi(done)
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := newScript(seed, worker)
			for range n {
				s.next()
			}
			for {
				if err := s.runAction(st, s.next()); err != nil {
					fmt.Fprintln(os.Stderr, "child: worker", worker, err)
					return
				}
				out.Lock()
				fmt.Println(worker)
				out.Unlock()
			}
		}()
	}
	wg.Wait()
	return 3
}

// crashTest keeps what was acknowledged over several crashes of one store.
type crashTest struct {
	t    *testing.T
	dir  string
	seed uint64
	done [crashWorkers]int // acknowledged for certain
	late [crashWorkers]int // said to be acknowledged while the power was being cut
}

func newCrashTest(t *testing.T, dir string) *crashTest {
	c := &crashTest{t: t, dir: dir, seed: uint64(time.Now().UnixNano())}
	t.Logf("seed %d", c.seed)
	d, st := c.open()
	err := d.Write(ctx, func(tx *db.Tx) error {
		for id := range AccountID(2 * crashWorkers) {
			if err := st.CreateAccountTx(tx, id+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, st.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crashTest) open() (*db.DB, *Store) {
	c.t.Helper()
	d, err := db.Open(ctx, db.Options{URL: "sqlite:" + filepath.Join(c.dir, "postern.db")})
	if err != nil {
		c.t.Fatal(err)
	}
	st, err := Open(ctx, Options{DB: d, BlobDir: filepath.Join(c.dir, "blobs")})
	if err != nil {
		c.t.Fatal(err)
	}
	return d, st
}

// round runs a child, crashes it after a number of acknowledgements, and counts what it acknowledged. sure tells that
// all of it counts, however late it is heard.
func (c *crashTest) round(after int, sure bool, crash func(child *os.Process) error) {
	c.t.Helper()
	var done []string
	for _, n := range c.done {
		done = append(done, strconv.Itoa(n))
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("POSTERN_STORE_CHILD=traffic %s %d %s", c.dir, c.seed, strings.Join(done, ",")))
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	reached, ended := make(chan struct{}), make(chan struct{})
	var cutting atomic.Bool
	var acknowledged, late [crashWorkers]atomic.Int64
	go func() {
		defer close(ended)
		total := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			worker, err := strconv.Atoi(lines.Text())
			if err != nil {
				continue // cut off in the middle: it was not all said
			}
			if cutting.Load() && !sure {
				late[worker].Add(1)
			} else {
				acknowledged[worker].Add(1)
			}
			if total++; total == after {
				close(reached)
			}
		}
		if total < after {
			close(reached)
		}
	}()
	stuck := time.AfterFunc(stuckAfter, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) }) // it tells where it is
	<-reached
	stuck.Stop()
	cutting.Store(true)
	crashErr := crash(cmd.Process)
	// Workers end at their first error; one that is stuck in the dead file system is ended by force.
	timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	select {
	case <-ended:
	case <-time.After(stuckAfter):
		c.t.Fatalf("the child cannot be ended:\n%s", kernelStacks(cmd.Process.Pid))
	}
	timer.Stop()
	_ = cmd.Wait()
	if crashErr != nil {
		c.t.Fatal(crashErr)
	}
	total := 0
	for i := range c.done {
		n := int(acknowledged[i].Load())
		c.done[i] += n
		c.late[i] = int(late[i].Load())
		total += n
	}
	if total < after {
		c.t.Fatalf("the child ended early:\n%s", complaints.String())
	}
}

// stuckAfter is how long a child may take to get to its crash, or to end after it; it takes seconds.
const stuckAfter = 3 * time.Minute

// kernelStacks tells where in the kernel the threads of a process are.
func kernelStacks(pid int) string {
	var told strings.Builder
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stack", pid))
	for _, name := range names {
		state, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "wchan"))
		stack, err := os.ReadFile(name)
		fmt.Fprintf(&told, "%s: %s %v\n%s", name, state, err, stack)
	}
	return told.String()
}

// check compares the store with what was acknowledged, and goes on from what it finds.
func (c *crashTest) check() {
	c.t.Helper()
	d, st := c.open()
	for worker := range crashWorkers {
		s := newScript(c.seed, worker)
		for range c.done[worker] {
			s.next()
		}
		c.find(st, s)
	}
	report, err := st.Verify(ctx, nil)
	if err == nil {
		err = st.reaper.all(ctx)
	}
	if err != nil {
		c.t.Error(err)
	}
	for _, damage := range report.Damage {
		if !strings.Contains(damage.What, "no message names it") {
			c.t.Errorf("damage: %s", damage)
		}
	}
	if report, err = st.Verify(ctx, nil); err != nil || len(report.Damage) > 0 {
		c.t.Errorf("once more: %v, %v", report.Damage, err)
	}
	if err := errors.Join(st.Close(), d.Close()); err != nil {
		c.t.Error(err)
	}
}

// find looks which of the states that may be is there, and takes it as what the worker has done.
func (c *crashTest) find(st *Store, s *script) {
	c.t.Helper()
	var diffs []string
	for n := 0; ; n++ {
		diff := c.compare(st, s)
		if diff == "" {
			c.done[s.worker] += n
			return
		}
		diffs = append(diffs, diff)
		if n == c.late[s.worker]+1 {
			break
		}
		next := s.next()
		diffs = append(diffs, fmt.Sprintf("and with the next (%s in %s)", next.kind, next.box))
	}
	c.t.Errorf("worker %d after %d operations: %s", s.worker, c.done[s.worker], strings.Join(diffs, "; "))
}

func (c *crashTest) compare(st *Store, s *script) string {
	for i := range s.boxes {
		for name, box := range s.boxes[i] {
			v, err := st.Account(s.account(i)).Select(ctx, name, SelectOptions{})
			if err != nil {
				return err.Error()
			}
			diff := compareBox(v, box)
			v.Close()
			if diff != "" {
				return fmt.Sprintf("account %d %s: %s", s.account(i), name, diff)
			}
		}
	}
	return ""
}

func compareBox(v *View, box *modelBox) string {
	if m := v.Mailbox(); v.Len() != len(box.messages) || m.UIDNext != box.uidnext {
		return fmt.Sprintf("%d messages, UIDNEXT %d instead of %d, %d", v.Len(), m.UIDNext, len(box.messages), box.uidnext)
	}
	for i, want := range box.messages {
		uid, _ := v.UIDAt(uint32(i) + 1)
		m, _ := v.Get(uid)
		if uid != want.uid || !maps.Equal(flagSet(v.FlagNames(m.Flags)), want.flags) {
			return fmt.Sprintf("UID %d with %v instead of UID %d with %v", uid, v.FlagNames(m.Flags), want.uid, want.flags)
		}
		c, err := v.Open(ctx, uid)
		if err != nil {
			return err.Error()
		}
		text, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		if err := errors.Join(err, c.Close()); err != nil {
			return err.Error()
		}
		if string(text) != want.text {
			return fmt.Sprintf("UID %d reads otherwise", uid)
		}
	}
	return ""
}

// rounds is how often a crash test crashes: POSTERN_CRASHES overrides.
func rounds(t *testing.T, usual int) int {
	if n, err := strconv.Atoi(os.Getenv("POSTERN_CRASHES")); err == nil && n > 0 {
		return n
	}
	if testing.Short() {
		return max(2, usual/4)
	}
	return usual
}

func TestWhatWasAcknowledgedSurvivesAPowerCut(t *testing.T) {
	disk := testdisk.New(t, 512<<20)
	c := newCrashTest(t, disk.Path())
	for i := range rounds(t, 16) {
		c.round(1+rand.IntN(1500), false, func(*os.Process) error { return disk.CutPower() })
		if err := disk.Restore(); err != nil {
			t.Fatal(err)
		}
		if c.check(); t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
	t.Logf("operations acknowledged, by worker: %v", c.done)
}

func TestWhatWasAcknowledgedSurvivesKill(t *testing.T) {
	c := newCrashTest(t, t.TempDir())
	for i := range rounds(t, 6) {
		c.round(1+rand.IntN(1500), true, func(p *os.Process) error { return p.Kill() })
		if c.check(); t.Failed() {
			t.Fatalf("in round %d", i)
		}
	}
	t.Logf("operations acknowledged, by worker: %v", c.done)
}
