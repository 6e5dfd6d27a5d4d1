package imap

import (
	"context"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"postern/internal/reply"
)

func TestLoginRefusesWithoutSayingWhy(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	c.send("1 LOGIN alice@example.test wrong")
	c.want("1 NO [AUTHENTICATIONFAILED] The name or the password is wrong")
	c.send("2 LOGIN nobody@example.test wrong")
	c.want("2 NO [AUTHENTICATIONFAILED] The name or the password is wrong")
	c.send("3 LOGIN alice@example.test wrong")
	c.want("* BYE Too many failed logins")
	c.want("3 NO [AUTHENTICATIONFAILED] …")
	c.closed()
}

func plain(authzid, user, pass string) string {
	return base64.StdEncoding.EncodeToString([]byte(authzid + "\x00" + user + "\x00" + pass))
}

func TestAuthenticatePlain(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	c.send("1 AUTHENTICATE PLAIN " + plain("", "alice@example.test", password))
	c.want("1 OK [CAPABILITY …] Logged in")
	c.send("2 AUTHENTICATE PLAIN")
	c.want("2 BAD You are logged in already")

	c = w.dial()
	c.send("1 AUTHENTICATE PLAIN")
	c.want("+ ")
	c.send("*")
	c.want("1 BAD …")
	c.send("2 AUTHENTICATE PLAIN")
	c.want("+ ")
	c.send(plain("", "alice@example.test", password))
	c.want("2 OK …")

	c = w.dial()
	c.send("1 AUTHENTICATE XYZZY")
	c.want("1 NO [CANNOT] …")
	c.send("2 AUTHENTICATE PLAIN !!!")
	c.want("2 BAD …")
	c.send("3 AUTHENTICATE PLAIN " + plain("bob@example.test", "alice@example.test", password))
	c.want("3 NO [AUTHENTICATIONFAILED] …")
}

func TestAuthenticateScram(t *testing.T) {
	w := newWorld(t)
	for _, good := range []bool{true, false} {
		pass := password
		if !good {
			pass = "wrong"
		}
		client, err := scram.SHA256.NewClient("alice@example.test", pass, "")
		if err != nil {
			t.Fatal(err)
		}
		exchange := client.NewConversation()
		first, _ := exchange.Step("")
		c := w.dial()
		c.send("1 AUTHENTICATE SCRAM-SHA-256 " + base64.StdEncoding.EncodeToString([]byte(first)))
		step := func() string {
			challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.read(), "+ "))
			if err != nil {
				t.Fatal(err)
			}
			response, err := exchange.Step(string(challenge))
			if err != nil {
				t.Fatal(err)
			}
			return base64.StdEncoding.EncodeToString([]byte(response))
		}
		c.send(step())
		if !good {
			c.want("1 NO [AUTHENTICATIONFAILED] …")
			continue
		}
		c.send(step())
		c.want("1 OK [CAPABILITY …] Logged in")
		if !exchange.Valid() {
			t.Error("the server did not prove itself")
		}
	}
}

// gate is a throttle that notes what it is told.
type gate struct {
	mu      sync.Mutex
	refuse  bool
	results []bool
}

func (g *gate) Connect(netip.Addr) (func(), error) { return func() {}, nil }

func (g *gate) BeforeAuth(_ context.Context, _ netip.Addr, login string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refuse {
		return reply.New(454, "4.7.0", "Too many attempts, try again in 5 seconds")
	}
	return nil
}

func (g *gate) AuthResult(_ netip.Addr, login string, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.results = append(g.results, ok)
}

func TestTheThrottleHearsOfEveryAttempt(t *testing.T) {
	g := &gate{}
	w := newWorld(t, func(s *Server) { s.Throttle = g })
	c := w.dial()
	c.send("1 LOGIN alice@example.test wrong")
	c.want("1 NO …")
	c.send("2 AUTHENTICATE PLAIN " + plain("", "alice@example.test", "wrong"))
	c.want("2 NO …")
	g.mu.Lock()
	g.refuse = true
	g.mu.Unlock()
	c.send("3 LOGIN alice@example.test " + password)
	c.want("3 NO [UNAVAILABLE] Too many attempts, try again in 5 seconds")
	c.send("4 AUTHENTICATE PLAIN " + plain("", "alice@example.test", password))
	c.want("4 NO [UNAVAILABLE] Too many attempts, try again in 5 seconds")
	g.mu.Lock()
	g.refuse = false
	g.mu.Unlock()
	c.send("5 AUTHENTICATE PLAIN " + plain("", "alice@example.test", password))
	c.want("5 OK …")
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.results) != 3 || g.results[0] || g.results[1] || !g.results[2] {
		t.Errorf("results %v", g.results)
	}
}

