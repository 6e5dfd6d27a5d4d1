package powercut_test

import (
	"crypto/tls"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mhale/smtpd"

	"postern/internal/testdisk"
	"postern/internal/testdns"
	"postern/internal/testenv"
	"postern/test/lab"
)

const (
	farDomain  = "far.example"  // its exchangers cannot be found for now: mail for it waits in the queue
	nearDomain = "near.example" // mail for it leaves at once
	nearIP     = "127.0.0.72"
)

// worker is one client, with one connection.
type worker interface {
	name() string
	connect() error
	step() error
	close()
}

// What has become of the disk. A flush that is under way while the disk dies may report success: what is answered then
// has no meaning. What is asked for afterwards and answered well was promised.
const (
	alive int32 = iota
	dying
	dead
)

var errDisk = errors.New("answered while the disk died")

// believe tells whether to believe an answer to a question that was asked when the disk was as given.
func (tr *trial) believe(asked int32) error {
	if asked < dead && tr.disk.Load() > alive {
		return errDisk
	}
	return nil
}

// trial is a server under load, with everything that its clients were told.
type trial struct {
	t      *testing.T
	seed   uint64
	r      *rand.Rand // the test's own; each worker has another
	server *lab.Server
	trust  *tls.Config
	dns    *testdns.Server
	near   *receiver
	ledger *ledger
	people []*person
	// filtered is one more, whose mail passes a script.
	filtered *filtered

	// crashing is set from before a crash until the server runs again: errors mean nothing then.
	crashing atomic.Bool
	// disk says whether answers can be believed.
	disk atomic.Int32
	// full is set while the disk may be full: refusals are in order then.
	full    atomic.Bool
	acks    atomic.Int64
	doomed  bool // the load will end with a crash
	round   uint64
	crashes int
	mu      sync.Mutex
	counts  map[string]int // answers by kind
}

// newTrial starts a server on a directory of the test's choice.
func newTrial(t *testing.T, data string) *trial {
	testenv.Root(t) // port 25 for the receiver, loop devices
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("POSTERN_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("POSTERN_SEED=%d", seed)
	tr := &trial{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 0)), ledger: newLedger(seed), counts: map[string]int{}}
	tr.near = listenAsNear(t, tr.ledger)
	tr.dns = testdns.Start(t, "near.example. 5 IN MX 10 mx.near.example.\nmx.near.example. 5 IN A "+nearIP+"\n")
	tr.dns.SetFailure(farDomain, testdns.ServFail())
	tr.server = lab.StartAt(t, data, "--dns", tr.dns.Addr())
	tr.trust = tr.server.TLS()
	tr.server.Postern("settings", "set", "smtp.max_errors", "1000")
	// Letters of noise look like spam. They are judged, and all are filed where the model looks for them.
	for _, threshold := range []string{"spam.junk_score", "spam.reject_score"} {
		tr.server.Postern("settings", "set", threshold, "0")
	}
	tr.server.Postern("settings", "set", "outbound.enabled", "false")
	tr.addPeople()
	tr.addFiltered()
	return tr
}

func (tr *trial) addPeople() {
	add := tr.server.Command("user", "add", "carol@example.test")
	add.Stdin = strings.NewReader(lab.Password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		tr.t.Fatalf("user add: %v: %s", err, out)
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		p := &person{address: name + "@example.test"}
		p.owners = []*owner{newOwner(tr, p, "A"), newOwner(tr, p, "B")}
		tr.people = append(tr.people, p)
		c, err := dialIMAP(tr.server, tr.trust, p)
		if err != nil {
			tr.t.Fatal(err)
		}
		for _, box := range []string{"A", "B"} {
			if _, err := c.do("CREATE " + box); err != nil {
				tr.t.Fatal(err)
			}
		}
		c.conn.Close()
		there := tr.read(p)
		for _, o := range p.owners {
			o.adopt(there)
		}
	}
}

func (tr *trial) somePeople(r *rand.Rand) []*person {
	some := slices.Clone(tr.people)
	r.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return some[:1+r.IntN(len(some))]
}

// workers makes this round's clients, all with randomness of their own.
func (tr *trial) workers() []worker {
	tr.round++
	n := uint64(0)
	random := func() *rand.Rand { n++; return rand.New(rand.NewPCG(tr.seed, tr.round<<16|n)) }
	var ws []worker
	for i := range 5 {
		ws = append(ws, &world{tr: tr, r: random(), secure: i%2 == 0})
	}
	for _, p := range tr.people {
		for _, o := range p.owners {
			o.r, o.c = random(), nil
			ws = append(ws, o)
		}
		ws = append(ws, &appender{tr: tr, r: random(), p: p}, &submitter{tr: tr, r: random(), p: p})
	}
	return ws
}

// load is a number of workers at work.
type load struct {
	tr   *trial
	stop chan struct{}
	wg   sync.WaitGroup
	// done counts the successes of each worker.
	done []atomic.Int64
}

func (tr *trial) start() *load {
	ws := tr.workers()
	l := &load{tr: tr, stop: make(chan struct{}), done: make([]atomic.Int64, len(ws))}
	for i, w := range ws {
		l.wg.Go(func() { l.work(w, &l.done[i]) })
	}
	return l
}

