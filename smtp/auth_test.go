package smtp

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/xdg-go/scram"

	"postern/internal/reply"
)

func plain(login, password string) string {
	return b64("\x00" + login + "\x00" + password)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// secured brings a submission connection to EHLO inside TLS.
func secured(t testing.TB, s *testServer) *peer {
	t.Helper()
	p := s.dial(t)
	p.talk(t, "S: 220")
	if s.Role == Submission {
		p.talk(t, "C: STARTTLS\nS: 220\nTLS")
	}
	p.talk(t, "C: EHLO client.example\nS: 250-")
	return p
}

func TestAuthExchanges(t *testing.T) {
	good, bad := plain(testLogin, testPassword), plain(testLogin, "wrong")
	long := strings.Repeat("A", 12300)
	s := startServer(t, Submissions)
	for name, dialogue := range map[string]string{
		"PLAIN with initial response":   "C: AUTH PLAIN " + good + "\nS: 235 2.7.0",
		"in lower case":                 "C: auth plain " + good + "\nS: 235 2.7.0",
		"PLAIN asked":                   "C: AUTH PLAIN\nS: 334 \nC: " + good + "\nS: 235 2.7.0",
		"LOGIN":                         "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + b64(testLogin) + "\nS: 334 UGFzc3dvcmQ6\nC: " + b64(testPassword) + "\nS: 235",
		"LOGIN with initial response":   "C: AUTH LOGIN " + b64(testLogin) + "\nS: 334 UGFzc3dvcmQ6\nC: " + b64(testPassword) + "\nS: 235",
		"wrong password":                "C: AUTH PLAIN " + bad + "\nS: 535 5.7.8\nC: AUTH PLAIN " + good + "\nS: 235",
		"unknown user":                  "C: AUTH PLAIN " + plain("nobody@example.test", "x") + "\nS: 535 5.7.8",
		"acting as another":             "C: AUTH PLAIN " + b64("bob@example.test\x00"+testLogin+"\x00"+testPassword) + "\nS: 535 5.7.8",
		"empty initial response":        "C: AUTH PLAIN =\nS: 501 5.5.2",
		"cancelled":                     "C: AUTH PLAIN\nS: 334\nC: *\nS: 501 5.7.0\nC: NOOP\nS: 250",
		"LOGIN cancelled":               "C: AUTH LOGIN\nS: 334\nC: " + b64(testLogin) + "\nS: 334\nC: *\nS: 501\nC: NOOP\nS: 250",
		"not base64":                    "C: AUTH PLAIN !!!!\nS: 501 5.5.2\nC: AUTH PLAIN\nS: 334\nC: AAA\nS: 501 5.5.2",
		"unknown mechanism":             "C: AUTH CRAM-MD5\nS: 504 5.5.4\nC: AUTH GSSAPI AAAA\nS: 504 5.5.4",
		"no mechanism":                  "C: AUTH\nS: 501 5.5.4",
		"too many words":                "C: AUTH PLAIN AAAA AAAA\nS: 501 5.5.4",
		"directory fails":               "C: AUTH PLAIN " + plain("broken", "x") + "\nS: 454 4.7.0",
		"once only":                     "C: AUTH PLAIN " + good + "\nS: 235\nC: AUTH PLAIN " + good + "\nS: 503 5.5.1",
		"not inside a transaction":      "C: AUTH PLAIN " + good + "\nS: 235\nC: MAIL FROM:<a@example.test>\nS: 250\nC: AUTH PLAIN " + good + "\nS: 503 5.5.1",
		"not after HELO":                "C: HELO x\nS: 250\nC: AUTH PLAIN " + good + "\nS: 503 5.5.1",
		"EHLO keeps it":                 "C: AUTH PLAIN " + good + "\nS: 235\nC: EHLO x\nS: 250\nC: MAIL FROM:<a@example.test>\nS: 250",
		"initial response too long":     "C: AUTH PLAIN " + long + "\nS: 500 5.5.2\nC: NOOP\nS: 250",
		"response too long":             "C: AUTH PLAIN\nS: 334\nC: " + long + "\nS: 500 5.5.6\nC: NOOP\nS: 250",
		"response without CR":           "C: AUTH PLAIN\nS: 334\n" + `R: ` + good + `\n` + "\nS: 500 5.5.2\nC: NOOP\nS: 250",
		"third failure ends":            "C: AUTH PLAIN " + bad + "\nS: 535\nC: AUTH PLAIN " + bad + "\nS: 535\nC: AUTH PLAIN " + bad + "\nS: 535\nS: 421 4.7.0\nS: <closed>",
		"cancelling is no way out":      "C: AUTH PLAIN\nS: 334\nC: *\nS: 501\nC: AUTH PLAIN\nS: 334\nC: *\nS: 501\nC: AUTH PLAIN\nS: 334\nC: *\nS: 501\nS: 421 4.7.0\nS: <closed>",
		"connection dropped in between": "C: AUTH LOGIN\nS: 334",
	} {
		t.Run(name, func(t *testing.T) { secured(t, s).talk(t, dialogue) })
	}
}

func TestAuthBySCRAM(t *testing.T) {
	for _, role := range []Role{Submission, Submissions} {
		s := startServer(t, role)
		for _, password := range []string{testPassword, "wrong"} {
			p := secured(t, s)
			client, err := scram.SHA256.NewClient(testLogin, password, "")
			if err != nil {
				t.Fatal(err)
			}
			conversation := client.NewConversation()
			first, err := conversation.Step("")
			if err != nil {
				t.Fatal(err)
			}
			p.send(t, "AUTH SCRAM-SHA-256 "+b64(first)+"\r\n")
			last, err := conversation.Step(challenge(t, p))
			if err != nil {
				t.Fatal(err)
			}
			p.send(t, b64(last)+"\r\n")
			if password == "wrong" {
				p.talk(t, "S: 535 5.7.8")
				continue
			}
			if _, err := conversation.Step(challenge(t, p)); err != nil || !conversation.Valid() {
				t.Fatalf("server's proof: %v", err)
			}
			p.talk(t, "C:\nS: 235 2.7.0\nC: MAIL FROM:<a@example.test>\nS: 250")
		}
	}
}

func challenge(t *testing.T, p *peer) string {
	t.Helper()
	got := p.reply(t)
	text, ok := strings.CutPrefix(got, "334 ")
	decoded, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("challenge %q: %v", got, err)
	}
	return string(decoded)
}

