package managesieve

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"postern/internal/reply"
)

func TestPasswordsAreTakenInsideTLSOnly(t *testing.T) {
	w := newWorld(t)
	w.dial().talk(t, greeting+`
		C: AUTHENTICATE "PLAIN" "`+plain(testLogin, testPassword)+`"
		S: NO (ENCRYPT-NEEDED) …
		C: AUTHENTICATE "SCRAM-SHA-256"
		S: NO (ENCRYPT-NEEDED) …
		C: LISTSCRIPTS
		S: NO "Please log in first"
		C: STARTTLS
		S: OK …
		TLS
		`+secured+`
		C: STARTTLS
		S: NO "TLS is active already"
		C: LISTSCRIPTS
		S: NO "Please log in first"
		C: UNAUTHENTICATE
		S: NO "Please log in first"
		C: AUTHENTICATE "PLAIN" "`+plain(testLogin, testPassword)+`"
		S: OK "Logged in"
		C: AUTHENTICATE "PLAIN" "`+plain(testLogin, testPassword)+`"
		S: NO "You are logged in already"
		C: STARTTLS
		S: NO "You are logged in already"`)
}

func TestPlainInAllItsForms(t *testing.T) {
	w := newWorld(t)
	response := plain(testLogin, testPassword)
	for name, dialogue := range map[string]string{
		"initial, quoted":     "C: AUTHENTICATE \"PLAIN\" \"" + response + "\"",
		"initial, literal":    fmt.Sprintf("C: AUTHENTICATE \"PLAIN\" {%d+}\nC: %s", len(response), response),
		"mechanism a literal": "C: AUTHENTICATE {5+}\nC: plain \"" + response + "\"",
		"after a challenge":   "C: AUTHENTICATE \"PLAIN\"\nS: \"\"\nC: \"" + response + "\"",
		"that a literal":      fmt.Sprintf("C: AUTHENTICATE \"PLAIN\"\nS: \"\"\nC: {%d+}\nC: %s", len(response), response),
		"after a cancelled":   "C: AUTHENTICATE \"PLAIN\"\nS: \"\"\nC: \"*\"\nS: NO \"Authentication cancelled\"\nC: AUTHENTICATE \"PLAIN\" \"" + response + "\"",
		"cancelled, literal":  "C: AUTHENTICATE \"PLAIN\"\nS: \"\"\nC: {1+}\nC: *\nS: NO …\nC: AUTHENTICATE \"PLAIN\" \"" + response + "\"",
		"after an empty":      "C: AUTHENTICATE \"PLAIN\" \"\"\nS: NO …\nC: AUTHENTICATE \"PLAIN\" \"" + response + "\"",
		"after no base64":     "C: AUTHENTICATE \"PLAIN\" \"???\"\nS: NO …\nC: AUTHENTICATE \"PLAIN\" \"" + response + "\"",
		"after no string":     "C: AUTHENTICATE \"PLAIN\"\nS: \"\"\nC: AUTHENTICATE\nS: NO …\nC: AUTHENTICATE \"PLAIN\" \"" + response + "\"",
		"after a number":      "C: AUTHENTICATE \"PLAIN\"\nS: \"\"\nC: 5\nS: NO …\nC: AUTHENTICATE \"PLAIN\" \"" + response + "\"",
	} {
		t.Run(name, func(t *testing.T) { w.enter().talk(t, dialogue+"\nS: OK \"Logged in\"\nC: LISTSCRIPTS\nS: OK …") })
	}
}

func TestLoginsThatFail(t *testing.T) {
	w := newWorld(t)
	for name, dialogue := range map[string]string{
		"wrong password":     "C: AUTHENTICATE \"PLAIN\" \"" + plain(testLogin, "Wrong-1") + "\"\nS: NO \"The name or the password is wrong\"",
		"unknown user":       "C: AUTHENTICATE \"PLAIN\" \"" + plain("nobody@example.test", testPassword) + "\"\nS: NO \"The name or the password is wrong\"",
		"as another":         "C: AUTHENTICATE \"PLAIN\" \"" + base64.StdEncoding.EncodeToString([]byte("bob@example.test\x00"+testLogin+"\x00"+testPassword)) + "\"\nS: NO \"The name or the password is wrong\"",
		"our fault":          "C: AUTHENTICATE \"PLAIN\" \"" + plain("broken", testPassword) + "\"\nS: NO (TRYLATER) \"Temporary failure, please try again\"",
		"no time":            "C: AUTHENTICATE \"PLAIN\" \"" + plain("busy", testPassword) + "\"\nS: NO (TRYLATER) …",
		"unknown mechanism":  "C: AUTHENTICATE \"X-MINE\"\nS: NO \"There is no such mechanism; …",
		"weak mechanism":     "C: AUTHENTICATE \"cram-md5\"\nS: NO (AUTH-TOO-WEAK) …",
		"LOGIN":              "C: AUTHENTICATE \"LOGIN\"\nS: NO (AUTH-TOO-WEAK) …",
		"no mechanism":       "C: AUTHENTICATE\nS: NO …",
		"mechanism an atom":  "C: AUTHENTICATE PLAIN\nS: NO …",
		"too many responses": "C: AUTHENTICATE \"PLAIN\" \"\" \"\"\nS: NO …",
	} {
		t.Run(name, func(t *testing.T) { w.enter().talk(t, dialogue+"\nC: LISTSCRIPTS\nS: NO \"Please log in first\"") })
	}
}

