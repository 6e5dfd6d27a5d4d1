package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const password = "Postern-demo-1"

// lab is a running server and what the rows need of it.
type lab struct {
	binary string
	cmd    *exec.Cmd
	names  *nameServer // nil: the server asks no DNS
	data   string
	labOptions
	log    bytes.Buffer
	filled bool // the mailbox that is read is there
}

// labOptions say where the server listens and how much is done to it.
type labOptions struct {
	portBase int
	messages int // in the mailbox that is read
	scale    int
}

// startLab starts a server, and a DNS for it if it shall have names.
func startLab(binary string, o labOptions, dir string, names bool) (*lab, error) {
	data, err := os.MkdirTemp(dir, "data-")
	if err != nil {
		return nil, err
	}
	l := &lab{binary: binary, data: data, labOptions: o}
	args := []string{"demo", "--data", data, "--port-base", strconv.Itoa(o.portBase)}
	if names {
		if l.names, err = startNames(); err != nil {
			return nil, err
		}
		args = append(args, "--dns", l.names.address)
	}
	l.cmd = exec.Command(binary, args...)
	l.cmd.Stdout, l.cmd.Stderr = io.Discard, &l.log
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(30 * time.Second)
	for _, err := l.metric("postern_db_commits_total"); err != nil; _, err = l.metric("postern_db_commits_total") {
		if time.Now().After(deadline) {
			l.stop()
			return nil, fmt.Errorf("%w: %s", err, l.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return l, nil
}

func (l *lab) stop() {
	l.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { l.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		l.cmd.Process.Kill()
		<-done
	}
	if l.names != nil {
		l.names.stop()
	}
	os.RemoveAll(l.data)
}

func (l *lab) address(standardPort int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.portBase+standardPort))
}

func clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", ClientSessionCache: nil}
}

// cpu is the processor time that the server has used so far.
func (l *lab) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}

// resident is the memory that the server holds now, in bytes.
func (l *lab) resident() int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// metric reads one number from the admin listener's Prometheus page; labels, if any, are summed over.
func (l *lab) metric(name string) (float64, error) {
	resp, err := http.Get("http://" + l.address(4025) + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	sum, found := 0.0, false
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		line := s.Text()
		if rest, ok := strings.CutPrefix(line, name); ok && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "{")) {
			value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
			if err != nil {
				return 0, err
			}
			sum, found = sum+value, true
		}
	}
	if !found {
		return 0, fmt.Errorf("the server has no metric %s", name)
	}
	return sum, nil
}
