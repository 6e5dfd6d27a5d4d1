package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// udpSize is the answer size that passes everywhere without fragments (DNS flag day 2020).
	udpSize = 1232
	// slowFor is how long a server that did not answer is asked last.
	slowFor = 30 * time.Second
)

// exchange puts one question to the servers in turn until one gives an answer that means something: NOERROR or
// NXDOMAIN. The flag tells whether that server's AD bit may be believed.
func (r *Resolver) exchange(ctx context.Context, name string, qtype uint16) (*dns.Msg, bool, error) {
	last := errors.New("no DNS server is configured")
	asked := ""
	for range r.attempts {
		for _, s := range r.order() {
			if ctx.Err() != nil {
				return nil, false, temporary(name, asked, context.Cause(ctx))
			}
			asked = s.addr
			m, err := r.one(ctx, s.addr, name, qtype)
			if err != nil {
				last = err
				r.mark(s.addr, true)
				// Not the name: a block list's holds the key to it.
				r.log.Debug("dns server failed", "server", s.addr, "type", dns.TypeToString[qtype], "error", err)
				continue
			}
			r.mark(s.addr, false)
			if m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError {
				return m, s.trustAD, nil
			}
			last = fmt.Errorf("server answered %s", dns.RcodeToString[m.Rcode])
		}
	}
	return nil, false, temporary(name, asked, last)
}

// order is the list of servers with those that failed lately at its end.
func (r *Resolver) order() []server {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	fast := make([]server, 0, len(r.servers))
	var slow []server
	for _, s := range r.servers {
		if until, ok := r.slow[s.addr]; ok && now.Before(until) {
			slow = append(slow, s)
		} else {
			fast = append(fast, s)
		}
	}
	return append(fast, slow...)
}

func (r *Resolver) mark(addr string, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if failed {
		r.slow[addr] = r.clock.Now().Add(slowFor)
	} else {
		delete(r.slow, addr)
	}
}

// one asks one server once: by UDP, by TCP when the answer is cut off, without EDNS when the server does not know it.
func (r *Resolver) one(ctx context.Context, addr, name string, qtype uint16) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	q := question(name, qtype, true)
	m, err := overUDP(ctx, addr, q)
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) {
		// RFC 6891 7: the server is older than EDNS.
		q = question(name, qtype, false)
		m, err = overUDP(ctx, addr, q)
	}
	if err == nil && m.Truncated {
		m, err = overTCP(ctx, addr, q)
	}
	return m, err
}

func question(name string, qtype uint16, edns bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.AuthenticatedData = true // RFC 6840 5.7: tell us whether it was validated
	if edns {
		m.SetEdns0(udpSize, false)
	}
	return m
}

// overUDP asks from a fresh port, so that a forger must guess the port and the id. What does not answer our very
// question is passed over, and the right answer waited for.
func overUDP(ctx context.Context, addr string, q *dns.Msg) (*dns.Msg, error) {
	packet, err := q.Pack()
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	buf := make([]byte, udpSize)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, err
		}
		m := new(dns.Msg)
		if err := m.Unpack(buf[:n]); err == nil && answers(m, q) {
			return m, nil
		}
	}
}

func overTCP(ctx context.Context, addr string, q *dns.Msg) (*dns.Msg, error) {
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := &dns.Conn{Conn: conn}
	if err := c.WriteMsg(q); err != nil {
		return nil, err
	}
	m, err := c.ReadMsg()
	if err != nil {
		return nil, err
	}
	if !answers(m, q) {
		return nil, errors.New("the answer is to another question")
	}
	if m.Truncated {
		return nil, errors.New("the answer is cut off even over TCP")
	}
	return m, nil
}

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// answers reports whether m is a reply to q: same id, same question.
func answers(m, q *dns.Msg) bool {
	if !m.Response || m.Id != q.Id || m.Opcode != dns.OpcodeQuery {
		return false
	}
	if len(m.Question) == 0 {
		// A server that cannot read the question may leave it out.
		return m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented || m.Rcode == dns.RcodeRefused
	}
	a, b := m.Question[0], q.Question[0]
	return len(m.Question) == 1 && a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}
