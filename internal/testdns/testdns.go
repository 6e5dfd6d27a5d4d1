// Package testdns is a DNS server for tests: a real one, on UDP and TCP of a loopback port, that holds whatever the
// test tells it to hold and fails whenever it is told to fail. Nothing outside tests imports it.
package testdns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/miekg/dns"
)

// A Failure is what the server does instead of answering well.
type Failure struct {
	// Rcode is answered with nothing else, such as dns.RcodeServerFailure.
	Rcode int
	// Drop: no answer at all, so that the asker times out.
	Drop bool
	// WrongQuestion: a reply with the right id to another question goes out first, as a forger would send it.
	WrongQuestion bool
	// Truncate: every UDP answer is cut off, so that TCP is needed.
	Truncate bool
	// NoEDNS: a question with EDNS is answered FORMERR.
	NoEDNS bool
}

// ServFail is the failure that a resolver gives for a broken zone.
func ServFail() Failure { return Failure{Rcode: dns.RcodeServerFailure} }

// Timeout is the failure of silence.
func Timeout() Failure { return Failure{Drop: true} }

// Server is a running DNS server. It answers as a recursive resolver would: aliases are followed, a name without
// records is NXDOMAIN, one with records of another type is an empty answer; "*.name" is a wildcard.
type Server struct {
	addr string

	mu        sync.Mutex
	records   map[string][]dns.RR
	failures  map[string]Failure
	authentic map[string]bool
	negative  uint32
	asked     map[string]int
	overTCP   int
}

// Start runs a server that holds the given records, in master-file form (RFC 1035 5), until the test ends. A record
// without a TTL has 60 s.
func Start(t testing.TB, zone string) *Server {
	t.Helper()
	s := &Server{
		records: make(map[string][]dns.RR), failures: make(map[string]Failure), authentic: make(map[string]bool),
		asked: make(map[string]int), negative: 60,
	}
	s.Set(t, zone)
	packets, listener := listen(t)
	s.addr = packets.LocalAddr().String()
	udp := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(s.serve)}
	tcp := &dns.Server{Listener: listener, Handler: dns.HandlerFunc(s.serve)}
	var running sync.WaitGroup
	for _, server := range []*dns.Server{udp, tcp} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		running.Go(func() { _ = server.ActivateAndServe() })
		<-started
	}
	t.Cleanup(func() {
		_ = udp.ShutdownContext(context.Background())
		_ = tcp.ShutdownContext(context.Background())
		running.Wait()
	})
	return s
}

// listen takes one port number for both transports.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String())
		if err == nil {
			return packets, listener
		}
		listener.Close()
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// Addr is where the server listens, "127.0.0.1:port".
func (s *Server) Addr() string { return s.addr }

// Set adds records; those of the same name and type that were there before are replaced.
func (s *Server) Set(t testing.TB, zone string) {
	t.Helper()
	if err := s.Load(strings.NewReader(zone)); err != nil {
		t.Fatal(err)
	}
}

// Load is Set for records from a reader.
func (s *Server) Load(zone io.Reader) error {
	parser := dns.NewZoneParser(zone, ".", "")
	parser.SetDefaultTTL(60)
	added := make(map[string][]dns.RR)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		name := strings.ToLower(rr.Header().Name)
		added[name] = append(added[name], rr)
	}
	if err := parser.Err(); err != nil {
		return fmt.Errorf("zone: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, list := range added {
		replaced := make(map[uint16]bool)
		for _, rr := range list {
			replaced[rr.Header().Rrtype] = true
		}
		for _, old := range s.records[name] {
			if !replaced[old.Header().Rrtype] {
				list = append(list, old)
			}
		}
		s.records[name] = list
	}
	return nil
}

// SetTXT holds a text of any length and any bytes at name.
func (s *Server) SetTXT(name string, texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(dns.Fqdn(name))
	var list []dns.RR
	for _, rr := range s.records[key] {
		if rr.Header().Rrtype != dns.TypeTXT {
			list = append(list, rr)
		}
	}
	for _, text := range texts {
		rr := &dns.TXT{Hdr: dns.RR_Header{Name: key, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}}
		for len(text) > 255 {
			rr.Txt, text = append(rr.Txt, escape(text[:255])), text[255:]
		}
		rr.Txt = append(rr.Txt, escape(text))
		list = append(list, rr)
	}
	s.records[key] = list
}

func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Remove forgets all records of name.
func (s *Server) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, strings.ToLower(dns.Fqdn(name)))
}

// SetFailure makes questions for name fail, "" for all names; the zero Failure heals.
func (s *Server) SetFailure(name string, f Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" {
		name = strings.ToLower(dns.Fqdn(name))
	}
	s.failures[name] = f
}

// SetAuthentic sets the AD bit of answers for name, "" for all names, as a validating resolver would.
func (s *Server) SetAuthentic(name string, authentic bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" {
		name = strings.ToLower(dns.Fqdn(name))
	}
	s.authentic[name] = authentic
}

// SetNegativeTTL is how long "not there" may be kept, in seconds: the SOA's minimum. It is 60 at the start.
func (s *Server) SetNegativeTTL(seconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.negative = seconds
}

// Asked is how many questions came for name with any type, "" for all names.
func (s *Server) Asked(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" {
		return s.asked[strings.ToLower(dns.Fqdn(name))]
	}
	total := 0
	for _, n := range s.asked {
		total += n
	}
	return total
}

// AskedOverTCP is how many questions came over TCP.
func (s *Server) AskedOverTCP() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.overTCP
}
