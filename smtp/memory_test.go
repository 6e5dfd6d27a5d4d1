package smtp

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// heap is what the process holds in memory now, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// resident is the process's RSS in bytes; 0 where the system does not tell.
func resident() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	var kib uint64
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return 0
}

func TestParallelUploadsDoNotUseMemory(t *testing.T) {
	const uploads = 200
	size := 25 << 20
	if testing.Short() {
		size = 1 << 20
	}
	s := newTestServer(t, MX)
	s.backend.forget = true
	s.listen(t)
	line := append(bytes.Repeat([]byte("x"), 1022), '\r', '\n')
	block := bytes.Repeat(line, 64)

	runtime.GC()
	heapBefore, residentBefore := heap(), resident()
	peers := make([]*peer, uploads)
	for i := range peers {
		peers[i] = s.dial(t)
		if err := peers[i].SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		peers[i].enter(t, MX)
		peers[i].talk(t, opened+"C: DATA\nS: 354")
	}
	var senders sync.WaitGroup
	for i, p := range peers {
		senders.Go(func() {
			for sent := 0; sent < size; sent += len(block) {
				if _, err := p.Write(block); err != nil {
					t.Errorf("upload %d: %v", i, err)
					return
				}
			}
			if _, err := io.WriteString(p, ".\r\n"); err != nil {
				t.Errorf("upload %d: %v", i, err)
			}
		})
	}
	stop, peak := make(chan struct{}), make(chan [2]uint64)
	go func() { peak <- watchMemory(stop) }()
	senders.Wait()
	for _, p := range peers {
		p.talk(t, "S: 250 2.6.0")
	}
	close(stop)
	most := <-peak
	heapGrowth, residentGrowth := int64(most[0]-heapBefore)>>20, int64(most[1]-residentBefore)>>20
	t.Logf("%d uploads of %d MiB: heap grew by %d MiB, RSS by %d MiB", uploads, size>>20, heapGrowth, residentGrowth)
	// 200 times a session's buffers (32 KiB of input, 64 KiB of spool), the test's own readers, and what the collector
	// has not got to; the uploads are 5,000 MiB.
	if heapGrowth > 100 || residentGrowth > 200 {
		t.Errorf("memory grew with the messages: heap by %d MiB, RSS by %d MiB", heapGrowth, residentGrowth)
	}
}

// watchMemory finds the peaks of heap and RSS until it is stopped.
func watchMemory(stop <-chan struct{}) (peak [2]uint64) {
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	for {
		peak[0], peak[1] = max(peak[0], heap()), max(peak[1], resident())
		select {
		case <-ticks.C:
		case <-stop:
			return peak
		}
	}
}

// settledHeap is the heap without what earlier tests left behind: pools give their buffers up in two collections, and
// what a finalizer held goes in the next.
func settledHeap() uint64 {
	for range 4 {
		runtime.GC()
	}
	return heap()
}

func TestAnIdleSessionIsSmall(t *testing.T) {
	const sessions = 500
	s := newTestServer(t, MX)
	s.Settings = func() Limits { return Limits{MaxConnections: sessions} }
	s.listen(t)
	peers := make([]*peer, sessions)
	for i := range peers {
		peers[i] = s.dial(t)
		peers[i].r = nil
	}
	greet := make([]byte, 100)
	for _, p := range peers {
		p.send(t, "")
		if _, err := p.Read(greet); err != nil {
			t.Fatal(err)
		}
	}
	with := settledHeap()
	for _, p := range peers {
		p.Close()
	}
	waitFor(t, func() bool { return s.Sessions() == 0 })
	each := (int64(with) - int64(settledHeap())) / sessions
	t.Logf("%d bytes of heap and stack for a session in clear, the client's socket included", each)
	if each > bufferSize {
		t.Errorf("an idle session takes %d bytes", each)
	}
}
