package server

import (
	"net"
	"net/netip"

	"postern/internal/config"
	"postern/smtp/queue"
)

// deliverer sends to other servers: to the domain's mail exchangers, with TLS where it is offered.
func (s *Server) deliverer() queue.Deliverer {
	return queue.NewRemote(queue.RemoteOptions{
		Hostname: s.Config.Hostname, Resolver: s.Resolver, Own: ownAddresses(s.Config), OnSession: s.observeSession,
		Clock: s.Clock, Log: s.Log,
	})
}

// smtpPort is where other servers listen, and where we would meet ourselves.
const smtpPort = 25

// ownAddresses tells the addresses at which another server's port 25 is ours: mail for a domain whose exchanger is there
// would come back in a loop.
func ownAddresses(c *config.Config) func(netip.Addr) bool {
	return func(ip netip.Addr) bool {
		ip = ip.Unmap().WithZone("")
		for _, l := range c.Listen["smtp"] {
			if l.Port != smtpPort {
				continue
			}
			if l.IP.IsValid() && !l.IP.IsUnspecified() {
				if l.IP.Unmap().WithZone("") == ip {
					return true
				}
			} else if isLocal(ip) {
				return true
			}
		}
		return false
	}
}

// isLocal reports whether an interface of this machine has the address.
func isLocal(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == ip {
			return true
		}
	}
	return false
}
