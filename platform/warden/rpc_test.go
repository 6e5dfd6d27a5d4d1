package warden

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/internal/config"
)

// pair connects two ends of a line.
func pair(t *testing.T, a, b handler) (*line, *line) {
	t.Helper()
	c, d := net.Pipe()
	left, right := newLine(c, a), newLine(d, b)
	go left.run(t.Context())
	go right.run(t.Context())
	t.Cleanup(func() { c.Close(); d.Close() })
	return left, right
}

func silent(context.Context, string) (any, error) { return nil, errors.New("no such call") }

func TestBothEndsCallAndAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := pair(t,
			func(_ context.Context, call string) (any, error) { return "left " + call, nil },
			func(_ context.Context, call string) (any, error) { return []byte("right " + call), nil })
		var text string
		if err := right.call(t.Context(), "ping", &text); err != nil || text != "left ping" {
			t.Errorf("%q %v", text, err)
		}
		var bytes []byte
		if err := left.call(t.Context(), "ping", &bytes); err != nil || string(bytes) != "right ping" {
			t.Errorf("%q %v", bytes, err)
		}
	})
}

func TestARefusedCallGivesItsReason(t *testing.T) {
	left, _ := pair(t, silent, silent)
	if err := left.call(t.Context(), "shell", nil); err == nil || err.Error() != "no such call" {
		t.Errorf("got %v", err)
	}
}

func TestACallEndsWithTheLineAndWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		defer close(block)
		left, right := pair(t, silent, func(context.Context, string) (any, error) { <-block; return nil, nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := left.call(ctx, "slow", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- left.call(t.Context(), "slow", nil) }()
		synctest.Wait()
		right.conn.Close()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "is cut") {
			t.Errorf("got %v", err)
		}
		if err := left.call(t.Context(), "later", nil); err == nil || !strings.Contains(err.Error(), "is cut") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAMessageThatIsNoneOrTooLongCutsTheLine(t *testing.T) {
	for name, bytes := range map[string]string{"none": "GET / HTTP/1.1\r\n", "too long": strings.Repeat("a", maxMessage+1) + "\n"} {
		c, d := net.Pipe()
		l := newLine(c, silent)
		go func() {
			io.WriteString(d, bytes)
			d.Close()
		}()
		if err := l.run(t.Context()); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheWardenAnswersOnlyWhatItKnows(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(secret, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &warden{uid: somebody, options: Options{Config: &config.Config{Path: "/p.toml", TLSKey: secret}, Text: []byte("text")}}
	if got, err := w.handle(t.Context(), callKey); err != nil || string(got.([]byte)) != "key" {
		t.Errorf("%v %v", got, err)
	}
	if got, err := w.handle(t.Context(), callConfig); err != nil || string(got.(ConfigFile).Text) != "text" {
		t.Errorf("%v %v", got, err)
	}
	for _, call := range []string{callCert, "", "/etc/shadow", "key/../../etc/shadow", "exec"} {
		if got, err := w.handle(t.Context(), call); err == nil {
			t.Errorf("%q is answered with %v", call, got)
		}
	}
	w.options.Config.TLSKey = "/dev/zero"
	if _, err := w.handle(t.Context(), callKey); err == nil {
		t.Error("an endless file was read")
	}
}

func TestTheChildsEnvironmentHasNothingThatItDoesNotNeed(t *testing.T) {
	got := environment([]string{"PATH=/bin", "LD_PRELOAD=/tmp/x.so", "PGPASSWORD=secret", "NOTIFY_SOCKET=/run/x", "TZ=UTC", "LISTEN_FDS=3"})
	if !slices.Equal(got, []string{"PATH=/bin", "TZ=UTC"}) {
		t.Errorf("got %v", got)
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"id":1,"call":"ping"}` + "\n"))
	f.Add([]byte(`{"id":1,"result":"AAAA"}` + "\n" + `{"id":18446744073709551615,"call":"key","result":{}}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, d := net.Pipe()
		l := newLine(c, func(_ context.Context, call string) (any, error) {
			if call == callPing {
				return true, nil
			}
			return nil, errors.New("no such call")
		})
		go io.Copy(io.Discard, d)
		go func() { d.Write(text); d.Close() }()
		if err := l.run(t.Context()); err == nil {
			t.Error("the line ended without a reason")
		}
	})
}
