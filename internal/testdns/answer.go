package testdns

import (
	"net"
	"strings"

	"github.com/miekg/dns"
)

func (s *Server) serve(w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 {
		m := new(dns.Msg)
		_ = w.WriteMsg(m.SetRcode(q, dns.RcodeFormatError))
		return
	}
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	s.mu.Lock()
	m, f := s.answer(q, tcp)
	s.mu.Unlock()
	if f.Drop {
		return
	}
	if f.WrongQuestion && !tcp {
		forged := m.Copy()
		forged.Question[0].Name = "forged.test."
		_ = w.WriteMsg(forged)
	}
	if !tcp {
		m.Truncate(udpSize(q))
		if f.Truncate {
			m.Answer, m.Truncated = nil, true
		}
	}
	_ = w.WriteMsg(m)
}

func udpSize(q *dns.Msg) int {
	if opt := q.IsEdns0(); opt != nil {
		return int(opt.UDPSize())
	}
	return dns.MinMsgSize
}

func (s *Server) answer(q *dns.Msg, tcp bool) (*dns.Msg, Failure) {
	name := strings.ToLower(q.Question[0].Name)
	s.asked[name]++
	if tcp {
		s.overTCP++
	}
	f := s.failures[""]
	if own, ok := s.failures[name]; ok {
		f = own
	}
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	m.Compress = true
	if opt := q.IsEdns0(); opt != nil {
		if f.NoEDNS {
			return m.SetRcode(q, dns.RcodeFormatError), f
		}
		m.SetEdns0(1232, false)
	}
	if f.Rcode != 0 {
		m.Rcode = f.Rcode
		return m, f
	}
	ad, ok := s.authentic[name]
	if !ok {
		ad = s.authentic[""]
	}
	m.AuthenticatedData = ad
	s.follow(m, name, q.Question[0].Qtype)
	return m, f
}

// follow fills in the answer, through at most 20 aliases.
func (s *Server) follow(m *dns.Msg, name string, qtype uint16) {
	for range 20 {
		list, exists := s.at(name)
		if !exists {
			m.Rcode = dns.RcodeNameError
			m.Ns = append(m.Ns, s.soa(name))
			return
		}
		next, found := "", false
		for _, rr := range list {
			if rr.Header().Rrtype == qtype || qtype == dns.TypeANY {
				m.Answer = append(m.Answer, rr)
				found = true
			} else if c, ok := rr.(*dns.CNAME); ok {
				m.Answer = append(m.Answer, rr)
				next = strings.ToLower(c.Target)
			}
		}
		if found {
			return
		}
		if next == "" {
			m.Ns = append(m.Ns, s.soa(name))
			return
		}
		name = next
	}
}

// at gives the records of a name, wildcards included, and whether the name exists at all.
func (s *Server) at(name string) ([]dns.RR, bool) {
	if list, ok := s.records[name]; ok {
		return list, true
	}
	for known := range s.records {
		if strings.HasSuffix(known, "."+name) {
			return nil, true // an empty non-terminal (RFC 8020)
		}
	}
	for rest := name; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok || after == "" {
			return nil, false
		}
		rest = after
		if list, ok := s.records["*."+rest]; ok {
			copies := make([]dns.RR, len(list))
			for i, rr := range list {
				copies[i] = dns.Copy(rr)
				copies[i].Header().Name = name
			}
			return copies, true
		}
	}
}

func (s *Server) soa(name string) dns.RR {
	zone := name
	if _, after, ok := strings.Cut(name, "."); ok && after != "" {
		zone = after
	}
	return &dns.SOA{
		Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: s.negative},
		Ns:  "ns." + zone, Mbox: "hostmaster." + zone, Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: s.negative,
	}
}
