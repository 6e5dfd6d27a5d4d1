package queue_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/mhale/smtpd"

	"postern/internal/clock"
	"postern/internal/resolver"
	"postern/internal/testdns"
	"postern/internal/testenv"
	"postern/smtp/client"
	"postern/smtp/queue"
)

// internet is a DNS and servers at made-up addresses.
type internet struct {
	t     *testing.T
	dns   *testdns.Server
	clock *clock.Manual
	o     queue.RemoteOptions

	mu      sync.Mutex
	servers map[string]string // "192.0.2.1:25" → where it really listens
	dialed  []string
}

func newInternet(t *testing.T, zone string) *internet {
	n := &internet{t: t, dns: testdns.Start(t, zone), servers: map[string]string{}, clock: clock.NewManual(time.Now())}
	short := 2 * time.Second
	n.o = queue.RemoteOptions{
		Hostname: "us.test", Dial: n.dial, Clock: n.clock, DialTimeout: short,
		Resolver: resolver.New(resolver.Options{Servers: []string{n.dns.Addr()}, Timeout: 100 * time.Millisecond, Attempts: 1, Clock: n.clock}),
		Timeouts: client.Timeouts{Greeting: short, Command: short, TLS: short, DataStart: short, DataBlock: short, DataEnd: short, Quit: 100 * time.Millisecond},
	}
	return n
}

func (n *internet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed = append(n.dialed, addr)
	real, ok := n.servers[addr]
	n.mu.Unlock()
	if !ok {
		return nil, syscall.ECONNREFUSED
	}
	var d net.Dialer
	return d.DialContext(ctx, network, real)
}

// at puts a server that is served by fn at an address.
func (n *internet) at(ip string, fn func(conn net.Conn)) {
	n.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.listen(ip, l)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer conn.Close(); fn(conn) })
		}
	})
	n.t.Cleanup(func() { l.Close(); all.Wait() })
}

func (n *internet) listen(ip string, l net.Listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[net.JoinHostPort(ip, "25")] = l.Addr().String()
}

func (n *internet) visits() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := strings.ReplaceAll(strings.Join(n.dialed, " "), ":25", "")
	n.dialed = nil
	return s
}

func job(to ...string) *queue.Job {
	j := &queue.Job{Message: 1, From: "alice@us.test", Size: int64(len(body)), Open: func() io.Reader { return strings.NewReader(body) }}
	for _, a := range to {
		j.Recipients = append(j.Recipients, queue.JobRecipient{Address: a})
	}
	_, j.Destination, _ = strings.Cut(to[0], "@")
	return j
}

func (n *internet) deliver(j *queue.Job) []queue.Outcome {
	line := queue.NewRemote(n.o).Line(j.Destination)
	defer line.Close()
	return line.Deliver(n.t.Context(), j)
}

// says is an outcome in short: "ok", or the enhanced code of the failure, with "t" for a temporary one and "!" when the
// destination could not be reached.
func said(o queue.Outcome) string {
	switch {
	case o.Untried:
		return "untried"
	case o.Err == nil:
		return "ok"
	}
	s := o.Err.EnhancedString()
	if o.Unreachable {
		s += "!"
	}
	return s
}

// dialogue serves a session with fixed replies by verb; what is not named gets 250. "DATA" takes the message, whose reply
// is that for ".". An empty reply closes.
func dialogue(replies map[string]string) func(net.Conn) {
	return func(conn net.Conn) {
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		r := bufio.NewReader(conn)
		answer := func(verb, def string) bool {
			text, ok := replies[verb]
			if !ok {
				text = def
			}
			if text == "" {
				return false
			}
			_, err := io.WriteString(conn, text+"\r\n")
			return err == nil && !strings.HasPrefix(text, "421")
		}
		if !answer("", "220 hi") {
			return
		}
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			verb := strings.ToUpper(strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == ':' || c == '\r' })[0])
			def := "250 ok"
			if verb == "DATA" {
				def = "354 go"
			}
			if !answer(verb, def) {
				return
			}
			if verb != "DATA" || strings.HasPrefix(replies["DATA"], "4") || strings.HasPrefix(replies["DATA"], "5") {
				continue
			}
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
			if !answer(".", "250 queued") {
				return
			}
		}
	}
}