func TestTooManyConnectionsAreRefused(t *testing.T) {
	w := newWorld(t, func(s *Server) { s.Limits = func() Limits { return Limits{Connections: 3, ConnectionsAccount: 1} } })
	a, b := w.user("alice@example.test"), w.dial()
	b.send("1 LOGIN alice@example.test " + password)
	b.want("1 NO [LIMIT] Too many connections of this account")
	w.dial()
	if extra, err := w.tryDial(); err == nil {
		extra.closed()
	}
	a.send("1 LOGOUT")
	a.until("1 OK …")
	a.closed()
	b.send("2 LOGIN alice@example.test " + password)
	b.until("2 …")
}

func TestWhoDoesNotLogInIsDisconnected(t *testing.T) {
	w := newWorld(t, func(s *Server) { s.Limits = func() Limits { return Limits{LoginTimeout: 300 * time.Millisecond} } })
	c := w.dial()
	c.want("* BYE Too long without a login")
	c.closed()
}

func TestWhoSleepsTooLongIsLoggedOut(t *testing.T) {
	w := newWorld(t, func(s *Server) { s.Limits = func() Limits { return Limits{IdleTimeout: 200 * time.Millisecond} } })
	c := w.user("alice@example.test")
	c.want("* BYE Autologout; idle for too long")
	c.closed()
	c = w.user("alice@example.test")
	c.send("1 IDLE")
	c.want("+ idling")
	c.want("* BYE Autologout; idle for too long")
	c.closed()
}

func TestShutdownSaysByeToEveryone(t *testing.T) {
	w := newWorld(t)
	a, b := w.user("alice@example.test"), w.user("alice@example.test")
	b.send("1 IDLE")
	b.want("+ idling")
	if err := w.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.want("* BYE [UNAVAILABLE] Server is shutting down")
	a.closed()
	b.want("* BYE [UNAVAILABLE] Server is shutting down")
	b.closed()
	if n := w.server.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestOtherProtocolsAreCutOff(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	c.send("GET / HTTP/1.1")
	c.want("GET BAD …")
	c.want("* BYE Too many errors")
	c.closed()
	c = w.dial()
	for range 9 {
		c.send("a XYZZY")
		c.want("a BAD …")
	}
	c.send("a XYZZY")
	c.want("a BAD …")
	c.want("* BYE Too many errors")
	c.closed()
}

func TestPlaintextIsNeverSpoken(t *testing.T) {
	w := newWorld(t)
	conn, err := w.dialTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	conn.Write([]byte("a LOGIN alice@example.test x\r\n"))
	got := make([]byte, 100)
	n, _ := conn.Read(got)
	if n > 0 && got[0] != 21 { // an alert of TLS
		t.Errorf("got %q", got[:n])
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error("the connection stays open")
	}
}

func TestIDTellsWhoWeAre(t *testing.T) {
	w := newWorld(t, func(s *Server) { s.Version = "1.2" })
	c := w.dial()
	c.send(`1 ID ("name" "Some client" "version" NIL)`)
	c.want(`* ID ("name" "Postern")`)
	c.want("1 OK …")
	c = w.user("alice@example.test")
	c.send("1 ID NIL")
	c.want(`* ID ("name" "Postern" "version" "1.2")`)
	c.want("1 OK …")
}

func TestAChangedAccountsSessionsEnd(t *testing.T) {
	w := newWorld(t)
	w.addUser("bob@example.test")
	a, b, other := w.user("alice@example.test"), w.user("alice@example.test"), w.user("bob@example.test")
	b.send("1 IDLE")
	b.want("+ idling")
	w.server.Disconnect(int64(w.account("alice@example.test").ID()))
	for _, c := range []*client{a, b} {
		c.want("* BYE [UNAVAILABLE] Your account was changed, please log in again")
		c.closed()
	}
	other.send("1 NOOP")
	other.want("1 OK …")
}
