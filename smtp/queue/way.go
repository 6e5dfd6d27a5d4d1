package queue

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"postern/internal/reply"
	"postern/internal/resolver"
)

// hop is one host to try, with its addresses.
type hop struct {
	host       string
	addrs      []netip.Addr
	port       int
	preference uint16
	implicit   bool
	policy     TLSPolicy
	user, pass string
	mx         bool // found through the DNS: the policy is still to be asked for
}

// way finds the hosts to try for a destination, the best first (RFC 5321 5.1).
func (r *Remote) way(ctx context.Context, destination string) ([]hop, *reply.Error) {
	if r.o.Route != nil {
		route, err := r.o.Route(ctx, destination)
		if err != nil {
			return nil, reply.Wrap(err, 451, "4.4.4", "No way to %s is known now", destination)
		}
		if route != nil {
			return r.viaRoute(ctx, route)
		}
	}
	if ip, ok := literal(destination); ok {
		return r.toAddress(destination, ip)
	}
	mx, err := r.o.Resolver.MX(ctx, destination)
	switch {
	case err == nil:
		return r.viaExchangers(ctx, destination, mx)
	case resolver.IsTemporary(err):
		return nil, reply.Wrap(err, 451, "4.4.3", "The mail exchangers of %s could not be looked up", destination)
	case isNoDomain(err):
		return nil, reply.Wrap(err, 550, "5.1.2", "The domain %s does not exist", destination)
	}
	// No MX record: the domain's own address is its exchanger.
	h, problem := r.lookUp(ctx, hop{host: destination, port: r.o.Port, mx: true})
	if problem != nil {
		return nil, problem
	}
	if r.isSelf(h) {
		return nil, loops(destination)
	}
	return []hop{h}, nil
}

func loops(destination string) *reply.Error {
	return reply.New(554, "5.4.6", "Mail for %s leads back to this server, which does not serve that domain", destination)
}

func isNoDomain(err error) bool { return resolver.IsNotFound(err) && !isNoData(err) }

// literal reads an address literal, "[192.0.2.1]" or "[IPv6:2001:db8::1]".
func literal(destination string) (netip.Addr, bool) {
	inner, ok := strings.CutPrefix(destination, "[")
	if !ok {
		return netip.Addr{}, false
	}
	inner = strings.TrimSuffix(inner, "]")
	if len(inner) > 5 && strings.EqualFold(inner[:5], "IPv6:") {
		inner = inner[5:]
	}
	ip, err := netip.ParseAddr(inner)
	return ip.Unmap(), err == nil
}

func (r *Remote) toAddress(destination string, ip netip.Addr) ([]hop, *reply.Error) {
	h := hop{host: destination, addrs: []netip.Addr{ip}, port: r.o.Port}
	if r.isSelf(h) {
		return nil, loops(destination)
	}
	return []hop{h}, nil
}

func (r *Remote) viaRoute(ctx context.Context, route *Route) ([]hop, *reply.Error) {
	var hops []hop
	last := reply.New(451, "4.4.4", "The relay has no hosts")
	for _, host := range route.Hosts[:min(len(route.Hosts), maxHosts)] {
		h := hop{host: host.Host, port: host.Port, implicit: host.ImplicitTLS, policy: host.Policy, user: host.User, pass: host.Password}
		if ip, err := netip.ParseAddr(host.Host); err == nil {
			h.addrs = []netip.Addr{ip}
			hops = append(hops, h)
			continue
		}
		h, problem := r.lookUp(ctx, h)
		if problem != nil {
			// A relay that is misnamed is ours to put right, not the sender's to hear of.
			last = reply.Wrap(problem, 451, "4.4.4", "The relay %s cannot be found", host.Host)
			continue
		}
		hops = append(hops, h)
	}
	if len(hops) == 0 {
		return nil, last
	}
	return hops, nil
}

// viaExchangers orders the exchangers and leaves out those that lead back here.
func (r *Remote) viaExchangers(ctx context.Context, destination string, mx resolver.Answer[resolver.MX]) ([]hop, *reply.Error) {
	list := slices.Clone(mx.Values)
	if len(list) == 1 && list[0].Host == "." {
		return nil, reply.New(556, "5.1.10", "The domain %s takes no mail", destination) // RFC 7505 4
	}
	// Of the same preference, in random order.
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b resolver.MX) int { return int(a.Preference) - int(b.Preference) })
	var hops []hop
	var last *reply.Error
	for _, x := range list[:min(len(list), maxHosts)] {
		if x.Host == "." {
			continue
		}
		h := hop{host: x.Host, port: r.o.Port, preference: x.Preference, mx: true}
		h.policy.Vouched = mx.Authentic
		self := strings.EqualFold(x.Host, r.o.Hostname)
		if !self {
			var problem *reply.Error
			if h, problem = r.lookUp(ctx, h); problem != nil {
				if last == nil || problem.Temporary() {
					last = problem
				}
				continue
			}
			self = r.isSelf(h)
		}
		if self {
			// RFC 5321 5.1: only hosts that are preferred to ourselves remain.
			hops = slices.DeleteFunc(hops, func(h hop) bool { return h.preference >= x.Preference })
			if len(hops) == 0 && (last == nil || !last.Temporary()) {
				return nil, loops(destination)
			}
			break
		}
		hops = append(hops, h)
	}
	if len(hops) == 0 {
		if last == nil {
			last = reply.New(550, "5.4.4", "None of the mail exchangers of %s is usable", destination)
		}
		return nil, last
	}
	return hops, nil
}

// lookUp fills in a host's addresses, IPv6 and IPv4 in turn.
func (r *Remote) lookUp(ctx context.Context, h hop) (hop, *reply.Error) {
	a, err := r.o.Resolver.LookupHost(ctx, h.host)
	if resolver.IsTemporary(err) {
		return h, reply.Wrap(err, 451, "4.4.3", "The address of %s could not be looked up", h.host)
	}
	if err != nil {
		return h, reply.Wrap(err, 550, "5.4.4", "The host %s has no address", h.host)
	}
	var six, four []netip.Addr
	for _, ip := range a.Values {
		if ip.Is4() {
			four = append(four, ip)
		} else {
			six = append(six, ip)
		}
	}
	for i := range max(len(six), len(four)) {
		if i < len(six) {
			h.addrs = append(h.addrs, six[i])
		}
		if i < len(four) {
			h.addrs = append(h.addrs, four[i])
		}
	}
	h.addrs = h.addrs[:min(len(h.addrs), maxAddresses)]
	return h, nil
}

func (r *Remote) isSelf(h hop) bool {
	return r.o.Own != nil && slices.ContainsFunc(h.addrs, r.o.Own)
}