const exchangers = `
one.test.    MX 10 mx1.one.test.
mx1.one.test. A 192.0.2.1
two.test.    MX 10 mx1.two.test.
two.test.    MX 20 mx2.two.test.
mx1.two.test. A 192.0.2.1
mx2.two.test. A 192.0.2.2
none.test.   A 192.0.2.1
null.test.   MX 0 .
text.test.   TXT "no mail here"
lost.test.   MX 10 nowhere.lost.test.
self.test.   MX 10 us.test.
self.test.   MX 20 mx1.one.test.
backup.test. MX 10 mx1.one.test.
backup.test. MX 20 us.test.
backup.test. MX 20 mx2.two.test.
backup.test. MX 30 mx2.two.test.
own.test.    MX 10 ours.test.
ours.test.   A 198.51.100.1
alias.test.  CNAME one.test.
six.test.    MX 10 mx.six.test.
mx.six.test. A 192.0.2.4
mx.six.test. AAAA 2001:db8::4
same.test.   MX 10 mx1.one.test.
same.test.   MX 10 mx2.two.test.
`

func TestTheWayToADomain(t *testing.T) {
	n := newInternet(t, exchangers)
	n.o.Own = func(ip netip.Addr) bool { return ip == netip.MustParseAddr("198.51.100.1") }
	n.dns.SetFailure("servfail.test", testdns.ServFail())
	n.dns.SetFailure("silent.test", testdns.Timeout())
	n.dns.SetFailure("mx.badhost.test", testdns.ServFail())
	n.dns.Set(t, "badhost.test. MX 10 mx.badhost.test.")
	n.at("192.0.2.2", dialogue(nil))
	for _, c := range []struct{ to, want, visits string }{
		{"a@two.test", "ok", "192.0.2.1 192.0.2.2"},
		{"a@one.test", "4.4.1!", "192.0.2.1"},
		{"a@none.test", "4.4.1!", "192.0.2.1"},
		{"a@alias.test", "4.4.1!", "192.0.2.1"},
		{"a@six.test", "4.4.1!", "[2001:db8::4] 192.0.2.4"},
		{"a@null.test", "5.1.10", ""},
		{"a@text.test", "5.4.4", ""},
		{"a@lost.test", "5.4.4", ""},
		{"a@nowhere.test", "5.1.2", ""},
		{"a@servfail.test", "4.4.3!", ""},
		{"a@silent.test", "4.4.3!", ""},
		{"a@badhost.test", "4.4.3!", ""},
		{"a@self.test", "5.4.6", ""},
		{"a@own.test", "5.4.6", ""},
		{"a@ours.test", "5.4.6", ""},
		{"a@[198.51.100.1]", "5.4.6", ""},
		{"a@[192.0.2.2]", "ok", "192.0.2.2"},
		{"a@[IPv6:2001:db8::9]", "4.4.1!", "[2001:db8::9]"},
		{"a@backup.test", "4.4.1!", "192.0.2.1"},
	} {
		o := n.deliver(job(c.to))[0]
		if got, visits := said(o), n.visits(); got != c.want || visits != c.visits {
			t.Errorf("%s: %s by way of %q, want %s by way of %q (%v)", c.to, got, visits, c.want, c.visits, o.Err)
		}
	}
	first := map[string]bool{}
	for range 64 {
		n.deliver(job("a@same.test"))
		visit, _, _ := strings.Cut(n.visits(), " ")
		first[visit] = true
	}
	if len(first) != 2 {
		t.Errorf("exchangers of the same preference are not tried in random order: %v", first)
	}
}