// work lets a worker go on until it is stopped, or an error that nothing explains.
func (l *load) work(w worker, done *atomic.Int64) {
	defer w.close()
	connected := false
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		var err error
		if !connected {
			if err = w.connect(); err == nil {
				connected = true
				continue
			}
		} else if err = w.step(); err == nil {
			done.Add(1)
			l.tr.acks.Add(1)
			l.tr.count(w.name() + " accepted")
			continue
		}
		if l.tr.crashing.Load() {
			return
		}
		var no *refusal
		if !connected || !l.tr.full.Load() || !errors.As(err, &no) || !no.full() {
			l.tr.t.Errorf("%s: %v", w.name(), err)
			return
		}
		l.tr.count(w.name() + " refused")
		select {
		case <-l.stop:
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// end lets every worker finish what it does.
func (l *load) end() {
	close(l.stop)
	l.wg.Wait()
}

// wait waits for the workers to end by themselves, but not for long.
func (l *load) wait() {
	ended := make(chan struct{})
	go func() { l.wg.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Second):
	}
}

func (tr *trial) count(kind string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.counts[kind]++
}

// until waits for a condition, while nothing has failed.
func (tr *trial) until(what string, ok func() bool) {
	tr.t.Helper()
	for deadline := time.Now().Add(answerWithin); !ok(); <-time.After(2 * time.Millisecond) {
		if tr.t.Failed() {
			tr.t.FailNow()
		}
		if time.Now().After(deadline) {
			tr.t.Fatalf("%s: not within %v", what, answerWithin)
		}
	}
}

// load has clients at work until a number of changes were acknowledged, and a random while longer.
func (tr *trial) load() *load {
	tr.t.Helper()
	l := tr.start()
	goal := tr.acks.Load() + 1 + tr.r.Int64N(1200)
	tr.until("load", func() bool { return tr.acks.Load() >= goal })
	<-time.After(time.Duration(tr.r.IntN(20000)) * time.Microsecond)
	return l
}

// cutPower ends everything at once: the server stops where it is, and what was not flushed is gone. It is stopped first
// because a flush that is under way when the disk dies may report success to a process that lives on.
func (tr *trial) cutPower(disk *testdisk.Disk) {
	tr.t.Helper()
	tr.crash(func() error {
		err := syscall.Kill(tr.server.PID(), syscall.SIGSTOP)
		return errors.Join(err, disk.CutPower())
	}, disk.Restore)
}

// cutDisk has the disk die under a server that lives on for a while and must not say that anything else is stored.
func (tr *trial) cutDisk(disk *testdisk.Disk) {
	tr.t.Helper()
	tr.crash(func() error {
		tr.disk.Store(dying)
		err := disk.CutPower()
		tr.disk.Store(dead)
		return err
	}, disk.Restore)
}

// kill ends the server without a warning.
func (tr *trial) kill() {
	tr.t.Helper()
	tr.crash(func() error { return syscall.Kill(tr.server.PID(), syscall.SIGKILL) }, nil)
}

// crash has the server crash under load, starts it again and checks.
func (tr *trial) crash(crash, restore func() error) {
	tr.t.Helper()
	tr.crashes++
	tr.doomed = true
	l := tr.load()
	tr.crashing.Store(true)
	err := crash()
	if tr.disk.Load() == dead {
		l.wait()
	}
	tr.server.Kill()
	l.end()
	if err == nil && restore != nil {
		err = restore()
	}
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.disk.Store(alive)
	tr.server.Run()
	tr.crashing.Store(false)
	tr.doomed = false
	tr.check()
	tr.sendAgain()
}

// sendAgain does what senders do that got no answer: they send the same again. It must not come twice.
func (tr *trial) sendAgain() {
	tr.t.Helper()
	var m *mailer
	for _, d := range tr.ledger.all() {
		if d.again == nil {
			continue
		}
		var err error
		if m == nil {
			if m, err = dialMX(tr.server, tr.trust, false); err != nil {
				tr.t.Fatal(err)
			}
			defer m.conn.Close()
		}
		f, err := m.send(d.from, d.letters[0].recipients(), d.again)
		if err != nil {
			tr.t.Fatalf("sent again: %v", err)
		}
		tr.count("sent again")
		tr.ledger.settle(d, f)
	}
}

// report says what was done.
func (tr *trial) report() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(tr.counts)) {
		tr.t.Logf("%6d %s", tr.counts[kind], kind)
	}
}

// receiver is the server that mail to the near domain goes to.
type receiver struct {
	mu   sync.Mutex
	came map[int]int // letters and how often
}

func listenAsNear(t *testing.T, ledger *ledger) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(nearIP, "25"))
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{came: map[int]int{}}
	server := &smtpd.Server{Appname: "near", Hostname: "mx.near.example", DisableReverseDNS: true,
		Handler: func(_ net.Addr, _ string, to []string, data []byte) error {
			id, letter := ledger.get(data)
			if letter == nil || !letter.intact(data) || len(to) != 1 || !slices.Contains([]string{letter.near, letter.far, letter.onward()}, to[0]) {
				t.Errorf("letter %d left changed, to %q", id, to)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.came[id]++
			return nil
		}}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { l.Close() })
	return r
}

func (r *receiver) times(id int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.came[id]
}
