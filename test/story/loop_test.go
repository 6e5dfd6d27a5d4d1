package story_test

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/internal/testdns"
	"postern/internal/testenv"
	"postern/test/lab"
)

// pipeMX makes a server of ours the one at port 25 of an address, and counts the connections it gets there.
func pipeMX(t *testing.T, ip string, s *lab.Server) *atomic.Int64 {
	t.Helper()
	testenv.Root(t) // port 25
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "25"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	count := new(atomic.Int64)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			go pipe(in, s.Address(25))
		}
	}()
	return count
}

func pipe(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		io.Copy(out, in)
		out.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(in, out)
}

// emptyQueue waits until nothing waits to leave.
func emptyQueue(t *testing.T, servers ...*lab.Server) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(20 * time.Millisecond) {
		waiting := ""
		for _, s := range servers {
			if list := s.Postern("queue", "list", "--json"); strings.Contains(list, `"message":`) {
				waiting = list
			}
		}
		if waiting == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still in the queue: %s", waiting)
		}
	}
}

// TestMailBetweenTwoServersThatForwardToEachOtherEnds has a group on each of two servers, each with the other as a member:
// the message goes to the second server once, comes back once, and is refused there. Every reader gets it once, and nobody
// whom the sender's domain does not vouch for is told of it.
func TestMailBetweenTwoServersThatForwardToEachOtherEnds(t *testing.T) {
	dns := testdns.Start(t, "one.test. 60 IN MX 10 mx.one.test.\nmx.one.test. 60 IN A 127.0.0.41\none.test. 60 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n"+
		"two.test. 60 IN MX 10 mx.two.test.\nmx.two.test. 60 IN A 127.0.0.42\ntwo.test. 60 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n"+
		"victim.example. 60 IN MX 10 mx.victim.example.\nmx.victim.example. 60 IN A 127.0.0.43\n")
	one, two := lab.Start(t, "--dns", dns.Addr()), lab.Start(t, "--dns", dns.Addr())
	victim := listenAsMX(t, "127.0.0.43")
	toOne, toTwo := pipeMX(t, "127.0.0.41", one), pipeMX(t, "127.0.0.42", two)
	one.Postern("domain", "add", "one.test")
	two.Postern("domain", "add", "two.test")
	one.Postern("group", "add", "team@one.test", "alice@example.test", "team@two.test")
	two.Postern("group", "add", "team@two.test", "bob@example.test", "team@one.test")
	hello := text("From: someone@victim.example", "Subject: round", "", "Hello.")
	if err := world(t, one).SendMail("someone@victim.example", []string{"team@one.test"}, strings.NewReader(hello)); err != nil {
		t.Fatal(err)
	}
	copyHere := string(one.Messages(t, "alice@example.test", "INBOX", 1)[0])
	copyThere := string(two.Messages(t, "bob@example.test", "INBOX", 1)[0])
	if !strings.Contains(copyHere, "Subject: round") || !strings.Contains(copyThere, "Subject: round") {
		t.Errorf("copies:\n%s\n%s", copyHere, copyThere)
	}
	for deadline := time.Now().Add(30 * time.Second); toOne.Load() == 0; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second server did not forward")
		}
	}
	emptyQueue(t, one, two)
	if here, there := one.Count(t, "alice@example.test", "INBOX"), two.Count(t, "bob@example.test", "INBOX"); here != 1 || there != 1 {
		t.Errorf("%d copies here, %d there", here, there)
	}
	// Notices of the refusal may go back along the way the message came, but nothing goes round again.
	if a, b := toOne.Load(), toTwo.Load(); a > 3 || b > 3 {
		t.Errorf("%d connections to the first server, %d to the second", a, b)
	}
	victim.mu.Lock()
	defer victim.mu.Unlock()
	if len(victim.mail) > 0 {
		t.Errorf("somebody who is not proven was told: %+v", victim.mail)
	}
}

// TestTooManyHopsAreALoop sends a message with as many Received fields as are allowed, and one with one more.
func TestTooManyHopsAreALoop(t *testing.T) {
	dns := testdns.Start(t, "sender.example. 60 IN TXT \"v=spf1 -all\"\n")
	s := lab.Start(t, "--dns", dns.Addr())
	send := func(hops int) error {
		mail := strings.Repeat("Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n", hops) + text("From: x@sender.example", "Subject: hops", "", "Hello.")
		return world(t, s).SendMail("x@sender.example", []string{"alice@example.test"}, strings.NewReader(mail))
	}
	if err := send(50); err != nil {
		t.Errorf("50 hops: %v", err)
	}
	if err := send(51); code(err) != 554 {
		t.Errorf("51 hops: %v", err)
	}
}

// TestNothingIsToldAboutANotice has a broken mail system that sends its notices with a reverse-path, through a group whose
// member cannot be reached: only the letter behind it is told of.
func TestNothingIsToldAboutANotice(t *testing.T) {
	dns := testdns.Start(t, "gone.example. 60 IN MX 0 .\n"+
		"proven.example. 60 IN MX 10 mx.proven.example.\nmx.proven.example. 60 IN A 127.0.0.44\nproven.example. 60 IN TXT \"v=spf1 ip4:127.0.0.1 -all\"\n")
	far := listenAsMX(t, "127.0.0.44")
	s := lab.Start(t, "--dns", dns.Addr())
	publish(t, s, dns)
	s.Postern("group", "add", "team@example.test", "out@gone.example")
	send := func(lines ...string) {
		if err := world(t, s).SendMail("someone@proven.example", []string{"team@example.test"}, strings.NewReader(text(lines...))); err != nil {
			t.Fatal(err)
		}
	}
	send("From: someone@proven.example", "Subject: lost", "Content-Type: multipart/report; report-type=delivery-status; boundary=b", "",
		"--b", "", "It did not arrive.", "--b", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; x", "", "Action: failed", "--b--")
	emptyQueue(t, s)
	send("From: someone@proven.example", "Subject: letter", "", "Hello.")
	if notice := string(far.wait(t, 1).data); !strings.Contains(notice, "Subject: letter") || strings.Contains(notice, "Subject: lost") {
		t.Errorf("the notice is about something else:\n%s", notice)
	}
}
