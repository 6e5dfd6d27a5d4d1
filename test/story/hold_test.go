package story_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mhale/smtpd"

	"postern/internal/testenv"
	"postern/internal/verdict"
	"postern/platform/admin"
)

// waiting is what `postern queue list` tells.
func (g *gate) waiting(t *testing.T, flags ...string) []admin.QueueEntry {
	t.Helper()
	var list []admin.QueueEntry
	if err := json.Unmarshal([]byte(g.Postern(append([]string{"queue", "list", "--json"}, flags...)...)), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestAnAccountThatSendsAsNoPersonDoesIsHeldAndLetGo has alice send more than she may: what is too much waits, held, over a
// restart too, until the administrator lets it go.
func TestAnAccountThatSendsAsNoPersonDoesIsHeldAndLetGo(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 10 mx.far.example.\nmx.far.example. 60 IN A 127.0.0.51\n")
	far := listenAsMX(t, "127.0.0.51")
	const alice, bob = "alice@example.test", "bob@example.test"
	g.set("outbound.messages_per_hour", "3")
	n := 0
	write := func(user string, to ...string) {
		t.Helper()
		n++
		mail := text("From: "+user, "To: "+to[0], fmt.Sprintf("Subject: number %d", n), "", "Hello.")
		if err := submit(t, g.Server, user).SendMail(user, to, strings.NewReader(mail)); err != nil {
			t.Fatalf("number %d: %v", n, err)
		}
	}
	for range 5 {
		write(alice, "someone@far.example")
	}
	far.wait(t, 3)
	held := g.waiting(t, "--held")
	if len(held) != 2 || held[0].From != alice || !held[0].Held {
		t.Fatalf("held: %+v", held)
	}
	if out := g.Postern("user", "holds"); !strings.Contains(out, alice) || !strings.Contains(out, "messages") {
		t.Errorf("on hold: %s", out)
	}
	g.alert(t, alice+" is on hold", "postern queue list --held --from "+alice, "postern user lift "+alice)
	// Mail to people here goes on, and so does that of others.
	write(alice, bob)
	g.Messages(t, bob, "INBOX", 1)
	write(bob, "someone@far.example")
	far.wait(t, 4)

	// Her scripts, which may be somebody else's, say nothing to others.
	keepScripts(t, g.Server, alice).use("busy", `require ["vacation", "enotify"];`, `vacation "I am away."; notify "mailto:someone@far.example";`)
	s := g.stranger(t, true)
	r := verdictOf(t, g.trace(t, g.accept(t, s.ip, s.author, g.letter(s.author), alice)), alice)
	if got := strings.Join(r.Scripts, "|"); got != "busy, line 2: vacation; nobody is answered: the account is on hold|"+
		"busy, line 2: notify; nobody is told: the account is on hold" {
		t.Errorf("alice's script: %s", got)
	}

	g.Server.Stop()
	g.Server.Run()
	write(alice, "someone@far.example")
	if held := g.waiting(t, "--held"); len(held) != 3 {
		t.Errorf("held after a restart: %+v", held)
	}
	if told := g.findings(t); !strings.Contains(told, alice+" is on hold") {
		t.Errorf("check forgot the hold: %s", told)
	}
	g.Postern("user", "lift", alice)
	if told := g.findings(t); strings.Contains(told, "is on hold") {
		t.Errorf("check does not know that the hold is lifted: %s", told)
	}
	g.Postern("queue", "release", "--from", alice)
	far.wait(t, 7)
	write(alice, "someone@far.example")
	last := far.wait(t, 8)
	if last.from != alice || !strings.Contains(string(last.data), fmt.Sprintf("Subject: number %d", n)) {
		t.Errorf("the last one is from %s:\n%s", last.from, last.data)
	}
	for deadline := time.Now().Add(30 * time.Second); len(g.waiting(t)) > 0; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still waiting: %+v", g.waiting(t))
		}
	}
	if out := g.Postern("user", "holds"); strings.Contains(out, alice) {
		t.Errorf("still on hold: %s", out)
	}
}

// TestWhomHeldMailIsToIsNoCorrespondent: whoever has an account's password must not make its owner expect mail from him.
func TestWhomHeldMailIsToIsNoCorrespondent(t *testing.T) {
	g := openGate(t, "")
	s := g.stranger(t, true)
	const alice = "alice@example.test"
	g.set("outbound.messages_per_hour", "1")
	for _, to := range []string{"someone@far.example", s.author} {
		mail := text("From: "+alice, "To: "+to, "Subject: hello", "", "Hello.")
		if err := submit(t, g.Server, alice).SendMail(alice, []string{to}, strings.NewReader(mail)); err != nil {
			t.Fatal(err)
		}
	}
	if held := g.waiting(t, "--held"); len(held) != 1 {
		t.Fatalf("held: %+v", held)
	}
	trace, _ := g.arrives(t, s, g.letter("Jane <"+s.author+">"), alice)
	if c := check(trace, verdict.CheckSender); c.Result == "correspondent" {
		t.Errorf("%+v", c)
	}
}

// TestAnAccountThatSendsSpamIsHeld: what the engine finds in what users send counts, and so do refusals of other servers.
func TestAnAccountThatSendsSpamIsHeld(t *testing.T) {
	g := openGate(t, "far.example. 60 IN MX 0 .\n")
	const alice, bob = "alice@example.test", "bob@example.test"
	g.set("outbound.junk_per_hour", "2")
	for i := range 4 {
		mail := g.compose(alice, []string{"To: someone@far.example"}, gtube, fmt.Sprint(i))
		if err := submit(t, g.Server, alice).SendMail(alice, []string{"someone@far.example"}, strings.NewReader(mail)); err != nil {
			t.Fatal(err)
		}
	}
	if held := g.waiting(t, "--held"); len(held) != 2 {
		t.Errorf("held: %+v", held)
	}
	g.alert(t, alice+" is on hold")

	refuseAllAsMX(t, "127.0.0.53")
	g.dns.Set(t, "refusing.example. 60 IN MX 10 mx.refusing.example.\nmx.refusing.example. 60 IN A 127.0.0.53\n")
	g.set("outbound.bounces_per_hour", "2")
	held := 0
	for i := 1; i <= 6 && held == 0; i++ {
		to := fmt.Sprintf("nobody%d@refusing.example", i)
		if err := submit(t, g.Server, bob).SendMail(bob, []string{to}, strings.NewReader(text("From: "+bob, "To: "+to, "Subject: x", "", "Hello."))); err != nil {
			t.Fatal(err)
		}
		if held = len(g.waiting(t, "--held", "--from", bob)); held == 0 {
			g.Messages(t, bob, "INBOX", i) // the notice that it came back
		} else if i < 4 {
			t.Errorf("held after %d refusals", i-1)
		}
	}
	if held != 1 {
		t.Errorf("%d are held", held)
	}
	g.alert(t, bob+" is on hold")
}

// refuseAllAsMX is another server that knows nobody.
func refuseAllAsMX(t *testing.T, ip string) {
	t.Helper()
	testenv.Root(t) // port 25
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "25"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	server := &smtpd.Server{Appname: "refusing", Hostname: "mx.refusing.example", DisableReverseDNS: true, HandlerRcpt: func(net.Addr, string, string) bool { return false }}
	go server.Serve(l)
}

// findings is what `postern check` tells; that the test's server fails some of it is no matter here.
func (g *gate) findings(t *testing.T) string {
	t.Helper()
	out, err := g.Command("check").Output()
	if len(out) == 0 {
		t.Fatal(err)
	}
	return string(out)
}
