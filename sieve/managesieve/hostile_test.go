package managesieve

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestWhatIsNoCommandIsRefusedAndTheSessionGoesOn(t *testing.T) {
	w := newWorld(t)
	p := w.user()
	for _, dialogue := range []string{
		"C: \nS: NO …",
		"C: NONSENSE\nS: NO \"There is no such command\"",
		"C: NONSENSE \"a\" 5 {4+}\\r\\nNOOP\nS: NO \"There is no such command\"",
		"C: " + strings.Repeat("X", 33) + "\nS: NO …",
		"C:  NOOP\nS: NO …",
		"R: NOOP\\n\nS: NO …",
		"C: NOOP  \"a\"\nS: NO …",
		"C: NOOP \"a\"\"b\"\nS: NO …",
		"C: NOOP \"a\" \"b\"\nS: NO \"NOOP takes other arguments\"",
		"C: NOOP 5\nS: NO \"NOOP takes other arguments\"",
		"C: NOOP \"a\nS: NO …",
		"C: NOOP \"a\\x00\"\nS: NO …",
		"C: NOOP \"\\x5ca\"\nS: NO …",
		"C: NOOP (a)\nS: NO …",
		"C: LISTSCRIPTS \"a\"\nS: NO …",
		"C: GETSCRIPT\nS: NO …",
		"C: GETSCRIPT a\nS: NO …",
		"C: HAVESPACE \"a\"\nS: NO …",
		"C: HAVESPACE \"a\" \"5\"\nS: NO …",
		"C: HAVESPACE \"a\" 05\nS: NO …",
		"C: HAVESPACE \"a\" 5k\nS: NO …",
		"C: HAVESPACE \"a\" -5\nS: NO …",
		"C: HAVESPACE \"a\" 99999999999999999999\nS: NO …",
		"C: PUTSCRIPT \"a\"\nS: NO …",
		"C: PUTSCRIPT \"a\" 5\nS: NO …",
		"C: RENAMESCRIPT \"a\"\nS: NO …",
		"C: NOOP \"" + strings.Repeat("x", 1024) + "\"\nS: OK (TAG \"xxx…xxx\") \"Done\"",
		"C: NOOP \"" + strings.Repeat("x", 1025) + "\"\nS: NO …",
		"C: NOOP " + strings.Repeat("\"\" ", 9) + "\nS: NO …",
		"C: NOOP \"a\" " + strings.Repeat("y", 3000) + "\nS: NO …",
		"C: NOOP {9000+}\\r\\n" + strings.Repeat("x", 9000) + "\nS: NO …",
	} {
		p.talk(t, dialogue)
		p.talk(t, "C: NOOP \"next\"\nS: OK (TAG \"next\") \"Done\"")
	}
}

func TestWhoeverMayHaveSentMoreIsSentAway(t *testing.T) {
	for name, input := range map[string]string{
		"a synchronising literal":     `C: PUTSCRIPT "a" {5}`,
		"a literal of no length":      `C: PUTSCRIPT "a" {+}`,
		"of a negative length":        `C: PUTSCRIPT "a" {-5+}`,
		"of a length with zeros":      `C: PUTSCRIPT "a" {05+}`,
		"of a huge length":            `C: PUTSCRIPT "a" {4294967296+}`,
		"of more digits":              `C: PUTSCRIPT "a" {99999999999999999999999+}`,
		"of a length with more":       `C: PUTSCRIPT "a" {5+} x`,
		"behind a mistake":            `C: PUTSCRIPT (a) {5+}`,
		"behind an unclosed quote":    `C: PUTSCRIPT "a {5+}`,
		"behind too many arguments":   `C: NOOP "" "" "" "" "" "" "" "" "" {5+}`,
		"a line without end":          `C: NOOP ` + strings.Repeat("x", 10_000),
		"a script nobody would skip":  `C: PUTSCRIPT "a" {4194305+}`,
		"an argument nobody'd skip":   `C: NOOP {4294967295+}`,
		"another protocol, logged in": `C: GET / HTTP/1.1` + "\nS: NO …\nC: Host: x\nS: NO …\nC: PUTSCRIPT \"a\" {1}",
	} {
		t.Run(name, func(t *testing.T) {
			newWorld(t).user().talk(t, input+"\nS: BYE …\nS: <closed>")
		})
	}
	newWorld(t).user().talk(t, "C: PUTSCRIPT \"a\" {4194305+}\nS: BYE (QUOTA/MAXSIZE) \"The literal has 4194305 octets and 262144 are allowed here\"")
}

func TestStrangersAreKeptShort(t *testing.T) {
	w := newWorld(t)
	for name, dialogue := range map[string]string{
		"another protocol":         "C: POST / HTTP/1.1\nS: BYE \"This is ManageSieve\"",
		"a mail client":            "C: EHLO x\nS: BYE …",
		"a literal too long":       "C: AUTHENTICATE \"PLAIN\" {8193+}\nS: BYE \"The literal has 8193 octets and 8192 are allowed here\"",
		"a script":                 "C: PUTSCRIPT \"a\" {100000+}\nS: BYE …",
		"one of gigabytes":         "C: AUTHENTICATE \"PLAIN\" {4294967295+}\nS: BYE …",
		"many literals":            "C: NONSENSE {5000+}\\r\\n" + strings.Repeat("x", 5000) + " {5000+}\nS: BYE …",
		"a line without end":       "C: NOOP " + strings.Repeat("x", 10_000) + "\nS: BYE …",
		"nonsense again and again": strings.Repeat("C: X\nS: NO …\n", 9) + "C: X\nS: BYE \"Too many errors\"",
	} {
		for where, dial := range map[string]func() *peer{"in clear": func() *peer { p := w.dial(); p.talk(t, greeting); return p }, "inside TLS": w.enter} {
			t.Run(name+", "+where, func(t *testing.T) { dial().talk(t, dialogue+"\nS: <closed>") })
		}
	}
	w.enter().talk(t, "C: AUTHENTICATE \"PLAIN\"\nS: \"\"\nC: {8193+}\nS: BYE …\nS: <closed>")
}

