package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// zone is the DNS that judging asks: the sender's domain with records as large ones have them, and the client that sends for
// it. Its answers hold longer than any run, so that the server asks once and then remembers.
const zone = `
sender.example. 86400 IN TXT "v=spf1 include:_spf.sender.example -all"
_spf.sender.example. 86400 IN TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip4:127.0.0.0/8 ~all"
_dmarc.sender.example. 86400 IN TXT "v=DMARC1; p=reject; adkim=r; aspf=r; rua=mailto:dmarc@sender.example"
client.example. 86400 IN TXT "v=spf1 a -all"
client.example. 86400 IN A 127.0.0.1
1.0.0.127.in-addr.arpa. 86400 IN PTR client.example.
`

// nameServer answers from a zone, over UDP on a loopback port.
type nameServer struct {
	address string
	server  *dns.Server
	records map[string][]dns.RR
}

// startNames serves the zone and the keys that the signed letters are signed with.
func startNames() (*nameServer, error) {
	key, err := signingKey()
	if err != nil {
		return nil, err
	}
	line, err := key.ZoneLine()
	if err != nil {
		return nil, err
	}
	s := &nameServer{records: map[string][]dns.RR{}}
	parser := dns.NewZoneParser(strings.NewReader(zone+line+"\n"), ".", "")
	parser.SetDefaultTTL(86400)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		s.records[rr.Header().Name] = append(s.records[rr.Header().Name], rr)
	}
	if err := parser.Err(); err != nil {
		return nil, fmt.Errorf("zone: %w", err)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.address = conn.LocalAddr().String()
	s.server = &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(s.serve)}
	started := make(chan struct{})
	s.server.NotifyStartedFunc = func() { close(started) }
	go func() { _ = s.server.ActivateAndServe() }()
	<-started
	return s, nil
}

func (s *nameServer) stop() { _ = s.server.Shutdown() }

func (s *nameServer) serve(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	if len(q.Question) == 1 {
		list, exists := s.records[strings.ToLower(q.Question[0].Name)]
		for _, rr := range list {
			if rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
	}
	if len(m.Answer) == 0 {
		soa := &dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 86400}, Ns: "ns.", Mbox: "hostmaster.", Minttl: 86400}
		m.Ns = append(m.Ns, soa)
	}
	m.Truncate(1232)
	_ = w.WriteMsg(m)
}