func TestAFailingServerIsUnderstood(t *testing.T) {
	for _, c := range []struct {
		name    string
		first   func(net.Conn)
		want    string
		second  bool // the next exchanger was tried, and took it
		visited string
	}{
		{"takes it", dialogue(nil), "ok", false, ""},
		{"greylists", dialogue(map[string]string{"RCPT": "450 4.7.1 greylisted"}), "4.7.1", false, ""},
		{"knows no such user", dialogue(map[string]string{"RCPT": "550 5.1.1 no"}), "5.1.1", false, ""},
		{"says no without an enhanced code", dialogue(map[string]string{"RCPT": "550 no"}), "5.0.0", false, ""},
		{"refuses the content", dialogue(map[string]string{".": "554 5.7.1 spam"}), "5.7.1", false, ""},
		{"is full", dialogue(map[string]string{".": "452 4.3.1 full"}), "4.3.1", false, ""},
		{"refuses the sender for now", dialogue(map[string]string{"MAIL": "451 4.3.2 busy"}), "ok", true, ""},
		{"refuses the sender", dialogue(map[string]string{"MAIL": "550 5.7.1 no"}), "5.7.1", false, ""},
		{"greets with 421", dialogue(map[string]string{"": "421 4.3.2 busy"}), "ok", true, ""},
		{"greets with 554", dialogue(map[string]string{"": "554 5.3.2 no service"}), "ok", true, ""},
		{"goes with 421 in the middle", dialogue(map[string]string{"RCPT": "421 4.3.2 going"}), "ok", true, ""},
		{"goes without a word", dialogue(map[string]string{"MAIL": ""}), "ok", true, ""},
		{"goes behind the message", dialogue(map[string]string{".": ""}), "4.4.2", false, ""},
		{"closes at once", dialogue(map[string]string{"": ""}), "ok", true, ""},
		{"speaks HTTP", dialogue(map[string]string{"": "HTTP/1.1 400 Bad Request"}), "ok", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newInternet(t, exchangers)
			n.at("192.0.2.1", c.first)
			n.at("192.0.2.2", dialogue(nil))
			o := n.deliver(job("a@two.test"))[0]
			if got, second := said(o), strings.Contains(n.visits(), "192.0.2.2"); got != c.want || second != c.second {
				t.Errorf("%s, next tried: %v; want %s, %v (%v)", got, second, c.want, c.second, o.Err)
			}
		})
	}
}

func TestAServerThatRefusesEverybodyRefusesForGood(t *testing.T) {
	n := newInternet(t, exchangers)
	n.at("192.0.2.1", dialogue(map[string]string{"": "554 5.7.1 you are on a list"}))
	if o := n.deliver(job("a@one.test"))[0]; said(o) != "5.7.1" || !o.Remote || !strings.Contains(o.Reply, "you are on a list") || o.Host != "mx1.one.test[192.0.2.1]" {
		t.Errorf("%+v", o)
	}
	// Where another exchanger may still take it later, it is not for good.
	n.at("192.0.2.1", dialogue(map[string]string{"": "554 5.7.1 no"}))
	n.at("192.0.2.2", dialogue(map[string]string{"": "421 busy"}))
	if o := n.deliver(job("a@two.test"))[0]; o.Err == nil || !o.Err.Temporary() {
		t.Errorf("%+v", o)
	}
}

// A tarpit costs no more than its timeouts, and other mail nothing.
func TestATarpitIsLeft(t *testing.T) {
	n := newInternet(t, exchangers)
	n.o.Timeouts = client.Timeouts{Greeting: 100 * time.Millisecond, Command: 100 * time.Millisecond}
	n.at("192.0.2.1", func(conn net.Conn) {
		gone := make(chan struct{})
		go func() { _, _ = io.Copy(io.Discard, conn); close(gone) }()
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			select {
			case <-gone:
				tick.Stop()
				return
			case <-tick.C:
				_, _ = io.WriteString(conn, "220-wait\r\n")
			}
		}
	})
	begun := time.Now()
	if got := said(n.deliver(job("a@one.test"))[0]); got != "4.4.1!" || time.Since(begun) > 2*time.Second {
		t.Errorf("%s after %v", got, time.Since(begun))
	}
}