func TestNothingSaidInClearCountsInsideTLS(t *testing.T) {
	w := newWorld(t)
	p := w.dial()
	p.talk(t, greeting)
	p.send(t, "STARTTLS\r\nAUTHENTICATE \"PLAIN\" \""+plain(testLogin, testPassword)+"\"\r\n")
	p.talk(t, "S: BYE \"Input behind STARTTLS\"\nS: <closed>")
	p = w.dial()
	p.talk(t, greeting+"C: STARTTLS\nS: OK …\nC: NOOP \"injected\"")
	if rest, _ := io.ReadAll(p.r); strings.Contains(string(rest), "injected") {
		t.Errorf("answered %q", rest)
	}
}

func TestTimeouts(t *testing.T) {
	short := 50 * time.Millisecond
	t.Run("before login", func(t *testing.T) {
		w := newWorld(t, limited(Limits{LoginTimeout: short}))
		w.dial().talk(t, greeting+"S: BYE \"Too long without a login\"\nS: <closed>")
	})
	t.Run("before login, busy", func(t *testing.T) {
		p := newWorld(t, limited(Limits{LoginTimeout: short})).dial()
		p.talk(t, greeting)
		for {
			if _, err := io.WriteString(p, "NOOP\r\n"); err != nil {
				return
			}
			line, err := p.r.ReadString('\n')
			if strings.HasPrefix(line, "BYE") || err != nil {
				return
			}
		}
	})
	t.Run("idle", func(t *testing.T) {
		w := newWorld(t, limited(Limits{IdleTimeout: short}))
		w.user().talk(t, "S: BYE \"You were idle for too long\"\nS: <closed>")
	})
	t.Run("within a command", func(t *testing.T) {
		w := newWorld(t, limited(Limits{CommandTimeout: short}))
		w.user().talk(t, "R: PUTSCRIPT \"a\" {100+}\\r\\nkeep;\nS: BYE \"You were idle for too long\"\nS: <closed>")
	})
	t.Run("as a stranger again", func(t *testing.T) {
		w := newWorld(t, limited(Limits{LoginTimeout: time.Second}))
		w.user().talk(t, "C: UNAUTHENTICATE\nS: OK …\nS: BYE \"Too long without a login\"\nS: <closed>")
	})
}

func TestConnectionsAreCounted(t *testing.T) {
	w := newWorld(t, limited(Limits{Connections: 3, ConnectionsAccount: 2}))
	one, two, three := w.user(), w.user(), w.enter()
	login := "C: AUTHENTICATE \"PLAIN\" \"" + plain(testLogin, testPassword) + "\"\n"
	three.talk(t, login+"S: NO (TRYLATER) \"Too many connections of this account\"")
	w.dial().talk(t, "S: BYE (TRYLATER) \"Too many connections, please try again later\"\nS: <closed>")
	one.talk(t, "C: UNAUTHENTICATE\nS: OK …")
	three.talk(t, login+"S: OK …")
	two.Close()
	waitFor(t, func() bool { return w.server.Sessions() == 2 })
	w.enter().talk(t, login+"S: OK …")
}

func TestAChangedAccountIsDisconnected(t *testing.T) {
	w := newWorld(t)
	alice, stranger := w.user(), w.enter()
	w.server.Disconnect(testAccount)
	alice.talk(t, "S: BYE (TRYLATER) \"Your account was changed, please log in again\"\nS: <closed>")
	stranger.talk(t, "C: NOOP\nS: OK …")
}

func TestShutdownSaysGoodbye(t *testing.T) {
	w := newWorld(t)
	waiting, stranger, half := w.user(), w.enter(), w.user()
	half.talk(t, "R: PUTSCRIPT \"a\" {10+}\\r\\nkeep;")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*peer{waiting, stranger, half} {
		p.talk(t, "S: BYE (TRYLATER) \"Server is shutting down\"\nS: <closed>")
	}
}

func TestAClientThatTakesNothingHoldsUpNoShutdown(t *testing.T) {
	w := newWorld(t, limited(Limits{WriteTimeout: time.Hour}))
	p := w.user()
	p.talk(t, fmt.Sprintf("C: PUTSCRIPT \"a\" {200000+}\\r\\n%s\nS: OK …", strings.Repeat("#", 200_000)))
	go func() { _, _ = p.Write([]byte(strings.Repeat("GETSCRIPT \"a\"\r\n", 1000))) }()
	if _, err := p.r.Peek(1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := w.server.Shutdown(ctx); err == nil {
		t.Error("the session ended by itself")
	}
	if n := w.server.Sessions(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestAProxyNamesTheClient(t *testing.T) {
	g := &guard{}
	w := newWorld(t, func(s *Server) {
		s.Throttle = g
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	p := w.dial()
	p.talk(t, "R: PROXY TCP4 192.0.2.7 192.0.2.8 4711 4190\\r\\n\n"+greeting+"C: STARTTLS\nS: OK …\nTLS\n"+secured+
		"C: AUTHENTICATE \"PLAIN\" \""+plain(testLogin, testPassword)+"\"\nS: OK …")
	g.mu.Lock()
	defer g.mu.Unlock()
	if fmt.Sprint(g.asked) != "[192.0.2.7 "+testLogin+"]" {
		t.Errorf("asked %q", g.asked)
	}
}