// testThrottle records what it is asked.
type testThrottle struct {
	mu      sync.Mutex
	connect error
	auth    error
	open    int
	results []string
}

func (h *testThrottle) Connect(netip.Addr) (func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.connect != nil {
		return nil, h.connect
	}
	h.open++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.open--
	}, nil
}

func (h *testThrottle) BeforeAuth(context.Context, netip.Addr, string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.auth
}

func (h *testThrottle) AuthResult(_ netip.Addr, login string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	result := login + " failed"
	if ok {
		result = login + " ok"
	}
	h.results = append(h.results, result)
}

func (h *testThrottle) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.results, ", ")
}

func TestThrottleLearnsHowLoginsEnd(t *testing.T) {
	throttle := &testThrottle{}
	s := newTestServer(t, Submissions)
	s.Throttle = throttle
	log := &lines{}
	s.Log = slog.New(slog.NewTextHandler(log, nil))
	s.listen(t)
	secured(t, s).talk(t, "C: AUTH PLAIN "+plain(testLogin, "wrong")+"\nS: 535\nC: AUTH LOGIN\nS: 334\nC: "+b64("bob")+"\nS: 334\nC: *\nS: 501\nC: AUTH PLAIN "+plain(testLogin, testPassword)+"\nS: 235")
	if got := throttle.said(); got != testLogin+" failed, "+testLogin+" ok" {
		t.Errorf("results %q", got) // "bob" never came to a password
	}
	if got := log.containing("auth failed"); len(got) != 1 || !strings.Contains(got[0], "service=submissions remote=127.0.0.1 login=alice@example.test reason=credentials") {
		t.Errorf("log %q", got)
	}
	throttle.auth = reply.New(454, "4.7.0", "Come again in 5 seconds")
	secured(t, s).talk(t, "C: AUTH PLAIN "+plain(testLogin, testPassword)+"\nS: 454 4.7.0 Come again")
	if got := throttle.said(); strings.Count(got, ",") != 1 {
		t.Errorf("results %q: a refused attempt has none", got)
	}
	if got := log.containing("reason=throttled"); len(got) != 1 {
		t.Errorf("log %q", got)
	}
}

func TestChannelBindingIsNamedWhereTheSettingSaysSo(t *testing.T) {
	s := newTestServer(t, Submissions)
	s.Settings = func() Limits { return Limits{OfferPlus: true} }
	s.listen(t)
	secured(t, s).talk(t, "C: EHLO client.example\nS: 250-…250 AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN")
}

func TestSecretsDoNotReachTheLog(t *testing.T) {
	s := newTestServer(t, Submissions)
	log := &lines{}
	s.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.listen(t)
	p := secured(t, s)
	p.talk(t, "C: AUTH PLAIN "+plain(testLogin, "Wrong-Secret")+"\nS: 535\nC: AUTH PLAIN "+plain(testLogin, testPassword)+"\nS: 235\nC: QUIT\nS: 221\nS: <closed>")
	for _, secret := range []string{testPassword, "Wrong-Secret", plain(testLogin, testPassword)} {
		if got := log.containing(secret); len(got) > 0 {
			t.Errorf("%q in the log: %q", secret, got)
		}
	}
}

// lines is a log that can be searched.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, string(p))
	return len(p), nil
}

func (l *lines) containing(s string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.list {
		if strings.Contains(line, s) {
			found = append(found, line)
		}
	}
	return found
}
