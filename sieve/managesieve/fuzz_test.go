package managesieve

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/internal/scripts"
)

// The states from which FuzzSession lets a client say anything.
var fuzzStates = []struct {
	name     string
	dial     func(w *world) *peer
	dialogue string
}{
	{"fresh", (*world).greeted, ""},
	{"secured", (*world).enter, ""},
	{"logging in", (*world).enter, "C: AUTHENTICATE \"PLAIN\"\nS: \"\""},
	{"proving", (*world).enter, "C: AUTHENTICATE \"SCRAM-SHA-256\" \"biwsbj1hLHI9eA==\"\nS: …"},
	{"user", (*world).user, ""},
	{"putting", (*world).user, "R: PUTSCRIPT \"main\" {20+}\\r\\nkeep;"},
	{"quoting", (*world).user, "R: CHECKSCRIPT \"keep;"},
}

func (w *world) greeted() *peer {
	w.Helper()
	p := w.dial()
	p.talk(w, greeting)
	return p
}

// FuzzSession drives a whole server: whatever a client says, it is answered by well-formed responses, the session ends when
// the client goes, and what is stored is in order.
func FuzzSession(f *testing.F) {
	for _, input := range []string{
		"", "CAPABILITY\r\nNOOP \"x\"\r\nLOGOUT\r\n", "STARTTLS\r\n\x16\x03\x01", "GET / HTTP/1.1\r\n\r\n",
		"AUTHENTICATE \"PLAIN\" \"AGEAYg==\"\r\nAUTHENTICATE \"PLAIN\"\r\n\"*\"\r\n", "\"" + plain(testLogin, testPassword) + "\"\r\nLISTSCRIPTS\r\n",
		"{4+}\r\nAGEA\r\n\"Yz1iaXdz\"\r\n\"\"\r\n", "AUTHENTICATE {5+}\r\nPLAIN {8+}\r\nAGEAYg==\r\n",
		"PUTSCRIPT \"a\" {5+}\r\nkeep;\r\nSETACTIVE \"a\"\r\nDELETESCRIPT \"a\"\r\nRENAMESCRIPT \"a\" \"b\"\r\nGETSCRIPT \"b\"\r\nSETACTIVE \"\"\r\nDELETESCRIPT \"b\"\r\n",
		"CHECKSCRIPT \"error\"\r\nCHECKSCRIPT {7+}\r\nwarning\r\nHAVESPACE \"x\" 12\r\nUNAUTHENTICATE\r\nNOOP {3+}\r\na\r\n\r\n",
		"PUTSCRIPT \"a\" {5}\r\nkeep;\r\n", "PUTSCRIPT \"a\" {4294967295+}\r\n", "PUTSCRIPT \"a\" {2000+}\r\n" + strings.Repeat("#", 2000) + "\r\nNOOP\r\n",
		"NOOP \"\\\"\\\\\"\r\n\"x {3+}\r\nNOOP ( {3+}\r\n", strings.Repeat("x", 5000) + "\r\n", strings.Repeat("\r\n", 20), "\x00\xff\r\n\n",
		" keep; stop; a\r\nLISTSCRIPTS\r\n", "\"\r\nNOOP\r\n", "PUTSCRIPT \"\xff\" \"x\"\r\nPUTSCRIPT {2+}\r\n\r\n \"x\"\r\n",
	} {
		for state := range fuzzStates {
			f.Add(byte(state), []byte(input))
		}
	}
	w := newWorld(f, limited(Limits{ScriptBytes: 1 << 10, LoginTimeout: 20 * time.Second, IdleTimeout: 20 * time.Second}))
	f.Fuzz(func(t *testing.T, number byte, input []byte) {
		w := &world{TB: t, server: w.server, scripts: w.scripts, addr: w.addr}
		state := fuzzStates[int(number)%len(fuzzStates)]
		p := state.dial(w)
		p.talk(t, state.dialogue)
		go func() {
			_, _ = p.Write(input) // the server may have closed
			if half, ok := p.Conn.(*tls.Conn); ok {
				_ = half.CloseWrite()
			} else {
				_ = p.Conn.(interface{ CloseWrite() error }).CloseWrite()
			}
		}()
		output, err := io.ReadAll(p.r) // a TLS alert is an end as well
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the session does not end; it said %q", output)
		}
		wellFormed(t, output)
		p.Close()
		waitFor(t, func() bool { return w.server.Sessions() == 0 })
		fuzzTruth(t, w)
	})
}

// wellFormed checks that what a server said is responses, with literals where they are announced. RFC 5804 4
func wellFormed(t *testing.T, output []byte) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(output))
	for start := true; ; {
		line, err := r.ReadString('\n')
		if err != nil || start && line != "" && line[0] == 0x15 {
			return // what a closed connection cuts off, or a TLS alert after STARTTLS
		}
		if !strings.HasSuffix(line, "\r\n") || strings.ContainsAny(strings.TrimSuffix(line, "\r\n"), "\r\x00") {
			t.Fatalf("not a line: %q", line)
		}
		line = strings.TrimSuffix(line, "\r\n")
		first, _, _ := strings.Cut(line, " ")
		if start && first != "OK" && first != "NO" && first != "BYE" && !strings.HasPrefix(line, `"`) && !strings.HasPrefix(line, "{") {
			t.Fatalf("not a response: %q", line)
		}
		open := strings.LastIndexByte(line, '{')
		if start = !strings.HasSuffix(line, "}") || open < 0; start {
			continue
		}
		n, err := strconv.ParseInt(line[open+1:len(line)-1], 10, 64)
		if err != nil {
			start = true // it stands in a quoted string
			continue
		}
		_, _ = io.CopyN(io.Discard, r, n)
	}
}

// fuzzTruth checks that what is stored keeps to the rules, and clears it away.
func fuzzTruth(t *testing.T, w *world) {
	t.Helper()
	ctx, alice := t.Context(), scripts.Of(testAccount)
	list, err := w.scripts.List(ctx, alice)
	if err != nil {
		t.Fatal(err)
	}
	active := 0
	if err := w.scripts.SetActive(ctx, alice, ""); err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		if info.Active {
			active++
		}
		script, err := w.scripts.Get(ctx, alice, info.Name)
		if err != nil || bytes.Contains(script.Content, []byte("error")) || len(script.Content) > 1<<10 {
			t.Errorf("stored %q: %q, %v", info.Name, script.Content, err)
		}
		if err := w.scripts.Delete(ctx, alice, info.Name); err != nil {
			t.Fatal(err)
		}
	}
	if active > 1 {
		t.Errorf("%d active scripts", active)
	}
}