func TestWhoGuessesIsSentAway(t *testing.T) {
	guess := "C: AUTHENTICATE \"PLAIN\" \"" + plain(testLogin, "Wrong-1") + "\"\n"
	newWorld(t).enter().talk(t, guess+"S: NO …\n"+guess+"S: NO …\n"+guess+"S: BYE \"Too many failed logins\"\nS: <closed>")
}

// guard is a throttle that notes what it is asked.
type guard struct {
	mu       sync.Mutex
	refuse   bool
	full     bool
	asked    []string
	results  []bool
	released int
}

func (g *guard) Connect(netip.Addr) (release func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.full {
		return nil, reply.New(421, "4.7.0", "too many")
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.released++
	}, nil
}

func (g *guard) BeforeAuth(_ context.Context, ip netip.Addr, login string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, ip.String()+" "+login)
	if g.refuse {
		return errSlow
	}
	return nil
}

func (g *guard) AuthResult(_ netip.Addr, _ string, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.results = append(g.results, ok)
}

func TestTheThrottleIsAsked(t *testing.T) {
	g := &guard{}
	w := newWorld(t, func(s *Server) { s.Throttle = g })
	p := w.enter()
	p.talk(t, "C: AUTHENTICATE \"PLAIN\" \""+plain(testLogin, "Wrong-1")+"\"\nS: NO …\nC: AUTHENTICATE \"PLAIN\" \""+plain(testLogin, testPassword)+"\"\nS: OK …\nC: UNAUTHENTICATE\nS: OK …")
	g.mu.Lock()
	g.refuse = true
	if fmt.Sprint(g.asked) != "[127.0.0.1 "+testLogin+" 127.0.0.1 "+testLogin+"]" || fmt.Sprint(g.results) != "[false true]" {
		t.Errorf("asked %q, told %v", g.asked, g.results)
	}
	g.mu.Unlock()
	// What the throttle refuses is no guess.
	for range 5 {
		p.talk(t, "C: AUTHENTICATE \"PLAIN\" \""+plain(testLogin, testPassword)+"\"\nS: NO (TRYLATER) \"Too many failed logins, try again in 5 minutes\"")
	}
	p.talk(t, "C: LOGOUT\nS: OK …\nS: <closed>")
	p.Close()
	waitFor(t, func() bool { return w.server.Sessions() == 0 })
	g.mu.Lock()
	g.full = true
	if g.released != 1 || len(g.results) != 2 {
		t.Errorf("released %d, results %v", g.released, g.results)
	}
	g.mu.Unlock()
	w.dial().talk(t, "S: BYE (TRYLATER) \"Too many connections from you, please try again later\"\nS: <closed>")
}

// scram plays the client of SCRAM-SHA-256 (RFC 5802), with channel binding by tls-exporter if there is one.
func scram(t *testing.T, p *peer, mechanism, password string, wantOK bool) {
	t.Helper()
	encode := base64.StdEncoding.EncodeToString
	header, binding := "n,,", []byte(nil)
	if mechanism == "SCRAM-SHA-256-PLUS" {
		state := p.Conn.(*tls.Conn).ConnectionState()
		var err error
		if binding, err = state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err != nil {
			t.Fatal(err)
		}
		header = "p=tls-exporter,,"
	}
	first := "n=" + testLogin + ",r=clientnonce"
	p.send(t, "AUTHENTICATE \""+mechanism+"\" \""+encode([]byte(header+first))+"\"\r\n")
	challenge := unquote(t, p.line(t))
	salted, err := pbkdf2.Key(sha256.New, password, []byte("salt"), 4096, 32)
	if err != nil {
		t.Fatal(err)
	}
	nonce, _, _ := strings.Cut(strings.TrimPrefix(challenge, "r="), ",")
	final := "c=" + encode(append([]byte(header), binding...)) + ",r=" + nonce
	message := first + "," + challenge + "," + final
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	signature := mac(stored[:], message)
	for i := range key {
		key[i] ^= signature[i]
	}
	p.send(t, "\""+encode([]byte(final+",p="+encode(key)))+"\"\r\n")
	if !wantOK {
		p.talk(t, "S: NO \"The name or the password is wrong\"")
		return
	}
	verifier := encode([]byte("v=" + encode(mac(mac(salted, "Server Key"), message))))
	p.talk(t, "S: OK (SASL \""+verifier+"\") \"Logged in\"\nC: LISTSCRIPTS\nS: OK …")
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func unquote(t *testing.T, line string) string {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(strings.Trim(line, `"`))
	if err != nil {
		t.Fatalf("no challenge: %q", line)
	}
	return string(text)
}

func TestScramProvesBothSides(t *testing.T) {
	w := newWorld(t, limited(Limits{OfferPlus: true}))
	scram(t, w.enterPlus(), "SCRAM-SHA-256-PLUS", testPassword, true)
	scram(t, w.enterPlus(), "SCRAM-SHA-256-PLUS", "Wrong-1", false)
	w = newWorld(t)
	scram(t, w.enter(), "SCRAM-SHA-256", testPassword, true)
	scram(t, w.enter(), "SCRAM-SHA-256-PLUS", testPassword, true)
	scram(t, w.enter(), "SCRAM-SHA-256", "Wrong-1", false)
}

// enterPlus is enter where SCRAM-SHA-256-PLUS is named.
func (w *world) enterPlus() *peer {
	w.Helper()
	p := w.dial()
	p.talk(w, greeting+"C: STARTTLS\nS: OK …\nTLS\n"+strings.Replace(secured, "\"SCRAM-", "\"SCRAM-SHA-256-PLUS SCRAM-", 1))
	return p
}