func TestAJobEndsWithItsTimeOrWhenWeStop(t *testing.T) {
	n := newInternet(t, exchangers)
	n.at("192.0.2.1", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	n.o.JobTimeout = 100 * time.Millisecond
	if got := said(n.deliver(job("a@one.test"))[0]); !strings.HasPrefix(got, "4.4.") {
		t.Errorf("out of time: %s", got)
	}
	n.o.JobTimeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if got := said(queue.NewRemote(n.o).Line("one.test").Deliver(ctx, job("a@one.test"))[0]); got != "untried" {
		t.Errorf("stopped: %s", got)
	}
}

func TestAWarmLineNeedsOneConnection(t *testing.T) {
	n := newInternet(t, exchangers)
	n.at("192.0.2.1", dialogue(map[string]string{"EHLO": "250-x\r\n250 PIPELINING"}))
	line := queue.NewRemote(n.o).Line("one.test")
	for range 120 {
		if got := said(line.Deliver(t.Context(), job("a@one.test"))[0]); got != "ok" {
			t.Fatal(got)
		}
	}
	line.Close()
	if got := strings.Fields(n.visits()); len(got) != 3 {
		t.Errorf("%d connections for 120 messages, want one for 50", len(got))
	}
}

func TestAConnectionThatDiedWhileIdleCostsNothing(t *testing.T) {
	n := newInternet(t, exchangers)
	var mu sync.Mutex
	var open []net.Conn
	n.at("192.0.2.1", func(conn net.Conn) {
		mu.Lock()
		open = append(open, conn)
		mu.Unlock()
		dialogue(nil)(conn)
	})
	line := queue.NewRemote(n.o).Line("one.test")
	defer line.Close()
	for i := range 3 {
		if got := said(line.Deliver(t.Context(), job("a@one.test"))[0]); got != "ok" {
			t.Fatalf("%d: %s", i, got)
		}
		mu.Lock()
		open[len(open)-1].Close()
		mu.Unlock()
	}
}

func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// tlsServer offers STARTTLS; under TLS it says what extensions it has there.
func tlsServer(config *tls.Config, inside string) func(net.Conn) {
	return func(conn net.Conn) {
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		r := bufio.NewReader(conn)
		_, _ = io.WriteString(conn, "220 hi\r\n")
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			switch strings.ToUpper(strings.TrimSpace(line))[:4] {
			case "EHLO":
				_, _ = io.WriteString(conn, "250-x\r\n250 STARTTLS\r\n")
			case "STAR":
				_, _ = io.WriteString(conn, "220 go\r\n")
				secured := tls.Server(conn, config)
				if secured.Handshake() != nil {
					return
				}
				// The session goes on under TLS; its greeting was said.
				dialogueInside(secured, inside)
				return
			case "DATA":
				_, _ = io.WriteString(conn, "354 go\r\n")
				for line != ".\r\n" {
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
				}
				_, _ = io.WriteString(conn, "250 ok in clear\r\n")
			default:
				_, _ = io.WriteString(conn, "250 ok\r\n")
			}
		}
	}
}

func dialogueInside(conn net.Conn, extensions string) {
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		text := "250 ok"
		switch strings.ToUpper(line)[:4] {
		case "EHLO":
			text = "250-x\r\n250 " + extensions
		case "DATA":
			_, _ = io.WriteString(conn, "354 go\r\n")
			for line != ".\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
			}
		}
		if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
			return
		}
	}
}

func TestTLSIsUsedWhereItWorksAndItsFailureIsRemembered(t *testing.T) {
	cert, _ := certificate(t, "whatever.test")
	n := newInternet(t, exchangers)
	n.at("192.0.2.1", tlsServer(&tls.Config{Certificates: []tls.Certificate{cert}}, "HELP"))
	if o := n.deliver(job("a@one.test"))[0]; said(o) != "ok" || !o.TLS {
		t.Errorf("a certificate of whatever name is enough: %+v", o)
	}
	n.visits()
	// A server whose TLS does not work: no common version.
	n.at("192.0.2.1", tlsServer(&tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS10}, "HELP"))
	remote := queue.NewRemote(n.o)
	send := func(want string) {
		t.Helper()
		line := remote.Line("one.test")
		defer line.Close()
		if o := line.Deliver(t.Context(), job("a@one.test"))[0]; said(o) != "ok" || o.TLS {
			t.Errorf("in clear: %+v", o)
		}
		if got := n.visits(); got != want {
			t.Errorf("connections to %s, want %s", got, want)
		}
	}
	send("192.0.2.1 192.0.2.1")
	send("192.0.2.1") // it is remembered
	n.clock.Advance(61 * time.Minute)
	send("192.0.2.1 192.0.2.1") // for an hour
	// Where a policy wants TLS nothing leaves in clear.
	n.o.Policy = func(_ context.Context, dest, host string) (queue.TLSPolicy, error) {
		if dest != "one.test" || host != "mx1.one.test" {
			t.Errorf("asked about %s, %s", dest, host)
		}
		return queue.TLSPolicy{Mode: queue.Encrypted}, nil
	}
	if o := n.deliver(job("a@one.test"))[0]; said(o) != "4.7.5!" {
		t.Errorf("%+v", o)
	}
	n.at("192.0.2.1", dialogue(nil))
	if o := n.deliver(job("a@one.test"))[0]; said(o) != "4.7.5!" {
		t.Errorf("no STARTTLS offered: %+v", o)
	}
	n.o.Policy = func(context.Context, string, string) (queue.TLSPolicy, error) {
		return queue.TLSPolicy{}, errors.New("no policy to be had")
	}
	if o := n.deliver(job("a@one.test"))[0]; said(o) != "4.7.5!" {
		t.Errorf("%+v", o)
	}
}

func TestAVerifiedPolicyWantsTheRightCertificate(t *testing.T) {
	right, pool := certificate(t, "mx1.one.test")
	wrong, other := certificate(t, "other.test")
	for name, c := range map[string]struct {
		cert  tls.Certificate
		roots *x509.CertPool
		want  string
	}{"right": {right, pool, "ok"}, "another name": {wrong, other, "4.7.5!"}, "another root": {right, other, "4.7.5!"}} {
		n := newInternet(t, exchangers)
		n.o.Roots = c.roots
		n.o.Policy = func(context.Context, string, string) (queue.TLSPolicy, error) {
			return queue.TLSPolicy{Mode: queue.Verified}, nil
		}
		n.at("192.0.2.1", tlsServer(&tls.Config{Certificates: []tls.Certificate{c.cert}}, "HELP"))
		if o := n.deliver(job("a@one.test"))[0]; said(o) != c.want {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestRequireTLSIsKeptOrTheMessageFails(t *testing.T) {
	cert, pool := certificate(t, "mx1.one.test")
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	for _, c := range []struct {
		name   string
		server func(net.Conn)
		secure bool // the DNS answers are authentic
		roots  *x509.CertPool
		want   string
	}{
		{"all is well", tlsServer(config, "REQUIRETLS"), true, pool, "ok"},
		{"REQUIRETLS is not offered", tlsServer(config, "HELP"), true, pool, "5.7.30"},
		{"no TLS", dialogue(map[string]string{"EHLO": "250-x\r\n250 REQUIRETLS"}), true, pool, "5.7.30"},
		{"an unknown certificate", tlsServer(config, "REQUIRETLS"), true, x509.NewCertPool(), "5.7.30"},
		{"an exchanger that is not vouched for", tlsServer(config, "REQUIRETLS"), false, pool, "5.7.30"},
	} {
		n := newInternet(t, exchangers)
		n.o.Roots = c.roots
		n.dns.SetAuthentic("", c.secure)
		n.at("192.0.2.1", c.server)
		j := job("a@one.test")
		j.RequireTLS = true
		if o := n.deliver(j)[0]; said(o) != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, said(o), o.Err, c.want)
		}
	}
}

func TestARouteLeadsElsewhere(t *testing.T) {
	cert, pool := certificate(t, "relay.test")
	n := newInternet(t, "relay.test. A 192.0.2.77\n")
	n.o.Roots = pool
	n.at("192.0.2.77", tlsServer(&tls.Config{Certificates: []tls.Certificate{cert}}, "AUTH PLAIN"))
	var route *queue.Route
	n.o.Route = func(_ context.Context, dest string) (*queue.Route, error) {
		if dest == "broken.test" {
			return nil, errors.New("no")
		}
		return route, nil
	}
	host := queue.RouteHost{Host: "relay.test", Port: 25, Policy: queue.TLSPolicy{Mode: queue.Verified}}
	route = &queue.Route{Hosts: []queue.RouteHost{{Host: "nowhere.test", Port: 25}, host}}
	if o := n.deliver(job("a@anything.test"))[0]; said(o) != "ok" || !o.TLS {
		t.Errorf("%+v", o)
	}
	host.User, host.Password = "user", "pass" // dialogueInside answers AUTH with 250, not 235
	route = &queue.Route{Hosts: []queue.RouteHost{host}}
	if o := n.deliver(job("a@anything.test"))[0]; said(o) != "4.7.8!" || strings.Contains(o.Err.Text, "pass") {
		t.Errorf("a login that is refused: %+v", o)
	}
	route = &queue.Route{Hosts: []queue.RouteHost{{Host: "nowhere.test", Port: 25}}}
	if o := n.deliver(job("a@anything.test"))[0]; said(o) != "4.4.4!" {
		t.Errorf("a relay that is not there is no reason to bounce: %+v", o)
	}
	if o := n.deliver(job("a@broken.test"))[0]; said(o) != "4.4.4!" {
		t.Errorf("%+v", o)
	}
}

func TestWhatTheServerCannotTakeFailsWithTheRightCode(t *testing.T) {
	n := newInternet(t, exchangers)
	n.at("192.0.2.1", dialogue(map[string]string{"EHLO": "250-x\r\n250 SIZE 10"}))
	for want, change := range map[string]func(*queue.Job){
		"5.6.7": func(j *queue.Job) { j.SMTPUTF8, j.From = true, "ä@us.test" },
		"5.6.9": func(j *queue.Job) { j.SMTPUTF8 = true },
		"5.6.3": func(j *queue.Job) { j.Body8Bit = true },
		"5.3.4": func(j *queue.Job) { j.Size = 11 },
		"5.6.0": func(j *queue.Job) { j.Size = 1; j.Open = func() io.Reader { return strings.NewReader("a\n.\nb") } },
	} {
		j := job("a@one.test", "b@one.test")
		j.Size = 5
		change(j)
		for _, o := range n.deliver(j) {
			if said(o) != want || o.Err.Temporary() {
				t.Errorf("%s (%v), want %s", said(o), o.Err, want)
			}
		}
	}
}

func TestARelayWithoutDSNIsNoted(t *testing.T) {
	n := newInternet(t, exchangers)
	n.at("192.0.2.1", dialogue(nil))
	if o := n.deliver(job("a@one.test"))[0]; !o.Relayed {
		t.Errorf("%+v", o)
	}
	n.at("192.0.2.1", dialogue(map[string]string{"EHLO": "250-x\r\n250 DSN"}))
	if o := n.deliver(job("a@one.test"))[0]; o.Relayed {
		t.Errorf("%+v", o)
	}
}

// Every false end of data, through the whole way: nothing unescaped leaves.
func TestSmuggledEndsOfDataNeverLeaveTheQueue(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(testenv.Testdata(t, "smtp-smuggling"), "end-of-data-sequences.txt"))
	if err != nil {
		t.Fatal(err)
	}
	n := newInternet(t, exchangers)
	var mu sync.Mutex
	var got [][]byte
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// This server takes LF.CRLF for the end of data: the victim of smuggling.
	server := &smtpd.Server{Hostname: "victim.test", DisableReverseDNS: true, Handler: func(_ net.Addr, from string, _ []string, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, append([]byte(from+"|"), data...))
		return nil
	}}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	n.listen("192.0.2.1", l)
	for line := range strings.Lines(string(file)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		sequence, err := strconv.Unquote(`"` + line + `"`)
		if err != nil {
			t.Fatal(err)
		}
		j := job("a@one.test")
		j.Open = func() io.Reader {
			return strings.NewReader("Subject: x\r\n\r\na" + sequence + "MAIL FROM:<evil@us.test>\r\nRCPT TO:<a@one.test>\r\nDATA\r\nsmuggled\r\n.\r\n")
		}
		if o := n.deliver(j)[0]; said(o) != "5.6.0" {
			t.Errorf("%s: %s", line, said(o))
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 0 {
		t.Errorf("the victim took %q", got)
	}
}

func TestPeersReceiveWhatTheQueueSends(t *testing.T) {
	n := newInternet(t, exchangers)
	var mu sync.Mutex
	got := map[string][]byte{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mhale := &smtpd.Server{Hostname: "mhale.test", DisableReverseDNS: true, Handler: func(_ net.Addr, _ string, to []string, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		got["mhale"] = bytes.Clone(data)
		return nil
	}}
	go func() { _ = mhale.Serve(l) }()
	t.Cleanup(func() { _ = mhale.Close() })
	n.listen("192.0.2.1", l)
	l2, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := certificate(t, "peer.test")
	peer := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) {
		return &goSession{take: func(b []byte) { mu.Lock(); defer mu.Unlock(); got["go-smtp"] = b }}, nil
	}))
	peer.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	go func() { _ = peer.Serve(l2) }()
	t.Cleanup(func() { _ = peer.Close() })
	n.listen("192.0.2.2", l2)
	for i, text := range []string{body, "Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n", "Subject: long\r\n\r\n" + strings.Repeat("line of text\r\n", 20000)} {
		for name, dest := range map[string]string{"mhale": "a@[192.0.2.1]", "go-smtp": "a@[192.0.2.2]"} {
			j := job(dest)
			j.Size, j.Open = int64(len(text)), func() io.Reader { return strings.NewReader(text) }
			o := n.deliver(j)[0]
			if said(o) != "ok" || o.TLS != (name == "go-smtp") {
				t.Fatalf("%s: %+v", name, o)
			}
			mu.Lock()
			if b := got[name]; !bytes.HasSuffix(b, []byte(text)) || (name == "go-smtp" && len(b) != len(text)) {
				t.Errorf("%s, message %d: arrived otherwise: %.300q", name, i, b)
			}
			mu.Unlock()
		}
	}
}

type goSession struct{ take func([]byte) }

func (s *goSession) Mail(string, *gosmtp.MailOptions) error { return nil }
func (s *goSession) Rcpt(string, *gosmtp.RcptOptions) error { return nil }
func (s *goSession) Reset()                                 {}
func (s *goSession) Logout() error                          { return nil }
func (s *goSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.take(b)
	return err
}
